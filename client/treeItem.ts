/** How a node of the trees looks. */
import path from "node:path";
import * as vscode from "vscode";
import type { Role } from "../core/model.ts";
import type { FileNode, FolderNode, MoreNode, Node, ProblemNode, ProblemsNode, ProjectNode, StoreNode } from "./tree.ts";
import { listFacts } from "./markdown.ts";
import { labelOf, labelOfAll } from "./reasons.ts";
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
const STATE_ICONS: Readonly<Record<string, string>> = { succeeded: "pass", running: "sync", failed: "error" };

export function treeItemOf(node: Node): vscode.TreeItem {
  switch (node.kind) {
    case "folder":
      return folderItem(node);
    case "problems":
      return problemsItem(node);
    case "problem":
      return problemItem(node);
    case "project":
      return projectItem(node);
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
  if (problem.source === "offcut.json") {
    const line = (problem.line ?? 1) - 1;
    const uri = vscode.Uri.joinPath(report.folder.uri, "offcut.json");
    item.command = {
      command: "vscode.open",
      title: vscode.l10n.t("Open"),
      arguments: [uri, { selection: new vscode.Range(line, 0, line, 0) }],
    };
  }
  return item;
}

function projectItem(node: ProjectNode): vscode.TreeItem {
  const { verdict, report, owner, groups, state, status } = node;
  const files = groups.reduce((sum, group) => sum + group.files, 0);
  const bytes = groups.reduce((sum, group) => sum + group.bytes, 0);
  const item = new vscode.TreeItem(owner ?? vscode.l10n.t("No project"), Collapsed);
  item.id = `${verdict}:${report.folder.uri.toString()}:${owner ?? ""}`;
  item.description = verdict === "keep" ? `${labelOfAll(groups)} · ${formatBytes(bytes)}` : `${countFiles(files)} · ${formatBytes(bytes)}`;
  item.iconPath = new vscode.ThemeIcon(STATE_ICONS[state ?? ""] ?? "question");
  item.tooltip = listFacts(owner ?? vscode.l10n.t("No project"), [
    ...(status ? [vscode.l10n.t("status: {0}", status)] : []),
    `${countFiles(files)}, ${formatBytes(bytes)}`,
    ...groups.map((group) => `${group.store}: ${labelOfAll([group])}`),
  ]);
  if (owner !== undefined)
    item.contextValue = `project${pinnedMark(groups.every((group) => group.reasons.every(({ reason }) => reason === "pinned")))}`;
  return item;
}

function storeItem({ verdict, report, group }: StoreNode): vscode.TreeItem {
  const item = new vscode.TreeItem(group.store, Collapsed);
  item.id = `${verdict}:${report.folder.uri.toString()}:${group.owner ?? ""}:${group.store}`;
  const size = `${countFiles(group.files)} · ${formatBytes(group.bytes)}`;
  item.description = verdict === "keep" ? `${labelOfAll([group])} · ${size}` : `${size} · ${formatAge(group.oldestMs)}`;
  item.iconPath = new vscode.ThemeIcon(ROLE_ICONS[group.role]);
  item.tooltip = listFacts(`${group.store} (${group.role})`, group.evidence);
  item.contextValue = "store";
  return item;
}

function fileItem({ verdict, item: file }: FileNode): vscode.TreeItem {
  const uri = vscode.Uri.parse(file.uri);
  const item = new vscode.TreeItem(path.posix.basename(file.path), None);
  item.id = `${verdict}:${file.uri}`;
  item.resourceUri = uri;
  item.iconPath = vscode.ThemeIcon.File;
  const size = `${formatBytes(file.bytes)} · ${formatAge(file.ageMs)}`;
  item.description = verdict === "keep" ? `${labelOf(file.reason)} · ${size}` : size;
  item.tooltip = listFacts(file.path, file.evidence);
  item.command = { command: "vscode.open", title: vscode.l10n.t("Open"), arguments: [uri, { preview: true }] };
  item.contextValue = `file${pinnedMark(file.reason === "pinned")}`;
  return item;
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
