/**
 * One execution of a plan. Per batch: journal the intents and fsync once; then for each file ask the guard and the catalog again,
 * rename it into the hold, look at what was moved, and note the outcome. Nothing is unlinked here: that is what purging does.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { t } from "@vscode/l10n";
import type { CleanResult, ItemError, PlanItem, Skipped } from "../model.ts";
import { sameIdentity } from "../plan/build.ts";
import { removeEmptyDirectories } from "./directories.ts";
import { checkRoot, type Guard, identityOf } from "./guard.ts";
import { ensureHome, HOME, holdOf, journalOf, Refusal, STATE_SCHEMA } from "./home.ts";
import { type Journal, JournalError, type JournalRecord, openJournal } from "./journal.ts";
import { openFiles } from "./openFiles.ts";
import { createPins } from "./pinned.ts";
import { restoreFile } from "./restore.ts";
import { createRetry, explainErrno } from "./retry.ts";

/** How long the event loop waits for its turn. */
const BREATH_MS = 10;
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
  journal.append({
    t: "start",
    schema: STATE_SCHEMA,
    run,
    at: iso(startedMs),
    root: input.workspace,
    digest: input.digest,
    undoMs: input.undoMs,
    files: input.items.length,
    bytes: sumBytes(input.items),
    pid: process.pid,
  });

  using mover = new Mover(input, run, journal);
  for (let from = 0; from < input.items.length && !input.signal?.aborted; from += BATCH) {
    const batch = input.items.slice(from, from + BATCH);
    journal.append(...batch.map((item, i) => intent(item, from + i)));
    journal.sync();
    mover.lookForOpenFiles();
    let last = performance.now();
    for (const [i, item] of batch.entries()) {
      // A signal, and a cancel button, get through between two files.
      if (performance.now() - last > BREATH_MS) {
        await breathe();
        last = performance.now();
      }
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
class Mover implements Disposable {
  readonly held: PlanItem[] = [];
  readonly errors: ItemError[] = [];
  readonly skipped: Skipped[] = [];
  private readonly retry = createRetry();
  private readonly pins = createPins();
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

  note(item: PlanItem, outcome: Noted): void {
    this.journal.append(outcome);
    if (outcome.t === "held") this.held.push(item);
    if (outcome.t === "skip") this.skipped.push({ path: item.path, reason: outcome.why });
    if (outcome.t === "fail") this.errors.push({ path: item.path, message: outcome.message });
  }

  async move(item: PlanItem, n: number): Promise<void> {
    try {
      // A try that waited for the system starts with the questions again: their answers are old by then.
      const outcome = await this.retry(async () => {
        const why = (await this.input.recheck(item)) ?? this.input.guard.refuse(item) ?? this.refuseOpen(item);
        if (why !== undefined) return { t: "skip", n, why } as const;
        return this.moveNow(item, n);
      });
      if (outcome) this.note(item, outcome);
    } catch (error) {
      this.pins.forget();
      if (error instanceof JournalError) throw error;
      const outcome = this.explainFailure(item, n, error);
      if (outcome) this.note(item, outcome);
    }
  }

  /** Between two directories that are held open, so that nobody can lead the move elsewhere (R1). */
  private moveNow(item: PlanItem, n: number): Noted | undefined {
    const directory = path.posix.dirname(item.path);
    const name = path.posix.basename(item.path);
    const source = this.pins.pin(item.root, directory);
    const hold = this.pins.pin(item.root, `${HOME}/holds/${this.run}/${directory}`, { make: (absolute) => fs.mkdirSync(absolute) });
    fs.renameSync(source.entry(name), hold.entry(name));
    return this.verify(item, n, source.entry(name), hold.entry(name));
  }

  private refuseOpen(item: PlanItem): string | undefined {
    return item.identity && this.open.has(`${item.identity.dev}:${item.identity.ino}`) ? t("open in another program") : undefined;
  }

  /** What was moved must be what was previewed; if not, it goes back (R3). */
  private verify(item: PlanItem, n: number, from: string, to: string): Noted | undefined {
    const moved = identityOf(to);
    if (moved?.isFile && item.identity && sameIdentity(moved, item.identity)) return { t: "held", n };
    if (!moved) return { t: "fail", n, message: t("it vanished while it was moved") };
    try {
      const back = restoreFile(to, from);
      return { t: "skip", n, why: back === from ? "changed" : `changed, kept as ${path.basename(back)}` };
    } catch (error) {
      return this.leaveToRecovery(item, error);
    }
  }

  /**
   * What could not be put back is no file of this run, so it is not noted as held: nothing purges it, and its intent stays
   * without an outcome, which is what recovery looks for.
   */
  private leaveToRecovery(item: PlanItem, error: unknown): undefined {
    this.errors.push({
      path: item.path,
      message: t(
        'it changed while it was moved and could not be put back yet ({0}); it is safe in {1}, and "offcut doctor" puts it back',
        explainErrno(error),
        `${HOME}/holds/${this.run}`,
      ),
    });
  }

  /** "Failed" is said after a look (R25). */
  private explainFailure(item: PlanItem, n: number, error: unknown): Noted | undefined {
    const held = identityOf(path.join(holdOf(item.root, this.run), item.path));
    if (held?.isFile && item.identity && sameIdentity(held, item.identity)) return { t: "held", n };
    if (held) return this.leaveToRecovery(item, error);
    if (this.input.signal?.aborted && (error === this.input.signal.reason || (error as Error).name === "AbortError"))
      return { t: "skip", n, why: "cancelled" };
    if (!identityOf(path.join(item.root, item.path))) return { t: "skip", n, why: "gone" };
    if (error instanceof Refusal) return { t: "skip", n, why: error.message };
    return { t: "fail", n, message: explainErrno(error) };
  }

  [Symbol.dispose](): void {
    this.pins[Symbol.dispose]();
  }
}

type Noted = Extract<JournalRecord, { t: "held" | "skip" | "fail" }>;

function intent(item: PlanItem, n: number): JournalRecord {
  const { root, path: relative, store, owner, reason, bytes, allocated } = item;
  const identity = item.identity ?? { dev: "", ino: "", bytes, mtimeNs: "" };
  return {
    t: "intend",
    n,
    root,
    path: relative,
    store,
    ...(owner !== undefined && { owner }),
    reason,
    bytes,
    allocated,
    identity: { dev: identity.dev, ino: identity.ino, bytes: identity.bytes, mtimeNs: identity.mtimeNs },
  };
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
