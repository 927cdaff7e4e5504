// The types of the runtime library: those that its entry reaches, once for ESM (`.d.ts`) and once for CommonJS (`.d.cts`).
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const RELATIVE = /(\bfrom |\bimport\()"(\.{1,2}\/[^"]+)\.ts"/g;

/** Writes them into `outdir`, with the rooms as directories: `runtime/index.d.ts` and `runtime/index.d.cts` are the entries. */
export function writeDeclarations(outdir) {
  const tsc = path.join(root, "node_modules/.bin/tsc");
  const shell = process.platform === "win32";
  fs.rmSync(outdir, { recursive: true, force: true });
  execFileSync(tsc, ["-p", path.join(root, "tsconfig.runtime.json"), "--outDir", outdir], { stdio: "inherit", shell });
  const reached = new Set();
  reach(path.join(outdir, "runtime/index.d.ts"), reached);
  for (const entry of fs.readdirSync(outdir, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile() && !reached.has(file)) fs.rmSync(file);
  }
  for (const file of reached) {
    const text = fs.readFileSync(file, "utf8");
    // The endings that every compiler knows, whatever its settings: it looks for the declarations beside them.
    fs.writeFileSync(file, text.replace(RELATIVE, '$1"$2.js"'));
    fs.writeFileSync(file.replace(/\.d\.ts$/, ".d.cts"), text.replace(RELATIVE, '$1"$2.cjs"'));
  }
  removeEmpty(outdir);
}

function reach(file, reached) {
  if (reached.has(file)) return;
  reached.add(file);
  for (const [, , name] of fs.readFileSync(file, "utf8").matchAll(RELATIVE))
    reach(path.resolve(path.dirname(file), `${name}.d.ts`), reached);
}

function removeEmpty(directory) {
  const names = fs.readdirSync(directory, { withFileTypes: true });
  for (const entry of names) if (entry.isDirectory()) removeEmpty(path.join(directory, entry.name));
  if (fs.readdirSync(directory).length === 0) fs.rmdirSync(directory);
}
