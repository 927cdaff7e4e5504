/** Commands about code, and when the server is started because of it. */
import * as vscode from "vscode";
import {
  type FilesOfAnswer,
  type FilesOfParams,
  filesOfRequest,
  type MakersOfAnswer,
  type MakersOfParams,
  makersOfRequest,
  type SiteSummary,
} from "../server/protocol.ts";
import { type CallSites, openSite } from "./callSites.ts";
import type { SiteNode } from "./callSitesTree.ts";
import type { RunNode } from "./historyTree.ts";
import { CODE_LANGUAGES, type Server } from "./server.ts";
import type { Node, PlanTree } from "./tree.ts";
import { countFiles, formatBytes } from "./words.ts";

/** What opens at start-up goes first. */
const IDLE_MS = 1_000;

/** Starts the server a moment after a file of code is open in a folder, unless checking is off. */
export function startWithCode(server: Server): vscode.Disposable {
  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    timer = undefined;
    if (isWanted()) void server.start();
  };
  const consider = (): void => {
    timer ??= setTimeout(start, IDLE_MS);
  };
  consider();
  return vscode.Disposable.from(
    vscode.workspace.onDidOpenTextDocument((document) => {
      if (!server.isStarted && isCode(document)) consider();
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (!server.isStarted && event.affectsConfiguration("offcut.check")) consider();
    }),
    { dispose: () => clearTimeout(timer) },
  );
}

function isWanted(): boolean {
  if ((vscode.workspace.workspaceFolders ?? []).length === 0) return false;
  return vscode.workspace.getConfiguration("offcut").get("check.enable") !== false && vscode.workspace.textDocuments.some(isCode);
}

function isCode({ uri, languageId }: vscode.TextDocument): boolean {
  return uri.scheme === "file" && CODE_LANGUAGES.includes(languageId);
}

/** Check Workspace: all folders, one after the other, then the count. */
export async function checkWorkspace(callSites: CallSites): Promise<void> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (folders.length === 0) throw new Error(vscode.l10n.t("Open a folder first."));
  if (vscode.workspace.getConfiguration("offcut").get("check.enable") === false)
    throw new Error(vscode.l10n.t("Checking the code is off: offcut.check.enable."));
  let findings = 0;
  let files = 0;
  for (const folder of folders) {
    const answer = await callSites.check(folder);
    findings += answer.findings;
    files += answer.files;
  }
  const looked = vscode.l10n.t("{0} looked through", countFiles(files));
  const message =
    findings === 0
      ? vscode.l10n.t("No findings, {0}.", looked)
      : findings === 1
        ? vscode.l10n.t("1 finding, {0}.", looked)
        : vscode.l10n.t("{0} findings, {1}.", findings, looked);
  const problems = vscode.l10n.t("Show Problems");
  const sites = vscode.l10n.t("Show Call Sites");
  const buttons = findings > 0 ? [problems, sites] : [sites];
  void showAndGo(message, buttons, { [problems]: "workbench.actions.view.problems", [sites]: "offcut.callSites.focus" });
}

/** Does not hold the command up: the notification may stay for hours. */
async function showAndGo(message: string, buttons: readonly string[], commands: Readonly<Record<string, string>>): Promise<void> {
  const chosen = await vscode.window.showInformationMessage(message, ...buttons);
  const command = chosen === undefined ? undefined : commands[chosen];
  if (command !== undefined) await vscode.commands.executeCommand(command);
}

/** Show Its Files: in the tree where a plan has them, else as a list to open from. */
export async function showFilesOf(server: Server, reclaimable: PlanTree, node: Node | SiteNode | RunNode | undefined): Promise<void> {
  if (node?.kind !== "site") throw new Error(vscode.l10n.t("Choose a call site in the Offcut view first."));
  const params: FilesOfParams = { folder: node.folder.uri.toString(), paths: node.site.paths };
  const { files, total } = await server.requestWithProgress<FilesOfAnswer>(vscode.l10n.t("Looking for its files"), filesOfRequest, params);
  if (files.length === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t("No file on the disk fits the path of {0}.", node.site.callee));
    return;
  }
  if (await reclaimable.reveal(files.map((file) => file.uri))) return;
  const chosen = await vscode.window.showQuickPick(
    files.map(({ uri, path, bytes }) => ({ label: path, description: formatBytes(bytes), uri })),
    { title: vscode.l10n.t("{0} of {1}", countFiles(total), node.site.callee), placeHolder: vscode.l10n.t("The file to open") },
  );
  if (chosen) await vscode.commands.executeCommand("vscode.open", vscode.Uri.parse(chosen.uri));
}

/** Show the Code That Makes It: from a file in the trees. */
export async function showMakersOf(server: Server, node: Node | SiteNode | RunNode | undefined): Promise<void> {
  if (node?.kind !== "file") throw new Error(vscode.l10n.t("Choose a file in the Offcut view first."));
  const params: MakersOfParams = { folder: node.report.folder.uri.toString(), file: node.item.uri };
  const sites = await server.requestWithProgress<MakersOfAnswer>(vscode.l10n.t("Looking for its code"), makersOfRequest, params);
  const chosen = sites.length > 1 ? await pickSite(sites, node.item.path) : sites[0];
  if (chosen) await openSite(chosen);
  else if (sites.length === 0)
    void vscode.window.showInformationMessage(vscode.l10n.t("No call was found whose path fits {0}.", node.item.path));
}

const KINDS: Readonly<Record<SiteSummary["kind"], { readonly icon: string; readonly word: () => string }>> = {
  write: { icon: "edit", word: () => vscode.l10n.t("writes it") },
  assembly: { icon: "tools", word: () => vscode.l10n.t("assembles with it") },
  upload: { icon: "cloud-upload", word: () => vscode.l10n.t("uploads it") },
};

async function pickSite(sites: readonly SiteSummary[], file: string): Promise<SiteSummary | undefined> {
  const entries = sites.map((site) => ({
    label: `$(${KINDS[site.kind].icon}) ${site.callee}`,
    description: `${KINDS[site.kind].word()} · ${site.file}:${site.range.start.line + 1}`,
    site,
  }));
  const chosen = await vscode.window.showQuickPick(entries, { title: file, placeHolder: vscode.l10n.t("The call to show") });
  return chosen?.site;
}
