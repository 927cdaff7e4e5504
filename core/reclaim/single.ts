/**
 * The one door for one file that its maker names, such as a local copy after its upload: no plan, hold or journal, because the
 * pipeline says itself that its own file can go. The rules about a single file hold all the same.
 */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { identityKey } from "../catalog/paths.ts";
import type { Identity } from "../model.ts";
import { identityOf } from "./guard.ts";
import { HOME, Refusal } from "./home.ts";
import { pinDirectory, type PinnedDirectory } from "./pinned.ts";
import { createRetry, explainErrno } from "./retry.ts";

export type SingleOutcome =
  /** `freed` is measured: what the file occupied, 0 when it has another hard link (R10, R83). */
  | { readonly outcome: "deleted"; readonly bytes: number; readonly freed: number }
  /** Nothing is there (R44). */
  | { readonly outcome: "gone" }
  /** `mayGo` said that it stays. */
  | { readonly outcome: "kept"; readonly why: string }
  /** It is nothing that goes this way: no regular file (R5), or another one by now (R3). */
  | { readonly outcome: "refused"; readonly why: string }
  /** It should go, and the system does not let it. */
  | { readonly outcome: "failed"; readonly why: string; readonly identity?: Identity };

export interface SingleFile {
  /** Absolute path without links in its directories. */
  readonly path: string;
  /** Leads to the file as long as the question lasts, whatever becomes of the directories above it. Shown to nobody. */
  readonly entry: string;
  readonly identity: Identity;
}

export interface SingleOptions {
  readonly signal?: AbortSignal;
  /** Asked about the very file that would go. Returns why it stays. */
  readonly mayGo?: (file: SingleFile) => Promise<string | undefined>;
}

/**
 * Deletes one regular file. Links in the directories are followed, because the maker named them; the file itself must not be one
 * (R1, R5). Never throws but for what `mayGo` throws, and the signal's reason.
 */
export async function deleteSingle(file: string, options: SingleOptions = {}): Promise<SingleOutcome> {
  if (file === "" || file.includes("\0")) return { outcome: "refused", why: t("it is no path") };
  const absolute = path.resolve(file);
  let directory: string;
  try {
    directory = fs.realpathSync.native(path.dirname(absolute));
  } catch (error) {
    return isNowhere(error) ? { outcome: "gone" } : { outcome: "failed", why: explainErrno(error) };
  }
  const name = path.basename(absolute);
  if (name === "" || directory.split(path.sep).includes(HOME)) return { outcome: "refused", why: t("it belongs to no pipeline") };
  let seen: Identity | undefined;
  try {
    using pinned = pinReal(directory);
    const entry = pinned.entry(name);
    const first = identityOf(entry);
    if (!first) return { outcome: "gone" };
    if (!first.isFile) return { outcome: "refused", why: wordType(entry) };
    seen = first;
    const why = await options.mayGo?.({ path: path.join(directory, name), entry, identity: first });
    if (why !== undefined) return { outcome: "kept", why };
    options.signal?.throwIfAborted();
    return await unlinkSame(entry, first);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof Refusal) return { outcome: "refused", why: error.message };
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    // "Failed" is said after a look (R25).
    return isThere(path.join(directory, name))
      ? { outcome: "failed", why: explainErrno(error), ...(seen && { identity: seen }) }
      : { outcome: "gone" };
  }
}

/** Between the first look and the unlink nobody else's file may have taken its place. */
async function unlinkSame(entry: string, first: Identity): Promise<SingleOutcome> {
  return createRetry()((): SingleOutcome => {
    const now = identityOf(entry);
    if (!now) return { outcome: "gone" };
    if (!now.isFile || identityKey(now) !== identityKey(first)) return { outcome: "refused", why: t("it changed while it was looked at") };
    fs.unlinkSync(entry);
    return { outcome: "deleted", bytes: now.bytes, freed: now.links > 1 ? 0 : now.allocated };
  });
}

/** Opens a directory whose links are resolved, and makes sure that this is where it was opened. */
function pinReal(directory: string): PinnedDirectory {
  const pinned = pinDirectory(directory, "");
  try {
    if (fs.realpathSync.native(pinned.entry(".")) !== directory) throw new Refusal(t("{0} changed while it was looked at", directory));
    return pinned;
  } catch (error) {
    pinned[Symbol.dispose]();
    throw error;
  }
}

function isNowhere(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

function isThere(absolute: string): boolean {
  try {
    return fs.lstatSync(absolute, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true; // What cannot be looked at may well be there.
  }
}

function wordType(entry: string): string {
  const stat = fs.lstatSync(entry, { throwIfNoEntry: false });
  if (stat?.isSymbolicLink()) return t("it is a symbolic link; neither the link nor what it leads to is deleted");
  return stat?.isDirectory() ? t("it is a directory") : t("it is not a regular file");
}

/** Removes a directory below `root` that its maker names, if it is empty; returns whether it did. What cannot be removed stays. */
export function removeIfEmpty(root: string, relative: string): boolean {
  try {
    using parent = pinDirectory(root, path.posix.dirname(relative));
    fs.rmdirSync(parent.entry(path.posix.basename(relative)));
    return true;
  } catch {
    return false; // It is not there, not empty, or reached through a link: rmdir only ever removes what is empty.
  }
}
