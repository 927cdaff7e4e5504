/** One item: what is reclaimable, and whether it is cleaned automatically. */
import * as vscode from "vscode";
import type { PlanSummary, Schedule, ShownProblem } from "../server/protocol.ts";
import { listFacts } from "./markdown.ts";
import type { Report, State } from "./state.ts";
import { unverifiedIn, wordPressure } from "./storage.ts";
import { shownProblems } from "./tree.ts";
import { countFiles, formatBytes, formatClock, formatInterval, formatTime, formatTotals } from "./words.ts";

export function showStatusBar(state: State): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("offcut.status", vscode.StatusBarAlignment.Left);
  item.name = "Offcut";
  item.command = "offcut.reclaimable.focus";
  const update = (): void => {
    // A report without a plan has a configuration that cannot be used, which nobody may overlook.
    const reports = state.reports.filter(({ plan }) => !plan || plan.configFile !== undefined);
    if (reports.length === 0) return item.hide();
    const plans = reports.flatMap(({ plan }) => plan ?? []);
    const pressed = plans.flatMap((plan) => plan.pressures.filter((pressure) => pressure.over));
    const broken = reports.flatMap(severeProblems);
    const words = wordState(reports, plans);
    item.text = `$(${broken.length > 0 ? "error" : pressed.length > 0 ? "warning" : "trash"}) ${words.text}`;
    item.accessibilityInformation = {
      label: [
        words.label,
        ...pressed.map((pressure) => vscode.l10n.t("storage pressure, {0}", wordPressure(pressure))),
        ...broken.map((problem) => problem.message),
      ].join(", "),
    };
    item.backgroundColor = backgroundOf(broken.length > 0 ? "error" : pressed.length > 0 ? "warning" : undefined);
    item.tooltip = new vscode.MarkdownString(reports.map((report) => factsOf(report).value).join("\n\n"));
    item.show();
  };
  return vscode.Disposable.from(item, state.onDidChange(update), state.onDidChangeSchedule(update));
}

/** Where nothing can be decided, the first cause takes the place of the figure. */
function wordState(reports: readonly Report[], plans: readonly PlanSummary[]): { readonly text: string; readonly label: string } {
  const [blocker] = reports.filter(({ plan }) => !plan || plan.totals.reclaim.files === 0).flatMap(severeProblems);
  if (blocker) {
    const text = vscode.l10n.t("Offcut: {0}, nothing is cleaned up", placeOf(blocker));
    return { text, label: text };
  }
  const bytes = plans.reduce((sum, plan) => sum + plan.totals.reclaim.bytes, 0);
  const figure = vscode.workspace.isTrusted ? formatBytes(bytes) : vscode.l10n.t("not trusted");
  const auto = autoWords(plans);
  return { text: `${figure} · ${auto}`, label: vscode.l10n.t("Offcut: {0} reclaimable, {1}", figure, auto) };
}

function severeProblems(report: Report): readonly ShownProblem[] {
  return shownProblems(report).filter((problem) => problem.severity === "error");
}

/** `offcut.yaml:3`, `episode-7.json`: the view has the whole path. */
function placeOf({ source, line }: ShownProblem): string {
  const name = source.split(/[\\/]/).at(-1) ?? source;
  return line === undefined ? name : `${name}:${line}`;
}

/** Many a message begins with the file that it is about. */
function wordProblem(problem: ShownProblem): string {
  const place = placeOf(problem);
  return problem.message.startsWith(`${place} `) ? problem.message : `${place}: ${problem.message}`;
}

function backgroundOf(severity: "error" | "warning" | undefined): vscode.ThemeColor | undefined {
  return severity && new vscode.ThemeColor(`statusBarItem.${severity}Background`);
}

function autoWords(plans: readonly PlanSummary[]): string {
  const on = plans.filter((plan) => plan.autoCleanup.enabled).length;
  if (on === plans.length) return vscode.l10n.t("auto-cleanup on");
  return on === 0 ? vscode.l10n.t("auto-cleanup off") : vscode.l10n.t("auto-cleanup mixed");
}

/** A hover has room for so many; the view has them all. */
const MOST_PROBLEMS = 5;

/** What is wrong comes first: the rest may be what it was before. */
function factsOf(report: Report): vscode.MarkdownString {
  const problems = shownProblems(report).filter((problem) => problem.severity !== "info");
  const left = problems.length - MOST_PROBLEMS;
  return listFacts(`Offcut · ${report.folder.name}`, [
    ...problems.slice(0, MOST_PROBLEMS).map(wordProblem),
    ...(left > 0 ? [vscode.l10n.t("{0} more problems", left)] : []),
    ...(report.plan ? factsOfPlan(report.plan) : [vscode.l10n.t("Until this is mended nothing is planned, cleaned up or enforced.")]),
  ]);
}

function factsOfPlan({ groups, totals, held, autoCleanup, pressures, problems, schedule }: PlanSummary): readonly string[] {
  const unverified = groups.reduce((sum, group) => sum + unverifiedIn(group), 0);
  return [
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
    wordSchedule(schedule, problems),
    vscode.l10n.t(
      "AUTO_CLEANUP_ENABLED is {0} ({1})",
      autoCleanup.enabled ? vscode.l10n.t("on") : vscode.l10n.t("off"),
      autoCleanup.source,
    ),
  ];
}

/** `Automatic cleanup: every 15 min by this window, last 12:05 (nothing to clean), next 12:20`. */
function wordSchedule({ running, everyMs, last, next }: Schedule, problems: readonly ShownProblem[]): string {
  const lastly = last ? [vscode.l10n.t("last {0} ({1})", formatClock(last.at), wordOutcome(last, problems))] : [];
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

/** The message names commands of a terminal where the outcome says enough, and repeats a problem that stands above. */
function wordOutcome({ outcome, message }: NonNullable<Schedule["last"]>, problems: readonly ShownProblem[]): string {
  if (outcome === "configuration") return vscode.l10n.t("the configuration could not be used");
  if (outcome === "failed" && problems.some(({ source }) => message.includes(source))) return vscode.l10n.t("nothing could be cleaned");
  if (outcome === "nothing") return vscode.l10n.t("nothing to clean");
  if (outcome === "braked") return vscode.l10n.t("stopped, because it is more than usual");
  return outcome === "off" ? vscode.l10n.t("switched off") : message;
}
