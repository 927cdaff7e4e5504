/** Plans: made anew for each question, kept in memory so that the files can be paged and exactly the confirmed ones cleaned. */
import path from "node:path";
import { t } from "@vscode/l10n";
import { ResponseError } from "vscode-languageserver/node";
import type { Config } from "../core/config/config.ts";
import { loadConfig } from "../core/config/load.ts";
import { makePlan } from "../core/makePlan.ts";
import type { Plan, PlanItem } from "../core/model.ts";
import { selects } from "../core/plan/build.ts";
import { listRuns } from "../core/runs.ts";
import { countFiles, formatBytes } from "../core/words.ts";
import { pathOf, uriOf, uriOfItem } from "./convert.ts";
import { requireTrust, type Work } from "./edge.ts";
import type { Group, Held, ItemsAnswer, ItemsParams, Part, PlanParams, PlanSummary, PrepareParams, Question } from "./protocol.ts";
import { planExpired } from "./protocol.ts";
import type { Session, StoredPlan } from "./session.ts";
import { watchDatabases } from "./watch.ts";
import { wordQuestion } from "./words.ts";

export async function planFolder(session: Session, params: PlanParams, work: Work): Promise<PlanSummary> {
  const { config, stored } = await planAnew(session, params, work);
  return summarise(params.folder, config, stored);
}

/** Plans for the question before a cleanup; the plan that is asked about is the one that {@link takenOf} narrows later. */
export async function prepare(session: Session, params: PrepareParams, work: Work): Promise<Question> {
  requireTrust(session);
  const { config, stored } = await planAnew(session, params, work);
  const taken = takenOf(stored.plan, params);
  return {
    plan: summarise(params.folder, config, stored),
    ...wordQuestion(config, stored.plan, taken, params.projects !== undefined, session.now()),
  };
}

export function pageItems(session: Session, params: ItemsParams): ItemsAnswer {
  const { plan, groups } = storedPlan(session, pathOf(params.folder), params.digest);
  const { verdict, group, offset, limit } = params;
  const items = group
    ? (groups.get(groupKey(verdict, group.owner, group.store)) ?? [])
    : plan.items.filter((item) => item.verdict === verdict);
  return items.slice(offset, offset + limit).map((item) => Object.assign({ uri: uriOfItem(item) }, item));
}

/** Throws {@link planExpired} when the plan that the client means is no longer the newest one. */
export function storedPlan(session: Session, root: string, digest: string): StoredPlan {
  const stored = session.plans.get(root);
  if (stored?.plan.digest !== digest) throw new ResponseError(planExpired, t("the list is out of date; refresh it"));
  return stored;
}

/** The files that a part of a plan would take. */
export function takenOf(plan: Plan, part: Part): readonly PlanItem[] {
  const selection = {
    ...(part.projects && { projects: part.projects }),
    ...(part.stores && { stores: part.stores }),
    ...(part.files && { paths: part.files.map(pathOf) }),
  };
  return plan.items.filter((item) => item.verdict === "reclaim" && selects(selection, item));
}

async function planAnew(
  session: Session,
  params: PlanParams | PrepareParams,
  work: Work,
): Promise<{ readonly config: Config; readonly stored: StoredPlan }> {
  const root = pathOf(params.folder);
  const config = loadConfig(root);
  work.progress.begin(t("Looking for reclaimable files"), undefined, undefined, true);
  try {
    const plan = await makePlan(config, {
      environment: session.environment,
      trusted: session.trusted,
      orphans: ("orphans" in params && params.orphans) ?? false,
      now: session.now,
      signal: work.signal,
      mediaCache: session.mediaCache,
      onProgress: ({ phase, files, bytes }) => {
        if (phase === "catalog") work.progress.report(t("reading the database"));
        if (phase === "scan") work.progress.report(t("{0}, {1}", countFiles(files), formatBytes(bytes)));
      },
    });
    work.signal.throwIfAborted();
    const stored = { plan, groups: groupItems(plan.items) };
    session.plans.set(root, stored);
    if (session.trusted) await watchDatabases(session, root, config);
    return { config, stored };
  } finally {
    work.progress.done();
  }
}

function summarise(folder: string, config: Config, { plan, groups }: StoredPlan): PlanSummary {
  const prefixes = new Map(config.stores.map((store) => [store.name, store.template.prefix]));
  const taken = plan.items.filter((item) => item.verdict === "reclaim");
  return {
    folder,
    digest: plan.digest,
    ...(config.file !== undefined && { configFile: uriOf(config.file) }),
    expires: plan.expires,
    groups: [...groups.values()].flatMap((items) => describeGroup(items) ?? []),
    totals: plan.totals,
    owners: plan.owners.map(({ id, state, status }) => ({ id, state, status })),
    problems: plan.problems,
    autoCleanup: plan.autoCleanup,
    brake: plan.brake,
    roots: [...new Set(taken.map((item) => path.join(item.root, prefixes.get(item.store) ?? "")))].sort(),
    held: heldOf(config.root),
  };
}

function groupKey(verdict: string, owner: string | undefined, store: string): string {
  return JSON.stringify([verdict, owner ?? null, store]);
}

function groupItems(items: readonly PlanItem[]): ReadonlyMap<string, readonly PlanItem[]> {
  const groups = new Map<string, PlanItem[]>();
  for (const item of items) {
    const key = groupKey(item.verdict, item.owner, item.store);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

function describeGroup(items: readonly PlanItem[]): Group | undefined {
  const [first] = items;
  if (!first) return undefined;
  const reasons = new Map<PlanItem["reason"], number>();
  let bytes = 0;
  let oldestMs = 0;
  for (const item of items) {
    bytes += item.bytes;
    oldestMs = Math.max(oldestMs, item.ageMs);
    reasons.set(item.reason, (reasons.get(item.reason) ?? 0) + 1);
  }
  return {
    verdict: first.verdict,
    ...(first.owner !== undefined && { owner: first.owner }),
    store: first.store,
    role: first.role,
    files: items.length,
    bytes,
    oldestMs,
    reasons: [...reasons].map(([reason, files]) => ({ reason, files })).sort((a, b) => b.files - a.files),
    evidence: first.evidence,
  };
}

/** What the runs of a workspace hold together, and when the first of them ends. */
function heldOf(root: string): Held {
  const holding = listRuns(root).filter((run) => run.heldFiles > 0);
  const ends = holding.flatMap((run) => run.undoUntil ?? []).sort();
  return {
    files: holding.reduce((sum, run) => sum + run.heldFiles, 0),
    bytes: holding.reduce((sum, run) => sum + run.heldSpace, 0),
    ...(ends[0] !== undefined && { undoUntil: ends[0] }),
  };
}
