/** Whose run of a job it is, and whether that is somebody else's (R39). */
import { t } from "@vscode/l10n";
import { type Heartbeat, type Lease, stateOfLease } from "../core/jobs/lease.ts";
import type { Manifest } from "../core/jobs/manifest.ts";
import { lookForProcess, type ProcessIdentity, thisProcess, uptimeMs } from "../core/process.ts";

/** One run of a job, as its manifest names it. */
export interface Run {
  readonly started: string;
  readonly lease: Lease;
}

/**
 * Whether the manifest is of this run: it began in the same moment, and the same process has it, or it is this one that went on with
 * it. Invariant: a job that begins anew has another `started` than before ({@link beginAfter}).
 */
export function isRunOf({ job, lease }: Manifest, run: Run): boolean {
  return job.started === run.started && (isSame(lease, run.lease) || isSame(lease, thisProcess()));
}

/** Two runs of one process may begin within one tick of the clock; a clock that was set back for good is believed. */
export function beginAfter(old: Manifest | undefined, nowMs: number): string {
  const before = old === undefined ? Number.NEGATIVE_INFINITY : Date.parse(old.job.started);
  return new Date(nowMs <= before && before - nowMs < 60_000 ? before + 1 : nowMs).toISOString();
}

/**
 * Who holds a job that runs, in words; undefined when it may be taken over: nobody holds it, this process does, or its process is
 * gone for certain. A process that cannot be seen from here counts as gone when its lease is over and the caller means to go on.
 * `sign` is the last sign of life of the one who holds it.
 */
export function whoElse({ job, lease }: Manifest, sign: Heartbeat | undefined, resume: boolean): string | undefined {
  const me = thisProcess();
  if (job.state !== "running" || isSame(lease, me)) return undefined;
  const process = lookForProcess(lease, me);
  if (process === "gone") return undefined;
  // One from before belongs to a process that ran the same job earlier.
  const current = sign && Date.parse(sign.at) >= Date.parse(job.started) ? sign : { at: job.started };
  const { state, words } = stateOfLease(lease, current, { wallMs: Date.now(), uptimeMs: uptimeMs() });
  if (process !== "unknown" || state !== "unknown") return t("another process is at work on it ({0})", words);
  // A sign from the future is that of a clock that is ahead of this one, perhaps of one who lives.
  if (Date.parse(current.at) > Date.now()) return t("another process may be at work on it ({0})", words);
  return resume ? undefined : t("another process may be at work on it ({0}); if that is gone for good, start it with resume: true", words);
}

/** A machine may get another name while a process runs. */
function isSame(a: ProcessIdentity, b: ProcessIdentity): boolean {
  const sameTable = a.boot === b.boot && a.namespace === b.namespace && (a.host === b.host || (a.boot !== "" && a.namespace !== ""));
  return sameTable && a.pid === b.pid && a.started === b.started;
}
