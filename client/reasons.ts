/** Reasons as a tree has room for them; the evidence stands in the tooltip. */
import * as vscode from "vscode";
import type { Group } from "../server/protocol.ts";
import type { Pressure, Reason } from "../core/model.ts";

type Labels = Readonly<Record<Reason, () => string>>;

const LABELS: Labels = {
  pinned: () => vscode.l10n.t("always kept"),
  "git-tracked": () => vscode.l10n.t("tracked by git"),
  "state-file": () => vscode.l10n.t("state, not media"),
  link: () => vscode.l10n.t("a symbolic link"),
  "not-a-file": () => vscode.l10n.t("not a regular file"),
  "ambiguous-path": () => vscode.l10n.t("ambiguous name"),
  "catalog-unavailable": () => vscode.l10n.t("cannot be decided"),
  "owner-running": () => vscode.l10n.t("project not finished"),
  "final-output": () => vscode.l10n.t("final output"),
  "failed-held": () => vscode.l10n.t("project failed, held for debugging"),
  referenced: () => vscode.l10n.t("used by an unfinished project"),
  "owner-unknown": () => vscode.l10n.t("project state not known"),
  orphan: () => vscode.l10n.t("nobody's, taken by hand only"),
  "final-unverified": () => vscode.l10n.t("final not verified"),
  "too-young": () => vscode.l10n.t("too young"),
  clock: () => vscode.l10n.t("clock cannot be trusted"),
  retention: () => vscode.l10n.t("retention not over"),
  "opt-in": () => vscode.l10n.t("needs an opt-in"),
  "not-in-policy": () => vscode.l10n.t("cleaned by hand only"),
  "upload-unverified": () => vscode.l10n.t("upload not verified"),
  "within-limits": () => vscode.l10n.t("within the limits"),
  "no-rule": () => vscode.l10n.t("no rule for it"),
  changed: () => vscode.l10n.t("changed just now"),
  "owner-succeeded": () => vscode.l10n.t("project finished"),
  "owner-failed": () => vscode.l10n.t("project failed"),
  unreferenced: () => vscode.l10n.t("no unfinished project uses it"),
  "upload-verified": () => vscode.l10n.t("upload verified"),
  "max-age": () => vscode.l10n.t("too old"),
  pressure: () => vscode.l10n.t("store too large"),
  "orphan-chosen": () => vscode.l10n.t("nobody's, chosen by hand"),
};

/** Where the owner is a job, other words fit. */
const JOB_LABELS: Partial<Labels> = {
  "owner-running": () => vscode.l10n.t("job still running"),
  "failed-held": () => vscode.l10n.t("job failed, held for debugging"),
  referenced: () => vscode.l10n.t("used by an unfinished job"),
  "owner-unknown": () => vscode.l10n.t("job state not known"),
  "owner-succeeded": () => vscode.l10n.t("job finished"),
  "owner-failed": () => vscode.l10n.t("job failed"),
  unreferenced: () => vscode.l10n.t("no unfinished job uses it"),
};

export type OwnerKind = "project" | "job";

export function labelOf(reason: Reason, kind: OwnerKind = "project"): string {
  return (kind === "job" ? JOB_LABELS[reason] : undefined)?.() ?? LABELS[reason]();
}

/** What keeps a store from its target. */
export function labelOfBlock(reason: Pressure["blocked"][number]["reason"]): string {
  return reason === "not-managed" ? vscode.l10n.t("not managed by Offcut") : labelOf(reason);
}

/** The most frequent reason, and how many more there are. */
export function labelOfAll(groups: readonly Group[], kind?: OwnerKind): string {
  const counts = new Map<Reason, number>();
  for (const { reason, files } of groups.flatMap((group) => group.reasons)) counts.set(reason, (counts.get(reason) ?? 0) + files);
  const [first, ...more] = [...counts].sort((a, b) => b[1] - a[1]);
  if (!first) return "";
  if (more.length === 0) return labelOf(first[0], kind);
  return more.length === 1
    ? vscode.l10n.t("{0}, 1 more reason", labelOf(first[0], kind))
    : vscode.l10n.t("{0}, {1} more reasons", labelOf(first[0], kind), more.length);
}
