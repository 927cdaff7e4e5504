/** Always Keep This, Stop Always Keeping (R29). */
import * as vscode from "vscode";
import { pinRequest, type PinParams, type PinsAnswer, pinsRequest } from "../server/protocol.ts";
import { choose, chooseOwner, folderName } from "./choose.ts";
import type { Tools } from "./cleanUp.ts";
import { isPinned } from "./ownerLook.ts";
import type { FileNode, OwnerNode } from "./tree.ts";

type PinNode = OwnerNode | FileNode;

/** From a view that of the node; from the palette a project or a job. */
export async function pin(tools: Tools, given: PinNode | undefined): Promise<void> {
  const node =
    given ??
    (await chooseOwner(tools.state, ["reclaim", "keep"], (one) => !isPinned(one.groups), {
      placeHolder: vscode.l10n.t("The project or job to keep always"),
      none: vscode.l10n.t("There is no project or job that could be kept always."),
    }));
  if (node) await change(tools, node.report.folder, pinOf(node));
}

/** From a view that of the node; from the palette whatever is kept. */
export async function unpin(tools: Tools, given: PinNode | undefined): Promise<void> {
  if (given) return change(tools, given.report.folder, { ...pinOf(given), remove: true });
  const folders = vscode.workspace.workspaceFolders ?? [];
  const lists = await Promise.all(
    folders.map(async (folder) => {
      const pins = await tools.server.request<PinsAnswer>(pinsRequest, { folder: folder.uri.toString() });
      return pins.map(({ kind, value, name }) => ({
        label: name,
        description: [...folderName(folder), KINDS[kind]()].join(" · "),
        value: { folder, pin: { kind, value } },
      }));
    }),
  );
  const chosen = await choose(lists.flat(), {
    placeHolder: vscode.l10n.t("What need not be kept always any more"),
    none: vscode.l10n.t("Nothing is always kept."),
  });
  if (chosen) await change(tools, chosen.folder, { ...chosen.pin, remove: true });
}

const KINDS: Readonly<Record<PinParams["kind"], () => string>> = {
  file: () => vscode.l10n.t("file or directory"),
  store: () => vscode.l10n.t("store"),
  project: () => vscode.l10n.t("project or job"),
};

function pinOf(node: PinNode): Pick<PinParams, "kind" | "value"> {
  return node.kind === "owner" ? { kind: "project", value: node.id ?? "" } : { kind: "file", value: node.item.uri };
}

async function change({ server, state }: Tools, folder: vscode.WorkspaceFolder, what: Omit<PinParams, "folder">): Promise<void> {
  const params: PinParams = { folder: folder.uri.toString(), ...what };
  await server.request(pinRequest, params);
  await state.refresh([folder]);
}
