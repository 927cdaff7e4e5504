/**
 * Whose turn it is to change the manifests of a directory, across processes: one lock for the directory, because turns are short (one
 * change, or one batch of moves) and a cleaner takes hundreds of manifests at once.
 *
 * A contender draws a number (Lamport's bakery), so that everybody gets a turn in the order of coming. It is a file of its own whose
 * name says everything, so none is ever half written, and nobody removes a living process's file: there is no takeover to race for.
 */
import { createHash, randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { t } from "@vscode/l10n";
import { lookForProcess, type ProcessIdentity, thisProcess } from "../process.ts";
import { ensureHome, HOME, Refusal, syncDirectory } from "../reclaim/home.ts";
import { explainErrno } from "../reclaim/retry.ts";

/** How long one holder is waited for. */
const WAIT_MS = 5000;
const LONGEST_POLL_MS = 20;
const CHOOSING = "choosing";

/** Those of this process that wait for one directory: one of them at a time goes and waits for the others. */
interface Line {
  last: Promise<void>;
  /** When somebody got or gave up the turn. */
  movedMs: number;
}

const lines = new Map<string, Line>();

/** Throws a {@link Refusal} that names the holder when it does not end within 5 seconds, and the reason of `signal` when that says so. */
export async function takeTurn(directory: string, signal?: AbortSignal): Promise<Disposable> {
  const locks = ensureLocks(directory);
  let leave!: () => void;
  const left = new Promise<void>((resolve) => (leave = resolve));
  const line = lines.get(locks) ?? { last: Promise.resolve(), movedMs: performance.now() };
  const before = line.last;
  const last = before.then(() => left);
  line.last = last;
  lines.set(locks, line);
  const end = (): void => {
    line.movedMs = performance.now();
    if (line.last === last) lines.delete(locks);
    leave();
  };
  try {
    await waitFor(before, line, directory, signal);
    line.movedMs = performance.now();
    const ticket = await awaitTurn(locks, directory, signal);
    line.movedMs = performance.now();
    return {
      [Symbol.dispose]() {
        withdraw(ticket);
        end();
      },
    };
  } catch (error) {
    end();
    throw error;
  }
}

/** `.offcut` comes with what belongs into it; a directory elsewhere is made as it was written in the settings. */
function ensureLocks(directory: string): string {
  const parts = path.resolve(directory).split(path.sep);
  const home = parts.lastIndexOf(HOME);
  const locks = path.join(directory, "locks");
  try {
    if (home > 0) ensureHome(parts.slice(0, home).join(path.sep) || path.sep);
    if (fs.mkdirSync(locks, { recursive: true }) !== undefined)
      for (const parent of [directory, path.dirname(directory)]) syncDirectory(parent);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(t("{0} cannot be made: {1}", locks, explainErrno(error)), { cause: error });
  }
  return locks;
}

async function waitFor(before: Promise<void>, line: Line, directory: string, signal: AbortSignal | undefined): Promise<void> {
  let mayGo = false;
  const gone = before.then(() => (mayGo = true));
  for (;;) {
    signal?.throwIfAborted();
    const left = line.movedMs + WAIT_MS - performance.now();
    const timer = new AbortController();
    const aborted = (): void => timer.abort();
    signal?.addEventListener("abort", aborted);
    await Promise.race([gone, delay(Math.max(0, left), undefined, { signal: timer.signal }).catch(() => {})]);
    signal?.removeEventListener("abort", aborted);
    timer.abort();
    if (mayGo) return signal?.throwIfAborted();
    if (left <= 0 && line.movedMs + WAIT_MS <= performance.now()) throw tooLong(directory, thisProcess());
  }
}

/** Returns the file that holds the turn. */
async function awaitTurn(locks: string, directory: string, signal: AbortSignal | undefined): Promise<string> {
  const me = nameOf(thisProcess());
  const ticket = draw(locks, me);
  try {
    let first = "";
    let sinceMs = performance.now();
    let pause = 1;
    for (;;) {
      signal?.throwIfAborted();
      // A directory is not read in one moment: what changed its name during the first reading is in the second.
      const ahead = firstAhead(locks, ticket) ?? firstAhead(locks, ticket);
      if (!ahead) return path.join(locks, ticket);
      // While others come and go the next turn is near.
      if (ahead.name === first) pause = Math.min(2 * pause, LONGEST_POLL_MS);
      else [first, sinceMs, pause] = [ahead.name, performance.now(), 1];
      if (performance.now() - sinceMs > WAIT_MS) {
        const file = path.join(locks, ahead.name);
        throw tooLong(directory, ahead.holder, ahead.holder.namespace === me.namespace ? undefined : file);
      }
      await delay(pause, undefined, { ...(signal && { signal }) }).catch(() => signal?.throwIfAborted());
    }
  } catch (error) {
    withdraw(path.join(locks, ticket));
    throw error instanceof Refusal || signal?.aborted ? error : refuse(locks, error);
  }
}

function tooLong(directory: string, holder: ProcessIdentity, elsewhere?: string): Refusal {
  const words = [t("process {0} has been changing {1} for {2} seconds; try again when it is done", holder.pid, directory, WAIT_MS / 1000)];
  // Nobody here can tell whether it lives, so nobody here removes what it left.
  if (elsewhere !== undefined)
    words.push(t("it runs on another machine or in another container; if that is gone for good, remove {0}", elsewhere));
  return new Refusal(words.join("; "));
}

function refuse(locks: string, error: unknown): Refusal {
  return new Refusal(t("nobody can take turns in {0}: {1}; nothing was touched", locks, explainErrno(error)), { cause: error });
}

/** While it chooses its number it says so, because two that look at once may choose the same, and the slower one may come first. */
function draw(locks: string, me: ProcessIdentity): string {
  const tail = [me.pid, me.started, me.boot, me.namespace, randomUUID().slice(0, 8)].join("~");
  const choosing = path.join(locks, `${CHOOSING}~${tail}`);
  try {
    fs.closeSync(fs.openSync(choosing, "wx"));
    const highest = readTickets(locks).reduce((number, ticket) => Math.max(number, ticket.number ?? 0), 0);
    const name = `${String(highest + 1).padStart(12, "0")}~${tail}`;
    fs.renameSync(choosing, path.join(locks, name));
    return name;
  } catch (error) {
    withdraw(choosing);
    throw refuse(locks, error);
  }
}

interface Ticket {
  readonly name: string;
  /** Undefined while it is chosen. */
  readonly number?: number;
  readonly holder: ProcessIdentity;
}

function firstAhead(locks: string, mine: string): Ticket | undefined {
  let first: Ticket | undefined;
  for (const ticket of readTickets(locks)) {
    if (ticket.name === mine || (ticket.number !== undefined && ticket.name > mine)) continue;
    if (lookForProcess(ticket.holder, nameOf(thisProcess())) === "gone") withdraw(path.join(locks, ticket.name));
    else if (!first || ticket.name < first.name) first = ticket;
  }
  return first;
}

function readTickets(locks: string): Ticket[] {
  return fs.readdirSync(locks).flatMap((name) => {
    const [number = "", pid, started = "", boot = "", namespace = "", one] = name.split("~");
    if (one === undefined || !(number === CHOOSING || /^\d{12}$/.test(number))) return [];
    const holder = { pid: Number(pid), started, boot, namespace, host: "" };
    return [{ name, holder, ...(number !== CHOOSING && { number: Number(number) }) }];
  });
}

/** The same process in few letters: what is compared may as well be compared by its hash. */
function nameOf({ pid, started, boot, namespace, host }: ProcessIdentity): ProcessIdentity {
  const short = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);
  return { pid, started, boot: short(boot), namespace: short(`${host}\n${namespace}`), host: "" };
}

/** Never fails: what was done stands. A file that cannot be removed counts until this process ends, then it is a dead one's. */
function withdraw(file: string): void {
  for (let attempt = 1; attempt <= 3; attempt++) {
    try {
      return fs.unlinkSync(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    }
  }
}
