/** One item: what is reclaimable, and whether it is cleaned automatically. */
import * as vscode from "vscode";
import type { PlanSummary, Schedule } from "../server/protocol.ts";
import { listFacts } from "./markdown.ts";
import type { State } from "./state.ts";
import { unverifiedIn, wordPressure } from "./storage.ts";
import { countFiles, formatBytes, formatClock, formatInterval, formatTime, formatTotals } from "./words.ts";

export function showStatusBar(state: State): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("offcut.status", vscode.StatusBarAlignment.Left);
  item.name = "Offcut";
  item.command = "offcut.reclaimable.focus";
  const update = (): void => {
    const plans = state.reports.flatMap((report) => (report.plan?.configFile === undefined ? [] : [report.plan]));
    if (plans.length === 0) return item.hide();
    const bytes = plans.reduce((sum, plan) => sum + plan.totals.reclaim.bytes, 0);
    const figure = vscode.workspace.isTrusted ? formatBytes(bytes) : vscode.l10n.t("not trusted");
    const pressed = plans.flatMap((plan) => plan.pressures.filter((pressure) => pressure.over));
    item.text = `$(${pressed.length > 0 ? "warning" : "trash"}) ${figure} · ${autoWords(plans)}`;
    const label = vscode.l10n.t("Offcut: {0} reclaimable, {1}", figure, autoWords(plans));
    item.accessibilityInformation = {
      label: [label, ...pressed.map((pressure) => vscode.l10n.t("storage pressure, {0}", wordPressure(pressure)))].join(", "),
    };
    item.backgroundColor = pressed.length > 0 ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
    item.tooltip = tooltipOf(plans);
    item.show();
  };
  return vscode.Disposable.from(item, state.onDidChange(update), state.onDidChangeSchedule(update));
}

function autoWords(plans: readonly PlanSummary[]): string {
  const on = plans.filter((plan) => plan.autoCleanup.enabled).length;
  if (on === plans.length) return vscode.l10n.t("auto-cleanup on");
  return on === 0 ? vscode.l10n.t("auto-cleanup off") : vscode.l10n.t("auto-cleanup mixed");
}

function tooltipOf(plans: readonly PlanSummary[]): vscode.MarkdownString {
  return new vscode.MarkdownString(plans.map((plan) => factsOf(plan).value).join("\n\n"));
}

function factsOf({ folder, groups, totals, held, autoCleanup, pressures, schedule }: PlanSummary): vscode.MarkdownString {
  const unverified = groups.reduce((sum, group) => sum + unverifiedIn(group), 0);
  return listFacts(`Offcut · ${vscode.Uri.parse(folder).path.split("/").at(-1) ?? ""}`, [
    ...pressures.map((pressure) =>
      pressure.over
        ? vscode.l10n.t("Storage pressure: {0}, cleaning up frees {1}", wordPressure(pressure), formatBytes(pressure.freeBytes))
        : vscode.l10n.t("Storage: {0}", wordPressure(pressure)),
    ),
    vscode.l10n.t("Reclaimable: {0}", formatTotals(totals.reclaim)),
    vscode.l10n.t("Kept: {0}", formatTotals(totals.keep)),
    ...(unverified > 0 ? [vscode.l10n.t("Uploads not verified: {0}", countFiles(unverified))] : []),
    ...(held.files > 0
      ? [
          held.undoUntil === undefined
            ? vscode.l10n.t("Held for undo: {0}", formatTotals(held))
            : vscode.l10n.t("Held for undo until {0}: {1}", formatTime(held.undoUntil), formatTotals(held)),
        ]
      : []),
    wordSchedule(schedule),
    vscode.l10n.t(
      "AUTO_CLEANUP_ENABLED is {0} ({1})",
      autoCleanup.enabled ? vscode.l10n.t("on") : vscode.l10n.t("off"),
      autoCleanup.source,
    ),
  ]);
}

/** `Automatic cleanup: every 15 min by this window, last 12:05 (nothing to clean), next 12:20`. */
function wordSchedule({ running, everyMs, last, next }: Schedule): string {
  const lastly = last ? [vscode.l10n.t("last {0} ({1})", formatClock(last.at), wordOutcome(last))] : [];
  if (!running)
    return [vscode.l10n.t("Automatic cleanup: not on a schedule (offcut watch, or the setting offcut.background.enabled)"), ...lastly].join(
      ", ",
    );
  return [
    vscode.l10n.t("Automatic cleanup: every {0} by {1}", formatInterval(everyMs), wordRunner(running)),
    ...lastly,
    ...(next === undefined ? [] : [vscode.l10n.t("next {0}", formatClock(next))]),
  ].join(", ");
}

function wordRunner({ by, pid, host, here }: NonNullable<Schedule["running"]>): string {
  if (here) return vscode.l10n.t("this window");
  const process = host === undefined ? vscode.l10n.t("process {0}", pid) : vscode.l10n.t("process {0} on {1}", pid, host);
  return by === "watch" ? vscode.l10n.t("offcut watch ({0})", process) : vscode.l10n.t("another window ({0})", process);
}

/** The message names commands of a terminal where the outcome says enough. */
function wordOutcome({ outcome, message }: NonNullable<Schedule["last"]>): string {
  if (outcome === "nothing") return vscode.l10n.t("nothing to clean");
  if (outcome === "braked") return vscode.l10n.t("stopped, because it is more than usual");
  return outcome === "off" ? vscode.l10n.t("switched off") : message;
}
