/** Which command does what. Titles, menus and conditions stand in package.json. */
import * as vscode from "vscode";
import { pinRequest, type PinParams } from "../server/protocol.ts";
import { checkWorkspace, showFilesOf, showMakersOf } from "./analysis.ts";
import type { CallSites } from "./callSites.ts";
import type { CallSitesTree, SiteNode } from "./callSitesTree.ts";
import { enforceNow } from "./background.ts";
import { cleanUp, confirmFree, freeSpace, showFailure, type Tools, undo } from "./cleanUp.ts";
import { createConfig } from "./createConfig.ts";
import type { RunNode } from "./historyTree.ts";
import { kindsOf } from "./ownerLook.ts";
import { previewCleanup } from "./preview.ts";
import { holdAgain, release } from "./release.ts";
import { showRun } from "./runDetails.ts";
import { isCancelled } from "./server.ts";
import { toggleAuto } from "./toggleAuto.ts";
import type { OwnerKind } from "./reasons.ts";
import type { FileNode, MoreNode, Node, OwnerNode, PlanTree } from "./tree.ts";

export interface Trees {
  readonly reclaimable: PlanTree;
  readonly kept: PlanTree;
  readonly callSites: CallSitesTree;
}

/** Of whichever tree the command was called from. */
type AnyNode = Node | SiteNode | RunNode;

export function registerCommands(tools: Tools & { readonly callSites: CallSites }, trees: Trees): vscode.Disposable {
  const { server, state, documents, callSites } = tools;
  const commands: Readonly<Record<string, (node?: AnyNode) => unknown>> = {
    "offcut.preview": () => previewCleanup(state, documents),
    "offcut.cleanUp": () => inFolder((folder) => cleanUp(tools, folder)),
    "offcut.cleanProject": (node) => cleanOwner(tools, node, "project"),
    "offcut.cleanJob": (node) => cleanOwner(tools, node, "job"),
    "offcut.release": (node) => release(tools, ownerIn(node)),
    "offcut.holdAgain": (node) => holdAgain(tools, ownerIn(node)),
    "offcut.undo": () => inFolder((folder) => undo(tools, folder)),
    "offcut.freeSpace": () => inFolder((folder) => freeSpace(tools, folder)),
    "offcut.undoRun": (node) => inRun(node, ({ folder, run }) => undo(tools, folder, run.run)),
    "offcut.freeRun": (node) => inRun(node, (one) => freeRun(tools, one)),
    "offcut.showRun": (node) => inRun(node, (one) => showRun(tools, one)),
    "offcut.enforce": () => inFolder((folder) => enforceNow(tools, folder)),
    "offcut.toggleAuto": () => inFolder((folder) => toggleAuto(tools, folder)),
    "offcut.refresh": () => state.refresh(),
    "offcut.pin": (node) => changePin(tools, node, false),
    "offcut.unpin": (node) => changePin(tools, node, true),
    "offcut.createConfig": () => inFolder(createConfig),
    "offcut.checkWorkspace": () => checkWorkspace(callSites),
    "offcut.showFiles": (node) => showFilesOf(server, trees.reclaimable, node),
    "offcut.showMakers": (node) => showMakersOf(server, node),
    "offcut.sortByBytes": () => trees.callSites.sortBy("bytes"),
    "offcut.sortByFile": () => trees.callSites.sortBy("file"),
    "offcut.showMore": (node) => showMore(trees, node),
  };
  return vscode.Disposable.from(
    ...Object.entries(commands).map(([id, run]) => vscode.commands.registerCommand(id, (node?: AnyNode) => guard(() => run(node)))),
  );
}

/** The one catch of a command. */
async function guard(run: () => unknown): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!isCancelled(error)) showFailure(error);
  }
}

/** The only folder, or the one that the user picks. */
async function inFolder(run: (folder: vscode.WorkspaceFolder) => Promise<void>): Promise<void> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (folders.length === 0) throw new Error(vscode.l10n.t("Open a folder first."));
  const folder = folders.length === 1 ? folders[0] : await vscode.window.showWorkspaceFolderPick();
  if (folder) await run(folder);
}

/** From the tree its project or job; from the palette one that has reclaimable files. */
async function cleanOwner(tools: Tools, node: AnyNode | undefined, kind: OwnerKind): Promise<void> {
  const chosen = node?.kind === "owner" ? node : await pickOwner(tools, kind);
  if (chosen?.id !== undefined) await cleanUp(tools, chosen.report.folder, { projects: [chosen.id] });
}

async function pickOwner({ state }: Tools, kind: OwnerKind): Promise<Pick<OwnerNode, "id" | "report"> | undefined> {
  await state.ensure();
  const owners = state.reports.flatMap((report) => {
    const kinds = kindsOf(report.plan);
    const ids = new Set(report.plan?.groups.flatMap((group) => (group.verdict === "reclaim" ? (group.owner ?? []) : [])));
    return [...ids].filter((id) => kinds(id) === kind).map((id) => ({ label: id, description: report.folder.name, id, report }));
  });
  if (owners.length === 0)
    throw new Error(kind === "job" ? vscode.l10n.t("No job has reclaimable files.") : vscode.l10n.t("No project has reclaimable files."));
  const placeHolder = kind === "job" ? vscode.l10n.t("The job to clean up") : vscode.l10n.t("The project to clean up");
  return vscode.window.showQuickPick(owners, { placeHolder });
}

function ownerIn(node: AnyNode | undefined): OwnerNode {
  if (node?.kind !== "owner") throw new Error(vscode.l10n.t("Choose a project or a job in the Offcut view first."));
  return node;
}

async function inRun(node: AnyNode | undefined, act: (run: RunNode) => Promise<void>): Promise<void> {
  if (node?.kind !== "run") throw new Error(vscode.l10n.t("Choose a cleanup in the view History first."));
  await act(node);
}

async function freeRun(tools: Tools, { folder, run }: RunNode): Promise<void> {
  if (await confirmFree({ files: run.heldFiles, bytes: run.heldSpace })) await freeSpace(tools, folder, run.run);
}

async function changePin({ server, state }: Tools, node: AnyNode | undefined, remove: boolean): Promise<void> {
  if (node?.kind !== "owner" && node?.kind !== "file")
    throw new Error(vscode.l10n.t("Choose a project, a job or a file in the Offcut view first."));
  const { folder } = node.report;
  const params: PinParams = { folder: folder.uri.toString(), ...pinOf(node), remove };
  await server.request(pinRequest, params);
  await state.refresh([folder]);
}

function pinOf(node: OwnerNode | FileNode): Pick<PinParams, "kind" | "value"> {
  return node.kind === "owner" ? { kind: "project", value: node.id ?? "" } : { kind: "file", value: node.item.uri };
}

function showMore(trees: Trees, node: AnyNode | undefined): void {
  if (node?.kind !== "more") return;
  const more: MoreNode = node;
  (more.verdict === "keep" ? trees.kept : trees.reclaimable).showMore(more);
}
