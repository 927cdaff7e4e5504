/** When files were changed. */
import fs from "node:fs";

/** Filesystems stamp times in ticks. */
const TICK_MS = 1000;

/** Milliseconds since 1970; before everything when it is not there. */
export function changedAt(file: string): number {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  return stat ? Math.max(stat.mtimeMs, stat.ctimeMs) : Number.NEGATIVE_INFINITY;
}

export function isSince(changedMs: number, startedMs: number): boolean {
  return changedMs >= startedMs - TICK_MS;
}
