/** The language server as the extension sees it. */
import * as vscode from "vscode";
import {
  DiagnosticPullMode,
  LanguageClient,
  type LanguageClientOptions,
  LSPErrorCodes,
  ResponseError,
  type ServerOptions,
  State as ClientState,
  TransportKind,
  WorkDoneProgress,
  type WorkDoneProgressReport,
} from "vscode-languageclient/node";
import {
  callSitesChangedNotification,
  changedNotification,
  type ChangedParams,
  type EnforcedParams,
  enforcedNotification,
  type InitializationOptions,
  scheduleNotification,
  type ScheduleParams,
  trustedNotification,
} from "../server/protocol.ts";

export const CODE_LANGUAGES = ["typescript", "typescriptreact", "javascript", "javascriptreact"];

export class Server implements vscode.Disposable {
  private readonly client: LanguageClient;
  private readonly changed = new vscode.EventEmitter<string>();
  private readonly changedSites = new vscode.EventEmitter<string>();
  private readonly enforced = new vscode.EventEmitter<EnforcedParams>();
  private readonly scheduled = new vscode.EventEmitter<ScheduleParams>();
  private readonly restarted = new vscode.EventEmitter<void>();
  private started: Promise<void> | undefined;
  private tokens = 0;

  /** What is shown of a folder (by URI) is old. */
  readonly onDidChange = this.changed.event;
  /** The call sites of a folder (by URI) are old. */
  readonly onDidChangeCallSites = this.changedSites.event;
  /** A round that came by itself needs somebody. */
  readonly onDidEnforce = this.enforced.event;
  readonly onDidSchedule = this.scheduled.event;
  /** It crashed and runs again: what it was told before is gone. */
  readonly onDidRestart = this.restarted.event;

  constructor(context: vscode.ExtensionContext) {
    this.client = new LanguageClient("offcut", "Offcut", serverOptions(context), clientOptions(context));
    this.client.onNotification(changedNotification, ({ folder }: ChangedParams) => this.changed.fire(folder));
    let ran = false;
    this.client.onDidChangeState(({ newState }) => {
      if (newState !== ClientState.Running) return;
      if (ran) this.restarted.fire();
      ran = true;
    });
    this.client.onNotification(enforcedNotification, (params: EnforcedParams) => this.enforced.fire(params));
    this.client.onNotification(scheduleNotification, (params: ScheduleParams) => this.scheduled.fire(params));
    this.client.onNotification(callSitesChangedNotification, ({ folder }: ChangedParams) => this.changedSites.fire(folder));
  }

  get isStarted(): boolean {
    return this.started !== undefined;
  }

  start(): Promise<void> {
    return (this.started ??= this.client.start());
  }

  async request<R>(method: string, params: object, token?: vscode.CancellationToken): Promise<R> {
    await this.start();
    // A token that is undefined would be sent as a second parameter.
    return token ? this.client.sendRequest<R>(method, params, token) : this.client.sendRequest<R>(method, params);
  }

  async notify(method: string, params: object): Promise<void> {
    await this.start();
    await this.client.sendNotification(method, params);
  }

  /** A request with a notification that shows how far it is and can cancel it; not for what is over before anybody could read it. */
  async requestWithProgress<R>(title: string, method: string, params: object): Promise<R> {
    await this.start();
    const workDoneToken = `offcut-${++this.tokens}`;
    const reports = new vscode.EventEmitter<WorkDoneProgressReport>();
    const cancel = new vscode.CancellationTokenSource();
    const listening = this.client.onProgress(WorkDoneProgress.type, workDoneToken, (value) => {
      if (value.kind === "report") reports.fire(value);
    });
    const request = this.client.sendRequest<R>(method, { ...params, workDoneToken }, cancel.token);
    const timer = setTimeout(() => void showProgress(title, request, reports.event, cancel), PATIENCE_MS);
    try {
      return await request;
    } finally {
      clearTimeout(timer);
      vscode.Disposable.from(listening, reports, cancel).dispose();
    }
  }

  async trust(): Promise<void> {
    await this.notify(trustedNotification, {});
  }

  dispose(): void {
    vscode.Disposable.from(this.changed, this.changedSites, this.enforced, this.scheduled, this.restarted).dispose();
    void this.client.dispose();
  }
}

const PATIENCE_MS = 500;

async function showProgress(
  title: string,
  request: Promise<unknown>,
  reports: vscode.Event<WorkDoneProgressReport>,
  cancel: vscode.CancellationTokenSource,
): Promise<void> {
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  await vscode.window.withProgress(options, async (progress, token) => {
    token.onCancellationRequested(() => cancel.cancel());
    let reached = 0;
    reports(({ message, percentage }) => {
      const increment = Math.max(0, (percentage ?? reached) - reached);
      reached += increment;
      progress.report({ ...(message !== undefined && { message }), ...(increment > 0 && { increment }) });
    });
    // Whoever asked hears of a failure; here it only ends the notification.
    await Promise.allSettled([request]);
  });
}

function serverOptions(context: vscode.ExtensionContext): ServerOptions {
  const module = context.asAbsolutePath("dist/server.cjs");
  return {
    run: { module, transport: TransportKind.ipc },
    debug: { module, transport: TransportKind.ipc, options: { execArgv: ["--nolazy", "--inspect=6009"] } },
  };
}

function clientOptions(context: vscode.ExtensionContext): LanguageClientOptions {
  const initializationOptions: InitializationOptions = {
    trusted: vscode.workspace.isTrusted,
    ...(vscode.l10n.bundle && { l10n: vscode.l10n.bundle }),
    docs: vscode.Uri.joinPath(context.extensionUri, "docs/rules").toString(),
  };
  return {
    documentSelector: [
      { scheme: "file", pattern: "**/offcut.{json,yaml,yml}" },
      ...CODE_LANGUAGES.map((language) => ({ scheme: "file", language })),
    ],
    initializationOptions,
    diagnosticPullOptions: {
      onChange: true,
      onSave: true,
      // True leaves the question out: the setting says when code is checked.
      filter: (document, mode) => {
        if (!("languageId" in document) || !CODE_LANGUAGES.includes(document.languageId)) return false;
        const onSave = vscode.workspace.getConfiguration("offcut", document.uri).get("check.run") === "onSave";
        return mode === (onSave ? DiagnosticPullMode.onType : DiagnosticPullMode.onSave);
      },
    },
  };
}

export function isCancelled(error: unknown): boolean {
  if (error instanceof vscode.CancellationError) return true;
  return error instanceof ResponseError && error.code === LSPErrorCodes.RequestCancelled;
}
