/** Frees what a run holds: the only unlink of files that a plan took. */
import fs from "node:fs";
import path from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { t } from "@vscode/l10n";
import type { Identity, ItemError } from "../model.ts";
import { inDiskOrder } from "./batches.ts";
import { allocatedBytes, checkDirectories, checkRoot, isUnchanged, lstatOrNothing } from "./guard.ts";
import { HOME, holdOf, homeOf, Refusal } from "./home.ts";
import { joinOutcomes, type Journal, type OutcomeRecord } from "./journal.ts";
import { createPins, pinDirectory, type PinnedDirectory } from "./pinned.ts";
import { makeReserve } from "./reserve.ts";
import { createRetry, explainErrno } from "./retry.ts";
import { cameWithTime, isDue, type RunState } from "./runState.ts";

const BATCH = 1024;

export interface PurgeResult {
  readonly run: string;
  readonly deletedFiles: number;
  /** Measured (R83): what the unlinked files occupied, 0 for those with another hard link (R10). */
  readonly freedSpace: number;
  /** Files of this run with another hard link: nothing was freed by unlinking them (R84). */
  readonly linkedFiles: number;
  readonly errors: readonly ItemError[];
  readonly cancelled: boolean;
}

export interface PurgeOptions {
  /** Only files whose undo window is over at this time, milliseconds since 1970. Absent: all. */
  readonly expiredAt?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly bytes: number }) => void;
}

/** The caller holds the lock and keeps `journal` open for the run. */
export async function purgeRun(state: RunState, journal: Journal, options: PurgeOptions = {}): Promise<PurgeResult> {
  const { expiredAt } = options;
  const held = inDiskOrder(
    state.files.filter((file) => file.state === "held" && (expiredAt === undefined || isDue(state, file, expiredAt))),
  );
  using pins = createPins();
  await using deleter = createDeleter(state.run);
  const errors: ItemError[] = [];
  let deletedFiles = 0;
  let freedSpace = 0;
  let linkedFiles = 0;
  const roots = new Set(held.map((file) => file.root));
  for (const root of roots) {
    checkRoot(root);
    checkDirectories(root, `${HOME}/holds/${state.run}`);
  }
  let done = 0;
  while (done < held.length && !options.signal?.aborted) {
    const batch = held.slice(done, done + BATCH);
    journal.append({ t: "purge", ns: batch.map((file) => file.n) });
    journal.sync();
    const outcomes = batch.map(({ n }): OutcomeRecord => ({ t: "held", n }));
    for (const [i, file] of batch.entries()) {
      if (options.signal?.aborted) break;
      done++;
      const pin = (): PinnedDirectory => pins.pin(file.root, path.posix.dirname(`${HOME}/holds/${state.run}/${file.path}`));
      await deleter.delete(file, attempt(pin), (outcome) => {
        if ("message" in outcome) {
          errors.push({ path: file.path, message: outcome.message });
          return;
        }
        outcomes[i] = recordOf(file, outcome);
        if (outcome.gone) return; // R44: already gone is 0 bytes and no error.
        deletedFiles++;
        freedSpace += outcome.freed;
        if (outcome.linked) linkedFiles++;
      });
    }
    await deleter.settled();
    journal.append(...joinOutcomes(outcomes));
    options.onProgress?.({ done, total: held.length, bytes: freedSpace });
    await breathe();
  }
  journal.sync();
  for (const root of roots) removeHold(root, state.run);
  for (const root of new Set([state.root, ...roots])) makeReserve(homeOf(root));
  return { run: state.run, deletedFiles, freedSpace, linkedFiles, errors, cancelled: options.signal?.aborted ?? false };
}

/** A directory that cannot be opened now is looked for again where the file is deleted, which explains what is wrong. */
function attempt(pin: () => PinnedDirectory): PinnedDirectory | undefined {
  try {
    return pin();
  } catch {
    return undefined;
  }
}

/** A file in the hold of a run. */
export interface HeldFile {
  readonly n: number;
  readonly root: string;
  readonly path: string;
  readonly allocated: number;
  readonly identity: Identity;
  /** As `RunFile` says it. */
  readonly relocated?: true;
}

export type Deletion =
  | { readonly freed: number; readonly linked: boolean; readonly gone: boolean }
  /** `changed`: somebody who had it open wrote into it, and whoever moved it may put it back. */
  | { readonly message: string; readonly changed?: true };

/** What the journal says of a deletion. */
export function recordOf(file: HeldFile, { gone, freed }: Exclude<Deletion, { readonly message: string }>): OutcomeRecord {
  if (gone) return { t: "gone", n: file.n };
  return freed === file.allocated ? { t: "purged", n: file.n } : { t: "purged", n: file.n, freed };
}

/**
 * Deletes held files, many at a time: there are filesystems that make each deletion wait for the device, and threads that wait
 * cost nothing. They are handed over in bunches, because to hand over takes longer than to move a file. What comes out is told to
 * `tell`, at the latest when {@link Deleter.settled} resolves.
 */
export interface Deleter extends AsyncDisposable {
  /** The file is looked at in `directory` at once; `seen` is given when that happened already. A promise: wait before the next. */
  delete(
    file: HeldFile,
    directory: PinnedDirectory | undefined,
    tell: (deletion: Deletion) => void,
    seen?: fs.BigIntStats,
  ): Promise<void> | undefined;
  settled(): Promise<void>;
}

