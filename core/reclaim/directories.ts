/** Directories that a run left empty go too: bottom-up, below a store's directory, never that itself (R85). */
import fs from "node:fs";
import path from "node:path";
import { checkDirectories, type Guard } from "./guard.ts";
import type { Journal } from "./journal.ts";
import { pinDirectory } from "./pinned.ts";

export interface EmptiedDirectory {
  readonly root: string;
  /** Relative to the root. */
  readonly path: string;
}

/** `emptied`: those that files were taken from. Returns how many were removed. What cannot be removed stays, which harms nobody. */
export function removeEmptyDirectories(emptied: readonly EmptiedDirectory[], guard: Guard, journal: Journal): number {
  const candidates = new Map<string, EmptiedDirectory>();
  for (const { root, path: lowest } of emptied) {
    for (let directory = lowest; guard.mayRemoveDirectory(root, directory); directory = path.posix.dirname(directory))
      candidates.set(`${root}\0${directory}`, { root, path: directory });
  }
  const deepestFirst = [...candidates.values()].sort(
    (a, b) => b.path.split("/").length - a.path.split("/").length || (a.path < b.path ? -1 : 1),
  );
  const empty = deepestFirst.filter((directory) => isEmptyBut(directory, candidates));
  const records = empty.flatMap(({ root, path: relative }) => {
    const mode = fs.lstatSync(path.join(root, relative), { throwIfNoEntry: false })?.mode;
    return mode === undefined ? [] : [{ t: "rmdir", root, path: relative, mode: mode & 0o7777 } as const];
  });
  journal.append(...records);
  journal.sync();
  return records.filter(({ root, path: relative }) => {
    try {
      using parent = pinDirectory(root, path.posix.dirname(relative));
      fs.rmdirSync(parent.entry(path.posix.basename(relative)));
      return true;
    } catch {
      return false; // Somebody wrote into it meanwhile: rmdir only ever removes what is empty.
    }
  }).length;
}

/** Empty, or full of nothing but directories that are candidates themselves. */
function isEmptyBut(directory: EmptiedDirectory, candidates: ReadonlyMap<string, unknown>): boolean {
  try {
    checkDirectories(directory.root, directory.path);
    const entries = fs.readdirSync(path.join(directory.root, directory.path), { withFileTypes: true });
    return entries.every((entry) => entry.isDirectory() && candidates.has(`${directory.root}\0${directory.path}/${entry.name}`));
  } catch {
    return false; // Gone or unreadable: not ours to remove.
  }
}
