/**
 * The journal of a run: what it is about to do, fsynced before it does it, and what became of it (R60, R66).
 * One record a line, `sequence length checksum json`: a torn tail is cut, a bad middle is noticed (R69).
 */
import fs from "node:fs";
import { crc32 } from "node:zlib";
import type { Reason } from "../model.ts";
import { HOME, Refusal, syncDirectory } from "./home.ts";
import path from "node:path";
import { isFull, withRoom } from "./reserve.ts";
import { explainErrno } from "./retry.ts";

export interface StatusChange {
  /** Absolute path of the database. */
  readonly database: string;
  readonly owner: string;
  readonly before: { readonly status: string | null; readonly completedAt: string | null };
  readonly after: { readonly status: string | null; readonly completedAt: string | null };
}

export type JournalRecord =
  | {
      readonly t: "start";
      readonly schema: number;
      readonly run: string;
      readonly at: string;
      readonly root: string;
      readonly digest: string;
      readonly undoMs: number;
      readonly files: number;
      readonly bytes: number;
      readonly pid: number;
      readonly automatic?: boolean;
    }
  | IntendRecord
  | OutcomeRecord
  | { readonly t: "rmdir"; readonly root: string; readonly path: string; readonly mode: number }
  | { readonly t: "status"; readonly changes: readonly StatusChange[] }
  | { readonly t: "status-done" }
  | { readonly t: "end"; readonly at: string; readonly undoUntil?: string; readonly cancelled: boolean; readonly interrupted?: boolean }
  | { readonly t: "undo"; readonly ns: readonly number[] }
  | { readonly t: "restored"; readonly n: number; readonly to: string }
  | { readonly t: "purge"; readonly ns: readonly number[] };

/** What is about to be done with some files of one directory: moved into the hold, and deleted at once where `undoMs` is 0. */
export interface IntendRecord {
  readonly t: "intend";
  /** The number of the first file; the others follow. */
  readonly n: number;
  readonly root: string;
  /** Relative to the root. */
  readonly directory: string;
  readonly store: string;
  readonly owner?: string;
  readonly reason: Reason;
  /** How long they are held, milliseconds; absent when as long as the run says. */
  readonly undoMs?: number;
  readonly dev: string;
  /** Name, bytes, bytes occupied, inode, mtime in nanoseconds. Short, because a run may have a hundred thousand. */
  readonly files: readonly (readonly [name: string, bytes: number, allocated: number, ino: string, mtimeNs: string])[];
}

/** What became of the files `n` to `to`, or of `n` alone. */
export type OutcomeRecord = { readonly n: number; readonly to?: number } & (
  | { readonly t: "held" }
  | { readonly t: "skip"; readonly why: string }
  | { readonly t: "fail"; readonly message: string }
  /** `freed` is absent when it is what the intent says that the file occupies. */
  | { readonly t: "purged"; readonly freed?: number }
  | { readonly t: "gone" }
);

/** Outcomes in the order of their numbers, in as few records as say the same: neighbours that agree share one. */
export function joinOutcomes(outcomes: readonly OutcomeRecord[]): readonly OutcomeRecord[] {
  const joined: OutcomeRecord[] = [];
  for (const outcome of outcomes) {
    const last = joined.at(-1);
    if (last && (last.to ?? last.n) + 1 === outcome.n && saysTheSame(last, outcome))
      joined[joined.length - 1] = { ...last, to: outcome.to ?? outcome.n };
    else joined.push(outcome);
  }
  return joined;
}

function saysTheSame(a: OutcomeRecord, b: OutcomeRecord): boolean {
  if (a.t !== b.t) return false;
  if (a.t === "skip") return a.why === (b as typeof a).why;
  if (a.t === "fail") return a.message === (b as typeof a).message;
  return a.t !== "purged" || (a.freed === undefined && (b as typeof a).freed === undefined);
}

/** The journal cannot be written, so nothing more may be done under it. What was done stands, and recovery finds it. */
export class JournalError extends Refusal {
  constructor(file: string, cause: unknown) {
    super(
      `stopped, because the journal ${file} cannot be written: ${explainErrno(cause)}; nothing is lost: mend that, then "offcut doctor" brings it to an end`,
    );
    this.cause = cause;
  }

  /** Nothing of what should be noted was noted, and the journal is as good as before: there was no room for it. */
  get isFull(): boolean {
    return isFull(this.cause);
  }
}

/**
 * Appending and syncing throw a {@link JournalError} when they fail, and from then on always; but when there is no room for what
 * is appended, less may still find some.
 */
export interface Journal extends Disposable {
  append(...records: readonly JournalRecord[]): void;
  /** Everything appended is on the disk when this returns. */
  sync(): void;
}

