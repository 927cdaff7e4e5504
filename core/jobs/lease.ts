/**
 * Who runs a job, and whether it still lives (R39). A lease names a process exactly; its heartbeat is a file beside the manifest, so
 * that a sign of life never rewrites the manifest. Age alone never proves death: a process that stands still is still at work.
 */
import fs from "node:fs";
import path from "node:path";
import { threadId } from "node:worker_threads";
import { t } from "@vscode/l10n";
import { lookForProcess, type ProcessIdentity, thisProcess, uptimeMs } from "../process.ts";
import { formatDuration } from "../words.ts";

export interface Lease extends ProcessIdentity {
  /** How long the job counts as alive after its last sign of life. */
  readonly durationMs: number;
}

export interface Heartbeat {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Since boot; absent when only the wall clock is known. */
  readonly uptimeMs?: number;
  /** ISO 8601, UTC: the job runs since then, and its manifest does not say so yet. */
  readonly notNotedSince?: string;
}

export interface Moment {
  readonly wallMs: number;
  readonly uptimeMs: number;
}

export interface LeaseState {
  readonly state: "live" | "ended" | "unknown";
  /** For people: who holds it, or since when nobody does. */
  readonly words: string;
}

export function myLease(durationMs: number): Lease {
  return { ...thisProcess(), durationMs };
}

/**
 * `live`: the process runs, or its last sign of life is not older than the lease. `ended`: the process is gone and the lease is over.
 * `unknown`: the lease is over, and nobody can tell from here whether the process runs.
 */
export function stateOfLease(lease: Lease, heartbeat: Heartbeat | undefined, now: Moment): LeaseState {
  const me = thisProcess();
  const process = lookForProcess(lease, me);
  const name = lease.host === me.host ? t("process {0}", lease.pid) : t("process {0} on {1}", lease.pid, lease.host);
  if (process === "alive") return { state: "live", words: t("{0} is running", name) };
  // Uptime is one clock only within one boot, and a container may have its own.
  const sameClock = lease.boot === me.boot && lease.boot !== "" && lease.namespace === me.namespace && lease.host === me.host;
  const age =
    heartbeat === undefined
      ? Number.POSITIVE_INFINITY
      : sameClock && heartbeat.uptimeMs !== undefined
        ? now.uptimeMs - heartbeat.uptimeMs
        : now.wallMs - Date.parse(heartbeat.at);
  const sign = heartbeat ? t("last sign of life {0}", heartbeat.at) : t("no sign of life");
  if (age < -lease.durationMs) return { state: "unknown", words: t("{0}: {1}, which is in the future", name, sign) };
  if (age <= lease.durationMs) return { state: "live", words: t("{0}: {1}, lease of {2}", name, sign, formatDuration(lease.durationMs)) };
  return process === "gone"
    ? { state: "ended", words: t("{0} is gone: {1}", name, sign) }
    : { state: "unknown", words: t("{0} cannot be seen from here: {1}", name, sign) };
}

export function heartbeatFile(directory: string, id: string): string {
  return path.join(directory, `${id}.lease`);
}

/** Notes a sign of life. It need not survive a crash of the machine, which no process survives either. Throws when it cannot be written. @internal */
export function heartbeat(directory: string, id: string, notNotedSince?: string): void {
  const file = heartbeatFile(directory, id);
  const temporary = `${file}.${process.pid}-${threadId}.tmp`;
  const sign: Heartbeat = { at: new Date().toISOString(), uptimeMs: uptimeMs(), ...(notNotedSince !== undefined && { notNotedSince }) };
  const text = `${JSON.stringify(sign)}\n`;
  try {
    fs.writeFileSync(temporary, text);
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true, recursive: true });
    writeInPlace(file, text, error);
  }
}

/** A full disk still takes an empty file, and a directory that lets nobody in one that is there: its time is a sign, too. */
function writeInPlace(file: string, text: string, problem: unknown): void {
  const { O_WRONLY, O_CREAT, O_TRUNC } = fs.constants;
  const plain = (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0); // Windows has neither.
  let handle: number | undefined;
  try {
    handle = fs.openSync(file, O_WRONLY | O_CREAT | O_TRUNC | plain, 0o666);
    fs.writeFileSync(handle, text);
  } catch {
    if (handle === undefined) throw problem;
    const now = new Date();
    fs.ftruncateSync(handle); // Half a sign could not be told from a damaged one of another time.
    fs.futimesSync(handle, now, now);
  } finally {
    if (handle !== undefined) fs.closeSync(handle);
  }
}

/** Undefined when there is none: then only the process counts. Of one that cannot be understood the time of the file counts. */
export function readHeartbeat(directory: string, id: string): Heartbeat | undefined {
  const file = heartbeatFile(directory, id);
  try {
    const value = JSON.parse(fs.readFileSync(file, "utf8")) as Heartbeat | null;
    if (isDate(value?.at)) {
      const { at, uptimeMs: uptime, notNotedSince } = value;
      return {
        at,
        ...(Number.isFinite(uptime) && { uptimeMs: Number(uptime) }),
        ...(isDate(notNotedSince) && { notNotedSince }),
      };
    }
  } catch {
    // Empty after a crash of the machine, or on a full disk.
  }
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  return stat?.isFile() ? { at: stat.mtime.toISOString() } : undefined;
}

function isDate(value: unknown): value is string {
  return typeof value === "string" && !Number.isNaN(Date.parse(value));
}

export interface HeartbeatOptions {
  readonly onError?: (error: unknown) => void;
  /** Asked before each sign: without its manifest a job has none to give. */
  readonly isWanted?: () => boolean;
  /** Since when the job runs, while its manifest does not say so. */
  readonly notNotedSince?: string;
}

/**
 * Notes a sign of life now and every so many milliseconds, until it is disposed; keeps no process running. What fails is told to
 * `onError` and tried again: a full disk does not end a job.
 */
export function startHeartbeat(directory: string, id: string, everyMs: number, options: HeartbeatOptions = {}): Disposable {
  const { onError = () => {}, isWanted = () => true, notNotedSince } = options;
  const beat = (): void => {
    try {
      if (isWanted()) heartbeat(directory, id, notNotedSince);
    } catch (error) {
      onError(error);
    }
  };
  beat();
  const timer = setInterval(beat, Math.min(everyMs, 2 ** 31 - 1)); // Node fires a longer timer at once.
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
