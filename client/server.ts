/** The language server as the extension sees it. */
import * as vscode from "vscode";
import { LanguageClient, type LanguageClientOptions, LSPErrorCodes, ResponseError, type ServerOptions, TransportKind, WorkDoneProgress } from "vscode-languageclient/node";
import { changedNotification, type ChangedParams, type InitializationOptions, trustedNotification } from "../server/protocol.ts";

export class Server implements vscode.Disposable {
  private readonly client: LanguageClient;
  private readonly changed = new vscode.EventEmitter<string>();
  private started: Promise<void> | undefined;
  private tokens = 0;

  /** What is shown of a folder (by URI) is old. */
  readonly onDidChange = this.changed.event;

  constructor(context: vscode.ExtensionContext) {
    this.client = new LanguageClient("offcut", "Offcut", serverOptions(context), clientOptions());
    this.client.onNotification(changedNotification, ({ folder }: ChangedParams) => this.changed.fire(folder));
  }

  start(): Promise<void> {
    return (this.started ??= this.client.start());
  }

  async request<R>(method: string, params: object, token?: vscode.CancellationToken): Promise<R> {
    await this.start();
    // A token that is undefined would be sent as a second parameter.
    return token ? this.client.sendRequest<R>(method, params, token) : this.client.sendRequest<R>(method, params);
  }

  /** The same, with a notification that shows how far it is and can cancel it. */
  requestWithProgress<R>(title: string, method: string, params: object): Promise<R> {
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    const request = vscode.window.withProgress(options, async (progress, token) => {
      await this.start();
      const workDoneToken = `offcut-${++this.tokens}`;
      let reached = 0;
      const listening = this.client.onProgress(WorkDoneProgress.type, workDoneToken, (value) => {
        if (value.kind !== "report") return;
        const increment = Math.max(0, (value.percentage ?? reached) - reached);
        reached += increment;
        progress.report({ ...(value.message !== undefined && { message: value.message }), ...(increment > 0 && { increment }) });
      });
      try {
        return await this.client.sendRequest<R>(method, { ...params, workDoneToken }, token);
      } finally {
        listening.dispose();
      }
    });
    return Promise.resolve(request);
  }

  async trust(): Promise<void> {
    await this.start();
    await this.client.sendNotification(trustedNotification);
  }

  dispose(): void {
    this.changed.dispose();
    void this.client.dispose();
  }
}

function serverOptions(context: vscode.ExtensionContext): ServerOptions {
  const module = context.asAbsolutePath("dist/server.cjs");
  return {
    run: { module, transport: TransportKind.ipc },
    debug: { module, transport: TransportKind.ipc, options: { execArgv: ["--nolazy", "--inspect=6009"] } },
  };
}

function clientOptions(): LanguageClientOptions {
  const initializationOptions: InitializationOptions = { trusted: vscode.workspace.isTrusted, ...(vscode.l10n.bundle && { l10n: vscode.l10n.bundle }) };
  return { documentSelector: [{ scheme: "file", pattern: "**/offcut.json" }], initializationOptions, diagnosticPullOptions: { onChange: true } };
}

export function isCancelled(error: unknown): boolean {
  if (error instanceof vscode.CancellationError) return true;
  return error instanceof ResponseError && error.code === LSPErrorCodes.RequestCancelled;
}
