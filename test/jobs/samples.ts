/** Manifests for tests, directories to put them in, and processes that work on them. */
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { myLease } from "../../core/jobs/lease.ts";
import type { Manifest, ManifestEntry } from "../../core/jobs/manifest.ts";

export const CHILD = fileURLToPath(new URL("./jobChild.ts", import.meta.url));
export const STARTED = "2025-01-31T12:00:00.000Z";

/** A new directory, its manifests in `.offcut/jobs`. */
export function makeRoot(): { readonly root: string; readonly jobs: string; [Symbol.dispose](): void } {
  const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "offcut-jobs-")));
  return { root, jobs: path.join(root, ".offcut/jobs"), [Symbol.dispose]: () => fs.rmSync(root, { recursive: true, force: true }) };
}

export function configOf(root: string): { readonly root: string; readonly jobs: { readonly directory: string; readonly leaseMs: number } } {
  return { root, jobs: { directory: path.join(root, ".offcut/jobs"), leaseMs: 200 } };
}

export function entry(name: string, role: ManifestEntry["role"] = "temp"): ManifestEntry {
  return { path: `output/${name}`, kind: "slides", role, added: STARTED };
}

export function sample(id: string, change: Partial<Manifest> = {}): Manifest {
  return {
    schema: 1,
    sequence: 1,
    job: { id, type: "long", state: "running", started: STARTED },
    lease: myLease(200),
    makesFinal: true,
    files: [entry("slide-1.png"), { ...entry("film.mp4", "final"), bytes: 4096 }],
    directories: [entry("parts")],
    ...change,
  };
}

const SEGMENT = fc
  .oneof(fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }), fc.constantFrom("a", "b", "slides", "ü 1.png", "…"))
  .filter((text) => !/[/\\\0~$%:]|^\.{1,2}$/.test(text) && !text.includes("\uFFFD"));
const ID = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const DATE = fc.date({ min: new Date(0), max: new Date("2100-01-01T00:00:00Z"), noInvalidDate: true }).map((date) => date.toISOString());
const TEXT = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const COUNT = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const ENTRY: fc.Arbitrary<ManifestEntry> = fc.record(
  {
    path: fc.array(SEGMENT, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/")),
    kind: TEXT,
    role: fc.constantFrom("temp", "final"),
    added: DATE,
    bytes: fc.maxSafeNat(),
  },
  { requiredKeys: ["path", "kind", "role", "added"], noNullPrototype: true },
);

/** Everything that may stand in a manifest. */
export const MANIFEST: fc.Arbitrary<Manifest> = fc
  .record({
    sequence: COUNT,
    id: ID,
    type: TEXT,
    state: fc.constantFrom("running", "succeeded", "failed"),
    dates: fc.tuple(DATE, DATE),
    error: fc.option(fc.string()),
    lease: fc.record(
      { pid: COUNT, started: fc.string(), boot: fc.string(), namespace: fc.string(), host: fc.string(), durationMs: COUNT },
      { noNullPrototype: true },
    ),
    makesFinal: fc.boolean(),
    entries: fc.uniqueArray(ENTRY, { maxLength: 8, selector: (one) => one.path }),
    split: fc.nat(8),
    cleaned: fc.option(DATE),
  })
  .map(({ sequence, id, type, state, dates: [started, ended], error, lease, makesFinal, entries, split, cleaned }) => ({
    schema: 1,
    sequence,
    job: { id, type, state, started, ...(state !== "running" && { ended }), ...(error !== null && { error }) },
    lease,
    makesFinal,
    files: entries.slice(0, split),
    directories: entries.slice(split),
    ...(cleaned !== null && { cleaned }),
  }));

/** Children start in a third of the time when they find themselves compiled. */
const compiled = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-compiled-"));
process.once("exit", () => fs.rmSync(compiled, { recursive: true, force: true }));

/** A child process; it prints lines. Ended with the test, whatever happens. */
export class Child implements Disposable {
  readonly process: ChildProcess;
  readonly lines: string[] = [];
  readonly ended: Promise<void>;

  constructor(...args: readonly (string | number)[]) {
    this.process = spawn(process.execPath, [CHILD, ...args.map(String)], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_COMPILE_CACHE: compiled },
    });
    let text = "";
    this.process.stdout?.setEncoding("utf8").on("data", (more: string) => {
      const parts = (text + more).split("\n");
      text = parts.pop() ?? "";
      this.lines.push(...parts);
    });
    this.ended = new Promise((resolve) => this.process.once("close", () => resolve()));
  }

  get pid(): number {
    return this.process.pid ?? -1;
  }

  /** SIGKILL, and waits until it is gone. */
  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.ended;
  }

  [Symbol.dispose](): void {
    this.process.kill("SIGKILL");
  }
}

/** Asks every so many milliseconds until the answer is not undefined or false. Throws after `limit` milliseconds. */
export async function until<T>(what: string, probe: () => T | undefined | false, { every = 5, limit = 20_000 } = {}): Promise<T> {
  const end = performance.now() + limit;
  for (;;) {
    const answer = probe();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new Error(`waited ${limit} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}

/** Two at a time: the machines that run tests have two cores. */
export async function inPairs<T>(items: readonly T[], work: (item: T, i: number) => Promise<void>, width = 2): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) await work(items[i]!, i);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
