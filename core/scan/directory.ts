/**
 * The inner loop of the walk: one directory, looked at synchronously. It runs on the calling thread and in the workers alike.
 * Names are listed without their types: every name that matters is looked at with `lstat` anyway (R1, R4), the others cost nothing.
 */
import { lstatSync, readdirSync } from "node:fs";
import type { Stats } from "node:fs";
import type { Problem } from "../model.ts";
import { belongsToKin, hasDeep, isNever, literalNames, mayEnter, openingsAt, storeOf, withoutDeep } from "./openings.ts";
import type { Openings } from "./openings.ts";
import { codeOf } from "./roots.ts";
import type { WalkRoot } from "./roots.ts";
import type { WalkStore } from "./walk.ts";

/** A directory to look at, already known to be a real one on its root's device. */
export interface Task {
  /** Index into the roots of the walk. */
  readonly root: number;
  /** Relative with `/`; `""` is the root. */
  readonly path: string;
  /** A part of a large listing, joined with `/`; absent when the directory has still to be listed. */
  readonly names?: string;
}

/** What every thread knows about the walk. */
export interface Scope {
  readonly stores: readonly WalkStore[];
  readonly roots: readonly WalkRoot[];
}

/** Where findings go: into entries on the calling thread, into numbers on a worker. */
export interface Findings {
  addFile(store: number, path: string, stats: Stats): void;
  readonly problems: Problem[];
  /** Directories that were found and not looked at yet; the last is the next. */
  readonly tasks: Task[];
  directories: number;
  /** Names seen: the measure of the work done. */
  names: number;
}

interface Failure {
  readonly name: string;
  readonly why: string;
}

/** Longer listings are cut, so that a walk can be interrupted in the middle and threads can share one huge directory. */
const LISTING = 4096;
/** Beyond these, one line per directory counts the rest: a directory without `x` would fail once for every name. */
const NAMED_FAILURES = 8;

const OR_UNDEFINED = { throwIfNoEntry: false } as const;

/** Looks at one directory. Never throws for what it finds on disk: that becomes a problem, and the rest goes on. */
export function walkDirectory(scope: Scope, task: Task, findings: Findings): void {
  const root = scope.roots[task.root];
  if (!root) return;
  const absolute = task.path === "" ? `${root.path}/` : `${root.path}/${task.path}/`;
  const relative = task.path === "" ? "" : `${task.path}/`;
  let openings = openingsAt(scope.stores, root, task.path);
  // A plain name is looked up instead of searched for. So the directories above a store's prefix are never listed.
  const literals = literalNames(openings);
  const failures: Failure[] = [];
  let names: readonly string[];
  if (literals) {
    names = literals;
  } else if (task.names !== undefined) {
    names = task.names.split("/");
  } else {
    const listed = list(absolute, findings);
    if (!listed) return;
    findings.directories++;
    const narrowed = leaveRepository(openings, listed, absolute, findings);
    if (listed.length > LISTING && narrowed === openings) return cut(task, listed, findings);
    openings = narrowed;
    names = listed;
  }
  findings.names += names.length;

  for (const name of names) {
    const store = storeOf(openings, name);
    if ((store < 0 && !mayEnter(openings, name)) || isNever(name)) continue;
    if (name.includes("\uFFFD")) {
      failures.push({ name, why: "Its name is not valid UTF-8 and may stand for another file, so it is skipped. Rename it." });
      continue;
    }
    const stats = look(absolute + name);
    if (stats === undefined) {
      if (!literals) failures.push({ name, why: "It vanished during the scan (ENOENT)." });
    } else if (typeof stats === "string") {
      failures.push({ name, why: `It cannot be looked at (${stats}), so it is skipped.` });
    } else if (stats.isDirectory()) {
      if (mayEnter(openings, name)) enter(root, { root: task.root, path: relative + name }, stats, findings);
    } else if (store < 0) {
      if (stats.isSymbolicLink())
        findings.problems.push(warn(absolute + name, "A symbolic link stands where a directory may be; it is not followed."));
    } else if (root.mounts.size > 0 && root.mounts.has(relative + name)) {
      findings.problems.push(warn(absolute + name, "The file is a mount point, so it is left alone (R4). Unmount it to have it counted."));
    } else if (root.kin.length === 0 || !belongsToKin(scope.stores, root, store, relative + name)) {
      findings.addFile(store, relative + name, stats);
    }
  }
  reportFailures(absolute, failures, findings);
}

function list(directory: string, findings: Findings): readonly string[] | undefined {
  try {
    return readdirSync(directory);
  } catch (error) {
    findings.problems.push(
      warn(directory.slice(0, -1), `The directory cannot be listed (${codeOf(error)}), so what it holds is not known.`),
    );
    return undefined;
  }
}

/** Undefined: nothing is there. A string: the error's code. */
function look(path: string): Stats | string | undefined {
  try {
    return lstatSync(path, OR_UNDEFINED);
  } catch (error) {
    return codeOf(error);
  }
}

/** A template that takes everything must not take somebody's repository (R7). Templates that name their files go on. */
function leaveRepository(openings: Openings, listed: readonly string[], directory: string, findings: Findings): Openings {
  if (!hasDeep(openings)) return openings;
  const sign = listed.find((name) => isNever(name) && name !== ".offcut");
  if (sign === undefined) return openings;
  findings.problems.push(
    warn(directory.slice(0, -1), `The directory holds ${sign}, so it is a repository and is not searched (R7). Move it out of the store.`),
  );
  return withoutDeep(openings);
}

function cut(task: Task, listed: readonly string[], findings: Findings): void {
  for (let i = 0; i < listed.length; i += LISTING) {
    findings.tasks.push({ root: task.root, path: task.path, names: listed.slice(i, i + LISTING).join("/") });
  }
}

function enter(root: WalkRoot, task: Task, stats: Stats, findings: Findings): void {
  if (stats.dev !== root.dev || (root.mounts.size > 0 && root.mounts.has(task.path))) {
    const message =
      "The directory is a mount point or on another device than its root, so it is not searched (R4). Give it a root of its own.";
    findings.problems.push(warn(`${root.path}/${task.path}`, message));
    return;
  }
  findings.tasks.push(task);
}

function reportFailures(directory: string, failures: readonly Failure[], findings: Findings): void {
  for (const { name, why } of failures.slice(0, NAMED_FAILURES)) findings.problems.push(warn(directory + name, why));
  const rest = failures.length - NAMED_FAILURES;
  if (rest > 0)
    findings.problems.push(warn(directory.slice(0, -1), `${rest} more names in this directory were skipped for reasons of this kind.`));
}

function warn(source: string, message: string): Problem {
  return { severity: "warning", source, message };
}
