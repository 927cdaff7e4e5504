/** The extension: puts the surfaces together. */
import * as vscode from "vscode";
import { startWithCode } from "./analysis.ts";
import { enforceInBackground } from "./background.ts";
import { CallSites } from "./callSites.ts";
import { showCallSites } from "./callSitesTree.ts";
import { registerCommands } from "./commands.ts";
import { findConfigFile } from "./createConfig.ts";
import { Documents } from "./documents.ts";
import { showHistory } from "./historyTree.ts";
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
  const callSites = new CallSites(server);
  const sites = showCallSites(callSites);
  context.subscriptions.push(
    server,
    state,
    documents,
    reclaimable,
    kept,
    callSites,
    sites,
    showStatusBar(state),
    showHistory(server, state),
    registerCommands({ server, state, documents, callSites }, { reclaimable: reclaimable.tree, kept: kept.tree, callSites: sites.tree }),
    startWithCode(server),
    enforceInBackground({ server, state, documents }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void server.trust().then(() => state.refresh())),
    // It starts with the trust that there was when the window was opened.
    server.onDidRestart(() => {
      if (vscode.workspace.isTrusted) void server.trust();
    }),
  );
  void planInBackground(state);
}

/** Where Offcut is set up, the status bar shows a figure without anybody asking. */
async function planInBackground(state: State): Promise<void> {
  const found = await Promise.all((vscode.workspace.workspaceFolders ?? []).map(findConfigFile));
  if (found.some((file) => file !== undefined)) await state.ensure();
}
