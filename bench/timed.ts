/** Runs a command and measures it: wall time, and the peak resident set that the kernel counted. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Timed {
  readonly milliseconds: number;
  /** Bytes. */
  readonly peak: number;
  readonly stdout: string;
}

export interface TimedOptions {
  readonly cwd?: string;
  /** Exit codes that are no failure. Default: 0. */
  readonly codes?: readonly number[];
}

const MOST_OUTPUT = 2 ** 30;

/** Throws when the command fails. Needs GNU time. */
export function runTimed(command: readonly string[], { cwd, codes = [0] }: TimedOptions = {}): Timed {
  const home = mkdtempSync(join(tmpdir(), "offcut-timed-"));
  try {
    const peak = join(home, "peak");
    const start = performance.now();
    const { status, stdout, stderr, error } = spawnSync("/usr/bin/time", ["--quiet", "-f", "%M", "-o", peak, ...command], {
      stdio: ["ignore", "pipe", "pipe"],
      encoding: "utf8",
      maxBuffer: MOST_OUTPUT,
      ...(cwd !== undefined && { cwd }),
    });
    const milliseconds = performance.now() - start;
    if (error || status === null || !codes.includes(status))
      throw new Error(`${command.join(" ")} failed: ${error?.message ?? `${status} ${stderr.slice(-2000)}`}`);
    return { milliseconds, peak: Number(readFileSync(peak, "utf8")) * 1024, stdout };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** The value below which a share of the values lies: 0.5 is the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
