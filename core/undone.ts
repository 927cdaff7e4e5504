/**
 * What people put back by an undo: automatic cleaning leaves it alone for as long as it would have been held, and where a store is too
 * large it counts as old as it was. A short list of runs; which files they had their journals say.
 */
import fs from "node:fs";
import path from "node:path";
import { ensureHome, HOME, readState, Refusal, STATE_SCHEMA, writeState } from "./reclaim/home.ts";
import { readArchived } from "./reclaim/archive.ts";
import { readOne } from "./reclaim/recover.ts";

interface UndoneFile {
  readonly schema: number;
  readonly runs: readonly { readonly run: string; /** ISO 8601, UTC. */ readonly at: string }[];
}

/** Whoever has not needed it by then does not mind. */
const GOOD_FOR_MS = 30 * 24 * 3_600_000;

function undoneFile(root: string): string {
  return path.join(root, HOME, "undone.json");
}

/** The caller holds the lock of the workspace. What cannot be noted protects nothing, and is no reason to fail an undo that is done. */
export function noteUndone(root: string, run: string, nowMs: number): void {
  try {
    ensureHome(root);
    const others = load(root).filter((one) => one.run !== run && isGood(one.at, nowMs));
    writeState<UndoneFile>(undoneFile(root), { schema: STATE_SCHEMA, runs: [...others, { run, at: new Date(nowMs).toISOString() }] });
  } catch (error) {
    if (!(error instanceof Refusal) && (error as NodeJS.ErrnoException).syscall === undefined) throw error;
  }
}

/** Absolute paths of the files that an undo put back, and when, milliseconds since 1970. Looks only. */
export function readUndone(root: string, nowMs: number): ReadonlyMap<string, number> {
  const undone = new Map<string, number>();
  if (!fs.existsSync(undoneFile(root))) return undone;
  for (const { run, at } of load(root)) {
    if (!isGood(at, nowMs)) continue;
    const state = readOne(root, run)?.state ?? readArchived(root, run);
    for (const file of state?.files ?? [])
      if (file.state === "restored") undone.set(path.join(file.root, file.restoredTo ?? file.path), Date.parse(at));
  }
  return undone;
}

/** A time in the future is that of a clock that was wrong (R48). */
function isGood(at: string, nowMs: number): boolean {
  const age = nowMs - Date.parse(at);
  return age >= 0 && age <= GOOD_FOR_MS;
}

/** Of a file that cannot be understood nothing is known. */
function load(root: string): UndoneFile["runs"] {
  try {
    const runs = readState<UndoneFile>(undoneFile(root))?.runs;
    return Array.isArray(runs) ? runs.filter((one) => typeof one?.run === "string" && !Number.isNaN(Date.parse(one.at))) : [];
  } catch (error) {
    if (!(error instanceof Refusal) && (error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return [];
  }
}
