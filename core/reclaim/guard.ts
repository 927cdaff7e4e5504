/**
 * What the sink insists on for every single file, whoever asks: no links on the way (R1, R2), no other device (R4), a regular
 * file (R5), below its store's directory and in no forbidden place (R6, R7), the very file that was previewed (R3), and nothing
 * that is protected (R28).
 */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { canonicalKey, ignoresCase, pathsAbove } from "../catalog/paths.ts";
import type { TemplatedStore } from "../config/config.ts";
import { matchTemplate } from "../config/template.ts";
import { homeDirectory } from "../homeDirectory.ts";
import type { Identity, PlanItem } from "../model.ts";
import { Refusal } from "./home.ts";

const VERSION_CONTROL = [".git", ".hg", ".svn", ".jj"];

/** What a path is now; undefined when nothing is there. Never follows a link. */
export function identityOf(
  absolute: string,
): (Identity & { readonly isFile: boolean; readonly links: number; readonly allocated: number }) | undefined {
  const stat = lstatOrNothing(absolute);
  return (
    stat && {
      dev: String(stat.dev),
      ino: String(stat.ino),
      bytes: Number(stat.size),
      mtimeNs: String(stat.mtimeNs),
      isFile: stat.isFile(),
      links: Number(stat.nlink),
      allocated: allocatedBytes(stat),
    }
  );
}

/** Blocks are of 512 bytes whatever the filesystem's own are (stat(2)); Windows has none. */
export function allocatedBytes(stat: fs.BigIntStats): number {
  return process.platform === "win32" ? Number(stat.size) : Number(stat.blocks) * 512;
}

