/**
 * Every cleanup of the runtime: a plan and its run, one at a time for a root within this process, waiting for other processes a
 * little, with lines for the log. The rules are those of the engine.
 */
import { setTimeout as delay } from "node:timers/promises";
import { t } from "@vscode/l10n";
import type { MediaCache } from "../core/catalog/outputs.ts";
import { cleanUp, NOTHING } from "../core/cleanUp.ts";
import type { Config } from "../core/config/config.ts";
import { retireJobs } from "../core/jobs/retire.ts";
import { makePlan } from "../core/makePlan.ts";
import type { CleanResult, Plan, PlanItem, Pressure } from "../core/model.ts";
import { brakeOf } from "../core/plan/brake.ts";
import type { Selection } from "../core/plan/build.ts";
import { Refusal } from "../core/reclaim/home.ts";
import { lockHolder } from "../core/reclaim/lock.ts";
import { relieve } from "../core/relieve.ts";
import { purge } from "../core/runs.ts";
import { cleanupLine, formatBytes } from "../core/words.ts";
import type { Layout } from "./layout.ts";
import type { Logger } from "./logger.ts";
import { removeEmptyOf, removeOldMarks } from "./leftovers.ts";

export interface CleanRequest {
  readonly config: Config;
  /** What is cleaned, for the log. */
  readonly label: string;
  readonly logger: Logger;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly mode: "automatic" | "manual";
  /** Only what this project or job has; that nobody knows it is told. */
  readonly owner?: string;
  readonly selection?: Selection;
  readonly orphans?: boolean;
  /** Of what may go, only these files. */
  readonly only?: (item: PlanItem) => boolean;
  readonly dryRun?: boolean;
  /** Somebody saw this number of files and agreed to it (R20). */
  readonly confirmedFiles?: number;
  /** What somebody types to go on when the brake stops it. */
  readonly confirm?: string;
  /** One owner only is looked at, so that whether anything is left cannot be told. */
  readonly narrowed?: boolean;
  /**
   * `config` with all that it leaves out to be fast: what a look at one owner cannot tell is asked of it. Jobs of which nothing is left
   * are forgotten by it, and never by a part.
   */
  readonly whole?: Config;
  /** Where jobs have their directories: those that are empty now go, too. */
  readonly layout?: Layout;
  /** The marks of jobs that are long gone go, too. */
  readonly marksOlderThanMs?: number;
  /** Says nothing where there was nothing to do. */
  readonly quiet?: boolean;
  readonly signal?: AbortSignal;
  readonly now?: () => number;
}

export interface Cleaned {
  readonly result: CleanResult;
  /** What would go, or was asked to go. */
  readonly files: readonly PlanItem[];
  /** What was looked at and stays. */
  readonly kept: readonly PlanItem[];
  readonly outcome: "off" | "unknown" | "braked" | "done" | "cancelled";
  readonly pressures: readonly Pressure[];
}

/** How long another process is waited for, and how often a plan that was overtaken is made anew. */
const WAIT_MS = 10_000;
const TRIES = 8;

const queues = new Map<string, Promise<unknown>>();

/** By root: a final that was looked into is looked into again when it changed. */
const mediaCaches = new Map<string, MediaCache>();
const MOST_CACHED = 10_000;

/** Throws for what makes a cleanup impossible: a configuration that cannot be used, a root that is away. */
export async function clean(request: CleanRequest): Promise<Cleaned> {
  const { root } = request.config;
  const before = queues.get(root) ?? Promise.resolve();
  const mine = before.then(() => cleanInTurn(request));
  const settled = mine.catch(() => {});
  queues.set(root, settled);
  try {
    return await mine;
  } finally {
    if (queues.get(root) === settled) queues.delete(root);
  }
}

