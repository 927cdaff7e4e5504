/** Which message about code is answered by what. Nothing is read and no thread started before the first of them comes. */
import {
  MessageType,
  type ServerCapabilities,
  type TextDocuments,
  DidChangeConfigurationNotification,
  CodeActionKind,
} from "vscode-languageserver/node";
import type { TextDocument } from "vscode-languageserver-textdocument";
import { answer, guard } from "../edge.ts";
import { callSitesRequest, filesOfRequest, makersOfRequest } from "../protocol.ts";
import { type Session, tell } from "../session.ts";
import { FIX_ALL, offerActions, resolveAction } from "./actions.ts";
import {
  type Checking,
  countingText,
  documentChanged,
  leave,
  outdate,
  type Place,
  placeOf,
  reconfigure,
  sourcesChanged,
} from "./checking.ts";
import { diagnoseDocument, diagnoseWorkspace } from "./diagnostics.ts";
import { orNothing } from "./failure.ts";
import { explainFinding } from "./hover.ts";
import { listCallSites, listFilesOf, listMakersOf } from "./sites.ts";
import { createThread, type ThreadOptions } from "./thread.ts";

export const analysisCapabilities: ServerCapabilities = {
  diagnosticProvider: { interFileDependencies: true, workspaceDiagnostics: true },
  codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix, FIX_ALL], resolveProvider: true },
  hoverProvider: true,
};

/** What the server tells the analysis. */
export interface CodeAnalysis {
  /** After the handshake. */
  begin(): Promise<void>;
  filesChanged(uris: readonly string[]): void;
  /** `gone` are folders that are no longer part of the workspace. */
  foldersChanged(gone: readonly string[]): void;
  /** More of the disk may be looked at. */
  trusted(): void;
  dispose(): Promise<void>;
}

export function startAnalysis(
  session: Session,
  documents: TextDocuments<TextDocument>,
  options: Pick<ThreadOptions, "idleMs" | "patienceMs" | "program"> = {},
): CodeAnalysis {
  const checking: Checking = {
    session,
    documents,
    thread: createThread({
      ...options,
      textOf: (root, file) => textIn(checking, root, file),
      openFiles: (root) => openIn(checking, root).map(({ file }) => file),
      settingsOf: (root) => checking.folders.get(root)?.current?.engine ?? EMPTY,
      onCrash: (message) => tell(session, message, MessageType.Error),
      l10n: () => session.l10n,
    }),
    folders: new Map(),
    saved: new Map(),
    reported: new Map(),
    waiting: new Set(),
  };
  listen(checking);
  const { connection } = session;
  return {
    async begin() {
      if (session.abilities.configuration) await connection.client.register(DidChangeConfigurationNotification.type, { section: "offcut" });
    },
    filesChanged: (uris) => sourcesChanged(checking, uris),
    foldersChanged(gone) {
      for (const root of gone) leave(checking, root);
      for (const wake of checking.waiting) wake();
    },
    trusted() {
      for (const folder of checking.folders.values()) outdate(checking, folder, { others: true });
    },
    async dispose() {
      clearTimeout(checking.timer);
      await checking.thread.dispose();
    },
  };
}

function listen(checking: Checking): void {
  const { session, documents } = checking;
  const { connection } = session;
  connection.languages.diagnostics.on((params, token) => guard(session, (signal) => diagnoseDocument(checking, params, signal), token));
  connection.languages.diagnostics.onWorkspace((params, token, progress, partial) =>
    guard(session, (signal) => diagnoseWorkspace(checking, params, { signal, progress }, partial), token),
  );
  connection.onCodeAction((params, token) =>
    guard(session, (signal) => orNothing(session, [], () => offerActions(checking, params, signal)), token),
  );
  connection.onCodeActionResolve((action, token) => guard(session, (signal) => resolveAction(checking, action, signal), token));
  connection.onHover((params, token) =>
    guard(session, (signal) => orNothing(session, null, () => explainFinding(checking, params, signal)), token),
  );
  connection.onDidChangeConfiguration(() => void reconfigure(checking));
  connection.onRequest(
    callSitesRequest,
    answer(session, (_session, params: Parameters<typeof listCallSites>[1], work) => listCallSites(checking, params, work)),
  );
  connection.onRequest(
    filesOfRequest,
    answer(session, (_session, params: Parameters<typeof listFilesOf>[1], work) => listFilesOf(checking, params, work)),
  );
  connection.onRequest(
    makersOfRequest,
    answer(session, (_session, params: Parameters<typeof listMakersOf>[1], work) => listMakersOf(checking, params, work)),
  );

  documents.onDidOpen(({ document }) => documentChanged(checking, document.uri, "opened"));
  // Opening comes here, too; that it counts twice costs nothing.
  documents.onDidChangeContent(({ document }) => documentChanged(checking, document.uri, "typed"));
  documents.onDidSave(({ document }) => documentChanged(checking, document.uri, "saved"));
  documents.onDidClose(({ document }) => documentChanged(checking, document.uri, "closed"));
}

const EMPTY = { settings: { uploads: [], assemblies: [], cleanups: [], rules: {}, exclude: [] } };

function openIn(checking: Checking, root: string): readonly Place[] {
  return checking.documents.keys().flatMap((uri) => {
    const place = placeOf(checking, uri);
    return place?.folder.root === root ? [place] : [];
  });
}

function textIn(checking: Checking, root: string, file: string): string | undefined {
  const place = openIn(checking, root).find((one) => one.file === file);
  return place && countingText(checking, place.uri);
}
