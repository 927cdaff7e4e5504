/** Mount points, because a bind mount has its device's number like any other directory and only this list gives it away (R4). */
import { readFileSync } from "node:fs";

/** The decoded mount points of a `/proc/<pid>/mountinfo` text (proc(5)): the fifth field, with its octal escapes. @internal */
export function parseMountinfo(text: string): readonly string[] {
  const points: string[] = [];
  for (const line of text.split("\n")) {
    const point = line.split(" ")[4];
    if (point !== undefined)
      points.push(point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
  }
  return points;
}

/**
 * The mount points of this process; empty where the system has no such list and device numbers alone tell.
 * Throws when Linux has the list and does not show it.
 */
export function readMountPoints(): readonly string[] {
  return process.platform === "linux" ? parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8")) : [];
}

/** Those of `points` that lie below `directory` (its real path), relative to it. */
export function mountsBelow(directory: string, points: readonly string[]): ReadonlySet<string> {
  const start = directory.endsWith("/") ? directory : `${directory}/`;
  return new Set(points.filter((point) => point.startsWith(start) && point !== start).map((point) => point.slice(start.length)));
}
