/**
 * Walking a tree, side by side with public tools: `node bench/scan.ts [files]`.
 * Every contender runs in a process of its own, process start included, in turn within each round, on a warm cache.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { makeTree, TREE_STORES } from "./tree.ts";

interface Contender {
  readonly name: string;
  readonly command: readonly string[];
  readonly milliseconds: number[];
  readonly peaks: number[];
}

/** What a user of the walk runs: a bundle, as the command line and the server are. Arguments: root, files, `auto` or `0`, `keep`. */
const WALK = `
import { walkStores } from "./core/scan/walk.ts";
import { parseTemplate } from "./core/config/template.ts";
const [root, files, workers, keep] = process.argv.slice(2);
const stores = ${JSON.stringify(TREE_STORES)}.map(({ name, role, path }) => ({ name, role, root, template: parseTemplate(path) }));
async function main() {
  const kept = [];
  let count = 0;
  for await (const batch of walkStores(stores, workers === "auto" ? {} : { workers: Number(workers) })) {
    for (const file of batch.files) if (file.bytes > 0 && file.mtimeMs > 0) count++;
    if (keep) kept.push(batch);
  }
  if (count !== Number(files)) throw new Error(\`\${count} of \${files} files seen\`);
}
void main();`;

const GLOB = `
import glob from "fast-glob";
async function main() {
  const [cwd, files] = process.argv.slice(2);
  const found = await glob("**", { cwd, dot: true, stats: true, onlyFiles: true });
  if (found.length !== Number(files)) throw new Error(\`\${found.length} of \${files} files seen\`);
}
void main();`;

const files = Number(process.argv[2] ?? 100_000);
if (!Number.isSafeInteger(files) || files < 1) throw new RangeError("usage: node bench/scan.ts [files]");
const rounds = files >= 1_000_000 ? 3 : 5;
const home = mkdtempSync(join(tmpdir(), "offcut-bench-"));
try {
  const tree = join(home, "tree");
  makeTree(tree, files);
  await bundle("walk", { contents: WALK });
  await bundle("glob", { contents: GLOB });
  await bundle("walkWorker", { file: "core/scan/walkWorker.ts" });
  const node = (script: string, ...args: readonly string[]) => [
    process.execPath,
    join(home, `${script}.cjs`),
    tree,
    String(files),
    ...args,
  ];
  const contenders = [
    contend("`find -type f -printf '%p\\t%s\\t%T@\\n'`", ["find", tree, "-type", "f", "-printf", "%p\\t%s\\t%T@\\n"]),
    contend("**Offcut**, as users call it", node("walk", "auto")),
    contend("Offcut, all results kept", node("walk", "auto", "keep")),
    contend("Offcut, one thread", node("walk", "0")),
    contend("`du -s --apparent-size`", ["du", "-s", "--apparent-size", tree]),
    contend("fast-glob 3 with stats", node("glob")),
  ];
  for (let round = 0; round <= rounds; round++) {
    // The first round warms the cache and does not count. The order turns, so that nobody always runs after the same one.
    const order = contenders.map((_, i) => contenders[(i + round) % contenders.length] as Contender);
    for (const contender of order) {
      const { milliseconds, peak } = run(contender.command);
      if (round === 0) continue;
      contender.milliseconds.push(milliseconds);
      contender.peaks.push(peak);
    }
  }
  report(contenders);
} finally {
  rmSync(home, { recursive: true, force: true });
}

function contend(name: string, command: readonly string[]): Contender {
  return { name, command, milliseconds: [], peaks: [] };
}

/** Wall time, and the peak resident set that the kernel counted, in bytes. */
function run(command: readonly string[]): { readonly milliseconds: number; readonly peak: number } {
  const peak = join(home, "peak");
  const start = performance.now();
  const { status, stderr, error } = spawnSync("/usr/bin/time", ["-f", "%M", "-o", peak, ...command], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const milliseconds = performance.now() - start;
  if (error || status !== 0) throw new Error(`${command.join(" ")} failed: ${error?.message ?? stderr.toString()}`);
  return { milliseconds, peak: Number(readFileSync(peak, "utf8")) * 1024 };
}

async function bundle(name: string, source: { readonly contents?: string; readonly file?: string }): Promise<void> {
  const outfile = join(home, `${name}.cjs`);
  await build({
    ...(source.contents
      ? { stdin: { contents: source.contents, resolveDir: join(import.meta.dirname, "..") } }
      : { entryPoints: [source.file ?? ""] }),
    absWorkingDir: join(import.meta.dirname, ".."),
    outfile,
    bundle: true,
    minify: true,
    platform: "node",
    target: "node22",
    format: "cjs",
    define: { "import.meta.url": "bundleUrl" },
    banner: { js: 'const bundleUrl = require("node:url").pathToFileURL(__filename).href;' },
  });
}

function report(contenders: readonly Contender[]): void {
  const find = median(contenders[0]?.milliseconds ?? []);
  const lines = contenders.map(({ name, milliseconds, peaks }) => {
    const time = median(milliseconds);
    const range = `${Math.min(...milliseconds).toFixed(0)}–${Math.max(...milliseconds).toFixed(0)}`;
    return `| ${name} | ${time.toFixed(0)} | ${range} | ${(time / find).toFixed(2)} | ${(median(peaks) / 1024 ** 2).toFixed(0)} |`;
  });
  const machine = `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "unknown processor"}, Node ${process.versions.node}, load ${loadavg()[0]?.toFixed(1)}`;
  process.stdout.write(
    [
      `${files.toLocaleString("en")} files, medians of ${rounds}, ${machine}`,
      "",
      "| walk with size and mtime | ms | range | × find | peak MB |",
      "|---|--:|--:|--:|--:|",
      ...lines,
      "",
    ].join("\n"),
  );
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
