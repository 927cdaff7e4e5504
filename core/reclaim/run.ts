/**
 * One execution of a plan. Per batch: journal the intents and fsync once; then for each file ask the guard and the catalog again,
 * rename it into the hold, look at what was moved, and note the outcome. Nothing is unlinked here: that is what purging does.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import type { CleanResult, ItemError, PlanItem, Skipped } from "../model.ts";
import { sameIdentity } from "../plan/build.ts";
import { removeEmptyDirectories } from "./directories.ts";
import { checkRoot, type Guard, identityOf } from "./guard.ts";
import { ensureHome, holdOf, journalOf, STATE_SCHEMA } from "./home.ts";
import { type Journal, type JournalRecord, openJournal } from "./journal.ts";
import { openFiles } from "./openFiles.ts";
import { restoreFile } from "./restore.ts";
import { createRetry, explainErrno } from "./retry.ts";

/** Files per fsync. */
const BATCH = 256;

export interface RunProgress {
  readonly done: number;
  readonly total: number;
  readonly bytes: number;
}

export interface RunInput {
  /** Absolute path of the workspace, which keeps the journal. */
  readonly workspace: string;
  readonly digest: string;
  readonly items: readonly PlanItem[];
  readonly undoMs: number;
  readonly guard: Guard;
  /** Asks the catalog again, right before the move (R17). Returns why the file stays. */
  readonly recheck: (item: PlanItem) => Promise<string | undefined> | string | undefined;
  readonly now: () => number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RunProgress) => void;
}

/** A finished run, with what the caller needs to write the database and to purge. */
export interface RunOutcome extends Omit<CleanResult, "freedSpace"> {
  /** Items that are in the hold now. */
  readonly held: readonly PlanItem[];
}

/** The caller holds the locks of all roots. Failures of single files are reported, never thrown (R22). */
export async function runCleanup(input: RunInput): Promise<RunOutcome> {
  const roots = [...new Set(input.items.map((item) => item.root))];
  for (const root of new Set([input.workspace, ...roots])) checkRoot(root);
  for (const root of new Set([input.workspace, ...roots])) ensureHome(root);
  const startedMs = input.now();
  const run = runId(startedMs);
  using journal = openJournal(journalOf(input.workspace, run));
  journal.append({ t: "start", schema: STATE_SCHEMA, run, at: iso(startedMs), root: input.workspace, digest: input.digest, undoMs: input.undoMs, files: input.items.length, bytes: sumBytes(input.items), pid: process.pid });

  const mover = new Mover(input, run, journal);
  for (let from = 0; from < input.items.length && !input.signal?.aborted; from += BATCH) {
    const batch = input.items.slice(from, from + BATCH);
    journal.append(...batch.map((item, i) => intent(item, from + i)));
    journal.sync();
    mover.lookForOpenFiles();
    for (const [i, item] of batch.entries()) {
      if (input.signal?.aborted) mover.note(item, { t: "skip", n: from + i, why: "cancelled" });
      else await mover.move(item, from + i);
    }
    input.onProgress?.({ done: Math.min(from + BATCH, input.items.length), total: input.items.length, bytes: sumBytes(mover.held) });
    await breathe();
  }
  journal.sync();
  const removedDirectories = removeEmptyDirectories(mover.held, input.guard, journal);
  const endMs = input.now();
  const undoUntil = input.undoMs > 0 && mover.held.length > 0 ? iso(endMs + input.undoMs) : undefined;
  const cancelled = input.signal?.aborted ?? false;
  journal.append({ t: "end", at: iso(endMs), ...(undoUntil !== undefined && { undoUntil }), cancelled });
  journal.sync();
  return {
    run,
    deletedFiles: mover.held.length,
    heldSpace: sumBytes(mover.held),
    ...(undoUntil !== undefined && { undoUntil }),
    removedDirectories,
    errors: mover.errors,
    skipped: mover.skipped,
    cancelled,
    held: mover.held,
  };
}

