/**
 * Who runs the automatic loop of a root, and when: `.offcut/watch.json`. There is one such process per root. Its state is a courtesy
 * to people and editors; what excludes two cleaners from each other is the lock (R41).
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { t } from "@vscode/l10n";
import type { Enforcement } from "./enforce.ts";
import { lookForProcess, type ProcessIdentity, thisProcess, uptimeMs } from "./process.ts";
import { homeOf, readState, Refusal, replaceFile, STATE_SCHEMA } from "./reclaim/home.ts";
import { acquireLocks, lockHolder } from "./reclaim/lock.ts";
import { makeReserve, withRoom } from "./reclaim/reserve.ts";
import { explainErrno } from "./reclaim/retry.ts";

/** What became of a round. `configuration`: it could not be used, so nothing was looked at. `error`: a defect, or a disk that fails. */
export interface RoundNote {
  /** When it began, ISO 8601, UTC. */
  readonly at: string;
  readonly outcome: Enforcement["outcome"] | "configuration" | "error";
  readonly message: string;
}

export interface Runner {
  readonly by: "watch" | "editor";
  readonly process: ProcessIdentity;
  /** It is this very process. */
  readonly here: boolean;
  /** ISO 8601, UTC. */
  readonly started: string;
  readonly everyMs: number;
}

export interface Schedule {
  /** Absent: nobody runs the loop now. */
  readonly running?: Runner;
  /** For people: who runs it, or why nobody does. */
  readonly words: string;
  readonly last?: RoundNote;
  /** ISO 8601, UTC, by the clock of this moment. Absent while nobody runs it, and during a round. */
  readonly next?: string;
}

interface WatchState {
  readonly schema: number;
  readonly holder?: ProcessIdentity;
  readonly by?: Runner["by"];
  readonly started?: string;
  readonly everyMs?: number;
  readonly last?: RoundNote;
  readonly next?: string;
  /** The same since boot: a clock that was set meanwhile does not change when the round is. */
  readonly nextUptimeMs?: number;
}

/** A process that cannot be seen from here, e.g. in another container, runs as long as it touches its file this often. Milliseconds. @internal */
export const SIGN_OF_LIFE_MS = 90_000;
const RETRY_MS = 300;

function fileOf(root: string): string {
  return path.join(homeOf(root), "watch.json");
}

/** Looks only (R13). */
export function readSchedule(root: string): Schedule {
  let state: WatchState | undefined;
  try {
    state = readState<WatchState>(fileOf(root));
  } catch (error) {
    return { words: explainLoad(root, error) };
  }
  if (state === undefined) return { words: t("nobody enforces the policy here") };
  const last = isNote(state.last) ? { last: state.last } : {};
  const { holder, by = "watch", started = "", everyMs = 0 } = state;
  if (!holder) return { words: t("not running"), ...last };
  const name = nameOf(holder);
  if (!isRunning(root, holder)) return { words: t("not running: {0} is gone", name), ...last };
  const next = nextOf(state);
  return {
    running: { by, process: holder, here: isMe(holder), started, everyMs },
    words: by === "editor" ? t("an editor ({0}) enforces the policy", name) : t("offcut watch ({0}) enforces the policy", name),
    ...last,
    ...(next !== undefined && { next }),
  };
}

function nextOf({ holder, next, nextUptimeMs }: WatchState): string | undefined {
  if (next === undefined || nextUptimeMs === undefined || holder?.boot === "" || holder?.boot !== thisProcess().boot) return next;
  return new Date(Date.now() + nextUptimeMs - uptimeMs()).toISOString();
}

function isNote(value: unknown): value is RoundNote {
  const { at, outcome, message } = (value ?? {}) as Partial<Record<keyof RoundNote, unknown>>;
  return typeof at === "string" && typeof outcome === "string" && typeof message === "string";
}

export interface Claim extends Disposable {
  /** Notes a round, or how things stand. Throws a {@link Refusal} when another process has taken over. Returns why it cannot be noted. */
  note(change: { readonly everyMs?: number; readonly last?: RoundNote; readonly nextUptimeMs?: number }): string | undefined;
  /** A sign of life, at least every {@link SIGN_OF_LIFE_MS}. */
  keepAlive(): void;
}

export interface ClaimOptions {
  readonly by: Runner["by"];
  readonly everyMs: number;
  readonly signal: AbortSignal;
  /** Told once, in words, when a cleanup that is at work has to end first. */
  readonly onWait?: (who: string) => void;
}

/**
 * Makes this process the one that runs the loop of a root. Throws a {@link Refusal} that names the process when another one does, and
 * the signal's reason.
 */
