#!/usr/bin/env node
// Finds a Chromium for the editor tests, and installs Debian's where that is possible. Prints its path when run by itself.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const macApplications = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** The path of a Chromium or Chrome, or undefined. CHROMIUM in the environment wins; naming a missing file there is an error. */
export function findBrowser() {
  const wanted = process.env.CHROMIUM;
  if (wanted) {
    if (fs.existsSync(wanted)) return wanted;
    throw new Error(`CHROMIUM names ${wanted}, which does not exist.`);
  }
  const folders = [...(process.env.PATH ?? "").split(path.delimiter), "/usr/bin"];
  const places = [...names.flatMap((name) => folders.map((folder) => path.join(folder, name))), ...macApplications];
  return places.find((place) => fs.existsSync(place));
}

/** Like `findBrowser`, but installs Chromium as root on Debian and its relatives, and throws when there is none in the end. */
export function ensureBrowser() {
  const found = findBrowser();
  if (found) return found;
  installPackages(["chromium"], "The editor tests need Chromium or Chrome (on the PATH, or named in the environment variable CHROMIUM)");
  const installed = findBrowser();
  if (installed) return installed;
  throw new Error("apt-get reported success, but there is no Chromium on the PATH. Name one in the environment variable CHROMIUM.");
}

/** Installs Debian packages as root; throws with what to do instead when that is impossible. `need` begins the message. */
export function installPackages(packages, need) {
  const byHand = `apt-get install -y --no-install-recommends ${packages.join(" ")}`;
  if (!fs.existsSync("/usr/bin/apt-get")) {
    throw new Error(`${need}. Install it with your system's package manager.`);
  }
  if (process.getuid?.() !== 0) {
    throw new Error(`${need}. Run this as root, then try again: apt-get update && ${byHand}`);
  }
  console.error(`${need}: installing the Debian package ${packages.join(", ")} …`);
  for (const args of [["update"], ["install", "-y", "--no-install-recommends", ...packages]]) {
    // Another apt-get may hold the lock: wait for it instead of failing.
    const result = spawnSync("apt-get", ["-q", "-o", "DPkg::Lock::Timeout=600", ...args], {
      encoding: "utf8",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      maxBuffer: 64 * 1024 * 1024,
    });
    if (result.error) throw result.error;
    if (result.status === 0) continue;
    const output = `${result.stdout}\n${result.stderr}`.trim().split("\n").slice(-20).join("\n");
    throw new Error(`apt-get ${args.join(" ")} failed (${result.status ?? result.signal}):\n${output}`);
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
  try {
    console.log(ensureBrowser());
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
