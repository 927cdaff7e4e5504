/** Release and Hold Again: what failed is held for debugging until somebody lets it go. */
import * as vscode from "vscode";
import { releaseRequest, type ReleaseParams } from "../server/protocol.ts";
import { cleanUp, showFailure, type Tools } from "./cleanUp.ts";
import type { OwnerNode } from "./tree.ts";
import { formatTotals } from "./words.ts";

export async function release(tools: Tools, { id, report }: OwnerNode): Promise<void> {
  if (id === undefined) return;
  const { folder } = report;
  await send(tools, folder, { owner: id });
  const groups = tools.state.reportOf(folder)?.plan?.groups.filter((group) => group.owner === id && group.verdict === "reclaim") ?? [];
  const sum = (key: "files" | "bytes"): number => groups.reduce((total, group) => total + group[key], 0);
  const totals = { files: sum("files"), bytes: sum("bytes") };
  const clean = vscode.l10n.t("Clean…");
  const back = vscode.l10n.t("Hold Again");
  const message =
    totals.files > 0
      ? vscode.l10n.t("{0} is not held for debugging any more; {1} can be cleaned up now.", id, formatTotals(totals))
      : vscode.l10n.t("{0} is not held for debugging any more; what stays has other reasons.", id);
  // Does not hold the command up: the notification may stay for hours.
  void Promise.resolve(vscode.window.showInformationMessage(message, ...(totals.files > 0 ? [clean] : []), back))
    .then((chosen) => {
      if (chosen === clean) return cleanUp(tools, folder, { projects: [id] });
      return chosen === back ? send(tools, folder, { owner: id, hold: true }) : undefined;
    })
    .catch(showFailure);
}

export async function holdAgain(tools: Tools, { id, report }: OwnerNode): Promise<void> {
  if (id !== undefined) await send(tools, report.folder, { owner: id, hold: true });
}

async function send({ server, state }: Tools, folder: vscode.WorkspaceFolder, what: Omit<ReleaseParams, "folder">): Promise<void> {
  const params: ReleaseParams = { folder: folder.uri.toString(), ...what };
  await server.request(releaseRequest, params);
  await state.refresh([folder]);
}
