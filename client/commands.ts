/** Which command does what. Titles, menus and conditions stand in package.json. */
import * as vscode from "vscode";
import { pinRequest, type PinParams } from "../server/protocol.ts";
import { checkWorkspace, showFilesOf, showMakersOf } from "./analysis.ts";
import type { CallSites } from "./callSites.ts";
import type { CallSitesTree, SiteNode } from "./callSitesTree.ts";
import { cleanUp, freeSpace, showFailure, type Tools, undo } from "./cleanUp.ts";
import { createConfig } from "./createConfig.ts";
import { previewCleanup } from "./preview.ts";
import { isCancelled } from "./server.ts";
import { toggleAuto } from "./toggleAuto.ts";
import type { FileNode, MoreNode, Node, PlanTree, ProjectNode } from "./tree.ts";

export interface Trees {
  readonly reclaimable: PlanTree;
  readonly kept: PlanTree;
  readonly callSites: CallSitesTree;
}

/** Of whichever tree the command was called from. */
type AnyNode = Node | SiteNode;

export function registerCommands(tools: Tools & { readonly callSites: CallSites }, trees: Trees): vscode.Disposable {
  const { server, state, documents, callSites } = tools;
  const commands: Readonly<Record<string, (node?: AnyNode) => unknown>> = {
    "offcut.preview": () => previewCleanup(state, documents),
    "offcut.cleanUp": () => inFolder((folder) => cleanUp(tools, folder)),
    "offcut.cleanProject": (node) => cleanProject(tools, node),
    "offcut.undo": () => inFolder((folder) => undo(tools, folder)),
    "offcut.freeSpace": () => inFolder((folder) => freeSpace(tools, folder)),
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

/** From the tree its project; from the palette one that has reclaimable files. */
async function cleanProject(tools: Tools, node: AnyNode | undefined): Promise<void> {
  const chosen = node?.kind === "project" ? node : await pickProject(tools);
  if (chosen?.owner !== undefined) await cleanUp(tools, chosen.report.folder, { projects: [chosen.owner] });
}

async function pickProject({ state }: Tools): Promise<Pick<ProjectNode, "owner" | "report"> | undefined> {
  await state.ensure();
  const projects = state.reports.flatMap((report) =>
    [...new Set(report.plan?.groups.flatMap((group) => (group.verdict === "reclaim" ? (group.owner ?? []) : [])))].map((owner) => ({
      label: owner,
      description: report.folder.name,
      owner,
      report,
    })),
  );
  if (projects.length === 0) throw new Error(vscode.l10n.t("No project has reclaimable files."));
  return vscode.window.showQuickPick(projects, { placeHolder: vscode.l10n.t("The project to clean up") });
}

async function changePin({ server, state }: Tools, node: AnyNode | undefined, remove: boolean): Promise<void> {
  if (node?.kind !== "project" && node?.kind !== "file")
    throw new Error(vscode.l10n.t("Choose a project or a file in the Offcut view first."));
  const { folder } = node.report;
  const params: PinParams = { folder: folder.uri.toString(), ...pinOf(node), remove };
  await server.request(pinRequest, params);
  await state.refresh([folder]);
}

function pinOf(node: ProjectNode | FileNode): Pick<PinParams, "kind" | "value"> {
  return node.kind === "project" ? { kind: "project", value: node.owner ?? "" } : { kind: "file", value: node.item.uri };
}

function showMore(trees: Trees, node: AnyNode | undefined): void {
  if (node?.kind !== "more") return;
  const more: MoreNode = node;
  (more.verdict === "keep" ? trees.kept : trees.reclaimable).showMore(more);
}
