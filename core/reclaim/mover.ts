/**
 * Takes single files of a run: asks, renames into the hold, looks at what was moved, and deletes it where that was wanted. The
 * questions are asked again right before each move; what holds for a whole directory is looked at again every few milliseconds.
 */
import path from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { t } from "@vscode/l10n";
import fs from "node:fs";
import type { FileEntry, ItemError, PlanItem, Skipped } from "../model.ts";
import { type Batch, inDiskOrder } from "./batches.ts";
import { type Guard, isSame, lstatOrNothing } from "./guard.ts";
import { HOME, holdOf, homeOf, Refusal } from "./home.ts";
import { joinOutcomes, JournalError, type OutcomeRecord } from "./journal.ts";
import { openFiles } from "./openFiles.ts";
import { createPlaces, type Place } from "./places.ts";
import { createDeleter, type Deletion, type HeldFile, recordOf } from "./purge.ts";
import { isFull, withRoom } from "./reserve.ts";
import { restoreFile } from "./restore.ts";
import { createRetry, explainErrno } from "./retry.ts";

/** How long the event loop waits for its turn, and how long a directory counts as looked at. */
const MOMENT_MS = 10;

export interface MoverInput {
  readonly undoMs: number;
  readonly guard: Guard;
  readonly recheck: Recheck;
  readonly signal?: AbortSignal;
}

/** Why a file stays, asked right before it is moved (R17). `file` is what was found at its place a moment ago. */
export type Recheck = (item: PlanItem, file: FileEntry) => Promise<string | undefined> | string | undefined;

type Outcome = { readonly t: "held" } | { readonly t: "skip"; readonly why: string } | { readonly t: "fail"; readonly message: string };
/** What was seen at a file's place, and the way to it. */
interface Sight {
  readonly place: Place;
  readonly stat: fs.BigIntStats;
}

/** Keeps count over all batches of a run. */
export class Mover implements AsyncDisposable {
  /** What is no longer at its place: held or deleted. */
  readonly moved: PlanItem[] = [];
  readonly errors: ItemError[] = [];
  readonly skipped: Skipped[] = [];
  /** Directories, as `root\0path`, that files were taken from. */
  readonly directories = new Set<string>();
  movedBytes = 0;
  heldFiles = 0;
  heldBytes = 0;
  /** The longest time that something is held, milliseconds. */
  heldMs = 0;
  deletedFiles = 0;
  freedBytes = 0;
  private readonly retry = createRetry();
  private readonly places;
  private readonly deleter;
  private readonly input: MoverInput;
  private readonly run: string;
  private outcomes: (OutcomeRecord | undefined)[] = [];
  private from = 0;
  private lookedAt = 0;
  private open: ReadonlySet<string> = new Set();

  constructor(input: MoverInput, run: string) {
    this.input = input;
    this.run = run;
    this.places = createPlaces(run);
    this.deleter = createDeleter(run);
  }

  /** Returns what became of the files, for the journal. One that has none is left to recovery. `refused`: why none may be taken. */
  async move(batch: Batch, refused?: string): Promise<readonly OutcomeRecord[]> {
    const { signal } = this.input;
    this.from = batch.from;
    this.outcomes = batch.items.map(() => undefined);
    // Once per batch: a look at every process is too much per file.
    this.open = openFiles([...new Set(batch.items.map((item) => item.root))]);
    let last = performance.now();
    const numbers = new Map(batch.items.map((item, i) => [item, i]));
    for (const item of inDiskOrder(batch.items)) {
      const i = numbers.get(item)!;
      // A signal, and a cancel button, get through between two files.
      if (performance.now() - last > MOMENT_MS) {
        await breathe();
        last = performance.now();
      }
      if (signal?.aborted) this.note(item, i, { t: "skip", why: "cancelled" });
      else if (refused !== undefined) this.note(item, i, { t: "skip", why: refused });
      else {
        const waiting = this.take(item, i);
        if (waiting) await waiting;
      }
    }
    this.places.forget();
    await this.deleter.settled();
    return joinOutcomes(this.outcomes.filter((outcome) => outcome !== undefined));
  }

