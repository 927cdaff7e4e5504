/** Pull diagnostics for code: of a document, and of the whole workspace while nobody waits for anything else. */
import path from "node:path";
import { t } from "@vscode/l10n";
import {
  type Diagnostic,
  type DocumentDiagnosticParams,
  type DocumentDiagnosticReport,
  DocumentDiagnosticReportKind,
  LSPErrorCodes,
  ResponseError,
  type ResultProgressReporter,
  type WorkDoneProgressReporter,
  type WorkspaceDiagnosticParams,
  type WorkspaceDiagnosticReport,
  type WorkspaceDiagnosticReportPartialResult,
  type WorkspaceDocumentDiagnosticReport,
} from "vscode-languageserver/node";
import type { Finding } from "../../core/analysis/finding.ts";
import { countFiles } from "../../core/words.ts";
import { uriOf } from "../convert.ts";
import { diagnose } from "../diagnostics.ts";
import { explain } from "../edge.ts";
import {
  checkFile,
  checkFolder,
  type Checking,
  type Folder,
  folderOf,
  notesOn,
  type Place,
  placeOf,
  refreshSoon,
  waitForChange,
} from "./checking.ts";
import { diagnosticOf, groupByFile, nameOf, noteOf, resultIdOf } from "./convert.ts";
import { isNoAnswer } from "./failure.ts";
import type { Checked } from "./messages.ts";
import type { AskOptions } from "./thread.ts";

interface Background {
  readonly signal: AbortSignal;
  readonly progress: WorkDoneProgressReporter;
}

/** Progress shows only when there is something to wait for. */
const PATIENCE_MS = 1_500;

export async function diagnoseDocument(
  checking: Checking,
  { textDocument, previousResultId }: DocumentDiagnosticParams,
  signal: AbortSignal,
): Promise<DocumentDiagnosticReport> {
  const place = placeOf(checking, textDocument.uri);
  if (!place) return diagnose(checking.documents.get(textDocument.uri));
  const items = await itemsOf(checking, place, signal);
  const resultId = resultIdOf(items);
  checking.reported.set(textDocument.uri, resultId);
  if (resultId === previousResultId) return { kind: DocumentDiagnosticReportKind.Unchanged, resultId };
  return { kind: DocumentDiagnosticReportKind.Full, resultId, items };
}

async function itemsOf(checking: Checking, place: Place, signal: AbortSignal): Promise<Diagnostic[]> {
  const { folder } = place;
  if (!(await folder.setup).check.enable) return [];
  try {
    const findings = await checkFile(checking, place, { signal });
    void measureLater(checking, folder, findings);
    return toItems(checking, place, findings);
  } catch (error) {
    if (!isNoAnswer(checking.session, error)) throw error;
    // The client keeps what it shows. It would show an error for each letter otherwise, or ask again and again.
    throw new ResponseError(LSPErrorCodes.ServerCancelled, error.message, { retriggerRequest: false });
  }
}

function toItems({ session }: Checking, { folder, file }: Pick<Place, "folder" | "file">, findings: readonly Finding[]): Diagnostic[] {
  return [
    ...folder.figures.apply(findings).map((finding, _i, all) => diagnosticOf(session, folder.root, finding, nameOf(finding, all))),
    ...notesOn(folder, file).map(noteOf),
  ];
}

/** Nobody who types waits for the disk; what comes of it is told afterwards. */
async function measureLater(checking: Checking, folder: Folder, findings: readonly Finding[]): Promise<void> {
  const { session } = checking;
  try {
    const { config } = await folder.setup;
    if (await folder.figures.refresh(findings, config, { trusted: session.trusted })) refreshSoon(checking);
  } catch (error) {
    session.connection.console.warn(explain(error));
  }
}

/**
 * Open files first, then all. What was told once is told again only after something changed: until then the request stays
 * open, because clients ask again as soon as they are answered.
 */
export async function diagnoseWorkspace(
  checking: Checking,
  params: WorkspaceDiagnosticParams,
  work: Background,
  partial: ResultProgressReporter<WorkspaceDiagnosticReportPartialResult> | undefined,
): Promise<WorkspaceDiagnosticReport> {
  const told = new Map(params.previousResultIds.map(({ uri, value }) => [uri, value]));
  const items: WorkspaceDocumentDiagnosticReport[] = [];
  const tell = (reports: readonly WorkspaceDocumentDiagnosticReport[]): void => {
    if (reports.length > 0 && partial) partial.report({ items: [...reports] });
    else items.push(...reports);
  };
  for (;;) {
    const key = stateOf(checking);
    if (checking.answered !== key) {
      for (const root of checking.session.folders) await diagnoseFolder(checking, folderOf(checking, root), told, work, tell);
      tell(forgetOthers(checking, told));
      checking.answered = key;
      return { items };
    }
    await waitForChange(checking, work.signal);
  }
}

/** Of folders that have left the workspace nothing is shown any more. */
function forgetOthers(checking: Checking, told: ReadonlyMap<string, string>): readonly WorkspaceDocumentDiagnosticReport[] {
  const roots = checking.session.folders.map((root) => `${uriOf(root)}/`);
  const others = [...told.keys()].filter((uri) => !roots.some((root) => uri.startsWith(root)));
  return others.map((uri) => reportOf(checking, uri, [], told));
}

