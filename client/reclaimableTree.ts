/** The view "Reclaimable": what can go, with its total on the badge. */
import * as vscode from "vscode";
import type { State } from "./state.ts";
import { type Node, PlanTree } from "./tree.ts";
import { formatShort, formatTotals } from "./words.ts";

export function showReclaimable(state: State): vscode.Disposable & { readonly tree: PlanTree } {
  const tree = new PlanTree(state, "reclaim");
  const view = vscode.window.createTreeView<Node>("offcut.reclaimable", { treeDataProvider: tree, showCollapseAll: true });
  tree.view = view;
  const update = (): void => {
    const totals = sumTotals(state);
    view.description = totals.files > 0 ? formatShort(totals) : "";
    view.badge = totals.files > 0 ? { value: totals.files, tooltip: vscode.l10n.t("{0} reclaimable", formatTotals(totals)) } : undefined;
    void vscode.commands.executeCommand("setContext", "offcut.view", situation(state));
  };
  const subscriptions = [
    tree,
    view,
    state.onDidChange(update),
    view.onDidChangeVisibility(({ visible }) => {
      if (visible) void state.ensure();
    }),
  ];
  if (view.visible) void state.ensure();
  return { tree, dispose: () => vscode.Disposable.from(...subscriptions).dispose() };
}

/** Which welcome text fits an empty tree. */
function situation({ reports }: State): "unknown" | "unconfigured" | "clean" {
  if (reports.length === 0 || reports.some((report) => !report.plan)) return "unknown";
  return reports.every((report) => report.plan?.configFile === undefined) ? "unconfigured" : "clean";
}

function sumTotals({ reports }: State): { readonly files: number; readonly bytes: number } {
  const totals = reports.flatMap((report) => report.plan?.totals.reclaim ?? []);
  return { files: totals.reduce((sum, one) => sum + one.files, 0), bytes: totals.reduce((sum, one) => sum + one.bytes, 0) };
}