  private note(item: PlanItem, i: number, outcome: Outcome): undefined {
    this.outcomes[i] = { ...outcome, n: this.from + i };
    if (outcome.t === "skip") this.skipped.push({ path: item.path, reason: outcome.why });
    if (outcome.t === "fail") this.errors.push({ path: item.path, message: outcome.message });
    if (outcome.t === "held") this.noteHeld(item);
  }

  /** It is off its place. */
  private noteMoved(item: PlanItem): void {
    this.moved.push(item);
    this.movedBytes += item.bytes;
    this.directories.add(`${item.root}\0${path.posix.dirname(item.path)}`);
  }

  private noteHeld(item: PlanItem): void {
    this.noteMoved(item);
    this.heldFiles++;
    this.heldBytes += item.bytes;
    this.heldMs = Math.max(this.heldMs, this.undoMsOf(item));
  }

  private undoMsOf(item: PlanItem): number {
    return item.undoMs ?? this.input.undoMs;
  }

  /** A promise only where something has to be waited for. */
  private take(item: PlanItem, i: number): Promise<void> | undefined {
    try {
      const sight = this.look(item);
      if (typeof sight === "string") return this.note(item, i, { t: "skip", why: sight });
      const answer = this.input.recheck(item, entryOf(item, sight.stat));
      if (answer instanceof Promise) return this.takeWhenAnswered(item, i, answer);
      if (answer !== undefined) return this.note(item, i, { t: "skip", why: answer });
      return this.takeNow(item, i, sight.place);
    } catch (error) {
      return this.takeAgain(item, i, error);
    }
  }

  private async takeWhenAnswered(item: PlanItem, i: number, answer: Promise<string | undefined>): Promise<void> {
    try {
      await this.finish(item, i, await answer);
    } catch (error) {
      await this.takeAgain(item, i, error);
    }
  }

  /** An answer that took its time: what was seen before is looked at again. */
  private finish(item: PlanItem, i: number, answer: string | undefined): Promise<void> | undefined {
    const sight = answer ?? this.look(item);
    if (typeof sight !== "string") return this.takeNow(item, i, sight.place);
    return this.note(item, i, { t: "skip", why: sight });
  }

  /** A try that waited for the system starts with the questions again: their answers are old by then. */
  private async takeAgain(item: PlanItem, i: number, failed: unknown): Promise<void> {
    try {
      // What is deleted makes room for the next.
      if (isFull(failed)) await this.deleter.settled();
      await this.retry(
        async () => {
          this.places.forget();
          const sight = this.look(item);
          await this.finish(item, i, typeof sight === "string" ? sight : await this.input.recheck(item, entryOf(item, sight.stat)));
        },
        isFull(failed) ? undefined : failed,
      );
    } catch (error) {
      this.places.forget();
      if (error instanceof JournalError) throw error;
      this.explainFailure(item, i, error);
    }
  }

