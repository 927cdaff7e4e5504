/** How a node of the trees looks. */
import path from "node:path";
import * as vscode from "vscode";
import type { Role } from "../core/model.ts";
import type { FileNode, FolderNode, MoreNode, Node, OwnerNode, PressureNode, ProblemNode, ProblemsNode, StoreNode } from "./tree.ts";
import { CONFIG_FILES } from "./createConfig.ts";
import { listFacts } from "./markdown.ts";
import { factsOfOwner, isPinned, lookOf, whyKept } from "./ownerLook.ts";
import { labelOf, labelOfAll } from "./reasons.ts";
import { barOf, factsOfPressure, unverifiedIn, UPLOAD_WORDS, wordPressure } from "./storage.ts";
import { countFiles, formatAge, formatBytes } from "./words.ts";

const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;

const ROLE_ICONS: Readonly<Record<Role, string>> = {
  intermediate: "layers",
  temp: "tools",
  shared: "cloud-download",
  upload: "cloud-upload",
  clip: "device-camera-video",
  final: "verified",
};

export function treeItemOf(node: Node): vscode.TreeItem {
  switch (node.kind) {
    case "folder":
      return folderItem(node);
    case "problems":
      return problemsItem(node);
    case "problem":
      return problemItem(node);
    case "pressure":
      return pressureItem(node);
    case "owner":
      return ownerItem(node);
    case "store":
      return storeItem(node);
    case "file":
      return fileItem(node);
    default:
      return moreItem(node);
  }
}

function folderItem({ verdict, report }: FolderNode): vscode.TreeItem {
  const item = new vscode.TreeItem(report.folder.name, Expanded);
  item.id = `${verdict}:${report.folder.uri.toString()}`;
  item.iconPath = new vscode.ThemeIcon("root-folder");
  const totals = report.plan?.totals[verdict];
  item.description =
    report.plan && report.plan.configFile === undefined
      ? vscode.l10n.t("no offcut.json")
      : totals
        ? `${countFiles(totals.files)} · ${formatBytes(totals.bytes)}`
        : "";
  return item;
}

function problemsItem({ problems, report }: ProblemsNode): vscode.TreeItem {
  const severe = problems.some((problem) => problem.severity === "error");
  const item = new vscode.TreeItem(
    problems.length === 1 ? vscode.l10n.t("1 problem") : vscode.l10n.t("{0} problems", problems.length),
    severe ? Expanded : Collapsed,
  );
  item.id = `problems:${report.folder.uri.toString()}:${severe}`;
  item.iconPath = severityIcon(severe ? "error" : problems.some((problem) => problem.severity === "warning") ? "warning" : "info");
  return item;
}

function problemItem({ problem, report }: ProblemNode): vscode.TreeItem {
  const item = new vscode.TreeItem(problem.message, None);
  item.description = problem.line === undefined ? problem.source : `${problem.source}:${problem.line}`;
  item.tooltip = listFacts(item.description, [problem.message]);
  item.iconPath = severityIcon(problem.severity);
  item.contextValue = problem.job === undefined ? "problem" : "problem.damaged";
  if (CONFIG_FILES.includes(problem.source)) {
    const line = (problem.line ?? 1) - 1;
    const uri = vscode.Uri.joinPath(report.folder.uri, problem.source);
    item.command = {
      command: "vscode.open",
      title: vscode.l10n.t("Open"),
      arguments: [uri, { selection: new vscode.Range(line, 0, line, 0) }],
    };
  }
  return item;
}

function pressureItem({ pressure, report }: PressureNode): vscode.TreeItem {
  const item = new vscode.TreeItem(wordPressure(pressure), None);
  item.id = `pressure:${report.folder.uri.toString()}:${pressure.store}`;
  // The figure goes first, because a narrow view cuts the end off.
  item.description = `${vscode.l10n.t("frees {0}", formatBytes(pressure.freeBytes))} ${barOf(pressure)}`;
  item.iconPath = severityIcon("warning");
  item.tooltip = listFacts(vscode.l10n.t("Storage pressure: {0}", pressure.store), factsOfPressure(pressure));
  item.accessibilityInformation = {
    label: vscode.l10n.t("Storage pressure, {0}, cleaning frees {1}", wordPressure(pressure), formatBytes(pressure.freeBytes)),
  };
  item.contextValue = "pressure";
  return item;
}

