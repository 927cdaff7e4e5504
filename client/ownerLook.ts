/** Projects and jobs: what state they are in, as icon and words, and which of them want attention. */
import * as vscode from "vscode";
import type { Reason } from "../core/model.ts";
import type { Group, OwnerSummary, PlanSummary } from "../server/protocol.ts";
import { labelOfAll, type OwnerKind } from "./reasons.ts";
import { formatAge, formatTime } from "./words.ts";

export interface OwnerLook {
  readonly icon: vscode.ThemeIcon;
  /** The state in a word or two; empty where there is no owner. */
  readonly words: string;
  /** Whether its files are held for debugging, or were let go. */
  readonly mark: "held" | "released" | "";
}

export function lookOf(owner: OwnerSummary | undefined, groups: readonly Group[], id: string | undefined): OwnerLook {
  if (id === undefined) return { icon: new vscode.ThemeIcon("circle-outline"), words: "", mark: "" };
  if (!owner) return { icon: new vscode.ThemeIcon(isMissed(groups) ? "question" : "folder"), words: "", mark: "" };
  switch (owner.state) {
    case "running":
      return { icon: new vscode.ThemeIcon("sync"), words: vscode.l10n.t("running"), mark: "" };
    case "succeeded":
      return { icon: new vscode.ThemeIcon("pass"), words: vscode.l10n.t("succeeded"), mark: "" };
    case "failed":
      return lookOfFailed(owner, groups);
    default:
      return isUnreadable(owner)
        ? { icon: colored("warning", "list.warningForeground"), words: vscode.l10n.t("its manifest cannot be read"), mark: "" }
        : { icon: colored("question", "list.warningForeground"), words: vscode.l10n.t("state not known"), mark: "" };
  }
}

function lookOfFailed(owner: OwnerSummary, groups: readonly Group[]): OwnerLook {
  const abandoned = isAbandoned(owner);
  const icon = abandoned ? "debug-disconnect" : "error";
  if (owner.released)
    return {
      icon: new vscode.ThemeIcon("unlock"),
      words: abandoned ? vscode.l10n.t("abandoned, released") : vscode.l10n.t("failed, released"),
      mark: "released",
    };
  if (hasReason(groups, "failed-held"))
    return {
      icon: colored(icon, "list.errorForeground"),
      words: abandoned ? vscode.l10n.t("abandoned, held for debugging") : vscode.l10n.t("failed, held for debugging"),
      mark: "held",
    };
  return { icon: new vscode.ThemeIcon(icon), words: abandoned ? vscode.l10n.t("abandoned") : vscode.l10n.t("failed"), mark: "" };
}

/** Beside the name in the view "Kept": why its files stay. */
export function whyKept(owner: OwnerSummary | undefined, groups: readonly Group[]): string {
  const why = labelOfAll(groups, owner?.kind);
  const [first] = groups.flatMap((group) => group.reasons);
  return owner && isAbandoned(owner) && first?.reason === "failed-held"
    ? vscode.l10n.t("job abandoned, held for debugging")
    : owner && isUnreadable(owner)
      ? vscode.l10n.t("manifest cannot be read")
      : why;
}

/** What is known of an owner, for a tooltip. */
export function factsOfOwner(owner: OwnerSummary | undefined, look: OwnerLook, nowMs = Date.now()): readonly string[] {
  if (!owner) return [];
  const { kind, type, state, status, lease, startedMs, endedMs } = owner;
  return [
    ...(kind === "job" && type !== undefined ? [vscode.l10n.t("job of the type {0}", type)] : []),
    kind === "job" || status === "" || status === state ? look.words : vscode.l10n.t("{0} (status: {1})", look.words, status),
    ...(lease === undefined ? [] : [tellAges(lease, nowMs)]),
    ...(startedMs === undefined ? [] : [vscode.l10n.t("started {0}", formatTime(new Date(startedMs).toISOString()))]),
    ...(endedMs === undefined
      ? []
      : [
          isAbandoned(owner)
            ? vscode.l10n.t("last sign of life {0}", formatTime(new Date(endedMs).toISOString()))
            : vscode.l10n.t("ended {0}", formatTime(new Date(endedMs).toISOString())),
        ]),
  ];
}

/** Whether a pin keeps all of it. */
export function isPinned(groups: readonly Group[]): boolean {
  return groups.length > 0 && groups.every((group) => group.reasons.every(({ reason }) => reason === "pinned"));
}

/** Of an owner's id whether it is a project or a job. */
export type OwnerKinds = (id: string | undefined) => OwnerKind;

export function kindsOf(plan: Pick<PlanSummary, "owners"> | undefined): OwnerKinds {
  const jobs = new Set(plan?.owners.flatMap((owner) => (owner.kind === "job" ? [owner.id] : [])));
  return (id) => (id !== undefined && jobs.has(id) ? "job" : "project");
}

/** What wants attention comes first, what nobody owns last; equals stay in their order. */
export function compareAttention(a: Attention, b: Attention): number {
  return rankOf(a) - rankOf(b);
}

interface Attention {
  readonly id?: string;
  readonly owner?: OwnerSummary;
  readonly groups: readonly Group[];
}

function rankOf({ id, owner, groups }: Attention): number {
  if (id === undefined) return 5;
  if (owner?.state === "failed") return 0;
  if (owner ? owner.state === "unknown" : isMissed(groups)) return 1;
  if (hasReason(groups, "final-unverified") || hasReason(groups, "upload-unverified")) return 2;
  return owner?.state === "running" ? 3 : 4;
}

/** Somebody should know the owner: where nothing lists any, e.g. beside uploads, a name in a path is just a name. */
function isMissed(groups: readonly Group[]): boolean {
  return hasReason(groups, "orphan") || hasReason(groups, "owner-unknown");
}

/** The process of a job that says that it is running is gone. */
function isAbandoned(owner: OwnerSummary): boolean {
  return owner.kind === "job" && owner.state === "failed" && owner.status === "abandoned";
}

/** A manifest that can be read says when the job started. */
function isUnreadable(owner: OwnerSummary): boolean {
  return owner.kind === "job" && owner.state === "unknown" && owner.startedMs === undefined;
}

function hasReason(groups: readonly Group[], wanted: Reason): boolean {
  return groups.some((group) => group.reasons.some(({ reason }) => reason === wanted));
}

/** A lease names its last sign of life to the millisecond; how long ago that was says more. */
function tellAges(lease: string, nowMs: number): string {
  return lease.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (iso) => vscode.l10n.t("{0} ago", formatAge(nowMs - Date.parse(iso))));
}

function colored(icon: string, color: string): vscode.ThemeIcon {
  return new vscode.ThemeIcon(icon, new vscode.ThemeColor(color));
}
