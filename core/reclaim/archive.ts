/**
 * Journals of runs from which nothing can come back any more. They are history, and history keeps everything (R66), but no cleanup
 * has to know them: so they move from `.offcut/runs` into a few files that only a look at the history reads.
 *
 * A file of the archive is journals end to end. A journal is removed after its copy is on the disk, so a crash in between leaves it
 * in both places; then the one among the runs counts, and of several copies the last, which is the whole one.
 */
import fs from "node:fs";
import path from "node:path";
import type { RunSummary } from "../model.ts";
import { archiveFiles, archiveOf, journalOf, runsOf, STATE_SCHEMA, syncDirectory } from "./home.ts";
import { readJournals } from "./journal.ts";
import { journalNames, readOne } from "./recover.ts";
import { foldRun } from "./relocation.ts";
import { type RunState, summarise } from "./runState.ts";

/** So many settled journals, or so many bytes of them, stay where every cleanup reads them. */
const MOST_RUNS = 32;
const MOST_BYTES = 2 ** 20;
/** A file of the archive that has so many bytes is not added to any more. */
const FILE_BYTES = 4 * 2 ** 20;
const SUFFIX = ".jsonl";

/**
 * Moves settled journals into the archive when there are many. The caller holds the lock of the workspace. Never stands in the way
 * of a cleanup: what cannot be written, e.g. on a full disk, stays where it is until the next time.
 */
export function archiveRuns(workspace: string): void {
  const settled = settledRuns(workspace);
  const bytes = settled.reduce((sum, one) => sum + one.bytes, 0);
  if (settled.length <= MOST_RUNS && bytes <= MOST_BYTES) return;
  try {
    const files = settled.map(({ run }) => journalOf(workspace, run));
    append(
      workspace,
      files.map((file) => fs.readFileSync(file)),
    );
    for (const file of files) fs.unlinkSync(file);
    syncDirectory(runsOf(workspace));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
  }
}

/** The oldest first. */
function settledRuns(workspace: string): readonly { readonly run: string; readonly bytes: number }[] {
  const settled: { run: string; bytes: number }[] = [];
  let owesStatus = false;
  for (const run of journalNames(workspace)) {
    const found = readOne(workspace, run);
    if (!found) continue;
    const { state, contents } = found;
    // Which row of an older run still has to be written, the newer ones say.
    owesStatus ||= !hasStatus(state);
    if (contents.fault === undefined && isSettled(state) && !(owesStatus && state.statuses.length > 0))
      settled.push({ run, bytes: contents.end.bytes });
  }
  return settled;
}

function isSettled(state: RunState): boolean {
  return (
    state.schema <= STATE_SCHEMA &&
    state.ended !== undefined &&
    // What is another workspace's becomes this one's when that one is gone.
    state.foreign === undefined &&
    state.files.every((file) => file.state !== "held" && file.state !== "intended" && file.pending === undefined)
  );
}

/** Of each database the last word of a run counts. */
function hasStatus(state: RunState): boolean {
  const done = new Map(state.statuses.flatMap((entry) => entry.changes.map((change) => [change.database, entry.done] as const)));
  return [...done.values()].every(Boolean);
}

/** Behind what is there, or in a file of its own where that is full or damaged: what follows a torn record could be taken for its rest. */
function append(workspace: string, journals: readonly Uint8Array[]): void {
  const directory = archiveOf(workspace);
  if (fs.mkdirSync(directory, { recursive: true }) !== undefined) syncDirectory(runsOf(workspace));
  const last = archiveFiles(workspace).at(-1);
  const size = last === undefined ? FILE_BYTES : fs.statSync(last).size;
  const fits = last !== undefined && size < FILE_BYTES && readJournals(fs.readFileSync(last)).whole;
  const number = last === undefined ? 1 : Number(path.basename(last, SUFFIX)) + 1;
  const file = fits ? last : path.join(directory, `${String(number).padStart(6, "0")}${SUFFIX}`);
  const handle = fs.openSync(file, fits ? "a" : "wx");
  try {
    for (const journal of journals) writeAll(handle, journal);
    fs.fsyncSync(handle);
  } catch (error) {
    fs.ftruncateSync(handle, fits ? size : 0);
    throw error;
  } finally {
    fs.closeSync(handle);
  }
  if (!fits) syncDirectory(directory);
}

function writeAll(handle: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += fs.writeSync(handle, bytes, written);
}

/** One archived run. Undefined when there is none of that name. */
export function readArchived(workspace: string, run: string): RunState | undefined {
  for (const file of archiveFiles(workspace).reverse()) {
    const bytes = fs.readFileSync(file);
    const at = bytes.lastIndexOf(`"run":"${run}"`);
    if (at === -1) continue;
    // From the start of its first record to the next record that is the first of a journal.
    const next = bytes.indexOf("\n0 ", at);
    const found = statesIn(workspace, bytes.subarray(bytes.lastIndexOf(10, at) + 1, next === -1 ? bytes.length : next + 1))[0];
    if (found?.run === run) return found;
  }
  return undefined;
}

/** All archived runs, each once. What is in a file does not change but for its end, so it is read only when it has. */
export function listArchived(workspace: string): readonly RunSummary[] {
  const runs = new Map<string, RunSummary>();
  for (const file of archiveFiles(workspace)) {
    const { ino, size, mtimeMs } = fs.statSync(file);
    const key = `${ino}:${size}:${mtimeMs}`;
    let read = known.get(file);
    if (read?.key !== key)
      known.set(file, (read = { key, runs: statesIn(workspace, fs.readFileSync(file)).map((state) => summarise(state, true, false)) }));
    for (const run of read.runs) runs.set(run.run, run);
  }
  return [...runs.values()];
}

const known = new Map<string, { readonly key: string; readonly runs: readonly RunSummary[] }>();

function statesIn(workspace: string, journals: Buffer): RunState[] {
  return readJournals(journals).journals.flatMap((records) => {
    const [start] = records;
    const state = start?.t === "start" ? foldRun(workspace, start.run, records) : undefined;
    // Nothing was held any more when it was archived: whatever looks otherwise is a record that cannot be read.
    for (const one of state?.files ?? []) if (one.state === "held" || one.state === "intended") one.state = "gone";
    return state ?? [];
  });
}
