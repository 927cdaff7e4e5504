/** What tells one process from every other one: locks and leases name their holder by it (R39, R41). */
import fs from "node:fs";
import os from "node:os";

export interface ProcessIdentity {
  readonly pid: number;
  /** Ticks since boot at which the process started: a pid is used again, a pid with its start time is not. Empty: not known. */
  readonly started: string;
  readonly boot: string;
  readonly namespace: string;
  readonly host: string;
}

let constant: { readonly started: string; readonly boot: string; readonly namespace: string } | undefined;

export function thisProcess(): ProcessIdentity {
  constant ??= { started: startTime(process.pid), boot: readOrEmpty("/proc/sys/kernel/random/boot_id").trim(), namespace: pidNamespace() };
  return { pid: process.pid, ...constant, host: os.hostname() };
}

/** `gone` is certain; `unknown` means that this process cannot see that one, which may be alive. */
export function lookForProcess(other: ProcessIdentity, me = thisProcess()): "alive" | "gone" | "unknown" {
  // Two containers may share a process table and have names of their own.
  const sameTable = other.boot !== "" && other.boot === me.boot && other.namespace !== "" && other.namespace === me.namespace;
  if (!sameTable && (other.host !== me.host || other.namespace !== me.namespace)) return "unknown";
  if (other.boot !== me.boot || !processExists(other.pid)) return "gone";
  const started = startTime(other.pid);
  // Where the table hides it, or has no start times, the pid has to do.
  return started === "" || other.started === "" || started === other.started ? "alive" : "gone";
}

/** Only a process of this boot and this process table can be called dead; any other counts as alive. */
export function isAlive(other: ProcessIdentity): boolean {
  return lookForProcess(other) !== "gone";
}

export function processExists(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Since this machine was started, sleep included: no setting of the clock changes it. Milliseconds. */
export function uptimeMs(): number {
  return Math.round(os.uptime() * 1000);
}

/** Empty when it cannot be told. Field 22 of `/proc/PID/stat`; the name in field 2 may hold anything, so fields are counted from its last parenthesis. */
function startTime(pid: number): string {
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // It ended, and its parent has not asked how: the pid is taken, but nobody is at work.
  if ((state === "Z" || state === "X") && threadsOf(pid) <= 1) return "ended";
  return fields[18] ?? "";
}

/** The first thread of a process may end before the others. */
function threadsOf(pid: number): number {
  try {
    return fs.readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0;
  }
}

function pidNamespace(): string {
  try {
    return fs.readlinkSync("/proc/self/ns/pid");
  } catch {
    return ""; // Not Linux: there is one process table.
  }
}

function readOrEmpty(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return ""; // Not Linux, or the process is gone.
  }
}
