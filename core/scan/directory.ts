/**
 * The inner loop of the walk: one directory, looked at synchronously. It runs on the calling thread and in the workers alike.
 * Names are listed without their types: every name that matters is looked at with `lstat` anyway (R1, R4), the others cost nothing.
 */
import { lstatSync, readdirSync } from "node:fs";
import type { Stats } from "node:fs";
import { belongsToKin, deepStores, isNever, literalNames, mayEnter, openingsAt, storeOf, withoutStores } from "./openings.ts";
import type { Openings } from "./openings.ts";
import { codeOf } from "./roots.ts";
import type { WalkRoot } from "./roots.ts";
import type { Trouble } from "./trouble.ts";
import type { WalkStore } from "./walk.ts";

/** A directory to look at, already known to be a real one on its root's device. */
export interface Task {
  /** Index into the roots of the walk. */
  readonly root: number;
  /** Relative with `/`; `""` is the root. */
  readonly path: string;
  /** A part of a large listing, joined with `/`; absent when the directory has still to be listed. */
  readonly names?: string;
  /** Stores that take nothing below here: they would take somebody's repository. */
  readonly closed?: readonly number[];
}

/** What every thread knows about the walk. */
export interface Scope {
  readonly stores: readonly WalkStore[];
  readonly roots: readonly WalkRoot[];
}

/** Where findings go: into entries on the calling thread, into numbers on a worker. */
export interface Findings {
  addFile(store: number, path: string, stats: Stats): void;
  readonly troubles: Trouble[];
  /** Directories that were found and not looked at yet; the last is the next. */
  readonly tasks: Task[];
  directories: number;
  /** Names seen: the measure of the work done. */
  names: number;
}

/** Longer listings are cut, so that a walk can be interrupted in the middle and threads can share one huge directory. */
const LISTING = 4096;
/** Beyond these, one line per directory counts the rest: a directory without `x` would fail once for every name. */
const NAMED_FAILURES = 8;

const OR_UNDEFINED = { throwIfNoEntry: false } as const;

/** Looks at one directory. Never throws for what it finds on disk: that becomes a trouble, and the rest goes on. */
export function walkDirectory(scope: Scope, task: Task, findings: Findings): void {
  const root = scope.roots[task.root];
  if (!root) return;
  const absolute = task.path === "" ? `${root.path}/` : `${root.path}/${task.path}/`;
  const relative = task.path === "" ? "" : `${task.path}/`;
  let openings = openingsAt(scope.stores, root, task.path);
  let closed = task.closed;
  if (closed) openings = withoutStores(openings, closed);
  // A plain name is looked up instead of searched for. So the directories above a store's prefix are never listed.
  const literals = literalNames(openings);
  const failures: Trouble[] = [];
  let names: readonly string[];
  if (literals) {
    names = literals;
  } else if (task.names !== undefined) {
    names = task.names.split("/");
  } else {
    const listed = list(absolute, findings);
    if (!listed) return;
    findings.directories++;
    const taking = inRepository(openings, listed, absolute, findings);
    if (taking.length > 0) {
      closed = [...(closed ?? []), ...taking];
      openings = withoutStores(openings, closed);
    } else if (listed.length > LISTING) return cut(task, listed, findings);
    names = listed;
  }
  findings.names += names.length;

  for (const name of names) {
    const store = storeOf(openings, name);
    if ((store < 0 && !mayEnter(openings, name)) || isNever(name)) continue;
    if (name.includes("\uFFFD")) {
      failures.push({ kind: "name-not-utf8", at: absolute + name });
      continue;
    }
    const stats = look(absolute + name);
    if (stats === undefined) {
      if (!literals) failures.push({ kind: "vanished", at: absolute + name });
    } else if (typeof stats === "string") {
      failures.push({ kind: "not-looked-at", at: absolute + name, code: stats });
    } else if (stats.isDirectory()) {
      if (mayEnter(openings, name)) enter(root, { root: task.root, path: relative + name, ...(closed && { closed }) }, stats, findings);
    } else if (store < 0) {
      if (stats.isSymbolicLink()) findings.troubles.push({ kind: "link-for-directory", at: absolute + name });
    } else if (root.mounts.size > 0 && root.mounts.has(relative + name)) {
      findings.troubles.push({ kind: "file-is-mount", at: absolute + name });
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
    findings.troubles.push({ kind: "not-listed", at: directory.slice(0, -1), code: codeOf(error) });
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

/**
 * The stores whose templates take everything here, where somebody has a repository: they must take nothing of it, here or below
 * (R7). Templates that name their files go on.
 */
function inRepository(openings: Openings, listed: readonly string[], directory: string, findings: Findings): readonly number[] {
  const taking = deepStores(openings);
  const sign = taking.length > 0 ? listed.find((name) => isNever(name) && name !== ".offcut") : undefined;
  if (sign === undefined) return [];
  findings.troubles.push({ kind: "repository", at: directory.slice(0, -1), sign });
  return taking;
}

function cut(task: Task, listed: readonly string[], findings: Findings): void {
  for (let i = 0; i < listed.length; i += LISTING) {
    findings.tasks.push({ ...task, names: listed.slice(i, i + LISTING).join("/") });
  }
}

function enter(root: WalkRoot, task: Task, stats: Stats, findings: Findings): void {
  if (stats.dev !== root.dev || (root.mounts.size > 0 && root.mounts.has(task.path))) {
    findings.troubles.push({ kind: "other-device", at: `${root.path}/${task.path}` });
    return;
  }
  findings.tasks.push(task);
}

function reportFailures(directory: string, failures: readonly Trouble[], findings: Findings): void {
  findings.troubles.push(...failures.slice(0, NAMED_FAILURES));
  const rest = failures.length - NAMED_FAILURES;
  if (rest > 0) findings.troubles.push({ kind: "more-names", at: directory.slice(0, -1), count: rest });
}
