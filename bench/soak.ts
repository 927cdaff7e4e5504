/**
 * The automatic loop at work for long, at accelerated time: `node bench/soak.ts [--minutes 20] [--clips 100000]`. A second stands for
 * a minute: `offcut watch --every 1s`, in a process of its own, keeps clips for a minute and a store below a limit of bytes, while
 * another process makes clips. After every round the directory and the journal are looked at; what is wrong ends the soak.
 */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Pressure } from "../core/model.ts";
import { listRuns, readRun } from "../core/runs.ts";
import type { Made } from "./clipMaker.ts";
import { quantile } from "./timed.ts";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "20" }, clips: { type: "string" } } });
const minutes = Number(values.minutes);
const clips = Number(values.clips ?? minutes * 5000);
if (!(minutes > 0) || !Number.isSafeInteger(clips) || clips < 1)
  throw new RangeError("usage: node bench/soak.ts [--minutes 20] [--clips 100000]");

const MAX_AGE_MS = 60_000;
/** With 100,000 clips in 20 minutes: a minute in which one burst falls stays below it, one with two does not, so that age and pressure both have work. */
const perMinute = (clips / minutes) * 8 * 1024;
const maxBytes = Math.round(perMinute * 1.1);
const targetBytes = Math.round(perMinute * 0.95);
/** File times are kept in ticks, and a round needs a moment from its start to its look at the clock. */
const TICK_MS = 20;

interface Round {
  readonly event: string;
  readonly at: string;
  readonly outcome: string;
  readonly message: string;
  readonly run?: string;
  readonly deletedFiles?: number;
  readonly freedSpace?: number;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  readonly skipped?: readonly { readonly path: string; readonly reason: string }[];
  readonly pressures: readonly Pressure[];
}

interface Sample {
  readonly minute: number;
  readonly rss: number;
  readonly heap: number;
}

const root = mkdtempSync(join(tmpdir(), "offcut-soak-"));
const heapFile = join(root, "heap");
const samples: Sample[] = [];
const seen = { rounds: 0, aged: 0, pressed: 0, pressedRounds: 0, blocked: 0, skipped: 0, most: 0, mostFiles: 0, mostOffcut: 0 };
const roundMs: number[] = [];
let freed = 0;

writeFileSync(
  join(root, "offcut.json"),
  JSON.stringify({
    stores: {
      clips: { path: "clips/{event}.mp4", role: "clip", maxAge: "60s", maxBytes: `${maxBytes}B`, targetBytes: `${targetBytes}B` },
    },
    policy: { brake: { files: 1_000_000, bytes: "1TB", share: 1 } },
  }),
);

try {
  const watcher = startWatch();
  const maker = fork(fileURLToPath(new URL("clipMaker.ts", import.meta.url)), [root, String(clips), String(minutes * 60)]);
  try {
    await soak(watcher, maker);
  } finally {
    await Promise.all([watcher, maker].map(end));
  }
} finally {
  rmSync(root, { recursive: true, force: true });
}

/** A process that still writes would be in the way of the cleaning up. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill();
  await exited;
}

/** It notes itself what of its heap is alive, after a full collection; what it holds in all is in `/proc`. */
function startWatch(): ChildProcess {
  const note = `import{writeFileSync}from"node:fs";setInterval(()=>{gc();writeFileSync(${JSON.stringify(heapFile)},String(process.memoryUsage().heapUsed))},10000).unref()`;
  const program = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
  return spawn(
    process.execPath,
    [
      "--expose-gc",
      "--import",
      `data:text/javascript,${encodeURIComponent(note)}`,
      program,
      "watch",
      "--every",
      "1s",
      "--json",
      "--root",
      root,
    ],
    { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, AUTO_CLEANUP_ENABLED: "true" } },
  );
}

async function soak(watcher: ChildProcess, maker: ChildProcess): Promise<void> {
  if (!watcher.stdout || watcher.pid === undefined) throw new Error("the watcher did not start");
  let made: Made | undefined;
  maker.on("message", (message) => (made = message as Made));
  // Without clips there is nothing to see.
  maker.on("exit", () => {
    if (made === undefined) watcher.kill();
  });
  const started = performance.now();
  let after = 0;
  for await (const line of createInterface({ input: watcher.stdout })) {
    const round = JSON.parse(line) as Round;
    if (round.event !== "round") continue;
    roundMs.push(Date.now() - Date.parse(round.at));
    check(round);
    sample(watcher.pid, started);
    if (seen.rounds % 60 === 0) console.error(progress(started));
    // Everything is over its age some time after the last one was made.
    if (made !== undefined && performance.now() - started > minutes * 60_000 && ++after > 65) break;
  }
  if (made === undefined) throw new Error("the watcher or the maker ended early");
  report(made);
}

