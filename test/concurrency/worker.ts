/** Processes that stay alive over many rounds: to start one takes longer than a round. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

export class Worker implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly #ended: Promise<void>;
  #asked = 0;

  /** `program` is beside this file. */
  constructor(program: string, ...args: readonly string[]) {
    this.#process = fork(fileURLToPath(new URL(program, import.meta.url)), args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#process.on("message", (message) => this.#settle(message as Answer));
    this.#ended = new Promise((resolve) =>
      this.#process.once("exit", (code, signal) => {
        for (const one of this.#waiting.values()) one.reject(new Error(`${program} ended with ${code ?? signal}`));
        resolve();
      }),
    );
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  ask<T>(task: object): Promise<T> {
    const id = this.#asked++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      this.#process.send({ id, task });
    });
  }

  #settle({ id, value, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }
}

/** The other side: answers each task, several at a time. */
export function serve<T>(answer: (task: T) => Promise<unknown>): void {
  process.on("message", (message) => {
    const { id, task } = message as { id: number; task: T };
    void answer(task).then(
      (value) => process.send?.({ id, value } satisfies Answer),
      (error: unknown) => process.send?.({ id, error: (error as Error).stack ?? String(error) } satisfies Answer),
    );
  });
  process.on("disconnect", () => process.exit());
}
