/** The brake (R20): a run that takes surprisingly much stops and asks once more, naming the count. */
import { t } from "@vscode/l10n";
import type { Brake } from "../config/config.ts";
import type { PlanItem } from "../model.ts";
import { formatBytes } from "../words.ts";

/**
 * Why the run must ask, in words; empty when it need not. `all` is the whole plan, `taken` what a run would take of it. Projects
 * that were `named` are no surprise: one finished project may well be most of a store, above all the first one.
 */
export function brakeOf(brake: Brake, all: readonly PlanItem[], taken: readonly PlanItem[], named: boolean): readonly string[] {
  if (taken.length === 0) return [];
  const reasons: string[] = [];
  const bytes = taken.reduce((sum, item) => sum + item.bytes, 0);
  if (taken.length > brake.files) reasons.push(t("{0} files are more than {1} (policy.brake.files)", taken.length, brake.files));
  if (bytes > brake.bytes) reasons.push(t("{0} are more than {1} (policy.brake.bytes)", formatBytes(bytes), formatBytes(brake.bytes)));
  // The limits of a store of clips say themselves what goes: no share of it is a surprise.
  const surprising = taken.filter((item) => item.role !== "clip" || (item.reason !== "max-age" && item.reason !== "pressure"));
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