/** What has to hold after every round. */
function check(round: Round): void {
  seen.rounds++;
  const where = `round ${seen.rounds} (${round.outcome}: ${round.message})`;
  if (!["clean", "nothing"].includes(round.outcome)) throw new Error(where);
  if ((round.errors ?? []).length > 0) throw new Error(`${where}: ${JSON.stringify(round.errors)}`);
  const startMs = Date.parse(round.at);
  const [pressure] = round.pressures;
  if (!pressure) throw new Error(`${where}: no word about the limit`);
  const skipped = (round.skipped ?? []).filter((one) => one.reason !== "gone");
  for (const { path, reason } of skipped)
    if (!path.includes("/read-") || reason !== "open in another program") throw new Error(`${where}: ${path} was skipped: ${reason}`);

  // What came after the plan is the business of the next round.
  let used = 0;
  let oldest = Number.POSITIVE_INFINITY;
  let open = 0;
  const names = readdirSync(join(root, "clips"));
  for (const name of names) {
    const stat = lstatSync(join(root, "clips", name), { throwIfNoEntry: false });
    if (!stat || stat.mtimeMs >= startMs) continue;
    used += stat.size;
    if (name.startsWith("read-")) open += stat.size;
    else if (/^\d/.test(name)) oldest = Math.min(oldest, stat.mtimeMs);
  }
  const blocked = pressure.blocked.reduce((sum, one) => sum + one.bytes, 0);
  // Where other files alone are more than the target, the clips have the limit for themselves.
  const hopeless = pressure.unmanagedBytes >= targetBytes;
  const limit = (hopeless ? pressure.unmanagedBytes + maxBytes : Math.max(maxBytes, blocked)) + (skipped.length > 0 ? open : 0);
  if (used > limit) throw new Error(`${where}: ${used} bytes, and the limit is ${limit}`);
  if (oldest < startMs - MAX_AGE_MS - TICK_MS) throw new Error(`${where}: a clip is ${startMs - oldest} ms old`);
  if (blocked > 0) seen.blocked++;
  seen.skipped += skipped.length;
  seen.most = Math.max(seen.most, used);
  seen.mostFiles = Math.max(seen.mostFiles, names.length);
  seen.mostOffcut = Math.max(seen.mostOffcut, countFiles(join(root, ".offcut")));
  freed += round.freedSpace ?? 0;
  if (round.run) checkRun(round.run, round, pressure, startMs, oldest, where);
}

/** Nothing went before its time but what had to, and of that the oldest, and no more than was needed. */
function checkRun(run: string, round: Round, pressure: Pressure, startMs: number, oldest: number, where: string): void {
  const files = (readRun(root, run)?.files ?? []).filter((file) => file.state === "purged");
  if (files.length !== round.deletedFiles) throw new Error(`${where}: ${files.length} in the journal, ${round.deletedFiles} told`);
  let left = pressure.usedBytes;
  const madeMs = (file: (typeof files)[number]): number => Number(BigInt(file.identity.mtimeNs) / 1_000_000n);
  for (const file of files.filter((one) => one.reason === "max-age")) {
    seen.aged++;
    left -= file.bytes;
    // The round looks at the clock after it has begun.
    if (startMs + (roundMs.at(-1) ?? 0) - madeMs(file) < MAX_AGE_MS) throw new Error(`${where}: ${file.path} was not old enough`);
  }
  const pressed = files.filter((one) => one.reason === "pressure").sort((a, b) => madeMs(a) - madeMs(b));
  if (pressed.length === 0) return;
  seen.pressedRounds++;
  seen.pressed += pressed.length;
  if (left <= maxBytes) throw new Error(`${where}: ${pressed.length} went under pressure, and there was none`);
  const last = pressed.at(-1)!;
  const without = pressed.reduce((sum, file) => sum - file.bytes, left) + last.bytes;
  if (without <= targetBytes) throw new Error(`${where}: more went than was needed`);
  if (madeMs(last) > oldest + TICK_MS)
    throw new Error(`${where}: a clip went that is ${madeMs(last) - oldest} ms younger than one that is left`);
}

/** What comes and goes meanwhile may be counted or not. */
function countFiles(directory: string): number {
  if (!existsSync(directory)) return 0;
  const entries = readdirSync(directory, { withFileTypes: true });
  return entries.reduce((sum, entry) => sum + (entry.isDirectory() ? countFiles(join(directory, entry.name)) : 1), 0);
}

