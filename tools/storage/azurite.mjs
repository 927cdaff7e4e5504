#!/usr/bin/env node
// Azurite, a server that speaks the protocol of Azure Blob Storage, for tests: `node tools/storage/azurite.mjs` installs it from the npm
// registry where it is missing or outdated. It keeps what it stores in memory.
import { spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const program = path.join(here, "node_modules/azurite/dist/src/blob/main.js");
const stampFile = path.join(here, "node_modules/.offcut-installed");
const START_LIMIT = 60_000;

export function isInstalled() {
  return fs.existsSync(program) && fs.existsSync(stampFile) && fs.readFileSync(stampFile, "utf8") === stamp();
}

/** Installs when missing or outdated; throws when npm fails. */
export function install() {
  if (isInstalled()) return;
  fs.rmSync(stampFile, { force: true });
  const { status, stdout, stderr, error } = spawnSync(
    "npm",
    ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"],
    { cwd: here, encoding: "utf8", shell: process.platform === "win32" },
  );
  if (status !== 0) throw new Error(`npm ci failed in ${here}: ${error?.message ?? `${stdout}\n${stderr}`.trim().slice(-4000)}`);
  fs.writeFileSync(stampFile, stamp());
}

/** Starts a server with one account and a key of its own. It ends with `stop`. */
export async function start() {
  const account = "devaccount1";
  const key = randomBytes(64).toString("base64");
  const options = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"];
  const child = spawn(process.execPath, [program, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${key}` },
  });
  const exited = new Promise((resolve) => child.once("close", resolve));
  const stop = async () => {
    child.kill("SIGKILL"); // What it stores is in its memory.
    await exited;
  };
  let output = "";
  const address = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output = (output + text).slice(-4000);
        const found = /listen\w* (?:at|on) (http:\/\/127\.0\.0\.1:\d+)/.exec(output)?.[1];
        if (found) resolve(found);
      });
    }
  });
  const limit = setTimeout(() => child.kill("SIGKILL"), START_LIMIT);
  const endpoint = await Promise.race([address, exited]);
  clearTimeout(limit);
  if (typeof endpoint !== "string") throw new Error(`Azurite did not start: ${output}`);
  const url = `${endpoint}/${account}`;
  return { account, key, url, connection: `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${key};BlobEndpoint=${url};`, stop };
}

/** Changes with the lockfile. */
function stamp() {
  return `${createHash("sha256")
    .update(fs.readFileSync(path.join(here, "package-lock.json")))
    .digest("hex")}\n`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
  try {
    install();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
