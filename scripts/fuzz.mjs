#!/usr/bin/env node
// Runs the property tests over and over with new seeds: `npm run fuzz -- [minutes] [files]` (10 minutes; all files with properties).
// It ends at the first failure and says how to see it again.
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const [given = "10", ...named] = process.argv.slice(2);
const minutes = Number(given);
if (!(minutes > 0)) {
  console.error("Usage: node scripts/fuzz.mjs [minutes] [test files]");
  process.exit(2);
}
const files = named.length > 0 ? named : fs.globSync("test/**/*.test.ts", { cwd: root }).filter(hasProperties).sort();
const end = Date.now() + minutes * 60_000;
let runs = 0;
while (Date.now() < end && process.exitCode === undefined) {
  for (const file of files) {
    if (Date.now() >= end) break;
    const seed = randomInt(2 ** 31);
    const args = ["node_modules/mocha/bin/mocha.js", "--reporter", "dot", file];
    const { status, stdout, stderr } = spawnSync("node", args, {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, PATH: `${root}/node_modules/.bin${path.delimiter}${process.env.PATH}`, OFFCUT_SEED: String(seed) },
    });
    runs += 1;
    if (status === 0) continue;
    console.error(`${stdout}${stderr}\nTo see it again: OFFCUT_SEED=${seed} npx mocha ${file}`);
    process.exitCode = 1;
    break;
  }
}
console.log(`${runs} runs of ${files.length} test files`);

function hasProperties(file) {
  return fs.readFileSync(path.join(root, file), "utf8").includes("fc.assert(");
}
