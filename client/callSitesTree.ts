/** The view "Call Sites": what uploads, assembles and writes, by file or by what becomes of the files. */
import path from "node:path";
import * as vscode from "vscode";
import type { SiteSummary } from "../server/protocol.ts";
import type { CallSites, FolderSites } from "./callSites.ts";
import { siteItemOf } from "./callSitesItem.ts";
import { formatBytes } from "./words.ts";

export type SiteNode = SitesFolderNode | SitesGroupNode | SitesNode;

export interface SitesFolderNode {
  readonly kind: "sitesFolder";
  readonly sites: FolderSites;
}
export interface SitesGroupNode {
  readonly kind: "sitesGroup";
  readonly folder: vscode.WorkspaceFolder;
  /** A file, or a state. */
  readonly by: "file" | "state";
  readonly name: string;
  readonly sites: readonly SiteSummary[];
}
export interface SitesNode {
  readonly kind: "site";
  readonly folder: vscode.WorkspaceFolder;
  readonly by: "file" | "state";
  readonly site: SiteSummary;
}

export type SiteOrder = "file" | "bytes";

const STATES = ["found", "unknown", "kept", "clean"] as const;

export class CallSitesTree implements vscode.TreeDataProvider<SiteNode>, vscode.Disposable {
  private readonly callSites: CallSites;
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly subscription: vscode.Disposable;
  private order: SiteOrder = "file";

  readonly onDidChangeTreeData = this.changed.event;

  constructor(callSites: CallSites) {
    this.callSites = callSites;
    this.subscription = callSites.onDidChange(() => this.changed.fire());
  }

  getTreeItem(node: SiteNode): vscode.TreeItem {
    return siteItemOf(node);
  }

  getChildren(node?: SiteNode): SiteNode[] {
    if (node?.kind === "sitesFolder") return this.groups(node.sites);
    if (node?.kind === "sitesGroup") return node.sites.map((site) => ({ kind: "site", folder: node.folder, by: node.by, site }));
    if (node) return [];
    const { folders } = this.callSites;
    if ((vscode.workspace.workspaceFolders ?? []).length < 2) return folders.flatMap((sites) => this.groups(sites));
    return folders.filter(({ answer }) => answer.sites.length > 0).map((sites) => ({ kind: "sitesFolder", sites }));
  }

  sortBy(order: SiteOrder): void {
    this.order = order;
    void vscode.commands.executeCommand("setContext", "offcut.callSitesOrder", order);
    this.changed.fire();
  }

  dispose(): void {
    this.subscription.dispose();
    this.changed.dispose();
  }

  private groups({ folder, answer }: FolderSites): SiteNode[] {
    const by = this.order === "file" ? "file" : "state";
    const keyOf = (site: SiteSummary): string => (by === "file" ? site.file : site.state);
    const groups = new Map<string, SiteSummary[]>();
    for (const site of answer.sites) groups.set(keyOf(site), [...(groups.get(keyOf(site)) ?? []), site]);
    return [...groups]
      .map(
        ([name, sites]) =>
          ({ kind: "sitesGroup" as const, folder, by, name, sites: sites.sort(by === "file" ? byPlace : byBytes) }) as const,
      )
      .sort(by === "file" ? byFaults : byState);
  }
}

export function showCallSites(callSites: CallSites): vscode.Disposable & { readonly tree: CallSitesTree } {
  const tree = new CallSitesTree(callSites);
  const view = vscode.window.createTreeView<SiteNode>("offcut.callSites", { treeDataProvider: tree, showCollapseAll: true });
  callSites.isShown = () => view.visible;
  const wantsAll = (): boolean => {
    const settings = vscode.workspace.getConfiguration("offcut");
    return settings.get("check.enable") !== false && settings.get("check.workspace") !== false;
  };
  const update = (): void => {
    const { folders } = callSites;
    const sites = folders.flatMap(({ answer }) => answer.sites);
    const found = sites.filter((site) => site.state === "found");
    const bytes = sumBytes(found);
    const count = found.length === 1 ? vscode.l10n.t("1 with a finding") : vscode.l10n.t("{0} with findings", found.length);
    view.description = found.length === 0 ? "" : bytes > 0 ? `${count} · ${formatBytes(bytes)}` : count;
    const situation = folders.length === 0 ? "unknown" : sites.length === 0 ? "none" : "some";
    void vscode.commands.executeCommand("setContext", "offcut.callSites", situation);
  };
  const look = (): void => {
    if (view.visible && wantsAll()) void callSites.ensure();
  };
  const subscriptions = [tree, view, callSites.onDidChange(update), view.onDidChangeVisibility(look)];
  look();
  return { tree, dispose: () => vscode.Disposable.from(...subscriptions).dispose() };
}

/** The same files may be left by several call sites: those of one rule and place count once. */
function sumBytes(sites: readonly SiteSummary[]): number {
  const byPaths = new Map(sites.map(({ paths, finding }) => [JSON.stringify(paths), finding?.bytes ?? 0]));
  return [...byPaths.values()].reduce((sum, bytes) => sum + bytes, 0);
}

function byPlace(a: SiteSummary, b: SiteSummary): number {
  return a.range.start.line - b.range.start.line || a.range.start.character - b.range.start.character;
}

function byBytes(a: SiteSummary, b: SiteSummary): number {
  return (b.finding?.bytes ?? 0) - (a.finding?.bytes ?? 0) || a.file.localeCompare(b.file) || byPlace(a, b);
}

/** Files with findings first. */
function byFaults(a: SitesGroupNode, b: SitesGroupNode): number {
  const rank = ({ sites }: SitesGroupNode): number => (sites.some((site) => site.state === "found") ? 0 : 1);
  return rank(a) - rank(b) || path.posix.dirname(a.name).localeCompare(path.posix.dirname(b.name)) || a.name.localeCompare(b.name);
}

function byState(a: SitesGroupNode, b: SitesGroupNode): number {
  const rank = ({ name }: SitesGroupNode): number => STATES.findIndex((state) => state === name);
  return rank(a) - rank(b);
}
