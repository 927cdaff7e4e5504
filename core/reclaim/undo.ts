/** Puts a run back: bytes, mode, times, directories; never over another file (R63). */
import fs from "node:fs";
import path from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import type { ItemError } from "../model.ts";
import { checkDirectories, checkRoot, identityOf } from "./guard.ts";
import { HOME, holdOf } from "./home.ts";
import type { Journal } from "./journal.ts";
import { removeHold } from "./purge.ts";
import { restoreFile } from "./restore.ts";
import { createRetry, explainErrno } from "./retry.ts";
import type { RunFile, RunState } from "./runState.ts";

const BATCH = 256;

export interface UndoResult {
  readonly run: string;
  readonly restoredFiles: number;
  readonly restoredSpace: number;
  /** Files whose place was taken: where they are now. */
  readonly renamed: readonly { readonly path: string; readonly to: string }[];
  readonly errors: readonly ItemError[];
  readonly cancelled: boolean;
}

export interface UndoOptions {
  /** Only these paths, relative as in the plan. Absent: all. */
  readonly paths?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly bytes: number }) => void;
}

/** The caller holds the lock and keeps `journal` open for the run. */
export async function undoRun(state: RunState, journal: Journal, options: UndoOptions = {}): Promise<UndoResult> {
  const wanted = options.paths === undefined ? undefined : new Set(options.paths);
  const held = state.files.filter((file) => file.state === "held" && (wanted === undefined || wanted.has(file.path)));
  const retry = createRetry();
  const errors: ItemError[] = [];
  const renamed: { path: string; to: string }[] = [];
  let restoredFiles = 0;
  let restoredSpace = 0;
  for (const root of new Set(held.map((file) => file.root))) {
    checkRoot(root);
    checkDirectories(root, `${HOME}/holds/${state.run}`);
  }
  const modes = new Map(state.directories.map((directory) => [`${directory.root}\0${directory.path}`, directory.mode]));
  let done = 0;
  while (done < held.length && !options.signal?.aborted) {
    const batch = held.slice(done, done + BATCH);
    journal.append({ t: "undo", ns: batch.map((file) => file.n) });
    journal.sync();
    for (const file of batch) {
      if (options.signal?.aborted) {
        journal.append({ t: "held", n: file.n });
        continue;
      }
      done++;
      try {
        const to = await putBack(file, state.run, modes, retry);
        journal.append({ t: "restored", n: file.n, to });
        restoredFiles++;
        restoredSpace += file.bytes;
        if (to !== file.path) renamed.push({ path: file.path, to });
      } catch (error) {
        errors.push({ path: file.path, message: error instanceof Missing ? error.message : explainErrno(error) });
        journal.append({ t: "held", n: file.n });
      }
    }
    options.onProgress?.({ done, total: held.length, bytes: restoredSpace });
    await breathe();
  }
  journal.sync();
  for (const root of new Set(held.map((file) => file.root))) removeHold(root, state.run);
  return { run: state.run, restoredFiles, restoredSpace, renamed, errors, cancelled: options.signal?.aborted ?? false };
}

class Missing extends Error {
  override readonly name = "Missing";
}

/** Returns the path it has now, relative to its root. */
async function putBack(file: RunFile, run: string, modes: ReadonlyMap<string, number>, retry: ReturnType<typeof createRetry>): Promise<string> {
  const from = path.join(holdOf(file.root, run), file.path);
  const to = path.join(file.root, file.path);
  checkDirectories(file.root, path.posix.dirname(`${HOME}/holds/${run}/${file.path}`));
  if (!identityOf(from)) {
    // A crash may have come between the move back and its record.
    const there = identityOf(to);
    if (there && there.ino === file.identity.ino && there.dev === file.identity.dev) return file.path;
    throw new Missing("it is no longer in the hold");
  }
  makeDirectories(file.root, path.posix.dirname(file.path), modes);
  const target = await retry(() => restoreFile(from, to));
  return path.relative(file.root, target).split(path.sep).join("/");
}

/** Makes the directories that the run removed, with the modes they had, one by one and never through a link. */
function makeDirectories(root: string, relative: string, modes: ReadonlyMap<string, number>): void {
  checkDirectories(root, relative);
  const parts = relative.split("/");
  for (let length = 1; length <= parts.length; length++) {
    const below = parts.slice(0, length).join("/");
    const directory = path.join(root, below);
    if (fs.existsSync(directory)) continue;
    fs.mkdirSync(directory);
    const mode = modes.get(`${root}\0${below}`);
    if (mode !== undefined) fs.chmodSync(directory, mode);
  }
}