function sample(pid: number, started: number): void {
  const rss = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
  // It may not have noted anything yet, or be at it.
  const heap = Number(existsSync(heapFile) ? readFileSync(heapFile, "utf8") : "") || (samples.at(-1)?.heap ?? 0);
  samples.push({ minute: (performance.now() - started) / 60_000, rss, heap });
}

function progress(started: number): string {
  const { rss = 0, heap = 0 } = samples.at(-1) ?? {};
  return `${((performance.now() - started) / 60_000).toFixed(1)} min: ${seen.rounds} rounds, ${seen.aged} aged, ${seen.pressed} pressed, rss ${mb(rss)}, heap ${mb(heap)}, ${seen.mostOffcut} files in .offcut`;
}

/** Bytes a minute, by least squares. */
function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const mean = (of: (point: { x: number; y: number }) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)];
  return mean((point) => (point.x - x) * (point.y - y)) / mean((point) => (point.x - x) ** 2);
}

/** The least of each minute. */
function floors(of: (sample: Sample) => number): { readonly x: number; readonly y: number }[] {
  const byMinute = new Map<number, number>();
  for (const one of samples) byMinute.set(Math.floor(one.minute), Math.min(of(one), byMinute.get(Math.floor(one.minute)) ?? Infinity));
  return [...byMinute].map(([x, y]) => ({ x, y }));
}

function report(made: Made): void {
  const runs = listRuns(root);
  const history = new Map<string, number>();
  for (const { run } of runs)
    for (const file of readRun(root, run)?.files ?? [])
      if (file.state === "purged") history.set(file.path, (history.get(file.path) ?? 0) + 1);
  const left = readdirSync(join(root, "clips")).length;
  if (history.size + left !== made.clips) throw new Error(`${made.clips} made, ${history.size} in the history, ${left} left`);
  if ([...history.values()].some((times) => times > 1)) throw new Error("a clip went twice");
  const warm = Math.min(3, minutes / 4);
  const later = samples.filter((one) => one.minute >= warm && one.heap > 0);
  const [rss, heap] = [(one: Sample) => one.rss, (one: Sample) => one.heap].map((of) => {
    const points = floors(of).filter((point) => point.x >= warm && point.x < minutes);
    return { least: Math.min(...later.map(of)), most: Math.max(...later.map(of)), slope: slope(points) };
  }) as [Memory, Memory];
  const archive = readdirSync(join(root, ".offcut/runs/archive")).length;
  const journals = readdirSync(join(root, ".offcut/runs")).filter((name) => name.endsWith(".jsonl")).length;
  console.log(
    `${minutes} minutes, ${cpus().length} × ${cpus()[0]?.model ?? "CPU"}, load ${loadavg()[1]?.toFixed(1) ?? "?"}, Node ${process.versions.node}\n\n| what | figure |\n|---|--:|`,
  );
  const rows: readonly (readonly [string, string])[] = [
    ["clips made", `${made.clips} (${mb(made.bytes)})`],
    ["pinned, open in another program, not managed, for a while", `${made.pinned}, ${made.read}, ${made.unmanaged}`],
    ["films of somebody else that alone are larger than the target", `${made.films}`],
    ["rounds, each looked at", `${seen.rounds}`],
    ["gone because of their age", `${seen.aged}`],
    ["gone under pressure", `${seen.pressed} in ${seen.pressedRounds} rounds`],
    ["limit, target", `${mb(maxBytes)}, ${mb(targetBytes)}`],
    ["most after a round", `${mb(seen.most)} in ${seen.mostFiles} files`],
    ["freed, measured", mb(freed)],
    ["skipped because they were open", `${seen.skipped}`],
    ["rounds whose target was blocked, and that said by what", `${seen.blocked}`],
    [
      "a round, from its start to its report: median, 95 %",
      `${quantile(roundMs, 0.5).toFixed(0)} ms, ${quantile(roundMs, 0.95).toFixed(0)} ms`,
    ],
    [`resident memory after ${warm} minutes`, memory(rss)],
    ["heap, after a full collection", memory(heap)],
    ["files in `.offcut`, at most", `${seen.mostOffcut}`],
    ["runs in the history; journals; files of the archive", `${runs.length}; ${journals}; ${archive}`],
    ["clips in the history, each once", `${history.size}`],
  ];
  for (const [what, figure] of rows) console.log(`| ${what} | ${figure} |`);
}

interface Memory {
  readonly least: number;
  readonly most: number;
  readonly slope: number;
}

function memory({ least, most, slope: perMinuteBytes }: Memory): string {
  return `${mb(least)} to ${mb(most)}, ${(perMinuteBytes / 1024).toFixed(1)} KB a minute`;
}

function mb(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}
