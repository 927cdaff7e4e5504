/** How paths from a database and paths from the disk meet (R11), and which are refused (R8). */
import fs from "node:fs";
import path from "node:path";
import type { Identity } from "../model.ts";
import { t } from "@vscode/l10n";

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
  if (stored === "") return t("is empty");
  if (stored.includes("\0")) return t("has a NUL character");
  if (stored.includes("\uFFFD")) return t("is not valid UTF-8");
  if (stored.startsWith("~")) return t("starts with ~, which is never expanded");
  if (/\$\{|\$[A-Za-z_]|%[A-Za-z_][A-Za-z0-9_]*%/.test(stored)) return t("has a variable in it, which is never expanded");
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(stored)) return t("is a URL, not a path");
  if (process.platform !== "win32" && /^([A-Za-z]:[\\/]|\\\\)/.test(stored))
    return t("is an absolute path of Windows, which names nothing on this system");
  return undefined;
}

/** The absolute path that a stored one means, without looking. Back slashes separate directories in paths that a Windows program stored. */
export function resolveStored(stored: string, base: string): string {
  return path.resolve(base, stored.includes("\\") && !stored.includes("/") ? stored.replaceAll("\\", "/") : stored);
}

/** A back slash beside a slash may be a separator or part of a name: both are meant. */
export function spellingsOf(stored: string): readonly string[] {
  return stored.includes("\\") && stored.includes("/") ? [stored, stored.replaceAll("\\", "/")] : [stored];
}

/**
 * Resolves the links in the directories of an absolute path, so that a stored path meets the one that was scanned, whatever way
 * either took. Each directory is looked at once, so a resolver serves one look at the disk and no longer.
 */
export function createResolver(): (absolute: string) => string {
  const known = new Map<string, string>();
  return (absolute) => {
    const directory = path.dirname(absolute);
    let real = known.get(directory);
    if (real === undefined) known.set(directory, (real = realOrSame(directory)));
    return path.join(real, path.basename(absolute));
  };
}

export interface Keys {
  /** The canonical key of an absolute path without `.`, `..` and doubled separators. */
  readonly keyOf: (absolute: string) => string;
  /** The key and those of the directories above it: a row may name a directory and mean what is in it. */
  withAbove(absolute: string): readonly string[];
}

/** Canonical keys of many files: what belongs to their directories is found out once per directory. */
export function createKeys(real: (absolute: string) => string, ignoresCase: boolean): Keys {
  const directories = new Map<string, { readonly key: string; readonly above: readonly string[] }>();
  const look = (directory: string): { readonly key: string; readonly above: readonly string[] } => {
    let known = directories.get(directory);
    if (!known) {
      const key = canonicalKey(path.dirname(real(path.join(directory, "_"))), ignoresCase);
      directories.set(directory, (known = { key, above: pathsAbove(key) }));
    }
    return known;
  };
  const split = (absolute: string): readonly [directory: string, name: string] => {
    const cut = absolute.lastIndexOf(path.sep);
    const name = absolute.slice(cut + 1);
    const plain = ASCII.test(name) ? name : name.normalize("NFC");
    return [cut === 0 ? path.sep : absolute.slice(0, cut), ignoresCase ? plain.toLowerCase() : plain];
  };
  const join = (key: string, name: string): string => (key.endsWith("/") ? key + name : `${key}/${name}`);
  return {
    keyOf(absolute) {
      const [directory, name] = split(absolute);
      return join(look(directory).key, name);
    },
    withAbove(absolute) {
      const [directory, name] = split(absolute);
      const { key, above } = look(directory);
      return [join(key, name), ...above];
    },
  };
}

// oxlint-disable-next-line no-control-regex -- ASCII is what is asked for
const ASCII = /^[\x00-\x7f]*$/;

function realOrSame(directory: string): string {
  try {
    return fs.realpathSync.native(directory);
  } catch {
    return directory; // What does not exist cannot be a link either.
  }
}

/** A canonical key and those of the directories above it: a row may name a directory and mean what is in it. */
export function pathsAbove(key: string): readonly string[] {
  const keys = [key];
  for (let end = key.lastIndexOf("/"); end > 0; end = key.lastIndexOf("/", end - 1)) keys.push(key.slice(0, end));
  return keys;
}

/** Changes when a file is replaced or written. Never follows a link; what cannot be looked at counts as not there. */
export function statKey(file: string): string {
  try {
    const stat = fs.lstatSync(file, { bigint: true, throwIfNoEntry: false });
    if (!stat) return "-";
    const { dev, ino, size, mtimeNs } = stat;
    return identityKey({ dev: String(dev), ino: String(ino), bytes: Number(size), mtimeNs: String(mtimeNs) });
  } catch {
    return "-";
  }
}

/** The same key for a file that was looked at before. */
export function identityKey({ dev, ino, bytes, mtimeNs }: Identity): string {
  return `${dev}:${ino}:${bytes}:${mtimeNs}`;
}
