/**
 * Old clips of one directory, side by side with deleting them blindly: `node bench/clips.ts [files] [rounds]`.
 * Offcut plans, journals, asks again before each file, moves it into the hold, looks at what it moved, and deletes it there;
 * `find -delete` and a loop in Node do not. Every contender runs in a process of its own, process start included, in turn, on a
 * fresh tree that was written to the disk before.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { runTimed } from "./timed.ts";

const files = Number(process.argv[2] ?? 100_000);
const rounds = Number(process.argv[3] ?? 3);
if (!Number.isSafeInteger(files) || files < 1 || !Number.isSafeInteger(rounds) || rounds < 1)
  throw new RangeError("usage: node bench/clips.ts [files] [rounds]");
const CLIP_BYTES = 4096;
const home = mkdtempSync(join(tmpdir(), "offcut-bench-"));

/** The age of a clip counts from its last change too, which cannot be set back: so time is set forward. */
const OFFCUT = `
import { cleanUp } from "./core/cleanUp.ts";
import { loadConfig } from "./core/config/load.ts";
import { makePlan } from "./core/makePlan.ts";
const [root, verb] = process.argv.slice(2);
const options = { environment: {}, now: () => Date.now() + 7_200_000 };
const config = loadConfig(root);
const plan = await makePlan(config, options);
const done = verb === "plan" ? plan.totals.reclaim.files : (await cleanUp(config, plan, { ...options, undoMs: verb === "hold" ? 86_400_000 : 0 })).deletedFiles;
process.stdout.write(String(done));`;

const LOOP = `
import fs from "node:fs";
const limit = Date.now() - 3_600_000;
for (const name of fs.readdirSync(process.argv[2])) {
  const file = process.argv[2] + "/" + name;
  const stat = fs.lstatSync(file);
  if (stat.isFile() && stat.mtimeMs < limit) fs.unlinkSync(file);
}`;

interface Contender {
  readonly name: string;
  readonly command: (root: string, clips: string) => readonly string[];
  readonly leaves?: true;
  readonly times: number[];
  readonly peaks: number[];
}

try {
  const offcut = await bundle("offcut", OFFCUT);
  const loop = join(home, "loop.mjs");
  writeFileSync(loop, LOOP);
  const contenders: readonly Contender[] = [
    contender("`find -type f -mmin +60 -delete`", (_, clips) => ["find", clips, "-type", "f", "-mmin", "+60", "-delete"]),
    contender("`readdir`, `lstat`, `unlink` in a loop, Node", (_, clips) => [process.execPath, loop, clips]),
    contender("**Offcut**: old clips deleted at once", (root) => [process.execPath, offcut, root, "delete"]),
    contender("Offcut: into the hold (undo possible)", (root) => [process.execPath, offcut, root, "hold"]),
    { ...contender("Offcut: plan only", (root) => [process.execPath, offcut, root, "plan"]), leaves: true },
  ];
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) run(contenders[(i + round) % contenders.length]!);
  }
  report(contenders);
} finally {
  rmSync(home, { recursive: true, force: true });
}

function contender(name: string, command: Contender["command"]): Contender {
  return { name, command, times: [], peaks: [] };
}

function run({ command, leaves, times, peaks }: Contender): void {
  const root = mkdtempSync(join(home, "workspace-"));
  const clips = join(root, "data/clips");
  makeClips(root, clips);
  spawnSync("sync");
  const { milliseconds, peak } = runTimed(command(root, clips));
  times.push(milliseconds);
  peaks.push(peak);
  const left = readdirSync(clips).length;
  if (left !== (leaves ? files : 0)) throw new Error(`${command(root, clips).join(" ")} left ${left} files`);
  rmSync(root, { recursive: true });
  spawnSync("sync");
}

/** Named by ids of events, so that names tell nothing about the order on the disk. */
function makeClips(root: string, clips: string): void {
  mkdirSync(clips, { recursive: true });
  const settings = {
    stores: { clips: { path: "data/clips/{event}.mp4", role: "clip", maxAge: "1h" } },
    policy: { brake: { files: files * 2, share: 1 } },
  };
  writeFileSync(join(root, "offcut.json"), JSON.stringify(settings));
  const content = randomBytes(CLIP_BYTES);
  const old = new Date(Date.now() - 2 * 3_600_000);
  for (let i = 0; i < files; i++) {
    const file = join(clips, `${randomBytes(8).toString("hex")}.mp4`);
    const handle = openSync(file, "wx");
    writeSync(handle, content);
    closeSync(handle);
    utimesSync(file, old, old);
  }
}

async function bundle(name: string, contents: string): Promise<string> {
  await build({
    stdin: { contents, resolveDir: ".", loader: "ts" },
    outfile: join(home, `${name}.mjs`),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22",
    mainFields: ["module", "main"],
    external: ["@aws-sdk/*", "@azure/*", "google-auth-library"],
    banner: { js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);' },
  });
  return join(home, `${name}.mjs`);
}

function report(contenders: readonly Contender[]): void {
  const base = median(contenders[0]?.times ?? []);
  const kernel = execFileSync("uname", ["-sr"], { encoding: "utf8" }).trim();
  console.log(
    `${files} clips of ${CLIP_BYTES} bytes in one directory, ${rounds} rounds, medians; ${cpus().length} × ${cpus()[0]?.model ?? "CPU"}, ${kernel}, load ${loadavg()[0]?.toFixed(1) ?? "?"}, Node ${process.versions.node}\n`,
  );
  console.log("| what | ms | range | × `find` | peak MB |\n|---|--:|--:|--:|--:|");
  for (const { name, times, peaks } of contenders) {
    const range = `${Math.min(...times).toFixed(0)}–${Math.max(...times).toFixed(0)}`;
    console.log(
      `| ${name} | ${median(times).toFixed(0)} | ${range} | ${(median(times) / base).toFixed(2)} | ${(median(peaks) / 2 ** 20).toFixed(0)} |`,
    );
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