export async function claimRounds(root: string, options: ClaimOptions): Promise<Claim> {
  const me = thisProcess();
  using _lock = await waitForLock(root, options);
  refuseOther(root);
  let own: WatchState = {
    schema: STATE_SCHEMA,
    holder: me,
    by: options.by,
    started: new Date().toISOString(),
    everyMs: options.everyMs,
    ...lastOf(root),
  };
  write(root, own);
  makeReserve(homeOf(root)); // R57: the disk may be full before there is anything to clean.
  return {
    note({ everyMs, last, nextUptimeMs }) {
      refuseOther(root);
      const { next: _next, nextUptimeMs: _uptime, ...rest } = own;
      own = {
        ...rest,
        ...(everyMs !== undefined && { everyMs }),
        ...(last && { last }),
        ...(nextUptimeMs !== undefined && { nextUptimeMs, next: new Date(Date.now() + nextUptimeMs - uptimeMs()).toISOString() }),
      };
      return tryWrite(root, own);
    },
    keepAlive() {
      try {
        fs.utimesSync(fileOf(root), new Date(), new Date());
      } catch {
        // It is written anew after the next round.
      }
    },
    [Symbol.dispose]() {
      if (!isMe(load(root)?.holder)) return;
      const { holder: _holder, next: _next, nextUptimeMs: _uptime, ...rest } = own;
      tryWrite(root, rest);
    },
  };
}

/** Notes a round of a process that does only this one. A process that runs the loop notes its own. */
export function noteRound(root: string, last: RoundNote): void {
  const state = load(root);
  if (state?.holder && isRunning(root, state.holder)) return;
  const { holder: _holder, next: _next, nextUptimeMs: _uptime, ...rest } = state ?? { schema: STATE_SCHEMA };
  tryWrite(root, { ...rest, last });
}

/** Two that start at once are told apart by the lock, which a cleanup may hold for long. */
async function waitForLock(root: string, { signal, onWait }: ClaimOptions): Promise<Disposable> {
  for (let told = false; ; told = true) {
    signal.throwIfAborted();
    refuseOther(root);
    try {
      return await acquireLocks([root]);
    } catch (error) {
      const holder = lockHolder(root);
      if (!(error instanceof Refusal) || holder === undefined) throw error;
      if (!told) onWait?.(holder);
    }
    await delay(RETRY_MS, undefined, { signal });
  }
}

function refuseOther(root: string): void {
  const holder = load(root)?.holder;
  if (!holder || isMe(holder) || !isRunning(root, holder)) return;
  throw new Refusal(t("{0} enforces the policy of {1} already; one is enough", nameOf(holder), root));
}

function isRunning(root: string, holder: ProcessIdentity): boolean {
  const seen = lookForProcess(holder);
  if (seen !== "unknown") return seen === "alive";
  const touched = fs.statSync(fileOf(root), { throwIfNoEntry: false })?.mtimeMs;
  return touched !== undefined && Math.abs(Date.now() - touched) <= SIGN_OF_LIFE_MS;
}

function isMe(holder: ProcessIdentity | undefined): boolean {
  const me = thisProcess();
  return holder?.pid === me.pid && holder.started === me.started && holder.namespace === me.namespace && holder.host === me.host;
}

function nameOf(holder: ProcessIdentity): string {
  return holder.host === os.hostname() ? t("process {0}", holder.pid) : t("process {0} on {1}", holder.pid, holder.host);
}

function lastOf(root: string): Pick<WatchState, "last"> {
  const last = load(root)?.last;
  return isNote(last) ? { last } : {};
}

/** A damaged file says nothing: it protects nobody, and is written anew. */
function load(root: string): WatchState | undefined {
  try {
    return readState<WatchState>(fileOf(root));
  } catch (error) {
    explainLoad(root, error);
    return undefined;
  }
}

function explainLoad(root: string, error: unknown): string {
  if (error instanceof Refusal) return error.message;
  if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  return t("{0} cannot be read: {1}", fileOf(root), explainErrno(error));
}

function write(root: string, state: WatchState): void {
  const file = fileOf(root);
  const old = load(root);
  if (old && old.schema > STATE_SCHEMA)
    throw new Refusal(t("{0} was written by a newer version of Offcut (schema {1}); update this one", file, old.schema));
  withRoom(homeOf(root), () => replaceFile(file, `${JSON.stringify(state, null, 2)}\n`));
}

/** Never makes `.offcut/`: where it went, a drive may be away (R76). Returns why it could not be written. */
function tryWrite(root: string, state: WatchState): string | undefined {
  if (!fs.existsSync(homeOf(root))) return undefined;
  try {
    write(root, state);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return t("{0} cannot be written: {1}", fileOf(root), explainErrno(error));
  }
}
