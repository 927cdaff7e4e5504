/** Release and Hold Again: what failed is held for debugging until somebody lets it go. */
import * as vscode from "vscode";
import { releaseRequest, type ReleaseParams } from "../server/protocol.ts";
import { chooseOwner, type ChoiceWords } from "./choose.ts";
import { cleanUp, showFailure, type Tools } from "./cleanUp.ts";
import { lookOf, type OwnerLook } from "./ownerLook.ts";
import type { OwnerNode } from "./tree.ts";
import { formatTotals } from "./words.ts";

/** From a view its project or job; from the palette one that is held. */
export async function release(tools: Tools, node: OwnerNode | undefined): Promise<void> {
  const { id, report } =
    node ??
    (await chooseMarked(tools, "held", {
      placeHolder: vscode.l10n.t("The project or job that need not be held for debugging any more"),
      none: vscode.l10n.t("Nothing is held for debugging."),
    })) ??
    {};
  if (id === undefined || !report) return;
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

/** From a view its project or job; from the palette one that was released. */
export async function holdAgain(tools: Tools, node: OwnerNode | undefined): Promise<void> {
  const { id, report } =
    node ??
    (await chooseMarked(tools, "released", {
      placeHolder: vscode.l10n.t("The project or job to hold for debugging again"),
      none: vscode.l10n.t("Nothing was released."),
    })) ??
    {};
  if (id !== undefined && report) await send(tools, report.folder, { owner: id, hold: true });
}

function chooseMarked({ state }: Tools, mark: OwnerLook["mark"], words: ChoiceWords): Promise<OwnerNode | undefined> {
  return chooseOwner(state, ["keep", "reclaim"], ({ owner, groups, id }) => lookOf(owner, groups, id).mark === mark, words);
}

async function send({ server, state }: Tools, folder: vscode.WorkspaceFolder, what: Omit<ReleaseParams, "folder">): Promise<void> {
  const params: ReleaseParams = { folder: folder.uri.toString(), ...what };
  await server.request(releaseRequest, params);
  await state.refresh([folder]);
}
