/** What a journal says, added up: the state of a run and of each of its files. */
import path from "node:path";
import type { Identity, Reason, RunSummary } from "../model.ts";
import { sameIdentity } from "../plan/build.ts";
import type { IntendRecord, JournalRecord, OutcomeRecord, StatusChange } from "./journal.ts";

export interface RunFile {
  readonly n: number;
  readonly root: string;
  readonly path: string;
  readonly store: string;
  readonly owner?: string;
  readonly reason: Reason;
  readonly bytes: number;
  readonly allocated: number;
  readonly identity: Identity;
  /** How long it is held, milliseconds; 0: it is deleted at once. */
  readonly undoMs: number;
  /** `intended`: a crash came between the intent and its outcome. */
  state: "intended" | "held" | "kept" | "failed" | "restored" | "purged" | "gone";
  note?: string;
  freed: number;
  restoredTo?: string;
  /** What was about to be done with a held file and has no outcome. */
  pending?: "undo" | "purge";
  /** Its workspace was moved or copied since, and so its inode and device may be others. */
  readonly relocated?: true;
  /** It belongs to the workspace of which this one is a copy; `note` says so. */
  readonly foreign?: true;
}

/** Whether what was found is this file, unchanged. */
export function isThisFile({ relocated, identity }: Pick<RunFile, "relocated" | "identity">, found: Identity): boolean {
  return relocated ? found.bytes === identity.bytes && cameWithTime(found.mtimeNs, identity.mtimeNs) : sameIdentity(found, identity);
}

const SECOND_NS = 1_000_000_000n;

/** Archives keep whole seconds. Texts of nanoseconds since 1970. */
export function cameWithTime(now: string, then: string): boolean {
  const [found, recorded] = [BigInt(now), BigInt(then)];
  return found === recorded || found === recorded - (recorded % SECOND_NS);
}

/** The files of an intent, before anything was done with them. `undoMs` is that of the run. */
export function intendedFiles(record: IntendRecord, undoMs: number): RunFile[] {
  const { root, directory, store, owner, reason, dev } = record;
  return record.files.map(([name, bytes, allocated, ino, mtimeNs], i) => ({
    n: record.n + i,
    root,
    path: path.posix.join(directory, name),
    store,
    ...(owner !== undefined && { owner }),
    reason,
    bytes,
    allocated,
    identity: { dev, ino, bytes, mtimeNs },
    undoMs: record.undoMs ?? undoMs,
    state: "intended",
    freed: 0,
  }));
}

export interface RunState {
  readonly run: string;
  readonly started: string;
  readonly root: string;
  readonly pid: number;
  readonly schema: number;
  readonly undoMs: number;
  readonly automatic: boolean;
  readonly files: readonly RunFile[];
  readonly directories: readonly { readonly root: string; readonly path: string; readonly mode: number }[];
  readonly statuses: readonly { readonly changes: readonly StatusChange[]; readonly done: boolean }[];
  readonly ended?: string;
  readonly undoUntil?: string;
  readonly cancelled: boolean;
  readonly interrupted: boolean;
  /** Why some of the files are not for this workspace to bring back or to free. */
  readonly foreign?: string;
}

