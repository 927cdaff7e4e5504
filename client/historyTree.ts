/** The view "History": what was cleaned when, and what became of it. */
import * as vscode from "vscode";
import type { RunSummary } from "../core/model.ts";
import { type HistoryAnswer, historyRequest } from "../server/protocol.ts";
import { listFacts } from "./markdown.ts";
import { isCancelled, type Server } from "./server.ts";
import type { State } from "./state.ts";
import { countFiles, formatBytes, formatClock, formatTime } from "./words.ts";

export interface RunNode {
  readonly kind: "run";
  readonly folder: vscode.WorkspaceFolder;
  readonly run: RunSummary;
}

/** Older ones are on the command line: `offcut history`. */
const MOST_RUNS = 200;

class HistoryTree implements vscode.TreeDataProvider<RunNode>, vscode.Disposable {
  private readonly server: Server;
  private readonly changed = new vscode.EventEmitter<undefined>();

  readonly onDidChangeTreeData = this.changed.event;

  constructor(server: Server) {
    this.server = server;
  }

  refresh(): void {
    this.changed.fire(undefined);
  }

  getTreeItem(node: RunNode): vscode.TreeItem {
    return runItemOf(node);
  }

  async getChildren(node?: RunNode): Promise<RunNode[]> {
    return node ? [] : [...(await readRuns(this.server))];
  }

  dispose(): void {
    this.changed.dispose();
  }
}

/** The newest first, of all folders. */
export async function readRuns(server: Server): Promise<readonly RunNode[]> {
  const lists = await Promise.all((vscode.workspace.workspaceFolders ?? []).map((folder) => readRunsOf(server, folder)));
  return lists
    .flat()
    .sort((a, b) => (a.run.started < b.run.started ? 1 : -1))
    .slice(0, MOST_RUNS);
}

async function readRunsOf(server: Server, folder: vscode.WorkspaceFolder): Promise<RunNode[]> {
  try {
    const runs = await server.request<HistoryAnswer>(historyRequest, { folder: folder.uri.toString() });
    return runs.filter(({ state }) => state !== "empty").map((run) => ({ kind: "run", folder, run }));
  } catch (error) {
    if (isCancelled(error)) return [];
    throw error;
  }
}

export function showHistory(server: Server, state: State): vscode.Disposable {
  const tree = new HistoryTree(server);
  const view = vscode.window.createTreeView<RunNode>("offcut.history", { treeDataProvider: tree });
  const subscriptions = [
    tree,
    view,
    // A hidden view asks for nothing; it asks when it is shown.
    state.onDidChange(() => {
      if (view.visible) tree.refresh();
    }),
    view.onDidChangeVisibility(({ visible }) => {
      if (visible) tree.refresh();
    }),
  ];
  return vscode.Disposable.from(...subscriptions);
}

const STATE_ICONS: Readonly<Record<RunSummary["state"], string>> = {
  running: "sync",
  interrupted: "warning",
  held: "history",
  undone: "discard",
  purged: "check",
  "partly-undone": "discard",
  unreachable: "warning",
  empty: "circle-outline",
};

function runItemOf({ folder, run }: RunNode): vscode.TreeItem {
  const item = new vscode.TreeItem(formatClock(run.started), vscode.TreeItemCollapsibleState.None);
  const several = (vscode.workspace.workspaceFolders ?? []).length > 1;
  item.id = `run:${folder.uri.toString()}:${run.run}`;
  const by = run.automatic ? [vscode.l10n.t("automatic")] : [];
  item.description = [...(several ? [folder.name] : []), ...by, countFiles(run.files), wordState(run)].join(" · ");
  item.iconPath = new vscode.ThemeIcon(STATE_ICONS[run.state]);
  item.tooltip = listFacts(vscode.l10n.t("Cleanup of {0}", formatTime(run.started)), [
    run.automatic ? vscode.l10n.t("Run {0}, automatic", run.run) : vscode.l10n.t("Run {0}, by hand", run.run),
    countFiles(run.files),
    wordState(run),
    ...(run.owners.length > 0
      ? [vscode.l10n.t("Of: {0}", run.owners.slice(0, 20).join(", ") + (run.owners.length > 20 ? ", …" : ""))]
      : []),
  ]);
  item.contextValue = isHeld(run) ? "run.held" : "run";
  item.command = { command: "offcut.showRun", title: vscode.l10n.t("Show Details"), arguments: [{ kind: "run", folder, run }] };
  return item;
}

/** Whether it can be undone or freed now. */
export function isHeld({ heldFiles, state }: RunSummary): boolean {
  return heldFiles > 0 && state !== "unreachable";
}

export function wordState(run: RunSummary): string {
  const held = formatBytes(run.heldSpace);
  switch (run.state) {
    case "running":
      return vscode.l10n.t("at work");
    case "interrupted":
      return vscode.l10n.t("interrupted");
    case "held":
      return run.undoUntil === undefined
        ? vscode.l10n.t("{0} held for undo", held)
        : vscode.l10n.t("{0} held until {1}", held, formatClock(run.undoUntil));
    case "undone":
      return vscode.l10n.t("undone");
    case "partly-undone":
      return run.heldFiles > 0 ? vscode.l10n.t("partly undone, {0} held", held) : vscode.l10n.t("partly undone");
    case "unreachable":
      return vscode.l10n.t("{0} held, out of reach now", held);
    default:
      return vscode.l10n.t("{0} freed", formatBytes(run.freedSpace));
  }
}
