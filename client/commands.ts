/** Which command does what. Titles, menus and conditions stand in package.json. */
import * as vscode from "vscode";
import { checkWorkspace, showFilesOf, showMakersOf } from "./analysis.ts";
import type { CallSites } from "./callSites.ts";
import type { CallSitesTree, SiteNode } from "./callSitesTree.ts";
import { enforceNow } from "./background.ts";
import { chooseOwner, chooseRun } from "./choose.ts";
import { cleanUp, confirmFree, freeSpace, showFailure, type Tools, undo } from "./cleanUp.ts";
import { createConfig } from "./createConfig.ts";
import { forgetManifest } from "./forget.ts";
import { isHeld, type RunNode } from "./historyTree.ts";
import { pin, unpin } from "./pins.ts";
import { previewCleanup } from "./preview.ts";
import { holdAgain, release } from "./release.ts";
import { showRun } from "./runDetails.ts";
import { isCancelled } from "./server.ts";
import type { OwnerKind } from "./reasons.ts";
import type { Report } from "./state.ts";
import { toggleAuto } from "./toggleAuto.ts";
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
    "offcut.cleanProject": (node) => cleanOwner(tools, ownerIn(node), "project"),
    "offcut.cleanJob": (node) => cleanOwner(tools, ownerIn(node), "job"),
    "offcut.release": (node) => release(tools, ownerIn(node)),
    "offcut.holdAgain": (node) => holdAgain(tools, ownerIn(node)),
    "offcut.undo": () => inFolder((folder) => undo(tools, folder)),
    "offcut.freeSpace": () => inFolder((folder) => freeSpace(tools, folder)),
    "offcut.undoRun": (node) =>
      inRun(tools, node, vscode.l10n.t("The cleanup to undo"), "held", ({ folder, run }) => undo(tools, folder, run.run)),
    "offcut.freeRun": (node) => inRun(tools, node, vscode.l10n.t("The cleanup whose space is freed"), "held", (one) => freeRun(tools, one)),
    "offcut.showRun": (node) => inRun(tools, node, vscode.l10n.t("The cleanup to show"), "any", (one) => showRun(tools, one)),
    "offcut.enforce": () => inFolder((folder) => enforceNow(tools, folder)),
    "offcut.toggleAuto": () => inFolder((folder) => toggleAuto(tools, folder)),
    "offcut.refresh": () => state.refresh(),
    "offcut.pin": (node) => pin(tools, pinnableIn(node)),
    "offcut.unpin": (node) => unpin(tools, pinnableIn(node)),
    "offcut.forget": (node) => forgetManifest(tools, damagedIn(node)),
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
async function cleanOwner(tools: Tools, node: OwnerNode | undefined, kind: OwnerKind): Promise<void> {
  const isKind = ({ owner }: OwnerNode): boolean => (owner?.kind ?? "project") === kind;
  const words =
    kind === "job"
      ? { placeHolder: vscode.l10n.t("The job to clean up"), none: vscode.l10n.t("No job has reclaimable files.") }
      : { placeHolder: vscode.l10n.t("The project to clean up"), none: vscode.l10n.t("No project has reclaimable files.") };
  const chosen = node ?? (await chooseOwner(tools.state, ["reclaim"], isKind, words));
  if (chosen?.id !== undefined) await cleanUp(tools, chosen.report.folder, { projects: [chosen.id] });
}

/** From the view History its cleanup; from the palette one that still holds files, or any. */
async function inRun(
  { server }: Tools,
  node: AnyNode | undefined,
  placeHolder: string,
  which: "held" | "any",
  act: (run: RunNode) => Promise<void>,
): Promise<void> {
  const words = {
    placeHolder,
    none: which === "held" ? vscode.l10n.t("No cleanup holds files.") : vscode.l10n.t("Nothing was cleaned up yet."),
  };
  const chosen = node?.kind === "run" ? node : await chooseRun(server, (run) => which === "any" || isHeld(run), words);
  if (chosen) await act(chosen);
}

async function freeRun(tools: Tools, { folder, run }: RunNode): Promise<void> {
  if (await confirmFree({ files: run.heldFiles, bytes: run.heldSpace })) await freeSpace(tools, folder, run.run);
}

function ownerIn(node: AnyNode | undefined): OwnerNode | undefined {
  return node?.kind === "owner" ? node : undefined;
}

function pinnableIn(node: AnyNode | undefined): OwnerNode | FileNode | undefined {
  return node?.kind === "owner" || node?.kind === "file" ? node : undefined;
}

/** A job in the view Kept, or the problem that its manifest is. */
function damagedIn(node: AnyNode | undefined): { readonly job: string; readonly report: Report } | undefined {
  const job = node?.kind === "owner" ? node.id : node?.kind === "problem" ? node.problem.job : undefined;
  return job !== undefined && (node?.kind === "owner" || node?.kind === "problem") ? { job, report: node.report } : undefined;
}

function showMore(trees: Trees, node: AnyNode | undefined): void {
  if (node?.kind !== "more") return;
  const more: MoreNode = node;
  (more.verdict === "keep" ? trees.kept : trees.reclaimable).showMore(more);
}
