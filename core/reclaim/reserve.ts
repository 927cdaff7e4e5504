/**
 * A little room on the disk that is given up when there is none left, so that a full disk can still be cleaned (R57): what a
 * cleanup writes to free space — lock, journal, records, directories of the hold — takes its blocks, and its inodes. A run makes
 * it, and makes it again when there is room; a look never does (R13).
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

/** Several files, because on some filesystems inodes run out before blocks do. */
const FILES = 16;
/** Bytes of each. Less on a small filesystem. */
const FILE_BYTES = 32 * 1024;
const LEAST_BYTES = 4096;
/** What is begun may use all but these files: they are for noting how it ended. */
const KEPT_FOR_THE_END = 4;
/** The reserve is made only where so many times its size is free, so that it never takes the last room from anybody. */
const ROOM = 4;
/** And it never takes more than this part of a filesystem. */
const SHARE = 256;

export function reserveOf(home: string): string {
  return path.join(home, "reserve");
}

/** Makes what is missing of the reserve, if there is room. Never fails: without a reserve a cleanup works as long as the disk is not full. */
export function makeReserve(home: string): void {
  const directory = reserveOf(home);
  try {
    const bytes = fileBytes(home);
    fs.mkdirSync(directory, { recursive: true });
    if (!fs.lstatSync(directory).isDirectory()) return;
    const missing = namesOf(directory).filter((file) => !isWhole(file, bytes));
    if (missing.length === 0 || !hasRoom(home, missing.length * bytes)) return;
    for (const file of missing) {
      fs.rmSync(file, { force: true });
      fs.writeFileSync(file, randomBytes(bytes), { flag: "wx" }); // Random, so that no filesystem compresses it away.
    }
  } catch {
    // The disk is nearly full, or read-only. Half a file is no reserve.
    for (const file of namesOf(directory)) dropIncomplete(file);
  }
}

/**
 * Does something that takes room. When the disk is full, the reserve is given up bit by bit until it succeeds. `last` is for what
 * brings a run to its end, which may use all of it.
 */
export function withRoom<T>(home: string, act: () => T, { last = false }: { readonly last?: boolean } = {}): T {
  for (;;) {
    try {
      return act();
    } catch (error) {
      if (!isFull(error) || !giveUp(home, last ? 0 : KEPT_FOR_THE_END)) throw error;
    }
  }
}

/** No blocks, no inodes, or no more of the user's share. */
export function isFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");
}

/** Whether one more file of the reserve could be let go. */
function giveUp(home: string, keep: number): boolean {
  const directory = reserveOf(home);
  if (!fs.lstatSync(directory, { throwIfNoEntry: false })?.isDirectory()) return false;
  const left = namesOf(directory).filter((file) => fs.lstatSync(file, { throwIfNoEntry: false })?.isFile());
  const [first] = left;
  if (first === undefined || left.length <= keep) return false;
  try {
    fs.unlinkSync(first);
    return true;
  } catch {
    return false;
  }
}

function namesOf(directory: string): string[] {
  return Array.from({ length: FILES }, (_, i) => path.join(directory, String(i)));
}

function isWhole(file: string, bytes: number): boolean {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size === bytes;
}

function dropIncomplete(file: string): void {
  try {
    if ((fs.lstatSync(file, { throwIfNoEntry: false })?.size ?? FILE_BYTES) < LEAST_BYTES) fs.unlinkSync(file);
  } catch {
    // It stays, and does no harm.
  }
}

function fileBytes(home: string): number {
  const { blocks, bsize } = fs.statfsSync(home);
  const share = Math.floor((blocks * bsize) / SHARE / FILES);
  return Math.max(LEAST_BYTES, Math.min(FILE_BYTES, share - (share % LEAST_BYTES)));
}

function hasRoom(home: string, bytes: number): boolean {
  const { bavail, bsize, files, ffree } = fs.statfsSync(home);
  return bavail * bsize >= bytes * ROOM && (files === 0 || ffree >= FILES * ROOM);
}
