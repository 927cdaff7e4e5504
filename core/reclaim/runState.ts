/** What a journal says, added up: the state of a run and of each of its files. */
import type { RunSummary } from "../model.ts";
import type { JournalRecord, StatusChange } from "./journal.ts";

type Intent = Extract<JournalRecord, { t: "intend" }>;

export interface RunFile extends Intent {
  /** `intended`: a crash came between the intent and its outcome. */
  state: "intended" | "held" | "kept" | "failed" | "restored" | "purged" | "gone";
  note?: string;
  freed: number;
  restoredTo?: string;
  /** What was about to be done with a held file and has no outcome. */
  pending?: "undo" | "purge";
}

export interface RunState {
  readonly run: string;
  readonly started: string;
  readonly root: string;
  readonly pid: number;
  readonly schema: number;
  readonly undoMs: number;
  readonly files: readonly RunFile[];
  readonly directories: readonly { readonly root: string; readonly path: string; readonly mode: number }[];
  readonly statuses: readonly { readonly changes: readonly StatusChange[]; readonly done: boolean }[];
  readonly ended?: string;
  readonly undoUntil?: string;
  readonly cancelled: boolean;
  readonly interrupted: boolean;
}

/** Undefined when the journal does not even have its first record: nothing was done. */
export function foldJournal(records: readonly JournalRecord[]): RunState | undefined {
  const start = records[0];
  if (start?.t !== "start") return undefined;
  const files = new Map<number, RunFile>();
  const directories: { root: string; path: string; mode: number }[] = [];
  const statuses: { changes: readonly StatusChange[]; done: boolean }[] = [];
  let end: Extract<JournalRecord, { t: "end" }> | undefined;
  const set = (n: number, state: RunFile["state"], note?: string): RunFile | undefined => {
    const file = files.get(n);
    if (!file) return undefined;
    file.state = state;
    delete file.pending;
    if (note !== undefined) file.note = note;
    return file;
  };
  for (const record of records) {
    switch (record.t) {
      case "intend":
        files.set(record.n, { ...record, state: "intended", freed: 0 });
        break;
      case "held":
        set(record.n, "held");
        break;
      case "skip":
        set(record.n, "kept", record.why);
        break;
      case "fail":
        set(record.n, "failed", record.message);
        break;
      case "gone":
        set(record.n, "gone");
        break;
      case "restored": {
        const file = set(record.n, "restored");
        if (file) file.restoredTo = record.to;
        break;
      }
      case "purged": {
        const file = set(record.n, "purged");
        if (file) file.freed = record.freed;
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
    files: [...files.values()],
    directories,
    statuses,
    ...(end && { ended: end.at }),
    ...(end?.undoUntil !== undefined && { undoUntil: end.undoUntil }),
    cancelled: end?.cancelled ?? false,
    interrupted: end?.interrupted ?? false,
  };
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