/** Undefined when the journal does not even have its first record: nothing was done. Its places are those that the journal names. */
export function foldJournal(records: readonly JournalRecord[]): RunState | undefined {
  const start = records[0];
  if (start?.t !== "start") return undefined;
  const files = new Map<number, RunFile>();
  const directories: { root: string; path: string; mode: number }[] = [];
  const statuses: { changes: readonly StatusChange[]; done: boolean }[] = [];
  let end: Extract<JournalRecord, { t: "end" }> | undefined;
  const settle = (record: OutcomeRecord): void => {
    for (let n = record.n; n <= (record.to ?? record.n); n++) {
      const file = files.get(n);
      if (file) applyOutcome(file, record);
    }
  };
  for (const record of records) {
    switch (record.t) {
      case "intend":
        for (const file of intendedFiles(record, start.undoMs)) files.set(file.n, file);
        break;
      case "held":
      case "skip":
      case "fail":
      case "gone":
      case "purged":
        settle(record);
        break;
      case "restored": {
        const file = files.get(record.n);
        if (!file) break;
        file.state = "restored";
        file.restoredTo = record.to;
        delete file.pending;
        break;
      }
      case "rmdir":
        directories.push(record);
        break;
      case "status":
        statuses.push({ changes: record.changes, done: false });
        break;
      case "status-done":
        if (statuses.length > 0) statuses[statuses.length - 1]!.done = true;
        break;
      case "end":
        end = record;
        break;
      case "undo":
      case "purge":
        for (const n of record.ns) {
          const file = files.get(n);
          if (file) file.pending = record.t;
        }
        break;
      default: // "start" was read above.
    }
  }
  return {
    run: start.run,
    started: start.at,
    root: start.root,
    pid: start.pid,
    schema: start.schema,
    undoMs: start.undoMs,
    automatic: start.automatic === true,
    files: [...files.values()].sort(byOwnerStorePath),
    directories,
    statuses,
    ...(end && { ended: end.at }),
    ...(end?.undoUntil !== undefined && { undoUntil: end.undoUntil }),
    cancelled: end?.cancelled ?? false,
    interrupted: end?.interrupted ?? false,
  };
}

/** As in a plan: the journal has them as they lie on the disk. */
function byOwnerStorePath(a: RunFile, b: RunFile): number {
  return compare(a.owner ?? "\uFFFF", b.owner ?? "\uFFFF") || compare(a.store, b.store) || compare(a.path, b.path) || a.n - b.n;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function applyOutcome(file: RunFile, record: OutcomeRecord): void {
  delete file.pending;
  switch (record.t) {
    case "skip":
      file.state = "kept";
      file.note = record.why;
      break;
    case "fail":
      file.state = "failed";
      file.note = record.message;
      break;
    case "purged":
      file.state = "purged";
      file.freed = record.freed ?? file.allocated;
      break;
    default:
      file.state = record.t;
  }
}

/** What a crash left is held at least so long, whatever the run says: nobody chose it. */
export const LEAST_AFTER_CRASH_MS = 3_600_000;

/** Whether a held file can go at a time, milliseconds since 1970: the time in which it can be brought back is over. */
export function isDue(state: RunState, file: RunFile, atMs: number): boolean {
  if (file.state !== "held" || state.ended === undefined) return false;
  const heldMs = state.interrupted ? Math.max(file.undoMs, LEAST_AFTER_CRASH_MS) : file.undoMs;
  return heldMs === 0 || Date.parse(state.ended) + heldMs <= atMs;
}

/** `busy`: somebody holds the lock, so a run without its end may be at work. */
export function summarise(state: RunState, reachable: boolean, busy: boolean): RunSummary {
  const held = state.files.filter((file) => file.state === "held");
  const moved = state.files.filter((file) => ["held", "restored", "purged", "gone"].includes(file.state));
  return {
    run: state.run,
    started: state.started,
    state: stateOf(state, held.length, moved.length, reachable, busy),
    files: moved.length,
    heldFiles: held.length,
    heldSpace: sum(held.map((file) => file.bytes)),
    freedSpace: sum(state.files.map((file) => file.freed)),
    ...(held.length > 0 && state.undoUntil !== undefined && { undoUntil: state.undoUntil }),
    ...(state.automatic && { automatic: true }),
    owners: [...new Set(moved.flatMap((file) => (file.owner === undefined ? [] : [file.owner])))].sort(),
  };
}

function stateOf(state: RunState, held: number, moved: number, reachable: boolean, busy: boolean): RunSummary["state"] {
  if (state.ended === undefined) return busy ? "running" : "interrupted";
  if (held > 0 && !reachable) return "unreachable";
  if (moved === 0) return "empty";
  const restored = state.files.filter((file) => file.state === "restored").length;
  if (held > 0) return restored > 0 ? "partly-undone" : "held";
  if (restored === 0) return "purged";
  return restored === moved ? "undone" : "partly-undone";
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
