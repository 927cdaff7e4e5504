/** How paths from a database and paths from the disk meet (R11), and which are refused (R8). */
import fs from "node:fs";
import path from "node:path";

/**
 * One key for one file: absolute, `/` between directories, Unicode in NFC, lower case where the filesystem ignores case.
 */
export function canonicalKey(absolute: string, ignoresCase: boolean): string {
  const key = path.resolve(absolute).split(path.sep).join("/").normalize("NFC");
  return ignoresCase ? key.toLowerCase() : key;
}

/** Whether the filesystem of a directory treats `A` and `a` as the same name. Looks, never writes. */
export function ignoresCase(directory: string): boolean {
  const known = caseRules.get(directory);
  if (known !== undefined) return known;
  const rule = probeCase(directory);
  caseRules.set(directory, rule);
  return rule;
}

const caseRules = new Map<string, boolean>();

function probeCase(directory: string): boolean {
  let name: string | undefined;
  try {
    name = fs.readdirSync(directory).find((entry) => swapCase(entry) !== entry);
  } catch {
    name = undefined; // An unreadable root is reported by the walk.
  }
  const probe = name === undefined ? directory : path.join(directory, name);
  const other = path.join(path.dirname(probe), swapCase(path.basename(probe)));
  if (other === probe) return process.platform === "win32" || process.platform === "darwin";
  const [a, b] = [probe, other].map((file) => fs.lstatSync(file, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}

function swapCase(name: string): string {
  return name.replace(/[a-zA-Z]/g, (letter) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()));
}

/** Why a stored path cannot be used as it stands, or undefined when it can (R8). */
export function refusePath(stored: string): string | undefined {
  if (stored === "") return "is empty";
  if (stored.includes("\0")) return "has a NUL character";
  if (stored.includes("\uFFFD")) return "is not valid UTF-8";
  if (stored.startsWith("~")) return "starts with ~, which is never expanded";
  if (/\$\{|\$[A-Za-z_]|%[A-Za-z_][A-Za-z0-9_]*%/.test(stored)) return "has a variable in it, which is never expanded";
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(stored)) return "is a URL, not a path";
  return undefined;
}

/**
 * The absolute path that a stored one means. Back slashes separate directories in paths that a Windows program stored.
 * Links in the directories of an absolute path are resolved, so that it meets the path below the root as it is scanned.
 */
export function resolveStored(stored: string, base: string): string {
  const slashed = stored.includes("\\") && !stored.includes("/") ? stored.replaceAll("\\", "/") : stored;
  return path.isAbsolute(slashed) ? path.join(realDirectory(path.dirname(slashed)), path.basename(slashed)) : path.resolve(base, slashed);
}

const realDirectories = new Map<string, string>();

function realDirectory(directory: string): string {
  const known = realDirectories.get(directory);
  if (known !== undefined) return known;
  let real = directory;
  try {
    real = fs.realpathSync.native(directory);
  } catch {
    // What does not exist cannot be a link either.
  }
  if (realDirectories.size > 10_000) realDirectories.clear();
  realDirectories.set(directory, real);
  return real;
}