/** More under way than this only takes memory. */
const MOST = 1024;
/** Each keeps a directory open, and open files are limited. */
const MOST_DIRECTORIES = 64;

export function createDeleter(run: string): Deleter {
  const retry = createRetry();
  const waiting: (() => void)[] = [];
  let underWay = 0;
  let bunch: (() => void)[] = [];
  let directories = 0;
  let lastDirectory: PinnedDirectory | undefined;
  const end = (): void => {
    underWay--;
    if (underWay === 0) for (const resume of waiting.splice(0)) resume();
  };
  const handOver = (): void => {
    const acts = bunch;
    bunch = [];
    directories = 0;
    lastDirectory = undefined;
    for (const act of acts) act();
  };
  const settled = (): Promise<void> => {
    handOver();
    return underWay === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
  };
  /** From the root again, step by step: the way to the file may be what went wrong. */
  const deleteAgain = (file: HeldFile, failed: unknown, tell: (deletion: Deletion) => void): void => {
    const act = (): Deletion => {
      using directory = pinDirectory(file.root, path.posix.dirname(`${HOME}/holds/${run}/${file.path}`));
      const entry = directory.entry(path.posix.basename(file.path));
      const sight = look(file, entry);
      if ("outcome" in sight) return "message" in sight.outcome ? { message: sight.outcome.message } : sight.outcome;
      fs.unlinkSync(entry);
      return freedBy(sight.stat);
    };
    void retry(act, failed)
      .catch((error: unknown) => explainFailure(file, run, error))
      .then(tell)
      .finally(end);
  };
  const unlink = (
    file: HeldFile,
    directory: PinnedDirectory,
    entry: string,
    stat: fs.BigIntStats,
    tell: (deletion: Deletion) => void,
  ): void => {
    // It waited for its turn: whoever had opened it before it was moved may have written since.
    const late = lookAgain(file, entry);
    if (late) {
      tell(late);
      directory.release();
      return end();
    }
    fs.unlink(entry, (error) => {
      directory.release();
      if (error) return deleteAgain(file, error, tell);
      tell(freedBy(stat));
      end();
    });
  };

  const beginDeletion = (
    file: HeldFile,
    directory: PinnedDirectory,
    tell: (deletion: Deletion) => void,
    seen: fs.BigIntStats | undefined,
  ): void => {
    try {
      const entry = directory.entry(path.posix.basename(file.path));
      const sight = seen ? { stat: seen } : look(file, entry);
      if ("outcome" in sight) {
        tell(sight.outcome);
        return end();
      }
      directory.retain();
      bunch.push(() => unlink(file, directory, entry, sight.stat, tell));
      if (directory !== lastDirectory) directories++;
      lastDirectory = directory;
    } catch (error) {
      deleteAgain(file, error, tell);
    }
  };

  return {
    delete(file, directory, tell, seen) {
      underWay++;
      if (!directory) deleteAgain(file, undefined, tell);
      else beginDeletion(file, directory, tell, seen);
      return underWay < MOST && directories < MOST_DIRECTORIES ? undefined : settled();
    },
    settled,
    [Symbol.asyncDispose]: settled,
  };
}

/** What is not what the run put there stays. */
function look(file: HeldFile, entry: string): { readonly stat: fs.BigIntStats } | { readonly outcome: Deletion } {
  const stat = lstatOrNothing(entry);
  if (!stat) return { outcome: { freed: 0, linked: false, gone: true } };
  if (!stat.isFile() || (!file.relocated && stat.ino !== BigInt(file.identity.ino)))
    return { outcome: { message: t("something else stands in its place in the hold; it is left alone") } };
  // A program that still had it open went on writing: that is not what was previewed. (Device numbers change from boot to boot.)
  const same = file.relocated
    ? Number(stat.size) === file.identity.bytes && cameWithTime(`${stat.mtimeNs}`, file.identity.mtimeNs)
    : isUnchanged(stat, file.identity);
  if (!same) return { outcome: { message: t("it was changed in the hold; it is left alone, and undo brings it back"), changed: true } };
  return { stat };
}

/** Undefined when it may go, or when the unlink itself finds out what is wrong. */
function lookAgain(file: HeldFile, entry: string): Deletion | undefined {
  try {
    const sight = look(file, entry);
    return "outcome" in sight ? sight.outcome : undefined;
  } catch {
    return undefined;
  }
}

function freedBy(stat: fs.BigIntStats): Deletion {
  const linked = stat.nlink > 1n;
  return { freed: linked ? 0 : allocatedBytes(stat), linked, gone: false };
}

/** "Failed to delete" is checked before it is said (R25). */
function explainFailure(file: HeldFile, run: string, error: unknown): Deletion {
  return lstatOrNothing(path.join(holdOf(file.root, run), file.path))
    ? { message: error instanceof Refusal ? error.message : explainErrno(error) }
    : { freed: 0, linked: false, gone: true };
}

/** Removes the hold's directories as far as they are empty. What cannot be removed stays, which harms nobody. */
export function removeHold(root: string, run: string): void {
  const remove = (directory: string): void => {
    try {
      for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
        if (entry.isDirectory()) remove(path.join(directory, entry.name));
      }
      fs.rmdirSync(directory);
    } catch {
      // It is not empty, or was removed by somebody else.
    }
  };
  remove(holdOf(root, run));
}
