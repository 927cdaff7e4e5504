/** A plan without its files, as it goes to the client. */
import path from "node:path";
import type { Config } from "../core/config/config.ts";
import type { PlanItem } from "../core/model.ts";
import { listRuns } from "../core/runs.ts";
import { uriOf } from "./convert.ts";
import { showProblems } from "./problems.ts";
import type { Group, Held, OwnerSummary, PlanSummary } from "./protocol.ts";
import { scheduleOf } from "./schedule.ts";
import type { StoredPlan } from "./session.ts";

export function summarise(folder: string, config: Config, { plan, groups }: StoredPlan): PlanSummary {
  const prefixes = new Map(config.stores.map((store) => [store.name, store.template.prefix]));
  const taken = plan.items.filter((item) => item.verdict === "reclaim");
  return {
    folder,
    digest: plan.digest,
    ...(config.file !== undefined && { configFile: uriOf(config.file) }),
    expires: plan.expires,
    groups: [...groups.values()].flatMap((items) => describeGroup(items) ?? []),
    totals: plan.totals,
    owners: plan.owners.map(({ source: _source, makesNoFinal: _makesNoFinal, ...owner }): OwnerSummary => owner),
    problems: showProblems(config, plan.problems),
    autoCleanup: plan.autoCleanup,
    brake: plan.brake,
    pressures: plan.pressures,
    schedule: scheduleOf(config),
    roots: [...new Set(taken.map((item) => path.join(item.root, prefixes.get(item.store) ?? "")))].sort(),
    held: heldOf(config.root),
  };
}

export function groupKey(verdict: string, owner: string | undefined, store: string): string {
  return JSON.stringify([verdict, owner ?? null, store]);
}

export function groupItems(items: readonly PlanItem[]): ReadonlyMap<string, readonly PlanItem[]> {
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
  let bytes = 0;
  let oldestMs = 0;
  for (const item of items) {
    bytes += item.bytes;
    oldestMs = Math.max(oldestMs, item.ageMs);
  }
  return {
    verdict: first.verdict,
    ...(first.owner !== undefined && { owner: first.owner }),
    store: first.store,
    role: first.role,
    files: items.length,
    bytes,
    oldestMs,
    reasons: count(items.map((item) => item.reason)).map(([reason, files]) => ({ reason, files })),
    evidence: first.evidence,
    ...(first.role === "upload" && {
      uploads: count(items.map((item) => item.remote?.status ?? "unknown")).map(([status, files]) => ({ status, files })),
    }),
  };
}

/** How often each comes, the most frequent first. */
function count<T>(values: readonly T[]): readonly (readonly [T, number])[] {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
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
