/**
 * The thread that analyses, as the server sees it: started by the first question, ended after a while without one, started again
 * with all it has to know. One question runs at a time; what somebody waits for goes before what happens in the background.
 */
import { Worker } from "node:worker_threads";
import { t } from "@vscode/l10n";
import type { Answer, Ask, FolderSettings, FromThread, Question, ThreadData, ToThread } from "./messages.ts";

export interface ThreadOptions {
  /** What the editor shows of a file; undefined when it is not open. */
  textOf(root: string, file: string): string | undefined;
  /** Files of a folder that are open. */
  openFiles(root: string): readonly string[];
  settingsOf(root: string): FolderSettings;
  /** The thread died by itself. Called for the first time only, and once more when it is given up. */
  onCrash(message: string): void;
  l10n?(): Readonly<Record<string, string>> | undefined;
  /** Milliseconds without a question after which the thread gives its memory back. */
  readonly idleMs?: number;
  /** Milliseconds that a question may take to notice that it is not wanted any more. */
  readonly patienceMs?: number;
  /** Another program than the analysis, for tests. */
  readonly program?: URL;
}

export interface AskOptions {
  readonly signal?: AbortSignal;
  /** Nobody waits for it: it gives way to every other question, and is asked again after that. */
  readonly background?: boolean;
  onProgress?(progress: { readonly done: number; readonly total: number }): void;
}

export interface Thread {
  /** Rejects with an AbortError when the signal says so, and with {@link NoAnswer} when there is no answer to be had. */
  ask<Q extends Question>(root: string, question: Q, ask: Ask<Q>, options?: AskOptions): Promise<Answer<Q>>;
  /** The folder has other settings now, or is new. */
  configure(root: string): void;
  leave(root: string): void;
  /** The open document's text changed, or it was opened or closed. Texts are sent with the next question, so only the newest ever is. */
  textChanged(root: string, file: string): void;
  /** Files changed on the disk; without files: any may have. */
  filesChanged(root: string, files?: readonly string[]): void;
  readonly running: boolean;
  dispose(): Promise<void>;
}

/** The thread died or is off, or the question failed; `stack` tells where. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

interface Job {
  readonly id: number;
  readonly root: string;
  readonly question: Question;
  readonly ask: Ask<Question>;
  readonly options: AskOptions;
  // The answer is one to the question, which a list of jobs cannot tell.
  readonly resolve: (answer: never) => void;
  readonly reject: (error: unknown) => void;
}

const IDLE_MS = 5 * 60_000;
const PATIENCE_MS = 3_000;
/** Deaths without an answer in between, after which nothing more is started until something is configured anew. */
const MOST_DEATHS = 3;
/** So that a runaway ends the thread and not the server. */
/** Room for what a check makes and drops, three times 32 MB: with less, collecting it is a fifth of the time. */
const YOUNG_MB = 96;
const MOST_MEMORY_MB = 2048;

/** Beside this file from source, beside the bundle that contains this file otherwise. */
const PROGRAM = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./analysis.cjs", import.meta.url);

