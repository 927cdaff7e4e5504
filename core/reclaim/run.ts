/**
 * One execution of a plan. Per batch: journal the intents and fsync once; then for each file ask the guard and the catalog again,
 * rename it into the hold, and look at what was moved; what is not to be held is deleted from there at once. Then note the outcomes.
 */
import { randomBytes } from "node:crypto";
import { setImmediate as breathe } from "node:timers/promises";
import { t } from "@vscode/l10n";
import type { CleanResult, ItemError, PlanItem } from "../model.ts";
import { type Batch, batchesOf, intentsOf } from "./batches.ts";
import { removeEmptyDirectories } from "./directories.ts";
import { checkRoot, type Guard } from "./guard.ts";
import { ensureHome, homeOf, journalOf, STATE_SCHEMA } from "./home.ts";
import { JournalError, openJournal } from "./journal.ts";
import { Mover, type Recheck } from "./mover.ts";
import { removeHold } from "./purge.ts";
import { makeReserve } from "./reserve.ts";

export interface RunProgress {
  readonly done: number;
  readonly total: number;
  readonly bytes: number;
}

export interface RunInput {
  /** Absolute path of the workspace, which keeps the journal. */
  readonly workspace: string;
  readonly digest: string;
  /** Each may say itself how long it is held ({@link PlanItem.undoMs}). */
  readonly items: readonly PlanItem[];
  /** How long the others are held, milliseconds; 0 deletes them at once. */
  readonly undoMs: number;
  readonly guard: Guard;
  /** Asks the catalog again, right before the move (R17). Returns why the file stays. */
  readonly recheck: Recheck;
  /**
   * Awaited before each batch and disposed of after it: whatever has to stand still, or to be asked anew, while these files are
   * asked about and moved. Where it fails the files of the batch stay.
   */
  readonly claim?: (items: readonly PlanItem[]) => Promise<Disposable | undefined>;
  /** Whether it came by itself: the history says so. */
  readonly automatic?: boolean;
  readonly now: () => number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RunProgress) => void;
}

/** A finished run, with what the caller needs to write the database. */
export interface RunOutcome extends CleanResult {
  /** Items that are no longer at their place: held, or deleted. */
  readonly moved: readonly PlanItem[];
}

/** The caller holds the locks of all roots. Failures of single files are reported, never thrown (R22). */
export async function runCleanup(input: RunInput): Promise<RunOutcome> {
  const { workspace, items, undoMs, signal } = input;
  const roots = [...new Set([workspace, ...items.map((item) => item.root)])];
  for (const root of roots) checkRoot(root);
  for (const root of roots) {
    ensureHome(root);
    makeReserve(homeOf(root));
  }
  const startedMs = input.now();
  const run = runId(startedMs);
  using journal = openJournal(journalOf(workspace, run));
  journal.append({
    t: "start",
    schema: STATE_SCHEMA,
    run,
    at: iso(startedMs),
    root: workspace,
    digest: input.digest,
    undoMs,
    files: items.length,
    bytes: items.reduce((sum, item) => sum + item.bytes, 0),
    pid: process.pid,
    ...(input.automatic && { automatic: true }),
  });

  await using mover = new Mover(input, run);
  let unnoted: readonly ItemError[] = [];
  for (const batch of batchesOf(items)) {
    if (signal?.aborted) break;
    const { claim, refused } = await claimBatch(input, batch);
    using _claim = claim;
    try {
      journal.append(...intentsOf(batch, undoMs));
    } catch (error) {
      // What cannot be noted is not touched, and neither is what follows.
      if (!(error instanceof JournalError) || !error.isFull) throw error;
      unnoted = items
        .slice(batch.from)
        .map((item) => ({ path: item.path, message: t("no space left on the device to note what is done; it stays") }));
      break;
    }
    journal.sync();
    journal.append(...(await mover.move(batch, refused)));
    input.onProgress?.({ done: batch.from + batch.items.length, total: items.length, bytes: mover.movedBytes });
    await breathe();
  }
  journal.sync();
  // Only what is empty goes: what is held keeps its directories.
  for (const root of roots) if (mover.heldFiles === 0) removeHold(root, run);
  const emptied = [...mover.directories].map((one) => one.split("\0") as [string, string]).map(([root, path]) => ({ root, path }));
  const removedDirectories = removeEmptyDirectories(emptied, input.guard, journal);
  const endMs = input.now();
  const undoUntil = mover.heldMs > 0 ? iso(endMs + mover.heldMs) : undefined;
  const cancelled = signal?.aborted ?? false;
  journal.append({ t: "end", at: iso(endMs), ...(undoUntil !== undefined && { undoUntil }), cancelled });
  journal.sync();
  for (const root of roots) makeReserve(homeOf(root));
  return {
    run,
    deletedFiles: mover.deletedFiles + mover.heldFiles,
    freedSpace: mover.freedBytes,
    heldSpace: mover.heldBytes,
    ...(undoUntil !== undefined && { undoUntil }),
    removedDirectories,
    errors: [...mover.errors, ...unnoted],
    skipped: mover.skipped,
    cancelled,
    moved: mover.moved,
  };
}

async function claimBatch(input: RunInput, batch: Batch): Promise<{ readonly claim?: Disposable | undefined; readonly refused?: string }> {
  try {
    return { claim: await input.claim?.(batch.items) };
  } catch (error) {
    if (input.signal?.aborted) return { refused: "cancelled" };
    return { refused: (error as Error).message };
  }
}

/** Sorts by time, is a plain file name, and never comes twice. */
function runId(nowMs: number): string {
  const stamp = iso(nowMs).replace(/[-:]/g, "").replace("T", "-").slice(0, 15);
  return `${stamp}-${randomBytes(3).toString("hex")}`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
