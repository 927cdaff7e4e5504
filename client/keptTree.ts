/** The view "Kept": what stays, and why. */
import * as vscode from "vscode";
import type { State } from "./state.ts";
import { type Node, PlanTree } from "./tree.ts";
import { formatShort } from "./words.ts";

export function showKept(state: State): vscode.Disposable & { readonly tree: PlanTree } {
  const tree = new PlanTree(state, "keep");
  const view = vscode.window.createTreeView<Node>("offcut.kept", { treeDataProvider: tree, showCollapseAll: true });
  const update = (): void => {
    const totals = state.reports.flatMap((report) => report.plan?.totals.keep ?? []);
    const sum = { files: totals.reduce((total, one) => total + one.files, 0), bytes: totals.reduce((total, one) => total + one.bytes, 0) };
    view.description = sum.files > 0 ? formatShort(sum) : "";
  };
  const subscriptions = [
    tree,
    view,
    state.onDidChange(update),
    view.onDidChangeVisibility(({ visible }) => {
      if (visible) void state.ensure();
    }),
  ];
  return { tree, dispose: () => vscode.Disposable.from(...subscriptions).dispose() };
}