/** Starts a new journal (`sequence` 0), or goes on with one after its last good record. */
export function openJournal(file: string, at: { readonly sequence: number; readonly bytes: number } = { sequence: 0, bytes: 0 }): Journal {
  const handle = openFile(file, at.sequence === 0 && at.bytes === 0 ? "wx" : "r+");
  let sequence = at.sequence;
  let offset = at.bytes;
  let dirty = false;
  let broken: JournalError | undefined;
  try {
    fs.ftruncateSync(handle, offset); // A torn tail would hide what follows it.
    syncDirectory(path.dirname(file));
  } catch (error) {
    fs.closeSync(handle);
    throw new JournalError(file, error);
  }
  const write = (bytes: Buffer): void => {
    for (let written = 0; written < bytes.length;)
      written += fs.writeSync(handle, bytes, written, bytes.length - written, offset + written);
  };
  /** What was written in part is cut, so that what follows is not hidden by it. */
  const cut = (): void => {
    try {
      fs.ftruncateSync(handle, offset);
    } catch (error) {
      broken = new JournalError(file, error);
    }
  };
  return {
    append(...records) {
      if (broken) throw broken;
      if (records.length === 0) return;
      const bytes = Buffer.concat(records.map((record, i) => encode(sequence + i, record)));
      try {
        // What was begun has to be brought to its end: for that the whole reserve is there.
        roomFor(file, () => write(bytes), { last: !records.some(isBeginning) });
      } catch (error) {
        const failure = new JournalError(file, error);
        if (failure.isFull) cut();
        else broken = failure;
        throw broken ?? failure;
      }
      sequence += records.length;
      offset += bytes.length;
      dirty = true;
    },
    sync() {
      if (broken) throw broken;
      if (!dirty) return;
      try {
        fs.fsyncSync(handle);
      } catch (error) {
        broken = new JournalError(file, error);
        throw broken;
      }
      dirty = false;
    },
    [Symbol.dispose]() {
      fs.closeSync(handle);
    },
  };
}

function isBeginning(record: JournalRecord): boolean {
  return record.t === "start" || record.t === "intend" || record.t === "undo" || record.t === "purge";
}

/** Journals lie in `.offcut/runs`, the reserve beside that. */
function roomFor<T>(file: string, act: () => T, options?: { readonly last: boolean }): T {
  const home = path.dirname(path.dirname(file));
  return path.basename(home) === HOME ? withRoom(home, act, options) : act();
}

function openFile(file: string, flags: string): number {
  try {
    return roomFor(file, () => fs.openSync(file, flags));
  } catch (error) {
    throw new JournalError(file, error);
  }
}

/** The text of a whole journal, for one that is written anew. */
export function encodeJournal(records: readonly JournalRecord[]): string {
  return Buffer.concat(records.map((record, i) => encode(i, record))).toString();
}

function encode(sequence: number, record: JournalRecord): Buffer {
  const json = Buffer.from(JSON.stringify(record));
  return Buffer.concat([Buffer.from(`${sequence} ${json.length} ${(crc32(json) >>> 0).toString(16)} `), json, NEWLINE]);
}

const NEWLINE = Buffer.from("\n");

export interface JournalContents {
  readonly records: readonly JournalRecord[];
  /** Where to go on writing. */
  readonly end: { readonly sequence: number; readonly bytes: number };
  /** `torn`: the last record was cut off, as a crash does. `damaged`: good records follow a bad one. */
  readonly fault?: "torn" | "damaged";
  /** Good records after a bad one. What is missing between may have changed their meaning, so they only give hints. */
  readonly later?: readonly JournalRecord[];
}

export function readJournal(file: string): JournalContents {
  const bytes = fs.readFileSync(file);
  const records: JournalRecord[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const end = bytes.indexOf(10, offset);
    const record = end === -1 ? undefined : decode(bytes.subarray(offset, end), records.length);
    if (!record) {
      const later = goodRecords(bytes, end === -1 ? bytes.length : end + 1);
      return { records, end: { sequence: records.length, bytes: offset }, fault: later.length > 0 ? "damaged" : "torn", later };
    }
    records.push(record);
    offset = end + 1;
  }
  return { records, end: { sequence: records.length, bytes: offset } };
}

/** Of the bytes of several journals end to end. Records that cannot be read are left out, with what follows them in their journal. */
export function readJournals(bytes: Buffer): { readonly journals: readonly (readonly JournalRecord[])[]; readonly whole: boolean } {
  const journals: JournalRecord[][] = [];
  let current: JournalRecord[] | undefined;
  let whole = true;
  for (let offset = 0; offset < bytes.length;) {
    const end = bytes.indexOf(10, offset);
    const line = bytes.subarray(offset, end === -1 ? bytes.length : end);
    const next = end === -1 ? undefined : current && decode(line, current.length);
    const first = end === -1 || next ? undefined : decode(line, 0);
    if (next) current?.push(next);
    else if (first) journals.push((current = [first]));
    else {
      whole = false;
      current = undefined;
    }
    offset = end === -1 ? bytes.length : end + 1;
  }
  return { journals, whole };
}

function decode(line: Buffer, expected: number | undefined): JournalRecord | undefined {
  const match = /^(\d+) (\d+) ([0-9a-f]+) /.exec(line.subarray(0, 48).toString("latin1"));
  if (!match || (expected !== undefined && Number(match[1]) !== expected)) return undefined;
  const json = line.subarray(match[0].length);
  if (json.length !== Number(match[2]) || (crc32(json) >>> 0).toString(16) !== match[3]) return undefined;
  return JSON.parse(json.toString("utf8")) as JournalRecord;
}

function goodRecords(bytes: Buffer, from: number): JournalRecord[] {
  const records: JournalRecord[] = [];
  for (let offset = from; offset < bytes.length;) {
    const end = bytes.indexOf(10, offset);
    const record = end === -1 ? undefined : decode(bytes.subarray(offset, end), undefined);
    if (record) records.push(record);
    offset = end === -1 ? bytes.length : end + 1;
  }
  return records;
}
