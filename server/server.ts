/** The language server: which message is answered by what. */
import { config as configureWords } from "@vscode/l10n";
import {
  type ClientCapabilities,
  type Connection,
  type InitializeParams,
  type InitializeResult,
  TextDocuments,
  TextDocumentSyncKind,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import { analysisCapabilities, type CodeAnalysis, startAnalysis } from "./analysis/start.ts";
import type { ThreadOptions } from "./analysis/thread.ts";
import { switchAuto } from "./auto.ts";
import { type Background, type BackgroundOptions, createBackground } from "./background.ts";
import { clean, purgeRuns, undoRun } from "./clean.ts";
import { executeCommand, serverCommands } from "./commands.ts";
import { pathOf, uriOf } from "./convert.ts";
import { answer, guard } from "./edge.ts";
import { cancelExpiry } from "./expiry.ts";
import { forget } from "./forget.ts";
import { describeRun, history } from "./history.ts";
import { changePin, listPins } from "./pin.ts";
import { pageItems, planFolder, prepare } from "./plan.ts";
import * as protocol from "./protocol.ts";
import { recoverFolders } from "./recovery.ts";
import { release } from "./release.ts";
import { enforceNow } from "./round.ts";
import type { ClientAbilities, Session } from "./session.ts";
import { closeVerifier } from "./uploads.ts";
import { filesChanged, watchFolders } from "./watch.ts";

export interface ServerOptions {
  readonly connection: Connection;
  /** Default: that of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** How the thread that analyses code lives, for tests. */
  readonly thread?: Pick<ThreadOptions, "idleMs" | "patienceMs" | "program">;
  /** How patient the automatic loop is, for tests. */
  readonly background?: BackgroundOptions;
}

/** Answers on the connection until it is closed. Reads nothing before a request comes, except to end what a crash left. */
export function startServer(options: ServerOptions): void {
  const { connection } = options;
  const session = createSession(options);
  const documents = new TextDocuments(TextDocument);
  const analysis = startAnalysis(session, documents, options.thread);
  const background = createBackground(session, options.background);

  connection.onInitialize((params) => initialize(session, params));
  connection.onInitialized(() => begin(session, analysis, background));
  const end = async (): Promise<void> => {
    cancelExpiry(session);
    await background.stop();
    await closeVerifier(session);
    await analysis.dispose();
  };
  connection.onShutdown(end);
  connection.onExit(() => void end());

  connection.onRequest(protocol.planRequest, answer(session, planFolder));
  connection.onRequest(protocol.itemsRequest, answer(session, pageItems));
  connection.onRequest(protocol.prepareRequest, answer(session, prepare));
  connection.onRequest(protocol.cleanRequest, answer(session, clean));
  connection.onRequest(protocol.undoRequest, answer(session, undoRun));
  connection.onRequest(protocol.purgeRequest, answer(session, purgeRuns));
  connection.onRequest(protocol.historyRequest, answer(session, history));
  connection.onRequest(protocol.runRequest, answer(session, describeRun));
  connection.onRequest(protocol.releaseRequest, answer(session, release));
  connection.onRequest(protocol.forgetRequest, answer(session, forget));
  connection.onRequest(protocol.enforceRequest, answer(session, enforceNow));
  connection.onRequest(protocol.autoRequest, answer(session, switchAuto));
  connection.onRequest(protocol.pinRequest, answer(session, changePin));
  connection.onRequest(protocol.pinsRequest, answer(session, listPins));
  connection.onNotification(protocol.trustedNotification, () => trust(session, analysis, background));
  connection.onNotification(protocol.backgroundNotification, (params: protocol.BackgroundParams) => background.set(params));
  connection.onExecuteCommand((params, token) => guard(session, (signal) => executeCommand(session, params, signal), token));

  connection.onDidChangeWatchedFiles(({ changes }) => {
    const uris = changes.map((change) => change.uri);
    filesChanged(session, uris);
    analysis.filesChanged(uris);
  });

  documents.listen(connection);
  connection.listen();
}

function createSession({ connection, environment = process.env, now = Date.now }: ServerOptions): Session {
  return {
    connection,
    environment,
    now,
    trusted: false,
    folders: [],
    abilities: abilitiesOf({}),
    docs: undefined,
    l10n: undefined,
    plans: new Map(),
    mediaCache: new Map(),
    verifier: undefined,
    changed(root) {
      const params: protocol.ChangedParams = { folder: uriOf(root) };
      void connection.sendNotification(protocol.changedNotification, params);
    },
  };
}

function initialize(session: Session, params: InitializeParams): InitializeResult {
  const given = (params.initializationOptions ?? {}) as protocol.InitializationOptions;
  if (given.l10n) configureWords({ contents: { ...given.l10n } });
  session.l10n = given.l10n;
  session.docs = given.docs;
  session.trusted = given.trusted !== false;
  session.abilities = abilitiesOf(params.capabilities);
  // oxlint-disable-next-line typescript/no-deprecated -- editors without workspace folders name their one folder like this
  const folders = params.workspaceFolders?.map((folder) => folder.uri) ?? (params.rootUri ? [params.rootUri] : []);
  session.folders = localPaths(folders);
  return {
    serverInfo: { name: "offcut" },
    capabilities: {
      textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental, save: true },
      ...analysisCapabilities,
      executeCommandProvider: { commands: Object.values(serverCommands) },
      workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
    },
  };
}

