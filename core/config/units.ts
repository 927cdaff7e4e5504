/** Durations and sizes as people write them in `offcut.json`. */

const DURATIONS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const SIZES: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3, tb: 1024 ** 4 };

/** A thousand years: a date that far away still is one (ECMA-262 ends them in the year 275760). */
const LONGEST_MS = 1000 * 366 * 86_400_000;

/** `"90s"`, `"1h"`, `"1.5d"` in milliseconds; undefined when it is not a duration, is negative or above a thousand years. */
export function parseDuration(text: string): number | undefined {
  const duration = parseUnit(text, DURATIONS);
  return duration !== undefined && duration <= LONGEST_MS ? duration : undefined;
}

/** `"900MB"`, `"1 GB"` in bytes, 1 KB = 1024 bytes; undefined when it is not a size, is negative or too large to count. */
export function parseSize(text: string): number | undefined {
  return parseUnit(text, SIZES);
}

function parseUnit(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*$/.exec(text);
  if (!match) return undefined;
  const factor = units[match[2]!.toLowerCase()];
  if (factor === undefined) return undefined;
  const value = Math.round(Number(match[1]) * factor);
  return Number.isSafeInteger(value) ? value : undefined;
}
