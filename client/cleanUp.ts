/** Clean Up…: plan anew, ask once, clean, offer to undo. */
import * as vscode from "vscode";
import {
  type CleanAnswer,
  cleanRequest,
  type Part,
  prepareRequest,
  type PurgeAnswer,
  purgeRequest,
  type Question,
  type UndoAnswer,
  undoRequest,
} from "../server/protocol.ts";
import type { Totals } from "../core/model.ts";
import type { Documents } from "./documents.ts";
import type { Server } from "./server.ts";
import type { State } from "./state.ts";
import { formatBytes, formatTime } from "./words.ts";

export interface Tools {
  readonly server: Server;
  readonly state: State;
  readonly documents: Documents;
}

export async function cleanUp(tools: Tools, folder: vscode.WorkspaceFolder, part: Part = {}): Promise<void> {
  const { server, state } = tools;
  const uri = folder.uri.toString();
  const question = await server.requestWithProgress<Question>(vscode.l10n.t("Looking for reclaimable files"), prepareRequest, {
    folder: uri,
    ...part,
  });
  state.take(folder, question.plan);
  if (question.totals.files === 0) {
    void vscode.window.showInformationMessage(`${question.message} ${question.detail}`);
    return;
  }
  const chosen = await vscode.window.showWarningMessage(question.message, { modal: true, detail: question.detail }, question.action);
  if (chosen !== question.action) return;
  const { digest } = question.plan;
  const result = await server.requestWithProgress<CleanAnswer>(vscode.l10n.t("Cleaning up"), cleanRequest, {
    folder: uri,
    digest,
    ...part,
  });
  await state.refresh([folder]);
  offerUndo(tools, folder, result);
}

/** The newest run, or the one that a notification is about. */
export async function undo({ server, state }: Tools, folder: vscode.WorkspaceFolder, run?: string): Promise<void> {
  const params = { folder: folder.uri.toString(), ...(run !== undefined && { run }) };
  const result = await server.requestWithProgress<UndoAnswer>(vscode.l10n.t("Undoing the cleanup"), undoRequest, params);
  await state.refresh([folder]);
  const show = result.errors.length > 0 ? vscode.window.showWarningMessage : vscode.window.showInformationMessage;
  void show(result.message);
}

/** Everything that is held, or one run that a notification is about. There is no way back, so all of it is asked about first. */
export async function freeSpace({ server, state }: Tools, folder: vscode.WorkspaceFolder, run?: string): Promise<void> {
  const uri = folder.uri.toString();
  if (run === undefined && !(await confirmFree(await readHeld(state, folder)))) return;
  const params = { folder: uri, ...(run !== undefined && { run }) };
  const result = await server.requestWithProgress<PurgeAnswer>(vscode.l10n.t("Freeing space"), purgeRequest, params);
  await state.refresh([folder]);
  void vscode.window.showInformationMessage(result.message);
}

async function readHeld(state: State, folder: vscode.WorkspaceFolder): Promise<Totals> {
  await state.refresh([folder]);
  return state.reportOf(folder)?.plan?.held ?? { files: 0, bytes: 0 };
}

export async function confirmFree(held: Totals): Promise<boolean> {
  if (held.files === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t("No cleanup holds files, so there is no space to free."));
    return false;
  }
  const action = vscode.l10n.t("Free {0}", formatBytes(held.bytes));
  const detail = vscode.l10n.t("{0} files of earlier cleanups are deleted for good and cannot be undone any more.", held.files);
  return (
    (await vscode.window.showWarningMessage(vscode.l10n.t("Free the space of what is held for undo?"), { modal: true, detail }, action)) ===
    action
  );
}

/** Does not hold the command up: the notification may stay for hours. */
export function offerUndo(tools: Tools, folder: vscode.WorkspaceFolder, result: CleanAnswer): void {
  const back = vscode.l10n.t("Undo");
  const free = vscode.l10n.t("Free Space Now");
  const details = vscode.l10n.t("Show Details");
  const buttons = [
    ...(result.heldSpace > 0 || (result.deletedFiles > 0 && result.undoUntil !== undefined) ? [back, free] : []),
    ...(result.errors.length + result.skipped.length > 0 ? [details] : []),
  ];
  const show = result.errors.length > 0 ? vscode.window.showWarningMessage : vscode.window.showInformationMessage;
  const offered = Promise.resolve(show(result.message, ...buttons));
  void offered
    .then((chosen) => {
      if (chosen === back) return undo(tools, folder, result.run);
      if (chosen === free) return freeSpace(tools, folder, result.run);
      return chosen === details ? tools.documents.show(vscode.l10n.t("Cleanup Details"), describe(result)) : undefined;
    })
    .catch(showFailure);
}

export function showFailure(error: unknown): void {
  void vscode.window.showErrorMessage(`Offcut: ${error instanceof Error ? error.message : String(error)}`);
}

function describe(result: CleanAnswer): string {
  return [
    result.message,
    vscode.l10n.t("Run {0}", result.run),
    ...(result.undoUntil === undefined ? [] : [vscode.l10n.t("Can be undone until {0}", formatTime(result.undoUntil))]),
    ...(result.errors.length > 0
      ? ["", vscode.l10n.t("Could not be removed"), ...result.errors.map((error) => `  ${error.path}: ${error.message}`)]
      : []),
    ...(result.skipped.length > 0
      ? ["", vscode.l10n.t("Kept after all"), ...result.skipped.map((skipped) => `  ${skipped.path}: ${skipped.reason}`)]
      : []),
  ].join("\n");
}