function abilitiesOf({ workspace, textDocument, window }: ClientCapabilities): ClientAbilities {
  const { workspaceEdit } = workspace ?? {};
  return {
    watchFiles: workspace?.didChangeWatchedFiles?.dynamicRegistration === true,
    relativePatterns: workspace?.didChangeWatchedFiles?.relativePatternSupport === true,
    folderChanges: workspace?.workspaceFolders === true,
    configuration: workspace?.configuration === true,
    workDoneProgress: window?.workDoneProgress === true,
    refreshDiagnostics: workspace?.diagnostics?.refreshSupport === true,
    relatedInformation:
      textDocument?.diagnostic?.relatedInformation === true || textDocument?.publishDiagnostics?.relatedInformation === true,
    documentChanges: workspaceEdit?.documentChanges === true,
    createFiles: workspaceEdit?.documentChanges === true && workspaceEdit.resourceOperations?.includes("create") === true,
    resolveEdit:
      textDocument?.codeAction?.resolveSupport?.properties.includes("edit") === true && textDocument.codeAction.dataSupport === true,
    markdown: textDocument?.hover?.contentFormat?.includes("markdown") === true,
  };
}

async function begin(session: Session, analysis: CodeAnalysis, background: Background): Promise<void> {
  const { connection } = session;
  if (session.abilities.folderChanges) {
    connection.workspace.onDidChangeWorkspaceFolders(({ added, removed }) => {
      const gone = new Set(localPaths(removed.map((folder) => folder.uri)));
      const come = localPaths(added.map((folder) => folder.uri));
      session.folders = [...new Set([...session.folders.filter((root) => !gone.has(root)), ...come])];
      analysis.foldersChanged([...gone]);
      background.foldersGone([...gone]);
      void watchFolders(session, come);
      void recoverFolders(session, come);
    });
  }
  await analysis.begin();
  await watchFolders(session, session.folders);
  await recoverFolders(session, session.folders);
}

async function trust(session: Session, analysis: CodeAnalysis, background: Background): Promise<void> {
  session.trusted = true;
  analysis.trusted();
  background.trusted();
  await recoverFolders(session, session.folders);
}

/** Folders of virtual file systems are not ours. */
function localPaths(uris: readonly string[]): string[] {
  return uris.filter((uri) => uri.startsWith("file:")).map(pathOf);
}