async function cleanInTurn(request: CleanRequest): Promise<Cleaned> {
  const { config, signal } = request;
  const until = performance.now() + WAIT_MS;
  try {
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      while (request.dryRun !== true && lockHolder(config.root) !== undefined && performance.now() < until)
        await delay(20, undefined, signal && { signal });
      try {
        return await cleanOnce(request);
      } catch (error) {
        // On a busy root something changes between plan and run; then it is planned anew.
        if (!(error instanceof Refusal) || attempt === TRIES || performance.now() > until) throw error;
        await delay(10 * attempt, undefined, signal && { signal });
      }
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
    request.logger.info(t("Cleanup of {0}: cancelled", request.label));
    return { result: { ...NOTHING, cancelled: true }, files: [], kept: [], outcome: "cancelled", pressures: [] };
  }
}

async function cleanOnce(request: CleanRequest, othersFinals = false): Promise<Cleaned> {
  const { config, label, logger, environment, mode, owner, orphans, signal, now } = request;
  const selection = owner === undefined ? request.selection : { ...request.selection, projects: [owner] };
  const isPart = request.whole !== undefined && request.whole !== config;
  const options = {
    mode,
    environment,
    mediaCache: mediaCacheOf(config.root),
    ...(selection && { selection }),
    ...(isPart && owner !== undefined && !othersFinals && { finalsOf: [owner] }),
    ...(orphans !== undefined && { orphans }),
    ...(signal && { signal }),
    ...(now && { now }),
  };
  const plan = choose(await makePlan(config, options), request);
  if (isPart && needsWhole(plan, request)) return cleanOnce({ ...request, config: request.whole });
  if (options.finalsOf && plan.items.some((item) => item.reason === "final-unverified")) return cleanOnce(request, true);
  const files = plan.items.filter((item) => item.verdict === "reclaim");
  const outcome = { files, kept: plan.items.filter((item) => item.verdict === "keep"), pressures: plan.pressures };
  if (mode === "automatic" && !plan.autoCleanup.enabled) {
    logger.info(t("Cleanup of {0}: automatic cleanup is off ({1})", label, plan.autoCleanup.source));
    return { ...outcome, result: NOTHING, outcome: "off" };
  }
  for (const problem of plan.problems)
    if (problem.severity !== "info") logger.warn(t("Cleanup: {0}: {1}", problem.source, problem.message));
  if (owner !== undefined && isUnknown(plan, owner)) {
    const message = t('no database lists a project "{0}", and no file is of it', owner);
    logger.warn(t("Cleanup of {0}: nothing was touched: {1}", label, message));
    return { ...outcome, result: failedWith(message), outcome: "unknown" };
  }
  if (request.dryRun === true) {
    const bytes = files.reduce((sum, item) => sum + item.bytes, 0);
    logger.info(t("Cleanup of {0}: would delete {1} files, {2}", label, files.length, formatBytes(bytes)));
    return { ...outcome, result: NOTHING, outcome: "done" };
  }
  const brake = brakesOn(plan, files, request);
  if (brake.length > 0) {
    const message = request.confirm === undefined ? brake.join("; ") : t("{0}. Confirm it by hand: {1}", brake.join("; "), request.confirm);
    logger.warn(t("Cleanup of {0} stopped: {1}", label, message));
    return { ...outcome, result: failedWith(message), outcome: "braked" };
  }
  const purged = await purge(config.root, { expiredAt: (now ?? Date.now)() }, signal && { signal });
  // R58: what is held goes before any file does.
  const relieved = mode === "automatic" ? await relieve(config, purged.length > 0 ? await makePlan(config, options) : plan, signal) : [];
  for (const one of relieved) logger.info(t("of earlier cleanups: {0}", cleanupLine(one.deletedFiles, one.freedSpace)), { run: one.run });
  const result = await cleanUp(config, plan, { ...options, partial: request.only !== undefined });
  if (request.layout) await removeEmptyOf(config, request.layout, result.run === "" ? withoutFiles(plan, owner) : ownersOf(files));
  await afterwards(
    request,
    [...purged, ...relieved].some((one) => one.deletedFiles > 0) || owner === undefined ? undefined : new Set([owner]),
  );
  tell(result, plan, request);
  return { ...outcome, result, outcome: result.cancelled ? "cancelled" : "done" };
}

