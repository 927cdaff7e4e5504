/** `offcut watch` as a process of its own. What it says is waited for, never how long it takes. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Enforcement } from "../../core/enforce.ts";
import type { Pressure, Problem } from "../../core/model.ts";
import type { RoundNote } from "../../core/schedule.ts";

const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

/** A line of `--json`. */
export interface WatchEvent {
  readonly event: "started" | "round" | "stopped";
  readonly at: string;
  readonly outcome?: RoundNote["outcome"];
  readonly message?: string;
  readonly run?: string;
  readonly deletedFiles?: number;
  readonly freedSpace?: number;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  readonly purged?: Enforcement["purged"];
  readonly pressures?: readonly Pressure[];
  readonly problems?: readonly Problem[];
  readonly brake?: readonly string[];
  readonly pid?: number;
  readonly everyMs?: number;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Watcher extends AsyncDisposable {
  readonly pid: number;
  readonly events: readonly WatchEvent[];
  readonly ended: Promise<Ended>;
  /** What it has said so far, without `--json`. */
  text(): string;
  /** The first event from `from` on that fits. Rejects when the process ends without it. */
  until(fits: (event: WatchEvent) => boolean, from?: number): Promise<WatchEvent>;
  /** Asks for a round and waits for its end. */
  round(): Promise<WatchEvent>;
  kill(signal: NodeJS.Signals): void;
}

export interface WatcherOptions {
  readonly root: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of pipes. */
  readonly stdio?: number;
}

export function startWatcher(args: readonly string[], options: WatcherOptions): Watcher {
  const environment: NodeJS.ProcessEnv = { ...process.env, ...options.env };
  for (const name of ["AUTO_CLEANUP_ENABLED", "DEBUG", "OFFCUT_DEBUG"]) if (options.env?.[name] === undefined) delete environment[name];
  const output = options.stdio ?? "pipe";
  const child = spawn(process.execPath, [main, "watch", ...args, "--root", options.root], {
    env: environment,
    stdio: ["ignore", output, output],
  });
  const events: WatchEvent[] = [];
  const waiting = new Set<() => void>();
  let [stdout, stderr, open] = ["", "", ""];
  child.stdout?.on("data", (data: Buffer) => {
    stdout += data.toString();
    const lines = (open + data.toString()).split("\n");
    open = lines.pop() ?? "";
    if (args.includes("--json")) events.push(...lines.map((line) => JSON.parse(line) as WatchEvent));
    for (const look of waiting) look();
  });
  child.stderr?.on("data", (data: Buffer) => {
    stderr += data.toString();
    for (const look of waiting) look();
  });
  let gone = false;
  const ended = new Promise<Ended>((resolve) =>
    child.once("close", (code, signal) => {
      gone = true;
      resolve({ code, signal, stdout, stderr });
      for (const look of waiting) look();
    }),
  );
  const until: Watcher["until"] = (fits, from = 0) =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = events.slice(from).find(fits);
        if (found === undefined && !gone) return;
        waiting.delete(look);
        if (found) resolve(found);
        else reject(new Error(`offcut watch ended without it.\n${stdout}\n${stderr}`));
      };
      waiting.add(look);
      look();
    });
  return {
    pid: child.pid ?? 0,
    events,
    ended,
    text: () => stdout + stderr,
    until,
    round() {
      const from = events.length;
      child.kill("SIGHUP");
      return until((event) => event.event === "round", from);
    },
    kill: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      if (!gone) child.kill("SIGKILL");
      await ended;
    },
  };
}

export const isRound = (event: WatchEvent): boolean => event.event === "round";

/** Where each file of a hold or of a workspace is, by its path below the root: what is in neither place is lost. */
export function heldFiles(root: string): string[] {
  const holds = path.join(root, ".offcut/holds");
  if (!fs.existsSync(holds)) return [];
  return fs
    .readdirSync(holds, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(holds, path.join(entry.parentPath, entry.name)).split(path.sep).slice(1).join("/"))
    .sort();
}

/** Looks again and again until there is something. */
export async function poll<T>(look: () => T | undefined | false): Promise<T> {
  for (const end = Date.now() + 15_000; ;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`it did not come: ${look.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
