/**
 * What a crash left is brought to an end (R23, R60): every file of an unfinished run is in exactly one place afterwards, and the
 * journal says in which. Recovering twice equals recovering once.
 */
import fs from "node:fs";
import path from "node:path";
import { identityOf } from "./guard.ts";
import { HOME, holdOf, homeOf, journalOf, Refusal, replaceFile, runsOf, STATE_SCHEMA } from "./home.ts";
import { encodeJournal, type JournalContents, type JournalRecord, openJournal, readJournal } from "./journal.ts";
import { pinDirectory } from "./pinned.ts";
import { foldRun, originOf, relocateFiles, type Relocation, relocationOf } from "./relocation.ts";
import { findRestored, isSecondName, restoreFile } from "./restore.ts";
import { intendedFiles, isThisFile, LEAST_AFTER_CRASH_MS, type RunFile, type RunState } from "./runState.ts";

/** A call takes only so many arguments. */
const BATCH = 4096;

export interface Recovered {
  readonly run: string;
  readonly held: number;
  readonly kept: number;
  readonly gone: number;
  /** Files that could not be looked after yet, because their drive is away or something is in the way. */
  readonly left: number;
  readonly damaged: boolean;
}

/**
 * The runs of a workspace of which something may still be held, and the newest of the others, the oldest first; the rest is in the
 * archive. A journal that is not even begun is passed over: nothing was done under it.
 */
export function readRuns(workspace: string): readonly RunState[] {
  const states = journalNames(workspace).flatMap((run) => readOne(workspace, run)?.state ?? []);
  // Names tell seconds only.
  return states.sort((a, b) => (a.started === b.started ? 0 : a.started < b.started ? -1 : 1));
}

/** One of them. Undefined when there is none of that name, which may have gone into the archive a moment ago. */
export function readOne(workspace: string, run: string): { readonly state: RunState; readonly contents: JournalContents } | undefined {
  const contents = readOrNothing(workspace, run);
  const state = contents && foldRun(workspace, run, contents.records);
  return contents && state && { state, contents };
}

