#!/usr/bin/env node
// Runs every test: `npm test`. The quick steps come first; a failing step never hides the later ones.
// Options: --fast (without packaging and editor tests), --editor (only those). The last line is "N passed, N failed[, N skipped]".
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const binaries = path.join(root, "node_modules/.bin");
const minutes = 60_000;
const total = { passed: 0, failed: 0, skipped: 0 };

/** Hundreds of rounds in real processes, real servers, whole pipelines: after everything that is quick. */
const CAMPAIGNS = [
  "test/concurrency/*.test.ts",
  "test/clock/*.test.ts",
  "test/examples/*.test.ts",
  "test/jobs/crash.test.ts",
  "test/jobs/live.test.ts",
  "test/remote/*.test.ts",
  "test/runtime/properties.test.ts",
];

const options = new Set(process.argv.slice(2));
const unknown = [...options].filter((option) => option !== "--fast" && option !== "--editor");
if (unknown.length > 0 || options.size > 1) {
  console.error(`Usage: node scripts/test.mjs [--fast | --editor]${unknown.length > 0 ? ` (unknown: ${unknown.join(" ")})` : ""}`);
  process.exit(2);
}
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-test-"));
process.on("exit", () => fs.rmSync(scratch, { recursive: true, force: true }));
const env = { ...process.env, PATH: `${binaries}${path.delimiter}${process.env.PATH}` };
let interrupted = false;

await runAll();
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
console.log(`\n${total.passed} passed, ${total.failed} failed${skipped}`);

async function runAll() {
  const [major, minor] = nodeVersion();
  if (major < 22 || (major === 22 && minor < 15)) {
    report("The tests need Node 22.15 or later (24 is best): `npm ci` without --omit=optional installs one for most systems.");
    return;
  }
  if (major === 22 && minor < 18) env.NODE_OPTIONS = `${env.NODE_OPTIONS ?? ""} --experimental-strip-types`.trim();
  await runCounted("build", "npm", ["run", "build"]);
  if (!options.has("--editor")) {
    await runCounted("check", "npm", ["run", "check"]);
    const apart = ["test/editor/**", ...CAMPAIGNS].flatMap((pattern) => ["--ignore", pattern]);
    await runMocha("tests", ["test/**/*.test.ts", ...apart, "--timeout", "20000"], 30 * minutes);
    await runMocha("campaigns", [...CAMPAIGNS, "--timeout", "60000"], 25 * minutes);
  }
  if (!options.has("--fast")) await runEditorTests();
}

/** Packaging and installing count only when they fail: they are means, not tests. */
async function runEditorTests() {
  const ready =
    (await run("package", "npm", ["run", "package"])) &&
    (await run("browser", "node", ["scripts/browser.mjs"])) &&
    (await run("VS Code", "node", ["tools/vscode/install.mjs"]));
  if (!ready) {
    console.error("\nThe editor tests did not run, because the step before them failed.");
    return;
  }
  await runMocha("editor tests", ["test/editor/**/*.test.ts", "--timeout", "120000"], 30 * minutes);
}

/** A step that counts as one test. */
async function runCounted(title, command, args) {
  if (await run(title, command, args, { failureIsReported: true })) total.passed += 1;
  else report(`Step "${title}" failed.`);
}

/** Runs mocha and adds up its tests, also those before a crash. */
async function runMocha(title, args, limit) {
  const countFile = path.join(scratch, `${title.replaceAll(" ", "-")}.txt`);
  fs.writeFileSync(countFile, "");
  const mocha = path.join(root, "node_modules/mocha/bin/mocha.js");
  const flags = [mocha, "--forbid-only", "--reporter", "scripts/reporter.mjs", ...args];
  const exitedWell = await run(title, "node", flags, { failureIsReported: true, limit, extraEnv: { COUNT_FILE: countFile } });
  const lines = fs.readFileSync(countFile, "utf8").split("\n");
  const count = (word) => lines.filter((line) => line === word).length;
  total.passed += count("passed");
  total.failed += count("failed");
  total.skipped += count("skipped");
  if (!lines.includes("end")) report(`Step "${title}" died before its end.`);
  else if (count("passed") + count("failed") === 0) report(`Step "${title}" ran no test.`);
  else if (!exitedWell && count("failed") === 0) report(`Step "${title}" failed, though no test did.`);
}

/** One failure that no test has counted. */
function report(message) {
  total.failed += 1;
  console.error(`\n${message}`);
}

/** Runs one command in its own process group, with its output on the screen; true when it ended well and in time. */
function run(title, command, args, { failureIsReported = false, limit = 15 * minutes, extraEnv = {} } = {}) {
  if (interrupted) return Promise.resolve(false);
  console.log(`\n── ${title}`);
  const started = Date.now();
  const windows = process.platform === "win32";
  return new Promise((resolve) => {
    // stdin is closed, so that nothing can wait for an answer.
    const child = spawn(command, args, {
      cwd: root,
      detached: !windows,
      env: { ...env, ...extraEnv },
      shell: windows,
      stdio: ["ignore", "inherit", "inherit"],
    });
    const signal = (name) => {
      try {
        if (windows) child.kill(name);
        else process.kill(-child.pid, name);
      } catch (error) {
        if (error.code !== "ESRCH") throw error; // (the group has ended meanwhile)
      }
    };
    const onInterrupt = () => {
      interrupted = true;
      signal("SIGTERM");
    };
    let hard;
    const timer = setTimeout(() => {
      console.error(`\nStep "${title}" took longer than ${limit / minutes} minutes: ending it.`);
      signal("SIGTERM");
      hard = setTimeout(() => signal("SIGKILL"), 10_000);
    }, limit);
    const finish = (succeeded, why) => {
      clearTimeout(timer);
      clearTimeout(hard);
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", onInterrupt);
      // What the step left running would keep files open and write below the closing line.
      if (child.pid) signal("SIGKILL");
      console.log(`── ${title}: ${succeeded ? "done" : why} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
      if (!succeeded && !failureIsReported) report(`Step "${title}" failed.`);
      resolve(succeeded);
    };
    process.on("SIGINT", onInterrupt);
    process.on("SIGTERM", onInterrupt);
    child.once("error", (error) => finish(false, error.message));
    child.once("exit", (code, name) => finish(code === 0, `failed (${code ?? name})`));
  });
}

/** Of the `node` that the steps will find on the PATH: the project's own, else the running one. */
function nodeVersion() {
  const version = spawnSync("node", ["--version"], { encoding: "utf8", env }).stdout ?? "";
  const [major = 0, minor = 0] = version.replace("v", "").split(".").map(Number);
  return [major, minor];
}
