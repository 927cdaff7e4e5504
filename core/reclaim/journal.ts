/**
 * The journal of a run: what it is about to do, fsynced before it does it, and what became of it (R60, R66).
 * One record a line, `sequence length checksum json`: a torn tail is cut, a bad middle is noticed (R69).
 */
import fs from "node:fs";
import { crc32 } from "node:zlib";
import type { Identity, Reason } from "../model.ts";
import { Refusal, syncDirectory } from "./home.ts";
import path from "node:path";
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
    }
  | {
      readonly t: "intend";
      readonly n: number;
      readonly root: string;
      readonly path: string;
      readonly store: string;
      readonly owner?: string;
      readonly reason: Reason;
      readonly bytes: number;
      readonly allocated: number;
      readonly identity: Identity;
    }
  | { readonly t: "held"; readonly n: number }
  | { readonly t: "skip"; readonly n: number; readonly why: string }
  | { readonly t: "fail"; readonly n: number; readonly message: string }
  | { readonly t: "rmdir"; readonly root: string; readonly path: string; readonly mode: number }
  | { readonly t: "status"; readonly changes: readonly StatusChange[] }
  | { readonly t: "status-done" }
  | { readonly t: "end"; readonly at: string; readonly undoUntil?: string; readonly cancelled: boolean; readonly interrupted?: boolean }
  | { readonly t: "undo"; readonly ns: readonly number[] }
  | { readonly t: "restored"; readonly n: number; readonly to: string }
  | { readonly t: "purge"; readonly ns: readonly number[] }
  | { readonly t: "purged"; readonly n: number; readonly freed: number }
  | { readonly t: "gone"; readonly n: number };

/** The journal cannot be written, so nothing more may be done under it. What was done stands, and recovery finds it. */
export class JournalError extends Refusal {
  constructor(file: string, cause: unknown) {
    super(
      `stopped, because the journal ${file} cannot be written: ${explainErrno(cause)}; nothing is lost: mend that, then "offcut doctor" brings it to an end`,
    );
    this.cause = cause;
  }
}

/** Appending and syncing throw a {@link JournalError} when they fail, and from then on always. */
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
  const attempt = (act: () => void): void => {
    if (broken) throw broken;
    try {
      act();
    } catch (error) {
      broken = new JournalError(file, error);
      throw broken;
    }
  };
  return {
    append(...records) {
      if (records.length === 0) return;
      attempt(() => {
        const bytes = Buffer.from(records.map((record, i) => encode(sequence + i, record)).join(""));
        for (let written = 0; written < bytes.length;)
          written += fs.writeSync(handle, bytes, written, bytes.length - written, offset + written);
        sequence += records.length;
        offset += bytes.length;
        dirty = true;
      });
    },
    sync() {
      if (!dirty) return;
      attempt(() => fs.fsyncSync(handle));
      dirty = false;
    },
    [Symbol.dispose]() {
      fs.closeSync(handle);
    },
  };
}

function openFile(file: string, flags: string): number {
  try {
    return fs.openSync(file, flags);
  } catch (error) {
    throw new JournalError(file, error);
  }
}

/** The text of a whole journal, for one that is written anew. */
export function encodeJournal(records: readonly JournalRecord[]): string {
  return records.map((record, i) => encode(i, record)).join("");
}

function encode(sequence: number, record: JournalRecord): string {
  const json = JSON.stringify(record);
  return `${sequence} ${Buffer.byteLength(json)} ${(crc32(json) >>> 0).toString(16)} ${json}\n`;
}

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
