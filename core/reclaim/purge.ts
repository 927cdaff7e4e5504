/** Frees what a run holds: the only unlink of users' files. */
import fs from "node:fs";
import path from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import type { ItemError } from "../model.ts";
import { checkDirectories, checkRoot, identityOf } from "./guard.ts";
import { HOME, holdOf, Refusal } from "./home.ts";
import type { Journal } from "./journal.ts";
import { createPins, type Pins } from "./pinned.ts";
import { createRetry, explainErrno } from "./retry.ts";
import type { RunFile, RunState } from "./runState.ts";

const BATCH = 256;

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
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly bytes: number }) => void;
}

/** The caller holds the lock and keeps `journal` open for the run. */
export async function purgeRun(state: RunState, journal: Journal, options: PurgeOptions = {}): Promise<PurgeResult> {
  const held = state.files.filter((file) => file.state === "held");
  const retry = createRetry();
  using pins = createPins();
  const errors: ItemError[] = [];
  let deletedFiles = 0;
  let freedSpace = 0;
  let linkedFiles = 0;
  for (const root of new Set(held.map((file) => file.root))) {
    checkRoot(root);
    checkDirectories(root, `${HOME}/holds/${state.run}`);
  }
  let done = 0;
  while (done < held.length && !options.signal?.aborted) {
    const batch = held.slice(done, done + BATCH);
    journal.append({ t: "purge", ns: batch.map((file) => file.n) });
    journal.sync();
    for (const file of batch) {
      if (options.signal?.aborted) {
        journal.append({ t: "held", n: file.n });
        continue;
      }
      const outcome = await purgeFile(file, state.run, retry, pins);
      done++;
      if ("message" in outcome) {
        errors.push({ path: file.path, message: outcome.message });
        journal.append({ t: "held", n: file.n });
      } else {
        journal.append(outcome.gone ? { t: "gone", n: file.n } : { t: "purged", n: file.n, freed: outcome.freed });
        if (outcome.gone) continue; // R44: already gone is 0 bytes and no error.
        deletedFiles++;
        freedSpace += outcome.freed;
        if (outcome.linked) linkedFiles++;
      }
    }
    options.onProgress?.({ done, total: held.length, bytes: freedSpace });
    await breathe();
  }
  journal.sync();
  for (const root of new Set(held.map((file) => file.root))) removeHold(root, state.run);
  return { run: state.run, deletedFiles, freedSpace, linkedFiles, errors, cancelled: options.signal?.aborted ?? false };
}

type FileOutcome = { readonly freed: number; readonly linked: boolean; readonly gone: boolean } | { readonly message: string };

async function purgeFile(file: RunFile, run: string, retry: ReturnType<typeof createRetry>, pins: Pins): Promise<FileOutcome> {
  const absolute = path.join(holdOf(file.root, run), file.path);
  try {
    return await retry(() => {
      const directory = pins.pin(file.root, path.posix.dirname(`${HOME}/holds/${run}/${file.path}`));
      const entry = directory.entry(path.posix.basename(file.path));
      const stat = identityOf(entry);
      if (!stat) return { freed: 0, linked: false, gone: true };
      if (!stat.isFile || stat.ino !== file.identity.ino)
        return { message: "something else stands in its place in the hold; it is left alone" };
      // A program that still had it open went on writing: that is not what was previewed. (Device numbers change from boot to boot.)
      if (stat.bytes !== file.identity.bytes || stat.mtimeNs !== file.identity.mtimeNs)
        return { message: "it was changed in the hold; it is left alone, and undo brings it back" };
      fs.unlinkSync(entry);
      const linked = stat.links > 1;
      return { freed: linked ? 0 : stat.allocated, linked, gone: false };
    });
  } catch (error) {
    pins.forget();
    // "Failed to delete" is checked before it is said (R25).
    return identityOf(absolute)
      ? { message: error instanceof Refusal ? error.message : explainErrno(error) }
      : { freed: 0, linked: false, gone: true };
  }
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
