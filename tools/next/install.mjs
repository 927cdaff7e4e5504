#!/usr/bin/env node
// Installs Next.js for the test of the example route, from the npm registry only. Runs on Node 20 and later. Does nothing when the
// installed copy fits the lockfile, so the folder works as a cache between runs.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const home = process.env.OFFCUT_TOOLS ? path.resolve(process.env.OFFCUT_TOOLS, "next") : here;

/** Its packages; they exist only after `install`. */
export const nextModules = path.join(home, "node_modules");
const stampFile = path.join(nextModules, ".offcut-installed");

/** True when the installed copy is complete and fits the lockfile. */
export function isInstalled() {
  return fs.existsSync(stampFile) && fs.readFileSync(stampFile, "utf8") === stamp();
}

/** Installs when missing or outdated; throws when npm fails. */
export function install() {
  if (isInstalled()) {
    console.log(`Next.js is installed (${home}).`);
    return;
  }
  console.log(`Installing Next.js (about 340 MB, once) into ${home} …`);
  fs.mkdirSync(home, { recursive: true });
  fs.rmSync(stampFile, { force: true });
  if (home !== here) for (const file of ["package.json", "package-lock.json"]) fs.copyFileSync(path.join(here, file), path.join(home, file));
  const result = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"], {
    cwd: home,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === "win32",
  });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`npm ci failed in ${home} (${result.status ?? result.signal}):\n${result.stdout}\n${result.stderr}`);
  fs.writeFileSync(stampFile, stamp());
}

/** Changes with the lockfile. */
function stamp() {
  return `${createHash("sha256").update(fs.readFileSync(path.join(here, "package-lock.json"))).digest("hex")}\n`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
  try {
    install();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
