/**
 * Cleaning a project of many files, side by side with deleting them blindly: `node bench/clean.ts [files]`.
 * Offcut reads the database, verifies the final, decides, journals, moves into the hold, and can undo; `rm -rf` does not. The
 * table says what that costs. Every contender runs in a process of its own, process start included, in turn, on a fresh tree.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpus, loadavg, tmpdir } from "node:os";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { build } from "esbuild";
import { findFfmpeg } from "../examples/ffmpeg.ts";

const files = Number(process.argv[2] ?? 10_000);
if (!Number.isSafeInteger(files) || files < 1) throw new RangeError("usage: node bench/clean.ts [files]");
const ROUNDS = 5;
const home = mkdtempSync(join(tmpdir(), "offcut-bench-"));

try {
  const pattern = join(home, "pattern");
  makeWorkspace(pattern);
  await build({
    entryPoints: { cli: "cli/main.ts", walkWorker: "core/scan/walkWorker.ts" },
    outdir: home,
    outExtension: { ".js": ".cjs" },
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node22",
    mainFields: ["module", "main"],
    define: { "import.meta.url": "metaUrl" },
    banner: { js: 'const metaUrl = require("node:url").pathToFileURL(__filename).href;' },
  });
  const offcut = (...args: readonly string[]) => [process.execPath, join(home, "cli.cjs"), ...args, "--json", "--root"];
  const contenders = [
    { name: "`rm -rf` of the directory", prepare: [], command: ["rm", "-rf"], suffix: "/.cache/assembly/p1", times: [] as number[] },
    {
      name: "`find -type f -delete`",
      prepare: [],
      command: ["find"],
      suffix: "/.cache/assembly/p1",
      after: ["-type", "f", "-delete"],
      times: [] as number[],
    },
    {
      name: "**Offcut**: `clean` into the hold (undo possible)",
      prepare: [],
      command: offcut("clean", "--yes"),
      suffix: "",
      times: [] as number[],
    },
    {
      name: "Offcut: `clean --permanently`",
      prepare: [],
      command: offcut("clean", "--yes", "--permanently"),
      suffix: "",
      times: [] as number[],
    },
    { name: "Offcut: `plan` only", prepare: [], command: offcut("plan"), suffix: "", times: [] as number[] },
    { name: "Offcut: `undo`", prepare: offcut("clean", "--yes"), command: offcut("undo"), suffix: "", times: [] as number[] },
    { name: "Offcut: `purge`", prepare: offcut("clean", "--yes"), command: offcut("purge", "--yes"), suffix: "", times: [] as number[] },
  ];
  for (let round = 0; round <= ROUNDS; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(i + round) % contenders.length];
      if (!contender) continue;
      const workspace = join(home, "workspace");
      cpSync(pattern, workspace, { recursive: true, preserveTimestamps: true });
      if (contender.prepare.length > 0) time([...contender.prepare, workspace]);
      const taken = time([...contender.command, workspace + contender.suffix, ...(contender.after ?? [])]);
      if (round > 0) contender.times.push(taken);
      rmSync(workspace, { recursive: true, force: true });
    }
  }
  report(contenders);
} finally {
  rmSync(home, { recursive: true, force: true });
}

/** One finished project whose assembly directory has all the files, and a real final. */
function makeWorkspace(root: string): void {
  const assembly = join(root, ".cache/assembly/p1");
  const output = join(root, ".cache/output/p1");
  for (const directory of [assembly, output, join(root, "data")]) mkdirSync(directory, { recursive: true });
  const content = Buffer.alloc(4096, 7);
  for (let i = 0; i < files; i++) writeFileSync(join(assembly, `part-${i}.mp4`), content);
  execFileSync(findFfmpeg(), [
    "-v",
    "error",
    "-f",
    "lavfi",
    "-i",
    "testsrc2=size=64x64:rate=5:duration=1",
    "-pix_fmt",
    "yuv420p",
    join(output, "final.mp4"),
  ]);
  writeFileSync(
    join(root, "offcut.json"),
    JSON.stringify({ preset: "video-generator", policy: { grace: "0s", brake: { files: files * 2, share: 1 } } }),
  );
  const database = new DatabaseSync(join(root, "data/app.db"));
  database.exec(`PRAGMA journal_mode = WAL;
    CREATE TABLE projects (id TEXT, status TEXT); CREATE TABLE scenes (id TEXT, project_id TEXT); CREATE TABLE audio_files (project_id TEXT, file_path TEXT);
    CREATE TABLE visual_suggestions (scene_id TEXT, provider TEXT, video_id TEXT, default_segment_path TEXT);
    CREATE TABLE rendered_videos (project_id TEXT, file_path TEXT, thumbnail_path TEXT); CREATE TABLE user_preferences (auto_cleanup_enabled INTEGER);
    INSERT INTO projects VALUES ('p1', 'complete'); INSERT INTO rendered_videos VALUES ('p1', '.cache/output/p1/final.mp4', NULL)`);
  database.close();
}

function time(command: readonly string[]): number {
  const [file = "", ...args] = command;
  const start = performance.now();
  const { status, stderr } = spawnSync(file, args, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  const taken = performance.now() - start;
  if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  return taken;
}

function report(contenders: readonly { readonly name: string; readonly times: readonly number[] }[]): void {
  const base = median(contenders[0]?.times ?? []);
  console.log(
    `${files} files of 4 KiB, ${ROUNDS} rounds, medians; ${cpus().length} × ${cpus()[0]?.model ?? "CPU"}, load ${loadavg()[0]?.toFixed(1) ?? "?"}, Node ${process.versions.node}\n`,
  );
  console.log("| what | ms | × `rm -rf` |\n|---|---:|---:|");
  for (const { name, times } of contenders) console.log(`| ${name} | ${median(times).toFixed(0)} | ${(median(times) / base).toFixed(2)} |`);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