/** A part is enough for an owner that is known, unless the brake has to know what else there is. */
function needsWhole(plan: Plan, request: CleanRequest): boolean {
  return !plan.owners.some((one) => one.id === request.owner) || (request.narrowed !== true && plan.brake.length > 0);
}

function mediaCacheOf(root: string): MediaCache {
  const known = mediaCaches.get(root);
  if (known && known.size <= MOST_CACHED) return known;
  const fresh: MediaCache = new Map();
  mediaCaches.set(root, fresh);
  return fresh;
}

/**
 * What the cleaning itself does not depend on: when another process is at work, the next time will do. Jobs of which nothing is left
 * are forgotten, all of them or `only` some.
 */
async function afterwards(request: CleanRequest, only: ReadonlySet<string> | undefined): Promise<void> {
  const { config, whole, layout, logger, marksOlderThanMs, now = Date.now } = request;
  try {
    for (const { path, message } of whole ? await retireJobs(whole, now(), only) : [])
      logger.warn(t("Cleanup: {0}: {1}", path, message), { path, error: message });
    if (layout && marksOlderThanMs !== undefined) await removeOldMarks(config, layout, now() - marksOlderThanMs);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
}

/** The owner that was named, when it ended and has nothing but finals. */
function withoutFiles(plan: Plan, owner: string | undefined): readonly string[] {
  const hasEnded = plan.owners.some((one) => one.id === owner && (one.state === "succeeded" || one.state === "failed"));
  return owner === undefined || !hasEnded || plan.items.some((item) => item.role !== "final") ? [] : [owner];
}

function isUnknown(plan: Plan, owner: string): boolean {
  const known = plan.owners.some((one) => one.id === owner) || plan.items.some((item) => item.owner === owner);
  return !known && plan.problems.every((problem) => problem.severity !== "error");
}

function failedWith(message: string): CleanResult {
  return { ...NOTHING, errors: [{ path: "", message }] };
}

function ownersOf(items: readonly PlanItem[]): readonly string[] {
  return items.flatMap((item) => (item.owner === undefined ? [] : [item.owner]));
}

/** Less than was planned is planned, too. */
function choose(plan: Plan, { only, config }: CleanRequest): Plan {
  if (!only) return plan;
  const items = plan.items.filter((item) => item.verdict === "reclaim" && only(item));
  const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
  const totals = { ...plan.totals, reclaim: { files: items.length, bytes } };
  return {
    ...plan,
    items,
    totals,
    brake: brakeOf(config.policy.brake, plan.items, items, { named: false, catalogued: plan.owners.length + config.databases.length > 0 }),
  };
}

function brakesOn(plan: Plan, files: readonly PlanItem[], request: CleanRequest): readonly string[] {
  if (plan.brake.length === 0 || request.confirmedFiles === files.length) return [];
  const { brake } = request.config.policy;
  const bytes = files.reduce((sum, item) => sum + item.bytes, 0);
  return request.narrowed === true && files.length <= brake.files && bytes <= brake.bytes ? [] : plan.brake;
}

function tell(result: CleanResult, plan: Plan, { logger, quiet }: CleanRequest): void {
  for (const one of result.errors) logger.error(t("Cleanup: {0}: {1}", one.path, one.message), { path: one.path, error: one.message });
  for (const one of result.skipped) logger.warn(t("Cleanup: kept {0}: {1}", one.path, one.reason), { path: one.path, reason: one.reason });
  if (quiet === true && result.run === "") return;
  const more =
    result.heldSpace > 0
      ? ` (${t("{0} held for undo until {1}", formatBytes(result.heldSpace), result.undoUntil ?? "")})`
      : whyNothing(plan);
  logger.info(cleanupLine(result.deletedFiles, result.freedSpace) + more);
}

/** Nothing freed is explained (R84). */
function whyNothing(plan: Plan): string {
  if (plan.totals.reclaim.files > 0) return "";
  const kept = plan.items.find((item) => item.role !== "final");
  return kept ? ` (${kept.evidence[0] ?? kept.reason})` : "";
}