/** Undefined when nothing is there. Never follows a link. */
export function lstatOrNothing(absolute: string): fs.BigIntStats | undefined {
  try {
    return fs.lstatSync(absolute, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Throws a {@link Refusal} when nothing may ever be deleted below this directory (R2, R7). */
export function checkRoot(root: string): void {
  const stat = lstatOrNothing(root);
  if (!stat) throw new Refusal(t("{0} is not there; mount or make it, nothing is done until then", root));
  if (stat.isSymbolicLink()) throw new Refusal(t("{0} is a symbolic link; use its real path {1} instead", root, fs.realpathSync(root)));
  if (!stat.isDirectory()) throw new Refusal(t("{0} is not a directory", root));
  if (root === path.parse(root).root) throw new Refusal(t("{0} is the root of a filesystem; choose the directory of one project", root));
  if (root === homeDirectory()) throw new Refusal(t("{0} is your home directory; choose the directory of one project", root));
}

export interface GuardInput {
  /** Absolute path of the workspace. */
  readonly workspace: string;
  readonly stores: readonly TemplatedStore[];
  readonly protectedPaths: readonly string[];
  readonly protectedInodes: readonly string[];
}

export interface Guard {
  /** Why the file may not be touched; `"gone"` when nothing is there any more. Looks at every component of its path. */
  refuse(item: PlanItem): string | undefined;
  /** The part of {@link refuse} for a file that was looked at in a directory that is held open, which no link can lead away from. */
  refuseFound(item: PlanItem, stat: fs.BigIntStats): string | undefined;
  /** Whether a directory may be removed when it is empty: below its store's directory, never that itself (R85). */
  mayRemoveDirectory(root: string, relative: string): boolean;
}

export function createGuard(input: GuardInput): Guard {
  const protectedPaths = new Set(input.protectedPaths);
  const protectedInodes = new Set(input.protectedInodes);
  const stores = new Map(input.stores.map((store) => [store.name, store]));
  const devices = new Map<string, bigint>();
  const clean = new Set<string>();
  let above: Above = { directory: "", key: "", isProtected: false };
  let lastPlace = "";

  const refuseName = (item: PlanItem): string | undefined => {
    const store = stores.get(item.store);
    if (!store || store.root !== item.root || !matchTemplate(store.template, item.path))
      return t("it does not match the template of its store");
    return store.role === "final" || isProtected(item) ? t("it is a final output") : undefined;
  };
  /** The directories above are the same for the next file, most of the time. */
  const isProtected = (item: PlanItem): boolean => {
    if (protectedPaths.size === 0) return false;
    const directory = `${item.root}/${path.posix.dirname(item.path)}`;
    if (directory !== above.directory) {
      const key = canonicalKey(directory, ignoresCase(input.workspace));
      above = { directory, key, isProtected: pathsAbove(key).some((one) => protectedPaths.has(one)) };
    }
    const name = path.posix.basename(item.path).normalize("NFC");
    return above.isProtected || protectedPaths.has(`${above.key}/${ignoresCase(input.workspace) ? name.toLowerCase() : name}`);
  };
  const refuseStat = (item: PlanItem, stat: fs.BigIntStats): string | undefined => {
    if (stat.isSymbolicLink()) return t("it is a symbolic link");
    if (!stat.isFile()) return t("it is not a regular file");
    if (protectedInodes.size > 0 && protectedInodes.has(`${stat.dev}:${stat.ino}`)) return t("it is a final output under another name");
    const expected = item.identity;
    if (!expected) return t("the plan does not say what it should be");
    return isSame(stat, expected) ? undefined : "changed";
  };
  const refusePlaceOf = (item: PlanItem): string | undefined => {
    const store = stores.get(item.store);
    const place = `${item.store}\0${path.posix.dirname(item.path)}`;
    if (!store || place === lastPlace) return undefined;
    const why = refusePlace(input.workspace, store, item.path, clean);
    if (why === undefined) lastPlace = place;
    return why;
  };

  return {
    refuse(item) {
      const why = refuseName(item);
      if (why !== undefined) return why;
      const stat = refuseComponents(item.root, item.path, devices);
      return typeof stat === "string" ? stat : (refuseStat(item, stat) ?? refusePlaceOf(item));
    },
    refuseFound(item, stat) {
      const why = refuseName(item);
      if (why !== undefined) return why;
      const device = devices.get(item.root) ?? deviceOf(item.root, devices);
      if (stat.dev !== device) return t("it is on another device");
      return refuseStat(item, stat) ?? refusePlaceOf(item);
    },
    mayRemoveDirectory(root, relative) {
      const prefixes = input.stores.filter((store) => store.root === root).map((store) => store.template.prefix);
      return !prefixes.includes(relative) && prefixes.some((prefix) => prefix !== "" && relative.startsWith(`${prefix}/`));
    },
  };
}

interface Above {
  readonly directory: string;
  readonly key: string;
  readonly isProtected: boolean;
}

/** Whether it is that file still: to the nanosecond, without making strings of numbers. */
export function isSame(stat: fs.BigIntStats, expected: Identity): boolean {
  return stat.dev === BigInt(expected.dev) && stat.ino === BigInt(expected.ino) && isUnchanged(stat, expected);
}

export function isUnchanged(stat: fs.BigIntStats, { mtimeNs, bytes }: Identity): boolean {
  return stat.mtimeNs === BigInt(mtimeNs) && Number(stat.size) === bytes;
}

/** The root's device when it was first looked at. */
function deviceOf(root: string, devices: Map<string, bigint>): bigint | undefined {
  const device = lstatOrNothing(root)?.dev;
  if (device !== undefined) devices.set(root, device);
  return device;
}

/** Looks at every component from the root to the leaf (R1, R4). Returns the leaf's stat, or why not. */
function refuseComponents(root: string, relative: string, devices: Map<string, bigint>): fs.BigIntStats | string {
  const parts = relative.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0"))) return t("its path is not plain");
  let current = root;
  let device = devices.get(root);
  const rootStat = lstatOrNothing(root);
  if (!rootStat) return t("{0} is not there", root);
  if (!rootStat.isDirectory()) return t("{0} is not a directory any more", root);
  if (device === undefined) devices.set(root, (device = rootStat.dev));
  if (rootStat.dev !== device) return t("{0} is on another device than before", root);
  let stat = rootStat;
  for (const [i, part] of parts.entries()) {
    current = path.join(current, part);
    const next = lstatOrNothing(current);
    if (!next) return "gone";
    if (next.isSymbolicLink())
      return i === parts.length - 1 ? t("it is a symbolic link") : t("{0} is a symbolic link", parts.slice(0, i + 1).join("/"));
    if (next.dev !== device) return t("it is on another device");
    if (i < parts.length - 1 && !next.isDirectory()) return "gone";
    stat = next;
  }
  return stat;
}

/** No forbidden directory above the file, and none that holds a repository (R7). */
function refusePlace(workspace: string, store: TemplatedStore, relative: string, clean: Set<string>): string | undefined {
  const base = path.join(store.root, store.template.prefix);
  if (base === workspace || workspace.startsWith(base + path.sep)) return t("its store holds the workspace");
  const depth = store.template.prefix.split("/").length;
  const parts = relative.split("/").slice(0, -1);
  for (let length = depth; length <= parts.length; length++) {
    const directory = path.join(store.root, ...parts.slice(0, length));
    if (clean.has(directory)) continue;
    const holder = VERSION_CONTROL.find((name) => lstatOrNothing(path.join(directory, name)) !== undefined);
    if (holder !== undefined) return t("{0} holds a repository ({1})", parts.slice(0, length).join("/"), holder);
    clean.add(directory);
  }
  return undefined;
}

/** Throws a {@link Refusal} when a directory below `root` is reached through a link. Missing ones are fine. */
export function checkDirectories(root: string, relativeDirectory: string): void {
  let current = root;
  for (const part of relativeDirectory === "" ? [] : relativeDirectory.split("/")) {
    if (part === "" || part === "." || part === "..") throw new Refusal(t("{0} is not a plain path", relativeDirectory));
    current = path.join(current, part);
    const stat = lstatOrNothing(current);
    if (!stat) return;
    if (!stat.isDirectory())
      throw new Refusal(stat.isSymbolicLink() ? t("{0} is a symbolic link", current) : t("{0} is not a directory", current));
  }
}
