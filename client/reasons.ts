/** Reasons as a tree has room for them; the evidence stands in the tooltip. */
import * as vscode from "vscode";
import type { Group } from "../server/protocol.ts";
import type { Reason } from "../core/model.ts";

const LABELS: Readonly<Record<Reason, () => string>> = {
  pinned: () => vscode.l10n.t("always kept"),
  "git-tracked": () => vscode.l10n.t("tracked by git"),
  "state-file": () => vscode.l10n.t("state, not media"),
  link: () => vscode.l10n.t("a symbolic link"),
  "not-a-file": () => vscode.l10n.t("not a regular file"),
  "ambiguous-path": () => vscode.l10n.t("ambiguous name"),
  "catalog-unavailable": () => vscode.l10n.t("cannot be decided"),
  "owner-running": () => vscode.l10n.t("project not finished"),
  "final-output": () => vscode.l10n.t("final output"),
  "failed-held": () => vscode.l10n.t("project failed, kept for debugging"),
  referenced: () => vscode.l10n.t("used by an unfinished project"),
  "owner-unknown": () => vscode.l10n.t("project state not known"),
  orphan: () => vscode.l10n.t("nobody's, taken by hand only"),
  "final-unverified": () => vscode.l10n.t("final not verified"),
  "too-young": () => vscode.l10n.t("too young"),
  clock: () => vscode.l10n.t("clock cannot be trusted"),
  retention: () => vscode.l10n.t("retention not over"),
  "opt-in": () => vscode.l10n.t("needs an opt-in"),
  "no-rule": () => vscode.l10n.t("no rule yet"),
  changed: () => vscode.l10n.t("changed just now"),
  "owner-succeeded": () => vscode.l10n.t("project finished"),
  "owner-failed": () => vscode.l10n.t("project failed"),
  unreferenced: () => vscode.l10n.t("no unfinished project uses it"),
  "orphan-chosen": () => vscode.l10n.t("nobody's, chosen by hand"),
};

export function labelOf(reason: Reason): string {
  return LABELS[reason]();
}

/** The most frequent reason, and how many more there are. */
export function labelOfAll(groups: readonly Group[]): string {
  const counts = new Map<Reason, number>();
  for (const { reason, files } of groups.flatMap((group) => group.reasons)) counts.set(reason, (counts.get(reason) ?? 0) + files);
  const [first, ...more] = [...counts].sort((a, b) => b[1] - a[1]);
  if (!first) return "";
  if (more.length === 0) return labelOf(first[0]);
  return more.length === 1
    ? vscode.l10n.t("{0}, 1 more reason", labelOf(first[0]))
    : vscode.l10n.t("{0}, {1} more reasons", labelOf(first[0]), more.length);
}
