/** What the server knows of the code: which folders are checked how, what is known of each file, and when that became old. */
import path from "node:path";
import type { TextDocuments } from "vscode-languageserver/node";
import type { TextDocument } from "vscode-languageserver-textdocument";
import { CONFIG_FILES } from "../../core/config/file.ts";
import type { Finding } from "../../core/analysis/finding.ts";
import { describePlace } from "../../core/analysis/sources.ts";
import type { Problem } from "../../core/model.ts";
import { pathOf, uriOf } from "../convert.ts";
import { callSitesChangedNotification, type ChangedParams } from "../protocol.ts";
import type { Session } from "../session.ts";
import { type Figures, startFigures } from "./figures.ts";
import { type FolderSetup, setUp } from "./folder.ts";
import type { Checked } from "./messages.ts";
import type { AskOptions, Thread } from "./thread.ts";
import { isCode, matters, watchBaseline, type Watching, watchSources } from "./watch.ts";

export interface Checking {
  readonly session: Session;
  readonly documents: TextDocuments<TextDocument>;
  readonly thread: Thread;
  readonly folders: Map<string, Folder>;
  /** Texts that count in place of what is typed, by URI, where only saved text does. */
  readonly saved: Map<string, string>;
  /** Woken when something changed that findings depend on. */
  readonly waiting: Set<() => void>;
  /** What the client was told last about a document, by URI. */
  readonly reported: Map<string, string>;
  /** The state of all folders that the client was told about last. */
  answered?: string;
  /** Runs until the client is asked to ask again. */
  timer?: NodeJS.Timeout;
}

export interface Folder {
  readonly root: string;
  readonly figures: Figures;
  /** Counts what changed: an answer that was asked for under another number is old. */
  generation: number;
  setup: Promise<FolderSetup>;
  /** The newest one that is ready. */
  current?: FolderSetup;
  readonly files: Map<string, Pick<Checked, "findings" | "problems"> & { readonly generation: number }>;
  whole?: { readonly generation: number; readonly checked: Checked };
  /** Checks of everything that are under way, with their generation. */
  readonly racing: Map<AbortController, number>;
  /** Somebody shows the call sites, and is told when they are old. */
  shown: boolean;
  /** The user has cancelled the check of everything: only what is asked for is checked until the configuration changes. */
  givenUp: boolean;
  readonly watching: Watching;
  watchingBaseline?: Watching;
}

/** A file of a folder, as the analysis calls it. */
export interface Place {
  readonly folder: Folder;
  readonly file: string;
  readonly uri: string;
}

/** Typing goes on for a while; what follows from it can wait as long. */
const CALM_MS = 400;

export function placeOf(checking: Checking, uri: string): Place | undefined {
  if (!uri.startsWith("file:")) return undefined;
  const absolute = pathOf(uri);
  if (!isCode(absolute)) return undefined;
  const root = rootOf(checking, absolute);
  return root === undefined
    ? undefined
    : { folder: folderOf(checking, root), file: path.relative(root, absolute).split(path.sep).join("/"), uri };
}

/** Of nested folders the inner one. */
function rootOf({ session }: Checking, absolute: string): string | undefined {
  const around = session.folders.filter((root) => absolute.startsWith(root.endsWith(path.sep) ? root : root + path.sep));
  return around.sort((a, b) => b.length - a.length)[0];
}

/** The folder's state, made when it is needed first. */
export function folderOf(checking: Checking, root: string): Folder {
  const known = checking.folders.get(root);
  if (known) return known;
  const { session } = checking;
  const folder: Folder = {
    root,
    figures: startFigures(root, session.now),
    generation: 0,
    setup: Promise.resolve().then(() => load(checking, folder)),
    files: new Map(),
    racing: new Map(),
    shown: false,
    givenUp: false,
    watching: watchSources(session, root),
  };
  checking.folders.set(root, folder);
  return folder;
}

