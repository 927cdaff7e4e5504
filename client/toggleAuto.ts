/** Toggle AUTO_CLEANUP_ENABLED: where it stands, and in a database only after asking. */
import * as vscode from "vscode";
import { type AutoAnswer, autoRequest } from "../server/protocol.ts";
import type { Tools } from "./cleanUp.ts";

export async function toggleAuto({ server, state }: Tools, folder: vscode.WorkspaceFolder): Promise<void> {
  const uri = folder.uri.toString();
  const send = (more: object): Promise<AutoAnswer> => server.request<AutoAnswer>(autoRequest, { folder: uri, ...more });
  const enabled = !(await send({})).auto.enabled;
  let answer = await send({ enabled });
  if (answer.askDatabase !== undefined) {
    const action = vscode.l10n.t("Change the Database");
    const detail = vscode.l10n.t("The value that counts is in {0}; .env would have no effect.", answer.askDatabase);
    const question = enabled
      ? vscode.l10n.t("Turn automatic cleanup on in the database?")
      : vscode.l10n.t("Turn automatic cleanup off in the database?");
    if ((await vscode.window.showWarningMessage(question, { modal: true, detail }, action)) !== action) return;
    answer = await send({ enabled, writeDatabase: true });
  }
  await state.refresh([folder]);
  const word = answer.auto.enabled ? vscode.l10n.t("on") : vscode.l10n.t("off");
  void vscode.window.showInformationMessage(vscode.l10n.t("Automatic cleanup is {0} now ({1}).", word, answer.auto.source));
}
