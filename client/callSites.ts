/** The latest call sites of each workspace folder, and one event that says that they changed. */
import * as vscode from "vscode";
import { type CallSitesAnswer, type CallSitesParams, callSitesRequest, type SiteSummary } from "../server/protocol.ts";
import { isCancelled, type Server } from "./server.ts";

export interface FolderSites {
  readonly folder: vscode.WorkspaceFolder;
  readonly answer: CallSitesAnswer;
}

export class CallSites implements vscode.Disposable {
  private readonly server: Server;
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly latest = new Map<string, CallSitesAnswer>();
  private readonly running = new Map<string, Promise<void>>();
  private readonly subscriptions: vscode.Disposable[];
  /** Whether anybody looks: what nobody sees is not kept up to date. */
  isShown: () => boolean = () => false;

  readonly onDidChange = this.changed.event;

  constructor(server: Server) {
    this.server = server;
    this.subscriptions = [
      server.onDidChangeCallSites((uri) => {
        const folder = vscode.workspace.getWorkspaceFolder(vscode.Uri.parse(uri));
        if (!folder) return;
        if (this.isShown()) void this.refresh([folder]);
        else this.latest.delete(folder.uri.toString());
      }),
      vscode.workspace.onDidChangeWorkspaceFolders(({ removed }) => {
        for (const folder of removed) this.latest.delete(folder.uri.toString());
        this.changed.fire();
      }),
    ];
  }

  /** In the order of the workspace. */
  get folders(): readonly FolderSites[] {
    return (vscode.workspace.workspaceFolders ?? []).flatMap((folder) => {
      const answer = this.latest.get(folder.uri.toString());
      return answer ? [{ folder, answer }] : [];
    });
  }

  /** Asks for the folders that nothing is known of, without holding anything up. */
  async ensure(): Promise<void> {
    await this.refresh((vscode.workspace.workspaceFolders ?? []).filter((folder) => !this.latest.has(folder.uri.toString())));
  }

  /** Checks a folder now, with a notification that can cancel it. */
  async check(folder: vscode.WorkspaceFolder): Promise<CallSitesAnswer> {
    const params: CallSitesParams = { folder: folder.uri.toString() };
    const answer = await this.server.requestWithProgress<CallSitesAnswer>(vscode.l10n.t("Checking the code"), callSitesRequest, params);
    this.take(folder, answer);
    return answer;
  }

  dispose(): void {
    this.changed.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private async refresh(folders: readonly vscode.WorkspaceFolder[]): Promise<void> {
    await Promise.all(folders.map((folder) => this.refreshFolder(folder)));
  }

  private refreshFolder(folder: vscode.WorkspaceFolder): Promise<void> {
    const key = folder.uri.toString();
    const running = this.running.get(key) ?? this.ask(folder).finally(() => this.running.delete(key));
    this.running.set(key, running);
    return running;
  }

  private async ask(folder: vscode.WorkspaceFolder): Promise<void> {
    const params: CallSitesParams = { folder: folder.uri.toString(), background: true };
    try {
      const request = this.server.request<CallSitesAnswer>(callSitesRequest, params);
      this.take(folder, await vscode.window.withProgress({ location: { viewId: "offcut.callSites" } }, () => request));
    } catch (error) {
      // The view stays as it is; whoever wants to know why runs the check as a command.
      if (!isCancelled(error)) this.changed.fire();
    }
  }

  private take(folder: vscode.WorkspaceFolder, answer: CallSitesAnswer): void {
    this.latest.set(folder.uri.toString(), answer);
    this.changed.fire();
  }
}

/** Opens the code of a call site. */
export async function openSite({ uri, range }: SiteSummary): Promise<void> {
  await vscode.window.showTextDocument(vscode.Uri.parse(uri), { selection: rangeOf(range) });
}

export function rangeOf({ start, end }: SiteSummary["range"]): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}
