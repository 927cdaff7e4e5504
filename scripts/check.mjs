// Everything that is checked without running: types, lint with the import table, format, dead code, generated files, manifest.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const checks = [
  ["types", "tsc", "-p", "."],
  ["lint", "oxlint", "--type-aware", "--deny-warnings"],
  ["format", "oxfmt", "--check", "."],
  ["dead code", "knip"],
  ["dead code in production", "knip", "--production"],
  ["schema", process.execPath, "scripts/schema.mjs", "--check"],
  ["localisation", process.execPath, "scripts/l10n.mjs", "--check"],
  ["lock", process.execPath, "scripts/lock.mjs", "--check"],
  ["manifest and documents", process.execPath, "scripts/manifest.mjs"],
];

let failed = 0;
for (const [name, command, ...args] of checks) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 ** 2,
    shell: process.platform === "win32",
    env: { ...process.env, PATH: `${path.join(root, "node_modules/.bin")}${path.delimiter}${process.env.PATH}` },
  });
  console.log(`${status === 0 ? "ok    " : "FAILED"} ${name}`);
  if (status === 0) continue;
  failed++;
  console.log(`${stdout ?? ""}${stderr ?? ""}`.trimEnd());
}
process.exitCode = failed === 0 ? 0 : 1;
