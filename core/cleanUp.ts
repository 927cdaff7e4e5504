/** From a plan to a result: the one way by which every shell deletes. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { type Config, rootsOf } from "./config/config.ts";
import type { PlanOptions } from "./makePlan.ts";
import type { CleanResult, ItemError, Plan, PlanItem } from "./model.ts";
import { forgetReleases } from "./jobs/release.ts";
import { retireJobs } from "./jobs/retire.ts";
import { archiveRuns } from "./reclaim/archive.ts";
import { createGuard } from "./reclaim/guard.ts";
import { HOME, homeOf, Refusal } from "./reclaim/home.ts";
import { acquireLocks } from "./reclaim/lock.ts";
import { recover } from "./reclaim/recover.ts";
import { compareRecords, noteTime, writeRecords } from "./reclaim/records.ts";
import { explainErrno } from "./reclaim/retry.ts";
import { runCleanup, type RunOutcome, type RunProgress } from "./reclaim/run.ts";
import { createRecheck } from "./recheck.ts";
import { mayBeRelieved } from "./relieve.ts";
import { repairStatus, trackStatus } from "./status.ts";
import { forgetUploads } from "./uploads.ts";

export interface CleanOptions extends PlanOptions {
  /** Instead of `policy.undo`, milliseconds; 0 deletes at once. */
  readonly undoMs?: number;
  /** Only some kinds or files of the projects were chosen, so that a project is not done with when they are gone. */
  readonly partial?: boolean;
  readonly onRunProgress?: (progress: RunProgress) => void;
}

/**
 * Executes a plan. Throws a {@link Refusal} when nothing may be done at all: the plan expired or does not hold any more, another
 * process is cleaning, a root is not what it was. What happens to single files is in the result (R22).
 */
export async function cleanUp(config: Config, plan: Plan, options: CleanOptions): Promise<CleanResult> {
  const now = options.now ?? Date.now;
  if (options.trusted === false) throw new Refusal(t("the workspace is not trusted; nothing is deleted in it"));
  if (now() > Date.parse(plan.expires)) throw new Refusal(t("the plan expired at {0}; preview again", plan.expires));
  if (plan.configHash !== config.hash) throw new Refusal(t("the configuration changed since the preview; preview again"));
  if (options.mode === "automatic" && !plan.autoCleanup.enabled)
    throw new Refusal(t("automatic cleanup is off ({0})", plan.autoCleanup.source));
  const items = plan.items.filter((item) => item.verdict === "reclaim").map((item) => holdAsAsked(item, options));
  if (items.length === 0) {
    await rememberTime(config, now(), options.mode === "automatic");
    return NOTHING;
  }

  // Before the lock, which makes `.offcut/`: nothing is made where a drive should be (R76).
  const { unreachable } = compareRecords(config.root, rootsOf(config), now());
  if (unreachable !== undefined) throw new Refusal(unreachable);

  const undoMs = options.undoMs ?? config.policy.undoMs;
  using _locks = await acquireLocks([...new Set([config.root, ...items.map((item) => item.root)])]);
  recover(config.root, now);
  repairStatus(config);
  archiveRuns(config.root);
  const recheck = await createRecheck(config, options, now);
  // Nobody has seen a plan that cleaning made for itself, and each file is asked about again; else a busy pipeline would stop it for ever.
  if (recheck.generation !== plan.generation && options.mode !== "automatic")
    throw new Refusal(t("a database or a job changed since the preview; preview again"));
  const outcome = await runCleanup({
    workspace: config.root,
    digest: plan.digest,
    items,
    undoMs,
    guard: createGuard({
      workspace: config.root,
      stores: config.stores,
      protectedPaths: [...plan.protectedPaths, ...recheck.protectedPaths],
      protectedInodes: [...plan.protectedInodes, ...recheck.protectedInodes],
    }),
    recheck: (item, file) => recheck.ask(item, file),
    claim: (batch) => recheck.claim(batch),
    automatic: options.mode === "automatic",
    now,
    ...(options.signal && { signal: options.signal }),
    ...(options.onRunProgress && { onProgress: options.onRunProgress }),
  });
  const errors: ItemError[] = [
    ...outcome.errors,
    ...remember(config, now()),
    ...trackStatus(config, outcome, items, now(), options.partial ?? false),
    ...(await settleOwners(config, outcome, options.partial ?? false, now())),
  ];
  const { moved, ...result } = outcome;
  const notes = notesOn(config, plan, moved, result);
  return { ...result, errors, ...(notes.length > 0 && { notes }) };
}

/** What is held may go earlier than promised where it presses its own store (R58). */
function notesOn(config: Config, plan: Plan, moved: readonly PlanItem[], { heldSpace }: CleanResult): readonly string[] {
  if (heldSpace === 0 || !plan.autoCleanup.enabled) return [];
  const above = plan.pressures.filter(
    ({ store, usedBytes, maxBytes }) => usedBytes > maxBytes && moved.some((item) => item.store === store) && mayBeRelieved(config, store),
  );
  return above.map(({ store }) =>
    t('with what is held the store "{0}" is above its limit, so automatic cleaning frees it first: undo soon, or not at all', store),
  );
}

/** What was noted for the sake of these files is not needed any more. */
async function settleOwners(config: Config, outcome: RunOutcome, partial: boolean, nowMs: number): Promise<readonly ItemError[]> {
  const taken = outcome.moved;
  // Of an owner that still has files here what was released stays released.
  const whole = !partial && outcome.skipped.length + outcome.errors.length === 0 && !outcome.cancelled;
  forgetUploads(
    config.root,
    taken.filter((item) => item.role === "upload").map((item) => path.join(item.root, item.path)),
  );
  if (whole) forgetReleases(config.root, [...new Set(taken.flatMap((item) => (item.reason === "owner-failed" ? (item.owner ?? []) : [])))]);
  return retireJobs(config, nowMs, new Set(taken.flatMap((item) => item.owner ?? [])));
}

/**
 * By hand everything can be undone for as long as the policy says; by itself a store may say otherwise, and what goes because its store
 * is too large goes at once: held it would still count.
 */
function holdAsAsked(item: PlanItem, { mode, undoMs }: CleanOptions): PlanItem {
  if (item.undoMs === undefined || (mode === "automatic" && (undoMs === undefined || item.reason === "pressure"))) return item;
  const { undoMs: _undoMs, ...rest } = item;
  return rest;
}

/** The result of a cleanup that had nothing to do. */
export const NOTHING: CleanResult = {
  run: "",
  deletedFiles: 0,
  freedSpace: 0,
  heldSpace: 0,
  removedDirectories: 0,
  errors: [],
  skipped: [],
  cancelled: false,
};

/**
 * Where nothing had to be done, too, the time is noted, so that a doubt about the clock ends some day (R48). By hand nothing is made
 * for it where nothing is, and another process that cleans notes it itself.
 */
async function rememberTime(config: Config, nowMs: number, everywhere: boolean): Promise<void> {
  if (!(everywhere || fs.existsSync(homeOf(config.root))) || compareRecords(config.root, rootsOf(config), nowMs).unreachable !== undefined)
    return;
  try {
    await noteTime(config.root, rootsOf(config), nowMs);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
}

/** The files are moved already, so what cannot be noted is reported and no refusal. */
function remember(config: Config, nowMs: number): readonly ItemError[] {
  try {
    writeRecords(config.root, rootsOf(config), nowMs);
    return [];
  } catch (error) {
    return [{ path: `${HOME}/records.json`, message: error instanceof Refusal ? error.message : explainErrno(error) }];
  }
}
