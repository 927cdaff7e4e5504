/** What a walk has to know before its first directory: which roots there are, their devices and mount points. */
import { lstatSync, realpathSync } from "node:fs";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { t } from "@vscode/l10n";
import type { Problem } from "../model.ts";
import { mountsBelow, readMountPoints } from "./mounts.ts";
import type { WalkStore } from "./walk.ts";

/** Names that are never entered nor reported: other tools' state and our own holds (R7, R65). */
export const NEVER_ENTERED: ReadonlySet<string> = new Set([".git", ".offcut", ".hg", ".svn", ".jj"]);

/** The directory that one or more stores start from. It can be cloned into a worker thread. */
export interface WalkRoot {
  /** Absolute, without a separator at its end. */
  readonly path: string;
  readonly dev: number;
  /** Indices into the stores of the walk. */
  readonly stores: readonly number[];
  /** Mount points below, relative with `/` (R4). */
  readonly mounts: ReadonlySet<string>;
  readonly kin: readonly Kin[];
}

/** Another root that contains this one or lies in it: the same file may match the stores of both. */
export interface Kin {
  readonly stores: readonly number[];
  /** How a path changes from this root's to the other's: `strip` goes from its front, then `add` comes there. */
  readonly strip: string;
  readonly add: string;
}

export interface OpenedRoots {
  readonly roots: readonly WalkRoot[];
  readonly problems: readonly Problem[];
}

/** Looks at every root once. One that cannot be searched is left out with a problem. Throws when a root is not absolute. */
export function openRoots(stores: readonly WalkStore[]): OpenedRoots {
  const problems: Problem[] = [];
  const byPath = new Map<string, number[]>();
  for (const [i, store] of stores.entries()) {
    if (!isAbsolute(store.root)) throw new TypeError(`the root of store "${store.name}" is not absolute: ${store.root}`);
    const forbidden = store.template.segments.find((segment) => NEVER_ENTERED.has(segment.source));
    if (forbidden) {
      const message = t(
        'The template "{0}" leads into {1}, which is never searched. Take the store out.',
        store.template.source,
        forbidden.source,
      );
      problems.push({ severity: "warning", source: store.name, message });
      continue;
    }
    const path = resolve(store.root);
    byPath.set(path, [...(byPath.get(path) ?? []), i]);
  }
  const points = mountPoints(problems);
  const roots: WalkRoot[] = [];
  for (const [path, indices] of byPath) {
    const found = openRoot(path);
    if (typeof found === "string") {
      problems.push({ severity: "error", source: path, message: found });
      continue;
    }
    const kin = [...byPath].flatMap(([other, theirs]) => relate(path, other, theirs));
    roots.push({
      path: path.endsWith(sep) ? path.slice(0, -1) : path,
      dev: found.dev,
      stores: indices,
      mounts: mountsBelow(found.real, points),
      kin,
    });
  }
  return { roots, problems };
}

/** The device and the real path of a root, or a sentence that says why it cannot be searched. */
function openRoot(path: string): { readonly dev: number; readonly real: string } | string {
  try {
    const stats = lstatSync(path);
    if (stats.isSymbolicLink())
      return t("The root is a symbolic link, and links are not followed (R2). Configure the directory that it points to.");
    if (!stats.isDirectory()) return t('The root is not a directory. Correct "root" in the configuration.');
    return { dev: stats.dev, real: realpathSync.native(path) };
  } catch (error) {
    return t(
      "The root cannot be read ({0}), so nothing below it is known. Check that the drive is mounted and the path is right.",
      codeOf(error),
    );
  }
}

function mountPoints(problems: Problem[]): readonly string[] {
  try {
    return readMountPoints();
  } catch (error) {
    const message = t(
      "The list of mount points cannot be read ({0}), so bind mounts cannot be told from directories. Mount /proc.",
      codeOf(error),
    );
    problems.push({ severity: "warning", source: "/proc/self/mountinfo", message });
    return [];
  }
}

function relate(path: string, other: string, stores: readonly number[]): readonly Kin[] {
  if (other === path) return [];
  const posix = (from: string, to: string) => `${relative(from, to).split(sep).join("/")}/`;
  const within = (inner: string, outer: string) => inner.startsWith(outer.endsWith(sep) ? outer : outer + sep);
  if (within(other, path)) return [{ stores, strip: posix(path, other), add: "" }];
  if (within(path, other)) return [{ stores, strip: "", add: posix(other, path) }];
  return [];
}

/** The system's short name of an error (`EACCES`), or its message. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error as NodeJS.ErrnoException).code ?? error.message;
}