/** Moves single files of one run and keeps count. */
class Mover {
  readonly held: PlanItem[] = [];
  readonly errors: ItemError[] = [];
  readonly skipped: Skipped[] = [];
  private readonly retry = createRetry();
  private readonly madeDirectories = new Set<string>();
  private readonly input: RunInput;
  private readonly run: string;
  private readonly journal: Journal;
  private open: ReadonlySet<string> = new Set();

  constructor(input: RunInput, run: string, journal: Journal) {
    this.input = input;
    this.run = run;
    this.journal = journal;
  }

  /** Once per batch: a look at every process is too much per file. */
  lookForOpenFiles(): void {
    this.open = openFiles([...new Set(this.input.items.map((item) => item.root))]);
  }

  note(item: PlanItem, outcome: Extract<JournalRecord, { t: "held" | "skip" | "fail" }>): void {
    this.journal.append(outcome);
    if (outcome.t === "held") this.held.push(item);
    if (outcome.t === "skip") this.skipped.push({ path: item.path, reason: outcome.why });
    if (outcome.t === "fail") this.errors.push({ path: item.path, message: outcome.message });
  }

  async move(item: PlanItem, n: number): Promise<void> {
    try {
      const why = (await this.input.recheck(item)) ?? this.input.guard.refuse(item) ?? this.refuseOpen(item);
      if (why !== undefined) return this.note(item, { t: "skip", n, why });
      const from = path.join(item.root, item.path);
      const to = path.join(holdOf(item.root, this.run), item.path);
      this.makeDirectory(path.dirname(to));
      await this.retry(() => fs.renameSync(from, to));
      return this.note(item, this.verify(item, n, from, to));
    } catch (error) {
      return this.note(item, this.explainFailure(item, n, error));
    }
  }

  private refuseOpen(item: PlanItem): string | undefined {
    return item.identity && this.open.has(`${item.identity.dev}:${item.identity.ino}`) ? "open in another program" : undefined;
  }

  private makeDirectory(directory: string): void {
    if (this.madeDirectories.has(directory)) return;
    fs.mkdirSync(directory, { recursive: true });
    this.madeDirectories.add(directory);
  }

  /** What was moved must be what was previewed; if not, it goes back (R3). */
  private verify(item: PlanItem, n: number, from: string, to: string): Extract<JournalRecord, { t: "held" | "skip" | "fail" }> {
    const moved = identityOf(to);
    if (moved?.isFile && item.identity && sameIdentity(moved, item.identity)) return { t: "held", n };
    if (!moved) return { t: "fail", n, message: "it vanished while it was moved" };
    const back = restoreFile(to, from);
    return { t: "skip", n, why: back === from ? "changed" : `changed, kept as ${path.basename(back)}` };
  }

  /** "Failed" is said after a look (R25). */
  private explainFailure(item: PlanItem, n: number, error: unknown): Extract<JournalRecord, { t: "held" | "skip" | "fail" }> {
    const held = identityOf(path.join(holdOf(item.root, this.run), item.path));
    if (held?.isFile && item.identity && sameIdentity(held, item.identity)) return { t: "held", n };
    if (!identityOf(path.join(item.root, item.path))) return { t: "skip", n, why: "gone" };
    return { t: "fail", n, message: explainErrno(error) };
  }
}

function intent(item: PlanItem, n: number): JournalRecord {
  const { root, path: relative, store, owner, reason, bytes, allocated } = item;
  const identity = item.identity ?? { dev: "", ino: "", bytes, mtimeNs: "" };
  return { t: "intend", n, root, path: relative, store, ...(owner !== undefined && { owner }), reason, bytes, allocated, identity: { dev: identity.dev, ino: identity.ino, bytes: identity.bytes, mtimeNs: identity.mtimeNs } };
}

/** Sorts by time, is a plain file name, and never comes twice. */
function runId(nowMs: number): string {
  const stamp = iso(nowMs).replace(/[-:]/g, "").replace("T", "-").slice(0, 15);
  return `${stamp}-${randomBytes(3).toString("hex")}`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function sumBytes(items: readonly PlanItem[]): number {
  return items.reduce((total, item) => total + item.bytes, 0);
}
