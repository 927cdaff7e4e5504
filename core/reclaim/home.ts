/**
 * `.offcut/`: lock, journals, holds, pins and records of one root. It ignores itself in git, and nothing is ever written into it
 * by looking (R13).
 */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { isFull, withRoom } from "./reserve.ts";
import { explainErrno } from "./retry.ts";

export const HOME = ".offcut";

/** Bumped when a file in here changes its meaning; a newer one is read, never written (R71). */
export const STATE_SCHEMA = 1;

/** The sink will not do it. The message says why, and what to do. */
export class Refusal extends Error {
  override readonly name = "Refusal";
}

export function homeOf(root: string): string {
  return path.join(root, HOME);
}

export function runsOf(root: string): string {
  return path.join(root, HOME, "runs");
}

export function journalOf(root: string, run: string): string {
  return path.join(root, HOME, "runs", `${run}.jsonl`);
}

/** Where a run keeps what it moved, with the same relative paths as below the root: the layout is the journal's backup (R69). */
export function holdOf(root: string, run: string): string {
  return path.join(root, HOME, "holds", run);
}

/** Files of settled journals, numbered, so the oldest first. */
export function archiveFiles(workspace: string): string[] {
  const directory = archiveOf(workspace);
  try {
    return fs
      .readdirSync(directory)
      .filter((name) => /^\d{6}\.jsonl$/.test(name))
      .sort()
      .map((name) => path.join(directory, name));
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

export function archiveOf(workspace: string): string {
  return path.join(runsOf(workspace), "archive");
}

/** Makes `.offcut/` where it is missing. Throws a {@link Refusal} when something else stands in its place. */
export function ensureHome(root: string): string {
  const home = homeOf(root);
  for (const directory of [home, path.join(home, "runs"), path.join(home, "holds"), path.join(home, "locks")]) {
    const stat = makeOrRefuse(directory, () => fs.lstatSync(directory, { throwIfNoEntry: false }));
    if (stat && !stat.isDirectory())
      throw new Refusal(`${directory} is ${stat.isSymbolicLink() ? "a symbolic link" : "not a directory"}; remove it or move it away`);
    if (!stat) makeOrRefuse(directory, () => withRoom(home, () => makeDirectory(directory)));
  }
  const ignore = path.join(home, ".gitignore");
  if (!fs.existsSync(ignore)) makeOrRefuse(ignore, () => withRoom(home, () => fs.writeFileSync(ignore, "*\n")));
  return home;
}

/** Where nothing can be noted, e.g. on a full disk without a reserve, nothing can be done. */
function makeOrRefuse<T>(made: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (isFull(error))
      throw new Refusal(t("{0} cannot be made: no space left on the device; free a few kilobytes by hand, nothing was touched", made));
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new Refusal(t("{0} cannot be made: {1}; nothing was touched", made, explainErrno(error)));
  }
}

/** Of two processes that start at once, one comes second, which is as good. */
function makeDirectory(directory: string): void {
  try {
    fs.mkdirSync(directory, { mode: 0o755 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !fs.lstatSync(directory).isDirectory()) throw error;
  }
}

/** Writes a file so that a crash leaves the old one or the new one (R68): temporary file, fsync, rename, fsync of the directory. */
export function replaceFile(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    fs.writeFileSync(temporary, text, { flush: true });
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(path.dirname(file));
}

export function syncDirectory(directory: string): void {
  if (process.platform === "win32") return; // Directories cannot be opened there, and NTFS journals its own renames.
  const handle = fs.openSync(directory, "r");
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

/** Reads a JSON file of `.offcut/`; undefined when it is not there. Throws a {@link Refusal} when it cannot be understood. */
export function readState<T extends { readonly schema: number }>(file: string): T | undefined {
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
  let value: T;
  try {
    value = JSON.parse(text) as T;
  } catch {
    throw new Refusal(`${file} is damaged; mend it or move it away`);
  }
  if (typeof value !== "object" || value === null || typeof value.schema !== "number")
    throw new Refusal(`${file} is damaged; mend it or move it away`);
  return value;
}

/** Writes a JSON file of `.offcut/`, unless a newer version of Offcut wrote it (R71). */
export function writeState<T extends { readonly schema: number }>(file: string, value: T): void {
  const old = readState<T>(file);
  if (old && old.schema > STATE_SCHEMA)
    throw new Refusal(`${file} was written by a newer version of Offcut (schema ${old.schema}); update this one`);
  withRoom(path.dirname(file), () => replaceFile(file, `${JSON.stringify(value, null, 2)}\n`));
}
