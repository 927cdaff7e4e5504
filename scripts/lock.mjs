// Completes package-lock.json after `npm install`: a registry mirror may lack packages for other platforms, npm then leaves them out
// of the lock, and `npm ci` refuses a lock without them. They are written down as their parents name them, so that every platform
// installs its own. `--check` only says whether something is missing.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const file = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../package-lock.json");
const lock = JSON.parse(fs.readFileSync(file, "utf8"));
const missing = [];
for (const { optionalDependencies = {}, dev } of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const key = `node_modules/${name}`;
    if (key in lock.packages || !/^\d/.test(version)) continue;
    missing.push(key);
    lock.packages[key] = { version, ...platformOf(name), ...(dev && { dev }), license: "MIT", optional: true };
  }
}

if (process.argv.includes("--check")) {
  for (const key of missing) console.error(`package-lock.json has no ${key}: node scripts/lock.mjs`);
  process.exitCode = missing.length === 0 ? 0 : 1;
} else if (missing.length > 0) {
  const { "": root, ...packages } = lock.packages;
  const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, "en"));
  fs.writeFileSync(file, `${JSON.stringify({ ...lock, packages: { "": root, ...Object.fromEntries(sorted) } }, null, 2)}\n`);
  console.log(`added ${missing.length}`);
}

/** `…/binding-linux-arm-musleabihf` → linux, arm, musl. */
function platformOf(name) {
  const [os, cpu, abi = ""] = name
    .slice(name.lastIndexOf("/") + 1)
    .replace(/^binding-/, "")
    .split("-");
  const libc = os !== "linux" ? undefined : abi.startsWith("musl") ? "musl" : abi.startsWith("gnu") ? "glibc" : undefined;
  return { os: [os], cpu: [cpu], ...(libc && { libc: [libc] }) };
}
