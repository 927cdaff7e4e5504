/** What people are asked and told: the same sentences in every editor. */
import path from "node:path";
import { t } from "@vscode/l10n";
import { brakeOf } from "../core/plan/brake.ts";
import type { Config } from "../core/config/config.ts";
import type { Enforcement } from "../core/enforce.ts";
import type { CleanResult, Plan, PlanItem } from "../core/model.ts";
import type { PurgeResult } from "../core/reclaim/purge.ts";
import type { UndoResult } from "../core/reclaim/undo.ts";
import type { Recovered } from "../core/reclaim/recover.ts";
import { cleanupLine, countFiles, formatBytes } from "../core/words.ts";
import { wordProblem } from "./problems.ts";
import type { Question } from "./protocol.ts";

/** The local time of day; with the date when it is not today. */
function formatClock(iso: string, nowMs: number): string {
  const date = new Date(iso);
  const pad = (number: number): string => String(number).padStart(2, "0");
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  if (date.toDateString() === new Date(nowMs).toDateString()) return time;
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${time}`;
}

/** The question before a cleanup (R86). `taken` are the files of the plan that it would take; `named` says that projects were chosen. */
export function wordQuestion(
  config: Config,
  plan: Plan,
  taken: readonly PlanItem[],
  named: boolean,
  nowMs: number,
): Omit<Question, "plan"> {
  const totals = { files: taken.length, bytes: sumBytes(taken) };
  if (taken.length === 0) return { totals, message: t("There is nothing to clean up."), detail: whyNothing(plan), action: "" };
  const brake = brakeOf(config.policy.brake, plan.items, taken, { named, catalogued: plan.owners.length + config.databases.length > 0 });
  const detail = [
    ...rootsOf(config, taken),
    "",
    config.policy.undoMs > 0
      ? t(
          "They are held for undo until {0}; their space is freed then, or when you say so.",
          formatClock(new Date(nowMs + config.policy.undoMs).toISOString(), nowMs),
        )
      : t("They are deleted at once and cannot be brought back (policy.undo is 0)."),
    ...(brake.length > 0 ? ["", t("This is more than usual:"), ...brake.map((reason) => `• ${reason}`)] : []),
  ];
  return {
    totals,
    message: t("Clean up {0} ({1})?", countFiles(totals.files), formatBytes(totals.bytes)),
    detail: detail.join("\n"),
    action: totals.files === 1 ? t("Clean Up 1 File") : t("Clean Up {0} Files", totals.files),
  };
}

/** The directories that hold what would be taken, with their share. */
function rootsOf(config: Config, taken: readonly PlanItem[]): readonly string[] {
  const shares = new Map<string, PlanItem[]>();
  for (const item of taken) {
    const prefix = config.stores.find((store) => store.name === item.store)?.template.prefix ?? "";
    const directory = path.join(item.root, prefix);
    const share = shares.get(directory);
    if (share) share.push(item);
    else shares.set(directory, [item]);
  }
  return [...shares]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([directory, items]) => t("{0}: {1}, {2}", directory, countFiles(items.length), formatBytes(sumBytes(items))));
}

/** R84: nothing to free is explained. */
function whyNothing(plan: Plan): string {
  const problem = plan.problems.find((one) => one.severity === "error") ?? plan.problems.find((one) => one.severity === "warning");
  const kept =
    plan.totals.keep.files === 0
      ? t("No files of any store were found.")
      : t("Kept: {0} ({1}); the reasons stand beside them.", countFiles(plan.totals.keep.files), formatBytes(plan.totals.keep.bytes));
  return problem ? `${kept}\n${wordProblem(plan.root, problem)}` : kept;
}

/** The line of S0.8 and what else is true: what is held until when, what stayed, why nothing was freed. */
export function wordCleanup(result: CleanResult, nowMs: number): string {
  const line = cleanupLine(result.deletedFiles, result.freedSpace);
  const held =
    result.heldSpace > 0 && result.undoUntil !== undefined
      ? ` ${t("({0} MB held for undo until {1})", megabytes(result.heldSpace), formatClock(result.undoUntil, nowMs))}`
      : "";
  const more = [
    ...(result.cancelled ? [t("It was cancelled; the rest is where it was.")] : []),
    ...(result.errors.length > 0
      ? [t("{0} could not be removed: {1}", countFiles(result.errors.length), result.errors[0]?.message ?? "")]
      : []),
    ...(result.skipped.length > 0 ? [t("{0} kept: {1}", countFiles(result.skipped.length), result.skipped[0]?.reason ?? "")] : []),
    ...(result.notes ?? []),
  ];
  return [`${line}${held}`, ...more].join(". ");
}

/** The real figure, after the space was freed (R14, R83, R84). */
export function wordPurge(results: readonly PurgeResult[]): string {
  const files = results.reduce((sum, one) => sum + one.deletedFiles, 0);
  const freed = results.reduce((sum, one) => sum + one.freedSpace, 0);
  const linked = results.reduce((sum, one) => sum + one.linkedFiles, 0);
  const errors = results.flatMap((one) => one.errors);
  const more = [
    ...(results.length === 0 ? [t("no cleanup holds files")] : []),
    ...(linked > 0 ? [t("{0} have another hard link, so removing this one frees nothing for certain", countFiles(linked))] : []),
    ...(errors.length > 0 ? [t("{0} are still held: {1}", countFiles(errors.length), errors[0]?.message ?? "")] : []),
  ];
  return [cleanupLine(files, freed), ...more].join(". ");
}

/** What one round of the automatic loop came to. */
export function wordRound(round: Enforcement, nowMs: number): string {
  const { outcome, plan, result, purged, message } = round;
  const earlier = purged.some((one) => one.deletedFiles > 0 || one.errors.length > 0)
    ? [t("Of earlier cleanups: {0}", wordPurge(purged))]
    : [];
  if (outcome === "braked" && plan)
    return [t("Automatic cleanup stopped, because this is more than usual: {0}", plan.brake.join("; ")), ...earlier].join(". ");
  if (outcome === "off" && plan) return t("Automatic cleanup is off ({0}), so nothing was cleaned up.", plan.autoCleanup.source);
  const blind = plan?.problems.find((problem) => problem.severity === "error");
  if (outcome === "failed" && plan && blind && result?.run === "" && result.errors.length === 0)
    return [t("Nothing can be cleaned up: {0}", wordProblem(plan.root, blind)), ...earlier].join(" ");
  if (result && (result.run !== "" || result.errors.length > 0)) return [wordCleanup(result, nowMs), ...earlier].join(". ");
  if (earlier.length > 0) return earlier.join("");
  if (outcome === "nothing" && plan) return t("Nothing is to be cleaned up automatically; {0} kept.", countFiles(plan.totals.keep.files));
  return message;
}

export function wordUndo(result: UndoResult): string {
  const more = [
    ...(result.renamed.length > 0
      ? [t("{0} under another name, because the place was taken: {1}", countFiles(result.renamed.length), result.renamed[0]?.to ?? "")]
      : []),
    ...(result.errors.length > 0
      ? [t("{0} could not be put back: {1}", countFiles(result.errors.length), result.errors[0]?.message ?? "")]
      : []),
  ];
  const line = t("Undone: {0} ({1}) are back", countFiles(result.restoredFiles), formatBytes(result.restoredSpace));
  return [line, ...more, ...(result.notes ?? [])].join(". ");
}

/** What a crash left and what became of it (R23). */
export function wordRecovery(recovered: readonly Recovered[]): string {
  const sum = (pick: (one: Recovered) => number): number => recovered.reduce((total, one) => total + pick(one), 0);
  const runs = recovered.length === 1 ? t("a cleanup that was interrupted") : t("{0} cleanups that were interrupted", recovered.length);
  const damage = recovered.some((one) => one.damaged) ? ` ${t("A journal was damaged; a copy of it stays beside it.")}` : "";
  return `${t(
    "Offcut has finished {0}: {1} held for undo, {2} left where they were, {3} gone.",
    runs,
    countFiles(sum((one) => one.held)),
    sum((one) => one.kept),
    sum((one) => one.gone),
  )}${damage}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(2);
}

function sumBytes(items: readonly PlanItem[]): number {
  return items.reduce((sum, item) => sum + item.bytes, 0);
}
