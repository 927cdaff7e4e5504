/** How a node of the view "Call Sites" looks. */
import path from "node:path";
import * as vscode from "vscode";
import type { SiteSummary } from "../server/protocol.ts";
import { rangeOf } from "./callSites.ts";
import type { SiteNode, SitesGroupNode, SitesNode } from "./callSitesTree.ts";
import { listFacts } from "./markdown.ts";
import { countFiles, formatBytes } from "./words.ts";

const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;

/** What becomes of the files of a call. */
const STATES: Readonly<Record<SiteSummary["state"], () => string>> = {
  found: () => vscode.l10n.t("with findings"),
  unknown: () => vscode.l10n.t("not known"),
  kept: () => vscode.l10n.t("kept on purpose"),
  clean: () => vscode.l10n.t("cleaned up"),
};
const STATE_ICONS: Readonly<Record<SiteSummary["state"], string>> = {
  found: "warning",
  unknown: "question",
  kept: "archive",
  clean: "pass",
};

export function siteItemOf(node: SiteNode): vscode.TreeItem {
  if (node.kind === "site") return siteItem(node);
  if (node.kind === "sitesGroup") return groupItem(node);
  const { folder, answer } = node.sites;
  const item = new vscode.TreeItem(folder.name, answer.findings > 0 ? Expanded : Collapsed);
  item.id = `sites:${folder.uri.toString()}`;
  item.iconPath = new vscode.ThemeIcon("root-folder");
  return item;
}

function groupItem({ folder, by, name, sites }: SitesGroupNode): vscode.TreeItem {
  const found = sites.filter((site) => site.state === "found").length;
  const state = name as SiteSummary["state"];
  const item = new vscode.TreeItem(by === "file" ? path.posix.basename(name) : sentence(STATES[state]()), found > 0 ? Expanded : Collapsed);
  item.id = `sites:${folder.uri.toString()}:${by}:${name}`;
  if (by === "file") {
    const directory = path.posix.dirname(name);
    item.resourceUri = vscode.Uri.joinPath(folder.uri, name);
    item.iconPath = vscode.ThemeIcon.File;
    item.description = directory === "." ? "" : directory;
    item.tooltip = name;
  } else {
    item.iconPath = stateIcon(state);
    item.description = String(sites.length);
  }
  return item;
}

function siteItem({ folder, by, site }: SitesNode): vscode.TreeItem {
  const { callee, file, range, state, finding, paths } = site;
  const item = new vscode.TreeItem(callee, None);
  const line = range.start.line + 1;
  const place = by === "file" ? vscode.l10n.t("line {0}", line) : `${path.posix.basename(file)}:${line}`;
  // What it costs goes first, because a narrow view cuts the end off. The icon says what becomes of the files.
  const size = finding?.bytes ? [formatBytes(finding.bytes)] : [];
  item.id = `sites:${folder.uri.toString()}:${by}:${file}:${line}:${range.start.character}:${callee}`;
  item.description = [...size, place].join(" · ");
  item.accessibilityInformation = { label: [callee, STATES[state](), ...size, place].join(", ") };
  item.iconPath = stateIcon(state, finding?.severity);
  item.tooltip = listFacts(`${file}:${line}`, [
    ...(finding ? [`${finding.rule}: ${finding.message}`] : [STATES[state]()]),
    ...paths.map((template) => vscode.l10n.t("path: {0}", template.text)),
    ...(finding?.files ? [vscode.l10n.t("on disk now: {0}, {1}", countFiles(finding.files), formatBytes(finding.bytes ?? 0))] : []),
  ]);
  item.command = {
    command: "vscode.open",
    title: vscode.l10n.t("Open"),
    arguments: [vscode.Uri.parse(site.uri), { selection: rangeOf(range) }],
  };
  item.contextValue = paths.length > 0 ? "site.paths" : "site";
  return item;
}

function stateIcon(state: SiteSummary["state"], severity?: NonNullable<SiteSummary["finding"]>["severity"]): vscode.ThemeIcon {
  if (state === "clean") return new vscode.ThemeIcon("pass", new vscode.ThemeColor("testing.iconPassed"));
  if (state !== "found") return new vscode.ThemeIcon(STATE_ICONS[state]);
  if (severity === "error") return new vscode.ThemeIcon("error", new vscode.ThemeColor("list.errorForeground"));
  if (severity === "information" || severity === "hint") return new vscode.ThemeIcon("info");
  return new vscode.ThemeIcon("warning", new vscode.ThemeColor("list.warningForeground"));
}

function sentence(text: string): string {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}