export function createThread(options: ThreadOptions): Thread {
  const { idleMs = IDLE_MS, patienceMs = PATIENCE_MS, program = PROGRAM } = options;
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const waiting: Job[] = [];
  /** What the thread has not been told yet of the folders that it knows. */
  const known = new Map<string, { readonly texts: Set<string>; files: Set<string> | "all" }>();
  let worker: Worker | undefined;
  let current: Job | undefined;
  let idle: NodeJS.Timeout | undefined;
  let patience: NodeJS.Timeout | undefined;
  let lastId = 0;
  let deaths = 0;

  const say = (message: ToThread): void => worker?.postMessage(message, []);

  function start(): Worker {
    const l10n = options.l10n?.();
    const workerData: ThreadData = { stop: stop.buffer, ...(l10n && { l10n }) };
    const started = new Worker(program, {
      workerData,
      name: "offcut-analysis",
      resourceLimits: { maxOldGenerationSizeMb: MOST_MEMORY_MB, maxYoungGenerationSizeMb: YOUNG_MB },
    });
    let why = "";
    started.on("message", (message: FromThread) => {
      if (started === worker) hear(message);
    });
    started.on("error", (error) => {
      why = error instanceof Error ? error.message : String(error);
    });
    started.on("exit", (code) => {
      if (started !== worker) return;
      mourn(why || t("it ended with code {0}", code));
    });
    started.unref();
    return started;
  }

  function hear(message: FromThread): void {
    const job = current;
    if (job?.id !== message.id) return;
    if (message.say === "progress") {
      job.options.onProgress?.({ done: message.done, total: message.total });
      return;
    }
    release();
    if (message.say === "answer") {
      deaths = 0;
      job.resolve(message.answer as never);
    } else if (message.say === "failed") {
      const error = new NoAnswer(t("The analysis of the code failed: {0}", message.message));
      if (message.stack !== undefined) error.stack = message.stack;
      job.reject(error);
    } else if (!job.options.signal?.aborted) waiting.unshift(job);
    pump();
  }

  /** The thread is free for another question. */
  function release(): void {
    current = undefined;
    clearTimeout(patience);
    patience = undefined;
  }

  function mourn(why: string): void {
    worker = undefined;
    known.clear();
    const job = current;
    release();
    deaths += 1;
    const message = t("The analysis of the code ended unexpectedly: {0}", why);
    if (deaths === 1) options.onCrash(message);
    if (deaths === MOST_DEATHS) options.onCrash(t("{0}. It stays off until the configuration changes.", message));
    job?.reject(new NoAnswer(message));
    pump();
  }

  /** Ends the thread for good reason; whoever still waits is served by the next one. */
  function end(): Promise<unknown> {
    const ended = worker;
    worker = undefined;
    known.clear();
    clearTimeout(idle);
    const job = current;
    release();
    if (job && !job.options.signal?.aborted) waiting.unshift(job);
    return ended?.terminate() ?? Promise.resolve();
  }

  /** Asks the current question to end, and ends the thread when it does not listen. */
  function interrupt(): void {
    if (!current || patience) return;
    Atomics.store(stop, 0, current.id);
    patience = setTimeout(() => {
      void end();
      pump();
    }, patienceMs).unref();
  }

  function pump(): void {
    clearTimeout(idle);
    if (current) {
      if (current.options.background === true && waiting.some((job) => job.options.background !== true)) interrupt();
      return;
    }
    const next = waiting.findIndex((job) => job.options.background !== true);
    const [job] = waiting.splice(Math.max(next, 0), 1);
    if (!job) {
      if (worker) idle = setTimeout(() => void end(), idleMs).unref();
      return;
    }
    if (deaths >= MOST_DEATHS) {
      job.reject(new NoAnswer(t("The analysis of the code is off, because it ended unexpectedly several times.")));
      pump();
      return;
    }
    worker ??= start();
    current = job;
    // A question that gave way before keeps its number.
    Atomics.store(stop, 0, 0);
    tell(job.root);
    say({ say: "ask", id: job.id, root: job.root, question: job.question, ask: job.ask });
  }

  /** Brings the thread up to date with a folder. */
  function tell(root: string): void {
    const before = known.get(root);
    if (!before) say({ say: "folder", root, settings: options.settingsOf(root) });
    else if (before.files === "all") say({ say: "changed", root });
    else if (before.files.size > 0) say({ say: "changed", root, files: [...before.files] });
    for (const file of before ? before.texts : options.openFiles(root)) {
      const text = options.textOf(root, file);
      say({ say: "text", root, file, ...(text !== undefined && { text }) });
    }
    known.set(root, { texts: new Set(), files: new Set() });
  }

  return {
    ask<Q extends Question>(root: string, question: Q, ask: Ask<Q>, given: AskOptions = {}): Promise<Answer<Q>> {
      const { signal } = given;
      return new Promise<Answer<Q>>((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason as Error);
          return;
        }
        // The next number is never 0, which is what nobody asked to stop has.
        lastId = (lastId % 0x7fff_ffff) + 1;
        const id = lastId;
        const onAbort = (): void => {
          const place = waiting.findIndex((one) => one.id === id);
          if (place !== -1) waiting.splice(place, 1);
          else if (current?.id === id) interrupt();
          reject(signal?.reason as Error);
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        const done = (): void => signal?.removeEventListener("abort", onAbort);
        waiting.push({
          id,
          root,
          question,
          ask,
          options: given,
          resolve(answer) {
            done();
            resolve(answer);
          },
          reject(error) {
            done();
            reject(error);
          },
        });
        pump();
      });
    },
    configure(root) {
      deaths = 0;
      known.delete(root);
    },
    leave(root) {
      if (known.delete(root)) say({ say: "leave", root });
    },
    textChanged(root, file) {
      known.get(root)?.texts.add(file);
    },
    filesChanged(root, files) {
      const folder = known.get(root);
      if (!folder || folder.files === "all") return;
      if (!files) folder.files = "all";
      else for (const file of files) folder.files.add(file);
    },
    get running() {
      return worker !== undefined;
    },
    async dispose() {
      const error = new NoAnswer(t("The analysis of the code has ended."));
      for (const job of waiting.splice(0)) job.reject(error);
      current?.reject(error);
      current = undefined;
      await end();
      clearTimeout(idle);
    },
  };
}
