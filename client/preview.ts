/** Preview Cleanup: the dry run as text. */
import * as vscode from "vscode";
import type { PlanItem } from "../core/model.ts";
import type { PlanSummary } from "../server/protocol.ts";
import type { Documents } from "./documents.ts";
import { kindsOf, type OwnerKinds } from "./ownerLook.ts";
import { labelOf } from "./reasons.ts";
import type { Report, State } from "./state.ts";
import { alignColumns } from "./table.ts";
import { countFiles, formatAge, formatBytes, formatTotals } from "./words.ts";

/** Lines that an editor still scrolls through; the total counts all. */
const LONGEST = 20_000;

export async function previewCleanup(state: State, documents: Documents): Promise<void> {
  await state.refresh();
  const parts = await Promise.all(state.reports.map((report) => describe(state, report)));
  await documents.show(vscode.l10n.t("Cleanup Preview"), parts.join("\n\n\n"));
}

async function describe(state: State, { folder, plan, problems }: Report): Promise<string> {
  const title = vscode.l10n.t("Cleanup preview of {0}", folder.name);
  const notes = problems.map((problem) => `! ${problem.source}${problem.line === undefined ? "" : `:${problem.line}`}: ${problem.message}`);
  const head = [title, "=".repeat(title.length), "", ...notes, ...(notes.length > 0 ? [""] : [])];
  if (!plan) return head.join("\n");
  const items = await state.items({ folder: plan.folder, digest: plan.digest, verdict: "reclaim", offset: 0, limit: LONGEST });
  return [...head, ...table(items, kindsOf(plan)), ...tail(plan, items.length)].join("\n");
}

function table(items: readonly PlanItem[], kinds: OwnerKinds): string[] {
  if (items.length === 0) return [vscode.l10n.t("Nothing is reclaimable.")];
  const head = [
    vscode.l10n.t("OWNER"),
    vscode.l10n.t("KIND"),
    vscode.l10n.t("SIZE"),
    vscode.l10n.t("AGE"),
    vscode.l10n.t("REASON"),
    vscode.l10n.t("FILE"),
  ];
  const rows = items.map((item) => [
    item.owner ?? "-",
    item.store,
    formatBytes(item.bytes),
    formatAge(item.ageMs),
    labelOf(item.reason, kinds(item.owner)),
    item.path,
  ]);
  return alignColumns([head, ...rows], new Set([2, 3]));
}

function tail(plan: PlanSummary, shown: number): string[] {
  const { reclaim, keep } = plan.totals;
  return [
    ...(shown < reclaim.files ? [vscode.l10n.t("… and {0} more", countFiles(reclaim.files - shown))] : []),
    "",
    vscode.l10n.t("Would clean up {0}. Keeps {1}. Nothing has been changed by this preview.", formatTotals(reclaim), formatTotals(keep)),
    ...plan.brake.map((reason) => vscode.l10n.t("Will ask with care: {0}", reason)),
  ];
}
