/**
 * One cleaner per root, across processes (R41). Each contender announces itself by a file of its own, then looks for others: of
 * two that come at once each sees the other, so they never both win; and a file is only ever removed by its owner or after its
 * owner died, so there is no takeover to race for.
 */
import fs from "node:fs";
import path from "node:path";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { t } from "@vscode/l10n";
import { isAlive, lookForProcess, type ProcessIdentity, processExists, thisProcess } from "../process.ts";
import { checkRoot } from "./guard.ts";
import { ensureHome, HOME, homeOf, Refusal } from "./home.ts";
import { withRoom } from "./reserve.ts";
import { explainErrno } from "./retry.ts";

interface Holder extends ProcessIdentity {
  readonly at: string;
}

/** Who announced itself, and by which file. */
interface Contender {
  readonly holder: Holder;
  readonly file: string;
}

const TRIES = 5;

/** Writing a lock takes milliseconds. */
const TORN_MS = 60_000;

/** Locks several roots, in one order everywhere. Throws a {@link Refusal} that names the process when another one is cleaning. */
export async function acquireLocks(roots: readonly string[]): Promise<Disposable> {
  const locks: Disposable[] = [];
  const release = (): void => {
    for (const lock of locks) lock[Symbol.dispose]();
  };
  try {
    for (const root of [...roots].sort()) locks.push(await acquireLock(root));
    return { [Symbol.dispose]: release };
  } catch (error) {
    release();
    throw error;
  }
}

async function acquireLock(root: string): Promise<Disposable> {
  checkRoot(root); // Before anything is made in it: a mount point whose drive is away stays empty (R76).
  ensureHome(root);
  const directory = path.join(root, HOME, "locks");
  for (let attempt = 1; ; attempt++) {
    const mine = path.join(directory, `${process.pid}-${randomUUID()}.json`);
    announce(root, mine);
    const other = liveOthers(directory, mine)[0];
    // Looked at last: whoever took this file for a torn one, because writing it lasted so long, does not know of this process.
    if (!other && fs.existsSync(mine)) return { [Symbol.dispose]: () => withdraw(mine) };
    withdraw(mine);
    if (attempt === TRIES) throw refusalFor(root, other);
    await delay(10 + Math.random() * 40 * attempt);
  }
}

function refusalFor(root: string, other: Contender | undefined): Refusal {
  if (!other) return new Refusal(t("the lock of {0} was removed while it was taken; try again", root));
  const { holder } = other;
  const said = t("{0} is cleaning {1} (since {2}); try again when it is done", describeHolder(holder), root, holder.at);
  const mend = mendOf(other);
  return new Refusal(mend === undefined ? said : `${said}; ${mend}`);
}

/** Nothing here can tell whether a process elsewhere is alive, and age alone proves nothing (R39): the user knows. */
function mendOf({ holder, file }: Contender): string | undefined {
  return lookForProcess(holder) === "unknown" ? t("if that machine or container is gone for good, remove {0}", file) : undefined;
}

/** A file that was only half written would lock everybody out for as long as this process lives. */
function announce(root: string, file: string): void {
  const text = JSON.stringify({ ...thisProcess(), at: new Date().toISOString() });
  try {
    withRoom(homeOf(root), () => {
      try {
        fs.writeFileSync(file, text, { flag: "wx", flush: true });
      } catch (error) {
        withdraw(file);
        throw error;
      }
    });
  } catch (error) {
    throw new Refusal(`${file} cannot be written: ${explainErrno(error)}; nothing was touched`);
  }
}

/** Never fails: what was done under the lock stands. A file that cannot be removed counts until this process ends, then it is a dead one's. */
function withdraw(file: string): void {
  for (let attempt = 1; attempt <= 3; attempt++) {
    try {
      return fs.unlinkSync(file);
    } catch {
      // Tried again; gone is as good.
    }
  }
}

/** Who holds the lock now, in words. Looks only. */
export function lockHolder(root: string): string | undefined {
  const directory = path.join(root, HOME, "locks");
  const other = fs.existsSync(directory) ? liveOthers(directory, "", false)[0] : undefined;
  if (!other) return undefined;
  const mend = mendOf(other);
  return mend === undefined ? describeHolder(other.holder) : `${describeHolder(other.holder)} (${mend})`;
}

function describeHolder({ pid, host, namespace }: Holder): string {
  const me = thisProcess();
  if (host !== me.host) return t("process {0} on {1}", pid, host);
  return namespace === me.namespace ? t("process {0}", pid) : t("process {0} in another container", pid);
}

function liveOthers(directory: string, mine: string, removeDead = true): Contender[] {
  const live: Contender[] = [];
  for (const name of fs.readdirSync(directory)) {
    const file = path.join(directory, name);
    if (file === mine || !name.endsWith(".json")) continue;
    const holder = readHolder(file);
    if (holder === "gone") continue;
    if (holder !== "dead" && isAlive(holder)) live.push({ holder, file });
    else if (removeDead) fs.rmSync(file, { force: true });
  }
  return live;
}

/**
 * What is half written belongs to an owner that is still at it, which takes less than the retries, or was torn by a crash. Its name
 * has no start time, so the pid may be another process's by now: after a minute nobody is writing it any more. One that may not be read counts as foreign.
 */
function readHolder(file: string): Holder | "gone" | "dead" {
  const pid = Number(path.basename(file).split("-")[0]);
  const unknown = { ...thisProcess(), pid, started: "" };
  try {
    const value = JSON.parse(fs.readFileSync(file, "utf8")) as unknown;
    if (isHolder(value)) return value;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "gone";
    if (!(error instanceof SyntaxError)) return { ...unknown, host: t("an unknown machine"), at: "?" };
  }
  const written = fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  if (written === undefined) return "gone";
  // A clock that was set makes a file old or one of the future: both say that it was not written just now.
  if (Math.abs(Date.now() - written) > TORN_MS || !processExists(pid)) return "dead";
  return { ...unknown, at: t("just now") };
}

function isHolder(value: unknown): value is Holder {
  if (typeof value !== "object" || value === null) return false;
  const { pid, ...texts } = value as Partial<Record<keyof Holder, unknown>>;
  return (
    Number.isInteger(pid) && [texts.started, texts.boot, texts.namespace, texts.host, texts.at].every((text) => typeof text === "string")
  );
}
