#!/usr/bin/env node
// Installs the VS Code server that the editor tests drive: code-server's build of VS Code, from the npm registry only.
// Runs on Node 20 and later. Does nothing when the installed copy fits the lockfile, so the folder works as a cache between runs.
//
// code-server's own install script is skipped on purpose: it insists on npm running under its own Node and on Kerberos headers, and
// compiles eight native modules, of which the tests load two: @vscode/spdlog (log files, Output panel) and native-watchdog (ends orphans).
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const home = path.resolve(process.env.OFFCUT_TOOLS || here);
const modules = path.join(home, "node_modules");
const vscode = path.join(modules, "code-server/lib/vscode");
const stampFile = path.join(modules, ".offcut-installed");

/** The program to start; it exists only after `install`. */
export const serverMain = path.join(vscode, "out/server-main.js");

/** The Node that runs the server. VS Code 1.139 wants Node 24, which the project has among its own (optional) dependencies. */
export const serverNode = findNode();

/** True when the installed copy is complete and fits the lockfile. */
export function isInstalled() {
  return fs.existsSync(serverMain) && fs.existsSync(stampFile) && fs.readFileSync(stampFile, "utf8") === stamp();
}

/** Installs when missing or outdated; throws when npm fails. */
export function install() {
  if (isInstalled()) {
    console.log(`The VS Code test server is installed (${home}).`);
    return;
  }
  const started = Date.now();
  console.log(`Installing the VS Code test server (about 600 MB, once) into ${home} …`);
  fs.mkdirSync(home, { recursive: true });
  fs.rmSync(stampFile, { force: true });
  if (home !== here) {
    for (const file of ["package.json", "package-lock.json"]) fs.copyFileSync(path.join(here, file), path.join(home, file));
  }
  npm(home, ["ci", "--ignore-scripts"]);
  console.log("Installing the server's own modules …");
  // Not `npm ci`: it rejects the shrinkwrap inside the package, which lacks an entry.
  npm(vscode, ["install", "--omit=dev", "--ignore-scripts"]);
  buildNativeModules();
  if (!fs.existsSync(serverMain)) throw new Error(`The installation finished, but ${serverMain} is missing.`);
  fs.writeFileSync(stampFile, stamp());
  console.log(`Installed the VS Code test server in ${Math.round((Date.now() - started) / 1000)} s.`);
}

function buildNativeModules() {
  const withoutLogs = "tests run all the same, but VS Code writes no log files and its Output panel stays empty";
  if (!["c++", "g++", "clang++"].some(isOnPath) || !["python3", "python"].some(isOnPath) || !isOnPath("make")) {
    console.log(`No C++ compiler, make and Python found: ${withoutLogs}.`);
    return;
  }
  console.log("Building two native modules …");
  // The npm package of Node ships its headers, so that nothing is downloaded from elsewhere.
  const headers = path.resolve(path.dirname(serverNode), "..");
  const env = fs.existsSync(path.join(headers, "include/node/node.h")) ? { npm_config_nodedir: headers } : {};
  try {
    npm(vscode, ["rebuild", "@vscode/spdlog", "@vscode/native-watchdog"], env);
  } catch (error) {
    console.log(`${error instanceof Error ? error.message : error}\nThe native modules were not built: ${withoutLogs}.`);
  }
}

/** Changes with the lockfile and with the Node that the native modules were built for. */
function stamp() {
  const lockfile = fs.readFileSync(path.join(here, "package-lock.json"));
  return `${createHash("sha256").update(lockfile).digest("hex")} ${nodeVersion(serverNode)}\n`;
}

function nodeVersion(node) {
  return spawnSync(node, ["--version"], { encoding: "utf8" }).stdout?.trim() ?? "";
}

function findNode() {
  const bundled = path.join(here, "../../node_modules/.bin/node");
  return fs.existsSync(bundled) ? fs.realpathSync(bundled) : process.execPath;
}

/** npm speaks only when it fails; its output is then part of the error. */
function npm(cwd, args, env = {}) {
  const result = spawnSync("npm", [...args, "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, PATH: `${path.dirname(serverNode)}${path.delimiter}${process.env.PATH}`, ...env },
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === "win32",
  });
  if (result.error) throw result.error;
  if (result.status === 0) return;
  const output = `${result.stdout}\n${result.stderr}`.trim().split("\n").slice(-40).join("\n");
  throw new Error(`npm ${args.join(" ")} failed in ${cwd} (${result.status ?? result.signal}):\n${output}`);
}

function isOnPath(program) {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  return folders.some((folder) => fs.existsSync(path.join(folder, program)));
}

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
  try {
    install();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