  /** Why the file may not be taken, or what it is now and the way to it. */
  private look(item: PlanItem): Sight | string {
    const { guard } = this.input;
    const now = performance.now();
    if (now > this.lookedAt + MOMENT_MS) {
      this.places.forget();
      this.lookedAt = now;
    }
    let place: Place;
    try {
      place = this.places.of(item.root, path.posix.dirname(item.path));
    } catch (error) {
      this.places.forget();
      if (!(error instanceof Refusal) && !["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      // A look at each component finds the words.
      return guard.refuse(item) ?? (error instanceof Refusal ? error.message : "gone");
    }
    const stat = lstatOrNothing(place.source.entry(path.posix.basename(item.path)));
    if (!stat) return "gone";
    const why = place.source.steady ? guard.refuseFound(item, stat) : guard.refuse(item);
    if (why !== undefined) return why;
    return this.open.size > 0 && this.open.has(`${stat.dev}:${stat.ino}`) ? t("open in another program") : { place, stat };
  }

  /** Between two directories that are held open, so that nobody can lead the move elsewhere (R1). */
  private takeNow(item: PlanItem, i: number, place: Place): Promise<void> | undefined {
    const name = path.posix.basename(item.path);
    const from = place.source.entry(name);
    const hold = withRoom(homeOf(item.root), () => {
      const directory = place.hold();
      fs.renameSync(from, directory.entry(name));
      return directory;
    });
    const to = hold.entry(name);
    const seen = lstatOrNothing(to);
    // What was moved must be what was previewed; if not, it goes back (R3).
    if (!seen) return this.note(item, i, { t: "fail", message: t("it vanished while it was moved") });
    if (!seen.isFile() || !item.identity || !isSame(seen, item.identity)) return this.putBack(item, i, to, from);
    if (this.undoMsOf(item) > 0) return this.note(item, i, { t: "held" });
    const { root, path: relative, allocated, identity } = item;
    const file = { n: this.from + i, root, path: relative, allocated, identity };
    place.source.retain();
    const tell = (deletion: Deletion): void => {
      if ("message" in deletion && deletion.changed) this.putBack(item, i, to, from);
      else this.noteDeletion(item, i, file, deletion);
      place.source.release();
    };
    return this.deleter.delete(file, hold, tell, seen);
  }

  private noteDeletion(item: PlanItem, i: number, file: HeldFile, deletion: Deletion): void {
    if ("message" in deletion) {
      this.note(item, i, { t: "held" });
      this.errors.push({ path: item.path, message: deletion.message });
      return;
    }
    this.outcomes[i] = recordOf(file, deletion);
    this.noteMoved(item);
    if (deletion.gone) return;
    this.deletedFiles++;
    this.freedBytes += deletion.freed;
  }

  private putBack(item: PlanItem, i: number, to: string, from: string): undefined {
    try {
      const back = restoreFile(to, from);
      this.note(item, i, { t: "skip", why: back === from ? "changed" : `changed, kept as ${path.basename(back)}` });
    } catch (error) {
      this.leaveToRecovery(item, error);
    }
  }

  /**
   * What could not be put back is no file of this run, so it is not noted as held: nothing purges it, and its intent stays
   * without an outcome, which is what recovery looks for.
   */
  private leaveToRecovery(item: PlanItem, error: unknown): void {
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
  private explainFailure(item: PlanItem, i: number, error: unknown): void {
    const { signal } = this.input;
    const held = lstatOrNothing(path.join(holdOf(item.root, this.run), item.path));
    if (held?.isFile() && item.identity && isSame(held, item.identity)) this.note(item, i, { t: "held" });
    else if (held) this.leaveToRecovery(item, error);
    else if (signal?.aborted && (error === signal.reason || (error as Error).name === "AbortError"))
      this.note(item, i, { t: "skip", why: "cancelled" });
    else if (!lstatOrNothing(path.join(item.root, item.path))) this.note(item, i, { t: "skip", why: "gone" });
    else if (error instanceof Refusal) this.note(item, i, { t: "skip", why: error.message });
    else this.note(item, i, { t: "fail", message: explainErrno(error) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.places[Symbol.dispose]();
    await this.deleter.settled();
  }
}

function entryOf(item: PlanItem, stat: fs.BigIntStats): FileEntry {
  return {
    store: item.store,
    root: item.root,
    path: item.path,
    bytes: Number(stat.size),
    allocated: Number(stat.blocks) * 512,
    mtimeMs: Number(stat.mtimeNs) / 1e6,
    ctimeMs: Number(stat.ctimeNs) / 1e6,
    dev: Number(stat.dev),
    ino: Number(stat.ino),
    links: Number(stat.nlink),
    type: stat.isFile() ? "file" : stat.isSymbolicLink() ? "link" : "other",
  };
}
