/** The extension: puts the surfaces together. */
import * as vscode from "vscode";
import { registerCommands } from "./commands.ts";
import { Documents } from "./documents.ts";
import { showKept } from "./keptTree.ts";
import { showReclaimable } from "./reclaimableTree.ts";
import { Server } from "./server.ts";
import { State } from "./state.ts";
import { showStatusBar } from "./statusBar.ts";

export function activate(context: vscode.ExtensionContext): void {
  const server = new Server(context);
  const state = new State(server);
  const documents = new Documents();
  const reclaimable = showReclaimable(state);
  const kept = showKept(state);
  context.subscriptions.push(
    server,
    state,
    documents,
    reclaimable,
    kept,
    showStatusBar(state),
    registerCommands({ server, state, documents }, { reclaimable: reclaimable.tree, kept: kept.tree }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void server.trust().then(() => state.refresh())),
  );
  void planInBackground(state);
}

/** Where Offcut is set up, the status bar shows a figure without anybody asking. */
async function planInBackground(state: State): Promise<void> {
  const configured = await vscode.workspace.findFiles("offcut.json", undefined, 1);
  if (configured.length > 0) await state.ensure();
}
