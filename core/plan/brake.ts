/** The brake (R20): a run that takes surprisingly much stops and asks once more, naming the count. */
import { t } from "@vscode/l10n";
import type { Brake } from "../config/config.ts";
import type { PlanItem } from "../model.ts";
import { formatBytes } from "../words.ts";

export interface Surroundings {
  /** Projects that were named are no surprise: one finished project may well be most of a store, above all the first one. */
  readonly named: boolean;
  /** Whether anything, a database or a job, could say who owns a file. */
  readonly catalogued: boolean;
}

/** Why the run must ask, in words; empty when it need not. `all` is the whole plan, `taken` what a run would take of it. */
export function brakeOf(
  brake: Brake,
  all: readonly PlanItem[],
  taken: readonly PlanItem[],
  { named, catalogued }: Surroundings,
): readonly string[] {
  if (taken.length === 0) return [];
  const reasons: string[] = [];
  const bytes = taken.reduce((sum, item) => sum + item.bytes, 0);
  if (taken.length > brake.files) reasons.push(t("{0} files are more than {1} (policy.brake.files)", taken.length, brake.files));
  if (bytes > brake.bytes) reasons.push(t("{0} are more than {1} (policy.brake.bytes)", formatBytes(bytes), formatBytes(brake.bytes)));
  // A limit of age or amount says itself what goes. But where a database has emptied, all that it knew looks like files that nobody
  // owns and that are too old; clips never had an owner.
  const surprising = taken.filter(({ role, reason }) => (catalogued && role !== "clip") || (reason !== "max-age" && reason !== "pressure"));
  if (surprising.length > 0 && taken.length === all.length)
    reasons.push(t("nothing would be left: all {0} files of all stores would go", all.length));
  if (named) return reasons;
  const totals = countByStore(all);
  for (const [store, count] of countByStore(surprising)) {
    const total = totals.get(store) ?? count;
    if (total >= brake.floor && count > total * brake.share) {
      reasons.push(
        t(
          '{0} of {1} files of the store "{2}" are more than {3} % (policy.brake.share)',
          count,
          total,
          store,
          Math.round(brake.share * 100),
        ),
      );
    }
  }
  return reasons;
}

function countByStore(items: readonly PlanItem[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item.store, (counts.get(item.store) ?? 0) + 1);
  return counts;
}