export function readOrNothing(workspace: string, run: string): JournalContents | undefined {
  try {
    return readJournal(journalOf(workspace, run));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The names of those runs, the oldest first as far as names tell. */
export function journalNames(workspace: string): string[] {
  try {
    return fs
      .readdirSync(runsOf(workspace))
      .filter((name) => name.endsWith(".jsonl"))
      .map((name) => name.slice(0, -".jsonl".length))
      .sort();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

/** Whether {@link recover} would have something to do. Looks only. */
export function needsRecovery(workspace: string): readonly string[] {
  return journalNames(workspace).filter((run) => {
    const contents = readOrNothing(workspace, run);
    if (!contents) return false;
    const state = foldRun(workspace, run, contents.records);
    return contents.fault !== undefined || (state !== undefined && (state.ended === undefined || state.files.some(isUnsettled)));
  });
}

function isUnsettled(file: RunFile): boolean {
  return file.state === "intended" || (file.state === "held" && file.pending !== undefined);
}

/** The caller holds the lock of the workspace. */
export function recover(workspace: string, now: () => number): readonly Recovered[] {
  return needsRecovery(workspace).flatMap((run) => recoverRun(workspace, run, now) ?? []);
}

function recoverRun(workspace: string, run: string, now: () => number): Recovered | undefined {
  const file = journalOf(workspace, run);
  const contents = readJournal(file);
  const damaged = contents.fault === "damaged" || (contents.records.length === 0 && filesBelow(holdOf(workspace, run)).length > 0);
  const records = contents.records.length === 0 && damaged ? [startOf(workspace, run, file, contents)] : contents.records;
  const state = foldRun(workspace, run, records);
  const [start] = records;
  if (!state || start?.t !== "start") {
    fs.rmSync(file); // Not even its first record is whole, and that is fsynced before anything is moved.
    return undefined;
  }
  if (state.schema > STATE_SCHEMA) return undefined; // R71: a newer version's journal is not written.
  const here = relocationOf(workspace, run, start.root);
  const settled = settleAll(state, run, contents, here);
  const found = damaged ? adoptHeld(workspace, run, [...records, ...settled.records], here) : [];
  const outcomes = [...settled.records, ...found];
  const end: JournalRecord[] = state.ended === undefined || found.length > 0 ? [endRecord(state, now())] : [];
  if (damaged) {
    fs.copyFileSync(file, `${file}.damaged`);
    // Written anew in one step: cut and gone on with, a second crash would leave a short journal that looks whole.
    replaceFile(file, encodeJournal([...records, ...outcomes, ...end]));
  } else if (contents.fault !== undefined || outcomes.length + end.length > 0) {
    using journal = openJournal(file, contents.end);
    for (let from = 0; from < outcomes.length; from += BATCH) journal.append(...outcomes.slice(from, from + BATCH));
    journal.append(...end);
    journal.sync();
  } else return undefined;
  const count = (t: JournalRecord["t"]): number => outcomes.filter((record) => record.t === t).length;
  return { run, held: count("held"), kept: count("skip"), gone: count("gone"), left: settled.left, damaged };
}

/** In place of a first record that cannot be read. */
function startOf(workspace: string, run: string, file: string, { later = [] }: JournalContents): JournalRecord {
  return {
    t: "start",
    schema: STATE_SCHEMA,
    run,
    at: fs.statSync(file).mtime.toISOString(),
    root: originOf(workspace, run, later),
    digest: "",
    undoMs: 0,
    files: 0,
    bytes: 0,
    pid: 0,
  };
}

function endRecord(state: RunState, nowMs: number): JournalRecord {
  const longest = state.files.reduce((most, file) => Math.max(most, file.undoMs), Math.max(state.undoMs, LEAST_AFTER_CRASH_MS));
  const undoUntil = new Date(nowMs + longest).toISOString();
  return { t: "end", at: new Date(nowMs).toISOString(), undoUntil, cancelled: false, interrupted: true };
}

/**
 * The outcomes of all files without one. Where records are missing, also of files that are said to be held and are not, and of
 * those that only a later record names.
 */
function settleAll(
  state: RunState,
  run: string,
  contents: JournalContents,
  here: Relocation,
): { readonly records: readonly JournalRecord[]; readonly left: number } {
  const records: JournalRecord[] = [];
  let left = 0;
  const note = (...outcome: readonly (JournalRecord | undefined)[]): void => {
    for (const record of outcome) {
      if (record) records.push(record);
      else left++;
    }
  };
  for (const file of state.files) {
    if (isUnsettled(file)) note(trySettle(file, run));
    else if (contents.fault !== undefined && file.state === "held" && !isInHold(file, run))
      note(trySettle({ ...file, pending: "undo" }, run));
  }
  const known = new Set(state.files.map((file) => file.n));
  for (const record of contents.later ?? []) {
    if (record.t === "intend" && !known.has(record.n)) {
      records.push(record);
      for (const file of relocateFiles(intendedFiles(record, state.undoMs), here)) if (isUnsettled(file)) note(trySettle(file, run));
    }
    if (record.t === "rmdir" || record.t === "status" || record.t === "status-done") records.push(record);
  }
  return { records, left };
}

function isInHold(file: RunFile, run: string): boolean {
  return identityOf(path.join(holdOf(file.root, run), file.path)) !== undefined;
}

/** Undefined when nothing can be said yet: one file that resists does not stop the others (R22), and is tried again next time. */
export function trySettle(file: RunFile, run: string): JournalRecord | undefined {
  if (!fs.existsSync(homeOf(file.root))) return undefined; // R64: while its root is away nothing is known.
  try {
    return file.pending === undefined ? settle(file, run) : settlePending(file, run);
  } catch (error) {
    if (error instanceof Refusal || (error as NodeJS.ErrnoException).syscall !== undefined) return undefined;
    throw error;
  }
}

/** Where the file of an intent without an outcome is. A file that is not the one that was meant goes back. */
function settle(file: RunFile, run: string): JournalRecord {
  const held = identityOf(path.join(holdOf(file.root, run), file.path));
  if (!held) return settleAbsent(file);
  if (held.isFile && isThisFile(file, held)) return { t: "held", n: file.n };
  const directory = path.posix.dirname(file.path);
  const name = path.posix.basename(file.path);
  using hold = pinDirectory(file.root, `${HOME}/holds/${run}/${directory}`);
  using target = pinDirectory(file.root, directory, { make: (absolute) => fs.mkdirSync(absolute) });
  const back = path.basename(restoreFile(hold.entry(name), target.entry(name)));
  return { t: "skip", n: file.n, why: `changed, kept${back === name ? "" : ` as ${back}`}` };
}

/** It is not in the hold: not yet, or, when it was to be deleted at once, not any more. */
function settleAbsent(file: RunFile): JournalRecord {
  const original = identityOf(path.join(file.root, file.path));
  if (original && (file.undoMs > 0 || isThisFile(file, original))) return { t: "skip", n: file.n, why: "interrupted before it was moved" };
  return file.undoMs === 0 ? { t: "purged", n: file.n } : { t: "gone", n: file.n };
}

/** Where a held file is whose undoing or purging has no outcome. */
function settlePending(file: RunFile, run: string): JournalRecord {
  const hold = path.join(holdOf(file.root, run), file.path);
  const held = identityOf(hold);
  if (file.pending === "undo") {
    const isBack = (candidate: string): boolean => {
      if (held) return isSecondName(hold, candidate);
      const found = identityOf(candidate);
      return found !== undefined && (file.relocated ? isThisFile(file, found) : found.ino === file.identity.ino);
    };
    const back = findRestored(path.join(file.root, file.path), isBack);
    if (back !== undefined) {
      if (held) fs.unlinkSync(hold); // A crash came between link and unlink.
      return { t: "restored", n: file.n, to: path.posix.join(path.posix.dirname(file.path), path.basename(back)) };
    }
  }
  if (held) return { t: "held", n: file.n };
  return { t: file.pending === "purge" ? "purged" : "gone", n: file.n };
}

/** After damage the hold's own layout says what was moved: what lies there and no record knows is taken up as held. */
function adoptHeld(workspace: string, run: string, before: readonly JournalRecord[], here: Relocation): JournalRecord[] {
  const files = foldRun(workspace, run, before)?.files ?? [];
  const known = new Map(files.map((file) => [`${file.root}\0${file.path}`, file]));
  let n = files.reduce((most, file) => Math.max(most, file.n), -1) + 1;
  const records: JournalRecord[] = [];
  // As the journal names them.
  for (const root of new Set(before.flatMap((record) => (record.t === "start" || record.t === "intend" ? [record.root] : [])))) {
    const place = here(root);
    if (place.foreign !== undefined) continue;
    for (const relative of filesBelow(holdOf(place.path, run))) {
      const file = known.get(`${place.path}\0${relative}`);
      if (file?.state === "held" || file?.state === "intended") continue;
      const identity = identityOf(path.join(holdOf(place.path, run), relative));
      if (!identity) continue;
      const { dev, ino, bytes, mtimeNs, allocated } = identity;
      const directory = path.posix.dirname(relative);
      const entry = [path.posix.basename(relative), bytes, allocated, ino, mtimeNs] as const;
      records.push({ t: "intend", n, root, directory, store: "", reason: "changed", dev, files: [entry] }, { t: "held", n: n++ });
    }
  }
  return records;
}

function filesBelow(directory: string): string[] {
  if (!fs.existsSync(directory)) return [];
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)).split(path.sep).join("/"));
}
