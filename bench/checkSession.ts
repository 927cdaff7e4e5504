/**
 * What an editor's session costs, as the thread of the language server runs it: `node bench/checkSession.ts edits DIR` checks again
 * after each of many edits of a file of 1,000 lines, `… idle DIR` looks at the memory before, during and after. Prints JSON.
 */
import { join } from "node:path";
import { loadConfig } from "../core/config/load.ts";
import { createThread } from "../server/analysis/thread.ts";
import { makeLongFile } from "./codeTree.ts";

const EDITS = 150;
/** No more edits are begun after this, so that a slow session ends, too. */
const LONGEST_MS = 120_000;
const LINES = 1000;
/** Nobody has a file of this name. */
const FILE = "offcutBench/session.ts";
const IDLE_MS = 200;
const SETTLE_MS = 15_000;

const [what, root] = process.argv.slice(2);
if (root === undefined || (what !== "edits" && what !== "idle")) throw new RangeError("usage: node bench/checkSession.ts edits|idle DIR");
const settings = loadConfig(root).analysis;
const report = what === "edits" ? await editing(root) : await idling(root);
process.stdout.write(JSON.stringify(report));

/** Milliseconds of each check, the first of all files left out. */
async function editing(root: string): Promise<{ readonly first: number; readonly again: readonly number[]; readonly findings: number }> {
  // Not loaded where memory is looked at, as the server does not load it either.
  const { openAnalysis } = await import("../core/analysis/analysis.ts");
  const analysis = openAnalysis({ root, settings });
  const before = makeLongFile(LINES);
  analysis.setText(FILE, before);
  const started = performance.now();
  let { findings } = analysis.check({ paths: [FILE] });
  const first = performance.now() - started;
  const again = [];
  for (let n = 0; n < EDITS && performance.now() - started < LONGEST_MS; n++) {
    const text = type(before, n);
    const start = performance.now();
    analysis.setText(FILE, text);
    ({ findings } = analysis.check({ paths: [FILE] }));
    again.push(performance.now() - start);
  }
  return { first, again, findings: findings.length };
}

/** What somebody does who writes a statement somewhere in the file, letter by letter, and now and then takes it back. */
function type(before: string, n: number): string {
  const statement = "  await unlink(path);\n";
  const letters = n % (statement.length + 1);
  if (letters === 0) return before;
  const lines = before.split("\n");
  const line = (Math.floor(n / (statement.length + 1)) * 127 + 60) % lines.length;
  return [...lines.slice(0, line), statement.slice(0, letters).trimEnd(), ...lines.slice(line)].join("\n");
}

/** Resident bytes of a process with a thread that analyses: before it starts, after a check, and after it has ended. */
async function idling(root: string): Promise<{ readonly before: number; readonly checked: number; readonly idle: number }> {
  const thread = createThread({
    textOf: () => undefined,
    openFiles: () => [],
    settingsOf: () => ({ settings }),
    onCrash: (message) => console.error(message),
    idleMs: IDLE_MS,
    program: new URL(`file://${join(import.meta.dirname, "../dist/analysis.cjs")}`),
  });
  // The thread alone keeps no process alive.
  const alive = setInterval(() => undefined, IDLE_MS);
  const before = process.memoryUsage.rss();
  await thread.ask(root, "check", {});
  const checked = process.memoryUsage.rss();
  while (thread.running) await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  // V8 keeps the pages of an ended thread for some seconds, in case another one wants them.
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const idle = process.memoryUsage.rss();
  clearInterval(alive);
  await thread.dispose();
  return { before, checked, idle };
}
