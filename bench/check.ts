/**
 * The code check, side by side with ast-grep and typescript-eslint:
 * `node bench/check.ts [--repo DIR] [--files N] [--rounds N] [--quick] [--cli FILE]`.
 * Looks at a generated repository or at a checkout; `--quick` leaves out ESLint, which takes minutes. Needs `npm run build`; the
 * contenders are installed when they are missing. Every contender runs in a process of its own, process start included, in turn
 * within each round, on a warm cache.
 */
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { makeCodeTree } from "./codeTree.ts";
import { astGrep, type Contender, eslint, installContenders } from "./contenders.ts";
import { quantile, runTimed, type Timed } from "./timed.ts";

const { values: given } = parseArgs({
  options: {
    repo: { type: "string" },
    files: { type: "string", default: "5200" },
    rounds: { type: "string", default: "5" },
    quick: { type: "boolean", default: false },
    cli: { type: "string", default: resolve(import.meta.dirname, "../dist/cli.cjs") },
  },
});
const rounds = Number(given.rounds);
const files = Number(given.files);
if (!(rounds >= 1 && files >= 1))
  throw new RangeError("usage: node bench/check.ts [--repo DIR] [--files N] [--rounds N] [--quick] [--cli FILE]");
if (!existsSync(given.cli)) throw new Error(`${given.cli} is not there: npm run build`);

/** ESLint takes so long that it runs in every other round only. */
const SLOW_EVERY = 2;
const MB = 1024 ** 2;
/** What `server/analysis/thread.ts` allows its thread. */
const YOUNG = "--max-semi-space-size=32";

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "offcut-bench-")));
try {
  const root = given.repo === undefined ? join(scratch, "repository") : realpathSync(given.repo);
  if (given.repo === undefined) makeCodeTree(root, files);
  const tools = installContenders();
  const offcut: Contender = {
    name: "**Offcut** `check`",
    command: [process.execPath, given.cli, "check", "--root", root, "--format", "json"],
    codes: [0, 1],
  };
  const quick = tools === undefined ? [] : astGrep(tools, scratch);
  const slow = tools === undefined || given.quick ? [] : [eslint(tools, scratch, root)];
  const runs = new Map<Contender, Timed[]>([offcut, ...quick, ...slow].map((contender) => [contender, []]));
  for (let round = 0; round <= rounds; round++) {
    const turn = [...quick, offcut, ...(round % SLOW_EVERY === 1 ? slow : [])];
    // The first round warms the cache and does not count. The order turns, so that nobody always runs after the same one.
    for (const contender of turn.map((_, n) => turn[(n + round) % turn.length] as Contender)) {
      const timed = runTimed(contender.command, { cwd: root, codes: contender.codes });
      if (round > 0) runs.get(contender)?.push(timed);
    }
  }
  report(root, runs);
  reportSession(root);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function report(root: string, runs: ReadonlyMap<Contender, readonly Timed[]>): void {
  const all = [...runs].map(([contender, timed]) => ({ ...contender, timed, time: quantile(times(timed), 0.5) }));
  const [own, reference] = all;
  const result = JSON.parse(own?.timed[0]?.stdout ?? "{}") as { files?: number; parsed?: number; findings?: readonly unknown[] };
  const machine = `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "unknown processor"}, Node ${process.versions.node}, load ${loadavg()[0]?.toFixed(1)}`;
  console.log(
    `${given.repo === undefined ? "Generated repository" : root}: ${result.files} files, ${result.parsed} parsed, ${result.findings?.length} findings`,
  );
  console.log(`Medians, ${machine}\n`);
  console.log("| cold check | runs | ms | range | × ast-grep | × Offcut | peak MB |\n|---|--:|--:|--:|--:|--:|--:|");
  for (const { name, timed, time } of all) {
    const range = `${Math.min(...times(timed)).toFixed(0)}–${Math.max(...times(timed)).toFixed(0)}`;
    const peak = quantile(
      timed.map((one) => one.peak),
      0.5,
    );
    const ratios = [time / (reference?.time ?? time), time / (own?.time ?? time)].map((ratio) => ratio.toFixed(2));
    console.log(`| ${name} | ${timed.length} | ${time.toFixed(0)} | ${range} | ${ratios.join(" | ")} | ${(peak / MB).toFixed(0)} |`);
  }
}

function reportSession(root: string): void {
  const script = join(import.meta.dirname, "checkSession.ts");
  const run = <Report>(what: string): Report => JSON.parse(runTimed([process.execPath, YOUNG, script, what, root]).stdout) as Report;
  const { first, again } = run<{ first: number; again: readonly number[] }>("edits");
  console.log(`\n| check again after an edit of a file of 1,000 lines, ${again.length} edits | ms |\n|---|--:|`);
  console.log(`| first check of the session | ${first.toFixed(0)} |`);
  for (const [name, share] of [
    ["p50", 0.5],
    ["p95", 0.95],
    ["longest", 1],
  ] as const)
    console.log(`| ${name} | ${quantile(again, share).toFixed(1)} |`);
  const memory = run<Record<string, number>>("idle");
  console.log("\n| resident memory of the process that analyses | MB |\n|---|--:|");
  for (const [name, bytes] of Object.entries(memory)) console.log(`| ${name} | ${(bytes / MB).toFixed(0)} |`);
}

function times(timed: readonly Timed[]): readonly number[] {
  return timed.map((one) => one.milliseconds);
}