async function load(checking: Checking, folder: Folder): Promise<FolderSetup> {
  const { session, documents, thread } = checking;
  const before = folder.current;
  const setup = await setUp(session, folder.root, (uri) => documents.get(uri)?.getText(), before);
  folder.current = setup;
  if (JSON.stringify(before?.engine) !== JSON.stringify(setup.engine)) thread.configure(folder.root);
  if ((before?.check.baseline ?? "") !== setup.check.baseline) {
    endWatching(folder.watchingBaseline);
    if (setup.check.baseline === "") delete folder.watchingBaseline;
    else folder.watchingBaseline = watchBaseline(session, folder.root, setup.check.baseline);
  }
  return setup;
}

/** Looks at settings, `offcut.json` and baseline again, and has everything asked for anew where they differ. */
export async function reconfigure(checking: Checking, roots: Iterable<string> = checking.folders.keys()): Promise<void> {
  for (const root of roots) {
    const folder = checking.folders.get(root);
    if (!folder) continue;
    const before = (await folder.setup).key;
    folder.setup = load(checking, folder);
    if ((await folder.setup).key === before) continue;
    folder.givenUp = false;
    outdate(checking, folder, { others: true });
  }
}

/** The folder is no part of the workspace any more. Open files of it have no findings from now on. */
export function leave(checking: Checking, root: string): void {
  const folder = checking.folders.get(root);
  endWatching(folder?.watching);
  endWatching(folder?.watchingBaseline);
  checking.folders.delete(root);
  checking.thread.leave(root);
  refreshSoon(checking);
}

function endWatching(watching: Watching | undefined): void {
  void watching?.then((registration) => registration?.dispose());
}

/** Findings of one file, as fresh as its text. */
export async function checkFile(checking: Checking, { folder, file }: Place, options: AskOptions): Promise<readonly Finding[]> {
  // Tests are looked at when somebody names them. To open one is not to name it, and what is told of all files has none of them.
  if (describePlace(file).test) return [];
  const { generation } = folder;
  const known = folder.files.get(file);
  if (known?.generation === generation) return known.findings;
  if (folder.whole?.generation === generation) return folder.whole.checked.findings.filter((finding) => finding.file === file);
  await folder.setup;
  const { findings, problems } = await checking.thread.ask(folder.root, "check", { paths: [file] }, options);
  const own = findings.filter((finding) => finding.file === file);
  folder.files.set(file, { generation, findings: own, problems });
  return own;
}

/** What is wrong at lines of a file beside its findings, as the newest check of it has told. */
export function notesOn({ files, whole }: Folder, file: string): readonly Problem[] {
  const problems = (files.get(file) ?? whole?.checked)?.problems ?? [];
  return problems.filter(({ source, line }) => source === file && line !== undefined);
}

/** Findings of all files. Who asked for the same in the meantime is served, too: the background need not begin again. */
export async function checkFolder(checking: Checking, folder: Folder, options: AskOptions): Promise<Checked> {
  const { generation } = folder;
  if (folder.whole?.generation === generation) return folder.whole.checked;
  await folder.setup;
  const beaten = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, beaten.signal]) : beaten.signal;
  folder.racing.set(beaten, generation);
  try {
    const checked = await checking.thread.ask(folder.root, "check", {}, { ...options, signal });
    folder.whole = { generation, checked };
    for (const [other, asked] of folder.racing) if (other !== beaten && asked === generation) other.abort();
    takeWhole(checking, folder, checked);
    return checked;
  } catch (error) {
    const { whole } = folder;
    if (beaten.signal.aborted && options.signal?.aborted !== true && whole) return whole.checked;
    throw error;
  } finally {
    folder.racing.delete(beaten);
  }
}

function takeWhole(checking: Checking, folder: Folder, { problems }: Checked): void {
  folder.files.clear();
  for (const problem of problems) checking.session.connection.console.info(`${problem.source}: ${problem.message}`);
  if (!folder.givenUp) return;
  folder.givenUp = false;
  delete checking.answered;
  for (const wake of checking.waiting) wake();
}

