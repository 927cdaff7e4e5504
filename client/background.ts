/** Enforce policy in background: tells the server where it is wanted, and the user what cannot be done without asking. */
import * as vscode from "vscode";
import { backgroundNotification, type BackgroundParams, type EnforceAnswer, enforceRequest } from "../server/protocol.ts";
import { cleanUp, offerUndo, showFailure, type Tools } from "./cleanUp.ts";
import { findConfigFile } from "./createConfig.ts";
import type { Documents } from "./documents.ts";
import { previewCleanup } from "./preview.ts";

/** Starts the server only where a folder wants it and has a configuration; there it is no more than a timer. */
export function enforceInBackground(tools: Tools): vscode.Disposable {
  const { server } = tools;
  const told = new Map<string, boolean>();
  const tell = async (folder: vscode.WorkspaceFolder): Promise<void> => {
    const uri = folder.uri.toString();
    const enabled = isWanted(folder) && (await findConfigFile(folder)) !== undefined;
    if ((told.get(uri) ?? false) === enabled) return;
    told.set(uri, enabled);
    const params: BackgroundParams = { folder: uri, enabled };
    await server.notify(backgroundNotification, params);
  };
  const tellAll = (): void => {
    for (const folder of vscode.workspace.workspaceFolders ?? []) void tell(folder).catch(showFailure);
  };
  const configs = vscode.workspace.createFileSystemWatcher("**/offcut.{json,yaml,yml}", false, true, false);
  tellAll();
  return vscode.Disposable.from(
    configs,
    configs.onDidCreate(tellAll),
    configs.onDidDelete(tellAll),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("offcut.background")) tellAll();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(tellAll),
    vscode.workspace.onDidChangeWorkspaceFolders(({ removed }) => {
      for (const folder of removed) told.delete(folder.uri.toString());
      tellAll();
    }),
    server.onDidRestart(() => {
      told.clear();
      tellAll();
    }),
    server.onDidEnforce(({ folder: uri, ...answer }) => {
      const folder = vscode.workspace.getWorkspaceFolder(vscode.Uri.parse(uri));
      if (!folder) return;
      show(tools, folder, answer);
      // The item and the views have to say the same.
      if (answer.outcome === "failed") void tools.state.refresh([folder]);
    }),
  );
}

/** Enforce Policy Now: the same round, and a word about it in any case. */
export async function enforceNow(tools: Tools, folder: vscode.WorkspaceFolder): Promise<void> {
  const params = { folder: folder.uri.toString() };
  const answer = await tools.server.requestWithProgress<EnforceAnswer>(vscode.l10n.t("Enforcing the policy"), enforceRequest, params);
  await tools.state.refresh([folder]);
  show(tools, folder, answer);
}

/** Without trust the setting counts for nothing, wherever it is written (R82). */
function isWanted(folder: vscode.WorkspaceFolder): boolean {
  return vscode.workspace.isTrusted && vscode.workspace.getConfiguration("offcut", folder.uri).get("background.enabled") === true;
}

/** Does not hold anything up: the notification may stay for hours. */
function show(tools: Tools, folder: vscode.WorkspaceFolder, answer: EnforceAnswer): void {
  if (answer.outcome === "braked") askAboutMuch(tools, folder, answer.message);
  else if (answer.result) offerUndo(tools, folder, { ...answer.result, message: answer.message });
  else if (answer.outcome === "failed") showWhatFailed(answer.message);
  else if (answer.outcome === "refused") showFailure(new Error(answer.message));
  else void vscode.window.showInformationMessage(answer.message);
}

/** R20: what is more than usual is done only after the same question as by hand. */
function askAboutMuch(tools: Tools & { readonly documents: Documents }, folder: vscode.WorkspaceFolder, message: string): void {
  const preview = vscode.l10n.t("Preview");
  const clean = vscode.l10n.t("Clean…");
  void Promise.resolve(vscode.window.showWarningMessage(message, preview, clean))
    .then((chosen) => {
      if (chosen === preview) return previewCleanup(tools.state, tools.documents);
      return chosen === clean ? cleanUp(tools, folder) : undefined;
    })
    .catch(showFailure);
}

/** The view has what mends it: a line to go to, or a manifest to set aside. */
function showWhatFailed(message: string): void {
  const problems = vscode.l10n.t("Show Problems");
  void Promise.resolve(vscode.window.showErrorMessage(`Offcut: ${message}`, problems))
    .then((chosen) => (chosen === problems ? vscode.commands.executeCommand("offcut.reclaimable.focus") : undefined))
    .catch(showFailure);
}