/** Two equal ones mean that nothing happened in between. */
function stateOf({ session, folders }: Checking): string {
  return session.folders.map((root) => `${root} ${folders.get(root)?.generation ?? 0}`).join("\n");
}

async function diagnoseFolder(
  checking: Checking,
  folder: Folder,
  told: ReadonlyMap<string, string>,
  work: Background,
  tell: (reports: readonly WorkspaceDocumentDiagnosticReport[]) => void,
): Promise<void> {
  const { check } = await folder.setup;
  const sent = new Set<string>();
  const report = (uri: string, items: Diagnostic[]): void => {
    if (!sent.has(uri)) tell([reportOf(checking, uri, items, told)]);
    sent.add(uri);
  };
  try {
    if (check.enable) {
      const open = checking.documents.keys().flatMap((uri) => placeOf(checking, uri) ?? []);
      for (const place of open.filter((one) => one.folder === folder))
        report(place.uri, toItems(checking, place, await checkFile(checking, place, { signal: work.signal, background: true })));
    }
    if (check.enable && check.workspace && !folder.givenUp) await diagnoseAll(checking, folder, work, report);
  } catch (error) {
    if (isGivenUp(error, work.signal)) folder.givenUp = true;
    // Nothing new is known, so what the client shows stays, until something changes.
    if (!isGivenUp(error, work.signal) && !isNoAnswer(checking.session, error)) throw error;
    return;
  }
  if (folder.givenUp) return;
  const below = `${uriOf(folder.root)}/`;
  for (const uri of told.keys()) if (!sent.has(uri) && uri.startsWith(below) && placeOf(checking, uri)) report(uri, []);
}

async function diagnoseAll(
  checking: Checking,
  folder: Folder,
  work: Background,
  report: (uri: string, items: Diagnostic[]) => void,
): Promise<void> {
  const { findings, problems } = await checkInBackground(checking, folder, work);
  const { config } = await folder.setup;
  await folder.figures.refresh(findings, config, { trusted: checking.session.trusted, signal: work.signal });
  const byFile = groupByFile(findings);
  const noted = problems.flatMap(({ source, line }) => (line === undefined ? [] : [source]));
  for (const file of new Set([...byFile.keys(), ...noted])) {
    const uri = uriOf(path.join(folder.root, file));
    const items = toItems(checking, { folder, file }, byFile.get(file) ?? []);
    const shown = checking.documents.get(uri) && checking.reported.get(uri);
    if (shown !== undefined && shown !== resultIdOf(items)) refreshSoon(checking);
    report(uri, items);
  }
}

/** The user cancelled, and not the client. */
function isGivenUp(error: unknown, signal: AbortSignal): boolean {
  return error instanceof Error && error.name === "AbortError" && !signal.aborted;
}

function reportOf(
  { documents }: Checking,
  uri: string,
  items: Diagnostic[],
  told: ReadonlyMap<string, string>,
): WorkspaceDocumentDiagnosticReport {
  const version = documents.get(uri)?.version ?? null;
  const resultId = resultIdOf(items);
  if (told.get(uri) === resultId) return { kind: DocumentDiagnosticReportKind.Unchanged, uri, version, resultId };
  return { kind: DocumentDiagnosticReportKind.Full, uri, version, resultId, items };
}

async function checkInBackground(checking: Checking, folder: Folder, { signal, progress }: Background): Promise<Checked> {
  const cancel = new AbortController();
  const shown = showSlowly(checking, progress, folder.whole ? undefined : cancel);
  try {
    const options: AskOptions = { signal: AbortSignal.any([signal, cancel.signal]), background: true, onProgress: shown.report };
    return await checkFolder(checking, folder, options);
  } finally {
    shown.done();
  }
}

/**
 * On the client's token at once, else on one of our own after a while. Editors show what can be cancelled with a notification, which
 * would disturb after every edit: only the first check, which takes longest, has a `cancel`.
 */
function showSlowly({ session }: Checking, given: WorkDoneProgressReporter, cancel: AbortController | undefined) {
  const title = t("Checking the code");
  let own: WorkDoneProgressReporter | undefined;
  let over = false;
  given.begin(title, 0, undefined, true);
  const show = async (): Promise<void> => {
    const progress = await session.connection.window.createWorkDoneProgress();
    if (over) return;
    own = progress;
    progress.begin(title, 0, undefined, cancel !== undefined);
    progress.token.onCancellationRequested(() => cancel?.abort());
  };
  const timer = session.abilities.workDoneProgress ? setTimeout(() => void show(), PATIENCE_MS) : undefined;
  return {
    report: ({ done, total }: { readonly done: number; readonly total: number }): void => {
      const message = t("{0} of {1}", done, countFiles(total));
      const percentage = total === 0 ? 100 : Math.floor((done / total) * 100);
      given.report(percentage, message);
      own?.report(percentage, message);
    },
    done: (): void => {
      over = true;
      clearTimeout(timer);
      given.done();
      own?.done();
    },
  };
}
