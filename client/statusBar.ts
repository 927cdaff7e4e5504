/** One item: what is reclaimable, and whether it is cleaned automatically. */
import * as vscode from "vscode";
import type { PlanSummary } from "../server/protocol.ts";
import { listFacts } from "./markdown.ts";
import type { State } from "./state.ts";
import { formatBytes, formatTime, formatTotals } from "./words.ts";

export function showStatusBar(state: State): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("offcut.status", vscode.StatusBarAlignment.Left);
  item.name = "Offcut";
  item.command = "offcut.reclaimable.focus";
  const update = (): void => {
    const plans = state.reports.flatMap((report) => (report.plan?.configFile === undefined ? [] : [report.plan]));
    if (plans.length === 0) return item.hide();
    const bytes = plans.reduce((sum, plan) => sum + plan.totals.reclaim.bytes, 0);
    const figure = vscode.workspace.isTrusted ? formatBytes(bytes) : vscode.l10n.t("not trusted");
    item.text = `$(trash) ${figure} · ${autoWords(plans)}`;
    item.accessibilityInformation = { label: vscode.l10n.t("Offcut: {0} reclaimable, {1}", figure, autoWords(plans)) };
    item.tooltip = tooltipOf(plans);
    item.show();
  };
  return vscode.Disposable.from(item, state.onDidChange(update));
}

function autoWords(plans: readonly PlanSummary[]): string {
  const on = plans.filter((plan) => plan.autoCleanup.enabled).length;
  if (on === plans.length) return vscode.l10n.t("auto-cleanup on");
  return on === 0 ? vscode.l10n.t("auto-cleanup off") : vscode.l10n.t("auto-cleanup mixed");
}

function tooltipOf(plans: readonly PlanSummary[]): vscode.MarkdownString {
  return new vscode.MarkdownString(plans.map((plan) => factsOf(plan).value).join("\n\n"));
}

function factsOf({ folder, totals, held, autoCleanup }: PlanSummary): vscode.MarkdownString {
  return listFacts(`Offcut · ${vscode.Uri.parse(folder).path.split("/").at(-1) ?? ""}`, [
    vscode.l10n.t("Reclaimable: {0}", formatTotals(totals.reclaim)),
    vscode.l10n.t("Kept: {0}", formatTotals(totals.keep)),
    ...(held.files > 0
      ? [
          held.undoUntil === undefined
            ? vscode.l10n.t("Held for undo: {0}", formatTotals(held))
            : vscode.l10n.t("Held for undo until {0}: {1}", formatTime(held.undoUntil), formatTotals(held)),
        ]
      : []),
    vscode.l10n.t(
      "AUTO_CLEANUP_ENABLED is {0} ({1})",
      autoCleanup.enabled ? vscode.l10n.t("on") : vscode.l10n.t("off"),
      autoCleanup.source,
    ),
  ]);
}
