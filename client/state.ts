/** The latest report of each workspace folder, and one event that says that one changed. */
import * as vscode from "vscode";
import { ResponseError } from "vscode-languageclient/node";
import type { Problem } from "../core/model.ts";
import {
  configInvalid,
  type ConfigInvalidData,
  itemsRequest,
  type ItemsAnswer,
  type ItemsParams,
  planRequest,
  type PlanSummary,
  type ShownProblem,
} from "../server/protocol.ts";
import { isCancelled, type Server } from "./server.ts";

export interface Report {
  readonly folder: vscode.WorkspaceFolder;
  /** Absent when none could be made; `problems` say why. */
  readonly plan?: PlanSummary;
  readonly problems: readonly ShownProblem[];
}

export class State implements vscode.Disposable {
  private readonly server: Server;
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly changedSchedule = new vscode.EventEmitter<void>();
  private readonly latest = new Map<string, Report>();
  private readonly running = new Map<string, Promise<void>>();
  private readonly again = new Set<string>();
  private readonly subscriptions: vscode.Disposable[];

  readonly onDidChange = this.changed.event;
  /** Only the schedules of the reports are new. */
  readonly onDidChangeSchedule = this.changedSchedule.event;

  constructor(server: Server) {
    this.server = server;
    this.subscriptions = [
      // Only what was asked for once is kept up to date: a window that never showed Offcut never plans.
      server.onDidChange(
        (uri) => void this.refresh(this.reports.filter((report) => sameUri(report.folder, uri)).map((report) => report.folder)),
      ),
      server.onDidSchedule(({ folder: uri, schedule }) => {
        const report = this.reports.find((one) => sameUri(one.folder, uri));
        if (!report?.plan) return;
        this.latest.set(report.folder.uri.toString(), { ...report, plan: { ...report.plan, schedule } });
        this.changedSchedule.fire();
      }),
      vscode.workspace.onDidChangeWorkspaceFolders(({ added, removed }) => {
        for (const folder of removed) this.latest.delete(folder.uri.toString());
        if (this.latest.size > 0) void this.refresh(added);
        this.changed.fire();
      }),
    ];
  }

  /** In the order of the workspace. */
  get reports(): readonly Report[] {
    return (vscode.workspace.workspaceFolders ?? []).flatMap((folder) => this.latest.get(folder.uri.toString()) ?? []);
  }

  reportOf(folder: vscode.WorkspaceFolder): Report | undefined {
    return this.latest.get(folder.uri.toString());
  }

  /** Plans the folders that have no report yet. */
  async ensure(): Promise<void> {
    await this.refresh((vscode.workspace.workspaceFolders ?? []).filter((folder) => !this.latest.has(folder.uri.toString())));
  }

  /** Plans anew. Several calls during one plan lead to one more plan. */
  async refresh(folders: readonly vscode.WorkspaceFolder[] = vscode.workspace.workspaceFolders ?? []): Promise<void> {
    await Promise.all(folders.map((folder) => this.refreshFolder(folder)));
  }

  /** Takes over a plan that was made for a question. */
  take(folder: vscode.WorkspaceFolder, plan: PlanSummary): void {
    this.latest.set(folder.uri.toString(), { folder, plan, problems: plan.problems });
    this.changed.fire();
  }

  items(params: ItemsParams): Promise<ItemsAnswer> {
    return this.server.request<ItemsAnswer>(itemsRequest, params);
  }

  dispose(): void {
    this.changed.dispose();
    this.changedSchedule.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private refreshFolder(folder: vscode.WorkspaceFolder): Promise<void> {
    const key = folder.uri.toString();
    const running = this.running.get(key);
    if (running) {
      this.again.add(key);
      return running;
    }
    const plan = this.plan(folder);
    this.running.set(key, plan);
    return plan;
  }

  private async plan(folder: vscode.WorkspaceFolder): Promise<void> {
    const key = folder.uri.toString();
    do {
      this.again.delete(key);
      try {
        const request = this.server.request<PlanSummary>(planRequest, { folder: key });
        this.take(folder, await vscode.window.withProgress({ location: { viewId: "offcut.reclaimable" } }, () => request));
      } catch (error) {
        if (!isCancelled(error)) this.latest.set(key, { folder, problems: problemsOf(error, folder) });
        this.changed.fire();
      }
    } while (this.again.has(key));
    this.running.delete(key);
  }
}

/** What is no fault of the configuration is told of the folder. */
function problemsOf(error: unknown, folder: vscode.WorkspaceFolder): readonly Problem[] {
  if (error instanceof ResponseError && error.code === configInvalid) return (error.data as ConfigInvalidData).problems;
  return [{ severity: "error", source: folder.name, message: error instanceof Error ? error.message : String(error) }];
}

/** The server's URIs may be spelled differently (`c%3A`). */
function sameUri(folder: vscode.WorkspaceFolder, uri: string): boolean {
  return folder.uri.toString() === vscode.Uri.parse(uri).toString();
}
