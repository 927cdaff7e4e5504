/**
 * What a crash left is brought to an end (R23, R60): every file of an unfinished run is in exactly one place afterwards, and the
 * journal says in which. Recovering twice equals recovering once.
 */
import fs from "node:fs";
import path from "node:path";
import { sameIdentity } from "../plan/build.ts";
import { checkDirectories, identityOf } from "./guard.ts";
import { holdOf, homeOf, journalOf, runsOf, STATE_SCHEMA } from "./home.ts";
import { type JournalRecord, openJournal, readJournal } from "./journal.ts";
import { restoreFile } from "./restore.ts";
import { foldJournal, type RunFile, type RunState } from "./runState.ts";

export interface Recovered {
  readonly run: string;
  readonly held: number;
  readonly kept: number;
  readonly gone: number;
  readonly damaged: boolean;
}

/** All runs of a workspace, the oldest first. A journal that is not even begun is passed over: nothing was done under it. */
export function readRuns(workspace: string): readonly RunState[] {
  return runNames(workspace).flatMap((run) => foldJournal(readJournal(journalOf(workspace, run)).records) ?? []);
}

export function runNames(workspace: string): string[] {
  try {
    return fs.readdirSync(runsOf(workspace)).filter((name) => name.endsWith(".jsonl")).map((name) => name.slice(0, -".jsonl".length)).sort();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

/** Whether {@link recover} would have something to do. Looks only. */
export function needsRecovery(workspace: string): readonly string[] {
  return runNames(workspace).filter((run) => {
    const contents = readJournal(journalOf(workspace, run));
    const state = foldJournal(contents.records);
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
  const state = foldJournal(contents.records);
  if (!state) {
    fs.rmSync(file); // Not even its first record is whole, and that is fsynced before anything is moved.
    return undefined;
  }
  if (state.schema > STATE_SCHEMA) return undefined; // R71: a newer version's journal is not written.
  const damaged = contents.fault === "damaged";
  if (damaged) fs.copyFileSync(file, `${file}.damaged`);
  const settled = state.files.filter(isUnsettled).map((one) => (one.pending === undefined ? settle(one, run) : settlePending(one, run)));
  const found = damaged ? adoptHeld(state, run) : [];
  const outcomes = [...settled, ...found];
  const end: JournalRecord[] = state.ended === undefined || found.length > 0 ? [endRecord(state, now())] : [];
  using journal = openJournal(file, contents.end);
  journal.append(...outcomes, ...end);
  journal.sync();
  const count = (t: JournalRecord["t"]): number => outcomes.filter((record) => record.t === t).length;
  return { run, held: count("held"), kept: count("skip"), gone: count("gone"), damaged };
}

function endRecord(state: RunState, nowMs: number): JournalRecord {
  const undoUntil = new Date(nowMs + Math.max(state.undoMs, 3_600_000)).toISOString();
  return { t: "end", at: new Date(nowMs).toISOString(), undoUntil, cancelled: false, interrupted: true };
}

/** Where the file of an intent without an outcome is. A file that is not the one that was meant goes back. */
function settle(file: RunFile, run: string): JournalRecord {
  const original = path.join(file.root, file.path);
  const hold = path.join(holdOf(file.root, run), file.path);
  const held = identityOf(hold);
  if (!held) return identityOf(original) ? { t: "skip", n: file.n, why: "interrupted before it was moved" } : { t: "gone", n: file.n };
  if (held.isFile && sameIdentity(held, file.identity)) return { t: "held", n: file.n };
  checkDirectories(file.root, path.posix.dirname(file.path));
  fs.mkdirSync(path.dirname(original), { recursive: true });
  const back = restoreFile(hold, original);
  return { t: "skip", n: file.n, why: `changed, kept${back === original ? "" : ` as ${path.basename(back)}`}` };
}

/** Where a held file is whose undoing or purging has no outcome. While its root is away nothing is known, so it counts as held (R64). */
function settlePending(file: RunFile, run: string): JournalRecord {
  const original = identityOf(path.join(file.root, file.path));
  const hold = path.join(holdOf(file.root, run), file.path);
  const held = identityOf(hold);
  const isBack = original?.ino === file.identity.ino && original.dev === file.identity.dev;
  if (file.pending === "undo" && isBack) {
    if (held?.ino === original.ino && held.dev === original.dev) fs.unlinkSync(hold); // A crash came between link and unlink.
    return { t: "restored", n: file.n, to: file.path };
  }
  if (held || !fs.existsSync(homeOf(file.root))) return { t: "held", n: file.n };
  return file.pending === "purge" ? { t: "purged", n: file.n, freed: file.allocated } : { t: "gone", n: file.n };
}

/** After damage the hold's own layout says what was moved: what lies there and no record knows is taken up as held. */
function adoptHeld(state: RunState, run: string): JournalRecord[] {
  const known = new Map(state.files.map((file) => [`${file.root}\0${file.path}`, file]));
  let n = Math.max(-1, ...state.files.map((file) => file.n)) + 1;
  const records: JournalRecord[] = [];
  for (const root of new Set([state.root, ...state.files.map((file) => file.root)])) {
    for (const relative of filesBelow(holdOf(root, run))) {
      const file = known.get(`${root}\0${relative}`);
      if (file?.state === "held" || file?.state === "intended") continue;
      const identity = identityOf(path.join(holdOf(root, run), relative));
      if (!identity) continue;
      const { dev, ino, bytes, mtimeNs, allocated } = identity;
      records.push({ t: "intend", n, root, path: relative, store: "", reason: "changed", bytes, allocated, identity: { dev, ino, bytes, mtimeNs } }, { t: "held", n: n++ });
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
