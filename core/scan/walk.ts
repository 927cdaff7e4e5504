/** The walk: from the stores' templates to the files that match them, as fast as the disk shows them. */
import { availableParallelism } from "node:os";
import { setImmediate as turn } from "node:timers/promises";
import { t } from "@vscode/l10n";
import type { Template } from "../config/template.ts";
import type { FileEntry, Problem, Role } from "../model.ts";
import { fileEntry, unpackFiles } from "./batch.ts";
import { walkDirectory } from "./directory.ts";
import type { Findings, Scope, Task } from "./directory.ts";
import { startPool } from "./pool.ts";
import type { Pool } from "./pool.ts";
import { openRoots } from "./roots.ts";
import { wordTrouble } from "./trouble.ts";

/** What the walk needs to know of a store. */
export interface WalkStore {
  readonly name: string;
  readonly role: Role;
  /** Absolute path of a directory that is not a link itself. */
  readonly root: string;
  readonly template: Template;
}

/** How far a walk has come: files that matched, directories that were listed, bytes of the files. */
export interface Seen {
  readonly files: number;
  readonly directories: number;
  readonly bytes: number;
}

export interface WalkOptions {
  readonly signal?: AbortSignal;
  /** Called at most about ten times a second, and once at the end. */
  readonly onProgress?: (seen: Seen) => void;
  /** Worker threads from the start on; 0 stays on this thread. By default they start when the tree turns out large. */
  readonly workers?: number;
}

export interface WalkBatch {
  readonly files: readonly FileEntry[];
  readonly problems: readonly Problem[];
}

/** After this many milliseconds the event loop gets its turn, so that aborting and progress work. */
const SLICE_MS = 10;
const BATCH_FILES = 4096;
const PROGRESS_MS = 100;
/** A worker takes as long to start as this thread takes for about so many names: that many must be behind it and as many ahead. */
const LARGE_NAMES = 20_000;
const MOST_WORKERS = 2;

/**
 * Streams the files that the stores' templates match, in batches and in no particular order. A file that several stores match
 * belongs to the `final` one, else to the first. Never follows links (R1), never crosses a device or mount point (R4), never
 * lists a directory outside the stores' fixed prefixes. What cannot be read is a problem, and the rest goes on.
 *
 * Throws a TypeError when a root is not absolute, and the signal's reason when it is aborted; no thread is left then.
 */
export async function* walkStores(stores: readonly WalkStore[], options: WalkOptions = {}): AsyncGenerator<WalkBatch> {
  const { signal } = options;
  signal?.throwIfAborted();
  const opened = openRoots(stores);
  const { roots } = opened;
  // Only what can be cloned into a worker, whatever else the caller's stores carry.
  const scope: Scope = { stores: stores.map(({ name, role, root, template }) => ({ name, role, root, template })), roots };
  const queue: Task[] = roots.map((_, root) => ({ root, path: "" }));
  const progress = startProgress(options.onProgress);
  let files: FileEntry[] = [];
  const problems: Problem[] = [...opened.problems];
  const findings: Findings = {
    addFile(store, path, stats) {
      const found = stores[store];
      if (found) files.push(fileEntry(found, path, stats));
    },
    troubles: [],
    tasks: queue,
    directories: 0,
    names: 0,
  };
  const noticed = (): boolean => problems.length > 0 || findings.troubles.length > 0;
  const take = (): WalkBatch => {
    const batch = { files, problems: [...problems.splice(0), ...findings.troubles.splice(0).map(wordTrouble)] };
    files = [];
    progress.add(batch.files);
    return batch;
  };

  let pool = options.workers ? startPool(scope, options.workers, true) : undefined;
  try {
    while (queue.length > 0 || noticed() || pool?.busy()) {
      const end = performance.now() + SLICE_MS;
      pool?.feed(queue);
      while (queue.length > 0 && files.length < BATCH_FILES && performance.now() < end) walkDirectory(scope, queue.pop() as Task, findings);
      if (pool) collectFailures(pool, queue, problems);
      if (files.length > 0 || noticed()) yield take();
      for (let reply = pool?.take(); reply; reply = pool?.take()) {
        for (const task of reply.tasks) queue.push(task);
        findings.directories += reply.directories;
        pool?.feed(queue);
        const batch = { files: unpackFiles(stores, reply.files), problems: reply.troubles.map(wordTrouble) };
        progress.add(batch.files);
        if (batch.files.length > 0 || batch.problems.length > 0) yield batch;
      }
      pool ??= startWhenLarge(scope, options, queue, findings);
      progress.tell(findings.directories);
      if (performance.now() >= end) await turn();
      if (queue.length === 0 && pool?.busy()) await pool.wait(signal);
      signal?.throwIfAborted();
    }
    progress.end(findings.directories);
  } finally {
    await pool?.close();
  }
}

function startWhenLarge(scope: Scope, options: WalkOptions, queue: readonly Task[], findings: Findings): Pool | undefined {
  if (options.workers !== undefined || findings.names < LARGE_NAMES) return undefined;
  const ahead = (queue.length * findings.names) / Math.max(1, findings.directories);
  if (ahead < LARGE_NAMES) return undefined;
  const size = Math.min(MOST_WORKERS, availableParallelism() - 1);
  return size > 0 ? startPool(scope, size, false) : undefined;
}

/** A worker that cannot run costs time and nothing else: this thread does what it had. */
function collectFailures(pool: Pool, queue: Task[], problems: Problem[]): void {
  for (const task of pool.rescue()) queue.push(task);
  for (const why of pool.failures()) {
    problems.push({
      severity: "info",
      source: t("scan"),
      message: t("A worker thread of the scan ended ({0}); the scan goes on without it.", why),
    });
  }
}

function startProgress(tell: WalkOptions["onProgress"]) {
  let files = 0;
  let bytes = 0;
  let last = performance.now();
  return {
    add(found: readonly FileEntry[]): void {
      files += found.length;
      if (tell) for (const file of found) bytes += file.bytes;
    },
    tell(directories: number): void {
      if (!tell || performance.now() - last < PROGRESS_MS) return;
      last = performance.now();
      tell({ files, directories, bytes });
    },
    end: (directories: number) => tell?.({ files, directories, bytes }),
  };
}
