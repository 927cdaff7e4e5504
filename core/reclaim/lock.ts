/**
 * One cleaner per root, across processes (R41). Each contender announces itself by a file of its own, then looks for others: of
 * two that come at once each sees the other, so they never both win; and a file is only ever removed by its owner or after its
 * owner died, so there is no takeover to race for.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { isAlive, type ProcessIdentity, processExists, thisProcess } from "../process.ts";
import { checkRoot } from "./guard.ts";
import { ensureHome, HOME, homeOf, Refusal } from "./home.ts";
import { withRoom } from "./reserve.ts";
import { explainErrno } from "./retry.ts";

interface Holder extends ProcessIdentity {
  readonly at: string;
}

const TRIES = 5;

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
    if (!other) return { [Symbol.dispose]: () => withdraw(mine) };
    withdraw(mine);
    if (attempt === TRIES) throw new Refusal(`${describeHolder(other)} is cleaning ${root} (since ${other.at}); try again when it is done`);
    await delay(10 + Math.random() * 40 * attempt);
  }
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
  return other && describeHolder(other);
}

function describeHolder(holder: Holder): string {
  return holder.host === os.hostname() ? `process ${holder.pid}` : `process ${holder.pid} on ${holder.host}`;
}

function liveOthers(directory: string, mine: string, removeDead = true): Holder[] {
  const live: Holder[] = [];
  for (const name of fs.readdirSync(directory)) {
    const file = path.join(directory, name);
    if (file === mine || !name.endsWith(".json")) continue;
    const holder = readHolder(file);
    if (holder === "gone") continue;
    if (holder && isAlive(holder)) live.push(holder);
    else if (holder && removeDead) fs.rmSync(file, { force: true });
    else if (!holder)
      live.push({ pid: Number(name.split("-")[0]), started: "", boot: "", namespace: "", host: os.hostname(), at: "just now" });
  }
  return live;
}

/** Undefined while its owner is still writing it, which takes less than the retries. A torn one of a dead process counts as dead. */
function readHolder(file: string): Holder | "gone" | undefined {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")) as Holder;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "gone";
    const pid = Number(path.basename(file).split("-")[0]);
    return processExists(pid) ? undefined : { ...thisProcess(), pid, started: "", at: "" };
  }
}
