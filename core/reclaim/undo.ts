/** Puts a run back: bytes, mode, times, directories; never over another file (R63). */
import fs from "node:fs";
import path from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { t } from "@vscode/l10n";
import type { ItemError } from "../model.ts";
import { checkDirectories, checkRoot, identityOf } from "./guard.ts";
import { HOME, holdOf, homeOf, Refusal } from "./home.ts";
import type { Journal } from "./journal.ts";
import { removeHold } from "./purge.ts";
import { trySettle } from "./recover.ts";
import { makeReserve } from "./reserve.ts";
import { restoreFile } from "./restore.ts";
import { createPins, type Pins } from "./pinned.ts";
import { createRetry, explainErrno } from "./retry.ts";
import { isThisFile, type RunFile, type RunState } from "./runState.ts";
import { countFiles } from "../words.ts";

const BATCH = 256;

export interface UndoResult {
  readonly run: string;
  readonly restoredFiles: number;
  readonly restoredSpace: number;
  /** Files whose place was taken: where they are now. */
  readonly renamed: readonly { readonly path: string; readonly to: string }[];
  readonly errors: readonly ItemError[];
  readonly cancelled: boolean;
  /** What somebody should know about it, in sentences. */
  readonly notes?: readonly string[];
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
  const held = freePlacesFirst(state.files.filter((file) => file.state === "held" && (wanted === undefined || wanted.has(file.path))));
  const retry = createRetry();
  using pins = createPins();
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
        const to = await putBack(file, state.run, modes, retry, pins);
        journal.append({ t: "restored", n: file.n, to });
        restoredFiles++;
        restoredSpace += file.bytes;
        if (to !== file.path) renamed.push({ path: file.path, to });
      } catch (error) {
        pins.forget();
        // "Failed" is said after a look (R25). What is in two places now has no outcome, and recovery tries again.
        const outcome = trySettle({ ...file, pending: "undo" }, state.run);
        if (outcome) journal.append(outcome);
        if (outcome?.t === "restored") {
          restoredFiles++;
          restoredSpace += file.bytes;
          if (outcome.to !== file.path) renamed.push({ path: file.path, to: outcome.to });
        } else
          errors.push({
            path: file.path,
            message: error instanceof Missing || error instanceof Refusal ? error.message : explainErrno(error),
          });
      }
    }
    options.onProgress?.({ done, total: held.length, bytes: restoredSpace });
    await breathe();
  }
  journal.sync();
  const roots = new Set(held.map((file) => file.root));
  for (const root of roots) removeHold(root, state.run);
  for (const root of new Set([state.root, ...roots])) makeReserve(homeOf(root));
  return {
    run: state.run,
    restoredFiles,
    restoredSpace,
    renamed,
    errors,
    cancelled: options.signal?.aborted ?? false,
    ...(state.foreign !== undefined && {
      notes: [t("{0} stay held: {1}", countFiles(state.files.filter((file) => file.foreign).length), state.foreign)],
    }),
  };
}

/** The name that one file has to take beside its place may be another's own, which is to come back to it. */
function freePlacesFirst(files: readonly RunFile[]): readonly RunFile[] {
  const [free, taken]: [RunFile[], RunFile[]] = [[], []];
  for (const file of files) (fs.existsSync(path.join(file.root, file.path)) ? taken : free).push(file);
  return [...free, ...taken];
}

class Missing extends Error {
  override readonly name = "Missing";
}

/** Returns the path it has now, relative to its root. */
async function putBack(
  file: RunFile,
  run: string,
  modes: ReadonlyMap<string, number>,
  retry: ReturnType<typeof createRetry>,
  pins: Pins,
): Promise<string> {
  const directory = path.posix.dirname(file.path);
  const name = path.posix.basename(file.path);
  if (!identityOf(path.join(holdOf(file.root, run), file.path))) {
    // A crash may have come between the move back and its record.
    const there = identityOf(path.join(file.root, file.path));
    if (there && isThisFile(file, there)) return file.path;
    throw new Missing("it is no longer in the hold");
  }
  return retry(() => {
    const from = pins.pin(file.root, `${HOME}/holds/${run}/${directory}`).entry(name);
    const to = pins
      .pin(file.root, directory, { make: (absolute, relative) => makeDirectory(absolute, modes.get(`${file.root}\0${relative}`)) })
      .entry(name);
    return path.posix.join(directory, path.posix.basename(restoreFile(from, to)));
  });
}

/** A directory that the run removed comes back with the mode that it had. */
function makeDirectory(absolute: string, mode: number | undefined): void {
  fs.mkdirSync(absolute);
  if (mode !== undefined) fs.chmodSync(absolute, mode);
}