/** What is known of a folder is old. With `others`, files that the client did not touch may have other findings, so it is told. */
export function outdate(checking: Checking, folder: Folder, { others = false } = {}): void {
  folder.generation += 1;
  if (others) refreshSoon(checking);
  for (const wake of checking.waiting) wake();
  if (!folder.shown) return;
  folder.shown = false;
  setTimeout(() => {
    const params: ChangedParams = { folder: uriOf(folder.root) };
    void checking.session.connection.sendNotification(callSitesChangedNotification, params);
  }, CALM_MS).unref();
}

/** Has the client ask again for what it shows, once the burst is over. */
export function refreshSoon(checking: Checking): void {
  const { session } = checking;
  if (!session.abilities.refreshDiagnostics || checking.timer) return;
  checking.timer = setTimeout(() => {
    delete checking.timer;
    void session.connection.languages.diagnostics.refresh();
  }, CALM_MS).unref();
}

/** Resolves when anything became old, and a while after that, so that typing does not lead to a check per letter. Rejects with the signal's reason. */
export function waitForChange({ waiting }: Checking, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const done = (): void => {
      waiting.delete(wake);
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    };
    const wake = (): void => {
      timer ??= setTimeout(() => {
        done();
        resolve();
      }, CALM_MS).unref();
    };
    const onAbort = (): void => {
      done();
      reject(signal.reason as Error);
    };
    if (signal.aborted) onAbort();
    else {
      waiting.add(wake);
      signal.addEventListener("abort", onAbort, { once: true });
    }
  });
}

/** The text that counts for an open document. */
export function countingText(checking: Checking, uri: string): string | undefined {
  const document = checking.documents.get(uri);
  return document && (checking.saved.get(uri) ?? document.getText());
}

/** A document was opened, typed in (`typed`), saved or closed. */
export function documentChanged(checking: Checking, uri: string, how: "opened" | "typed" | "saved" | "closed"): void {
  if (CONFIG_FILES.some((name) => uri.endsWith(`/${name}`))) void reconfigure(checking, [path.dirname(pathOf(uri))]);
  const place = placeOf(checking, uri);
  if (!place) return;
  const { folder, file } = place;
  const onSave = folder.current?.check.run === "onSave";
  if (how === "typed" && onSave) return;
  const document = checking.documents.get(uri);
  if (document && onSave) checking.saved.set(uri, document.getText());
  else checking.saved.delete(uri);
  // After saving, the text that was checked while it was typed is the same.
  if (how === "saved" && !onSave) return;
  checking.thread.textChanged(folder.root, file);
  outdate(checking, folder);
}

/** What is done to the text needs the text that is there, saved or not. */
export function countTyped(checking: Checking, { folder, file, uri }: Place): void {
  const text = checking.documents.get(uri)?.getText();
  if (text === undefined || countingText(checking, uri) === text) return;
  checking.saved.set(uri, text);
  checking.thread.textChanged(folder.root, file);
  outdate(checking, folder);
}

/** Files that changed on the disk. What is open in the editor counts as the editor shows it. */
export function sourcesChanged(checking: Checking, uris: readonly string[]): void {
  const changed = new Map<Folder, string[]>();
  const configured = new Set<string>();
  for (const uri of uris) {
    const absolute = pathOf(uri);
    const root = rootOf(checking, absolute);
    const folder = root === undefined ? undefined : checking.folders.get(root);
    if (!folder || checking.documents.get(uri)) continue;
    const file = path.relative(folder.root, absolute).split(path.sep).join("/");
    if (CONFIG_FILES.includes(file) || isBaseline(folder, absolute)) configured.add(folder.root);
    else if (matters(folder.root, file)) changed.set(folder, [...(changed.get(folder) ?? []), file]);
  }
  void reconfigure(checking, configured);
  for (const [folder, files] of changed) {
    checking.thread.filesChanged(folder.root, files);
    outdate(checking, folder, { others: true });
  }
}

function isBaseline({ root, current }: Folder, absolute: string): boolean {
  const name = current?.check.baseline ?? "";
  return name !== "" && path.resolve(root, name) === absolute;
}