function ownerItem(node: OwnerNode): vscode.TreeItem {
  const { verdict, report, id, owner, groups } = node;
  const files = groups.reduce((sum, group) => sum + group.files, 0);
  const bytes = groups.reduce((sum, group) => sum + group.bytes, 0);
  const name = id ?? vscode.l10n.t("Nobody's Files");
  const look = lookOf(owner, groups, id);
  const item = new vscode.TreeItem(name, groups.length === 0 ? None : Collapsed);
  item.id = `${verdict}:${report.folder.uri.toString()}:${id ?? ""}`;
  item.description =
    groups.length === 0
      ? look.words
      : verdict === "keep"
        ? `${whyKept(owner, groups)} · ${formatBytes(bytes)}`
        : [...(owner?.state === "failed" ? [look.words] : []), countFiles(files), formatBytes(bytes)].join(" · ");
  item.iconPath = look.icon;
  item.tooltip = listFacts(name, [
    ...factsOfOwner(owner, look),
    groups.length === 0 ? vscode.l10n.t("no configuration says where its files are") : `${countFiles(files)}, ${formatBytes(bytes)}`,
    ...groups.map((group) => `${group.store}: ${verdict === "keep" ? whyKept(owner, [group]) : labelOfAll([group], owner?.kind)}`),
  ]);
  if (id !== undefined) {
    const damaged = report.problems.some(({ job }) => job === id);
    const mark = damaged ? ".damaged" : look.mark === "" ? "" : `.${look.mark}`;
    item.contextValue = `${owner?.kind ?? "project"}${mark}${pinnedMark(isPinned(groups))}`;
  }
  return item;
}

function storeItem({ verdict, report, group, owner }: StoreNode): vscode.TreeItem {
  const item = new vscode.TreeItem(group.store, Collapsed);
  item.id = `${verdict}:${report.folder.uri.toString()}:${group.owner ?? ""}:${group.store}`;
  const size = `${countFiles(group.files)} · ${formatBytes(group.bytes)}`;
  const unverified = unverifiedIn(group);
  const why = unverified > 0 ? vscode.l10n.t("{0} not verified", unverified) : labelOfAll([group], owner?.kind);
  item.description = verdict === "keep" ? `${why} · ${size}` : `${size} · ${formatAge(group.oldestMs)}`;
  item.iconPath = new vscode.ThemeIcon(ROLE_ICONS[group.role]);
  const states = unverified > 0 ? (group.uploads ?? []).filter(({ status }) => status !== "verified") : [];
  item.tooltip = listFacts(`${group.store} (${group.role})`, [
    ...states.map(({ status, files }) => `${countFiles(files)}: ${UPLOAD_WORDS[status]()}`),
    ...group.evidence,
  ]);
  item.contextValue = "store";
  return item;
}

function fileItem({ verdict, item: file, owner }: FileNode): vscode.TreeItem {
  const uri = vscode.Uri.parse(file.uri);
  const item = new vscode.TreeItem(path.posix.basename(file.path), None);
  item.id = `${verdict}:${file.uri}`;
  item.resourceUri = uri;
  item.iconPath = vscode.ThemeIcon.File;
  const size = `${formatBytes(file.bytes)} · ${formatAge(file.ageMs)}`;
  item.description = verdict === "keep" ? `${whyFileStays(file, owner?.kind)} · ${size}` : size;
  item.tooltip = listFacts(file.path, file.evidence);
  item.command = { command: "vscode.open", title: vscode.l10n.t("Open"), arguments: [uri, { preview: true }] };
  item.contextValue = `file${pinnedMark(file.reason === "pinned")}`;
  return item;
}

/** Of an upload that is not verified the storage's answer; where it was not asked, the whole sentence stands in the tooltip. */
function whyFileStays(file: FileNode["item"], kind: "project" | "job" | undefined): string {
  return file.reason === "upload-unverified" && file.remote ? file.remote.detail : labelOf(file.reason, kind);
}

function moreItem(node: MoreNode): vscode.TreeItem {
  const item = new vscode.TreeItem(vscode.l10n.t("Show {0} more…", Math.min(node.left, 500)), None);
  item.description = vscode.l10n.t("{0} left", node.left);
  item.iconPath = new vscode.ThemeIcon("ellipsis");
  item.command = { command: "offcut.showMore", title: vscode.l10n.t("Show more"), arguments: [node] };
  return item;
}

function pinnedMark(pinned: boolean): string {
  return pinned ? ".pinned" : "";
}

function severityIcon(severity: "error" | "warning" | "info"): vscode.ThemeIcon {
  return new vscode.ThemeIcon(severity, new vscode.ThemeColor(severity === "error" ? "list.errorForeground" : "list.warningForeground"));
}
