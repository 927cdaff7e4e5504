/** The worker threads of one walk: they are fed from its queue, and hand back findings and whatever directories they found on the way. */
import { Worker } from "node:worker_threads";
import { t } from "@vscode/l10n";
import type { Scope, Task } from "./directory.ts";
import type { Reply } from "./walkWorker.ts";

export interface Pool {
  /** Hands tasks from the front of the queue to workers that can take more. */
  feed(queue: Task[]): void;
  /** The next answer that is there; undefined when none is. */
  take(): Reply | undefined;
  /** Tasks that a worker had when it died. It answers a message as a whole or not at all, so nothing is seen twice. */
  rescue(): readonly Task[];
  /** Why workers died, each told once. */
  failures(): readonly string[];
  /** Whether a worker still owes an answer, or something waits here to be taken. */
  busy(): boolean;
  /** Resolves when there is something to take or to rescue, or the signal is aborted. */
  wait(signal: AbortSignal | undefined): Promise<void>;
  /** Ends the threads, in the middle of whatever they do, and resolves when they are gone. */
  close(): Promise<void>;
}

interface Member {
  readonly worker: Worker;
  readonly owed: (readonly Task[])[];
  alive: boolean;
  ready: boolean;
}

/** Two messages per worker, so that it has work while an answer is on its way. */
const AHEAD = 2;
/** A consumer that is slower than the disk stops the workers here instead of filling the memory. */
const MOST_WAITING = 16;
const MOST_TASKS = 512;

/** Beside this file from source, beside the bundle that contains this file otherwise. */
const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./walkWorker.ts" : "./walkWorker.cjs", import.meta.url);

/** With `eager` a worker gets tasks at once; otherwise not before it runs, so that nobody ever waits for it to start. */
export function startPool(scope: Scope, size: number, eager: boolean): Pool {
  const replies: Reply[] = [];
  const rescued: Task[] = [];
  const failures: string[] = [];
  let wake = () => {};

  const members = Array.from({ length: size }, (): Member => {
    const member: Member = { worker: new Worker(WORKER, { workerData: scope, name: "offcut-walk" }), owed: [], alive: true, ready: eager };
    member.worker.once("online", () => {
      member.ready = true;
    });
    let why = "";
    member.worker.on("message", (reply: Reply) => {
      member.owed.shift();
      replies.push(reply);
      wake();
    });
    member.worker.on("error", (error) => {
      why = error instanceof Error ? error.message : String(error);
    });
    // Only at the exit have all answers arrived that were sent; what is owed then was not done.
    member.worker.on("exit", (code) => {
      if (!member.alive) return;
      member.alive = false;
      failures.push(why || t("it ended with code {0}", code));
      for (const task of member.owed.splice(0).flat()) rescued.push(task);
      wake();
    });
    return member;
  });

  const waiting = () => replies.length > 0 || rescued.length > 0 || failures.length > 0;
  const owing = () => members.some((member) => member.owed.length > 0);
  return {
    feed(queue) {
      for (const member of members) {
        while (member.alive && member.ready && member.owed.length < AHEAD && queue.length > 0 && replies.length < MOST_WAITING) {
          const share = Math.ceil(queue.length / (4 * (size + 1)));
          const tasks = queue.splice(0, Math.min(share, MOST_TASKS));
          member.owed.push(tasks);
          member.worker.postMessage(tasks, []);
        }
      }
    },
    take: () => replies.shift(),
    rescue: () => rescued.splice(0),
    failures: () => failures.splice(0),
    busy: () => owing() || waiting(),
    wait: (signal) =>
      new Promise<void>((resolve) => {
        const done = () => {
          signal?.removeEventListener("abort", done);
          wake = () => {};
          resolve();
        };
        wake = done;
        signal?.addEventListener("abort", done, { once: true });
        if (signal?.aborted || waiting() || !owing()) done();
      }),
    async close() {
      for (const member of members) member.alive = false;
      await Promise.all(members.map(({ worker }) => worker.terminate()));
    },
  };
}
