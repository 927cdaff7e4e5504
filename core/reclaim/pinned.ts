/**
 * A directory that stays the same one while it is worked in (R1). Node has no `renameat` and no `unlinkat`, but on Linux a path
 * through an open descriptor is as good: whatever is put in the place of a component meanwhile, the act happens in the very
 * directory that was looked at. Elsewhere the components are checked right before, which leaves a moment.
 */
import fs from "node:fs";
import path from "node:path";
import { checkDirectories } from "./guard.ts";
import { Refusal } from "./home.ts";

export interface PinnedDirectory extends Disposable {
  /** The path of an entry in it, to be used at once and shown to nobody. */
  entry(name: string): string;
  /** Whether it stays the same directory whatever happens to its path; if not, a look at its path is good for one act only. */
  readonly steady: boolean;
  /** For an act that ends later: it is not closed before {@link release} was called as often. */
  retain(): void;
  release(): void;
}

export interface PinOptions {
  /** Makes a missing directory; gets the path to make it at, and the one relative to the root. Without it a missing one is ENOENT. */
  readonly make?: (absolute: string, relative: string) => void;
}

const DESCRIPTORS = "/proc/self/fd";
let descriptors: boolean | undefined;

/** Looked for when it is needed: importing this looks at nothing. */
function hasDescriptors(): boolean {
  return (descriptors ??= process.platform === "linux" && fs.existsSync(DESCRIPTORS));
}

/**
 * Opens a directory below `root` step by step, never through a link. Throws a {@link Refusal} when a component is a link or no
 * directory, and the system's error when it is missing.
 */
export function pinDirectory(root: string, relative: string, options: PinOptions = {}): PinnedDirectory {
  const parts = relative === "" || relative === "." ? [] : relative.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0")))
    throw new Refusal(`${relative} is not a plain path`);
  return hasDescriptors() ? openStepwise(root, parts, options) : checkStepwise(root, parts, options);
}

function openStepwise(root: string, parts: readonly string[], options: PinOptions): PinnedDirectory {
  let handle = openDirectory(root, root);
  try {
    for (const [i, part] of parts.entries()) {
      const below = `${DESCRIPTORS}/${handle}/${part}`;
      const name = parts.slice(0, i + 1).join("/");
      const next = openOrMake(below, name, path.join(root, name), options);
      fs.closeSync(handle);
      handle = next;
    }
  } catch (error) {
    fs.closeSync(handle);
    throw error;
  }
  const prefix = `${DESCRIPTORS}/${handle}/`;
  let uses = 1;
  const release = (): void => {
    if (--uses === 0) fs.closeSync(handle);
  };
  return { steady: true, entry: (name) => prefix + name, retain: () => void uses++, release, [Symbol.dispose]: release };
}

function openOrMake(below: string, relative: string, shown: string, { make }: PinOptions): number {
  try {
    return openDirectory(below, shown);
  } catch (error) {
    if (!make || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    makeOnce(() => make(below, relative));
    return openDirectory(below, shown);
  }
}

function openDirectory(directory: string, shown: string): number {
  try {
    return fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW);
  } catch (error) {
    if (["ELOOP", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? ""))
      throw new Refusal(`${shown} is a symbolic link or not a directory`);
    throw error;
  }
}

function checkStepwise(root: string, parts: readonly string[], { make }: PinOptions): PinnedDirectory {
  checkDirectories(root, parts.join("/"));
  const directory = path.join(root, ...parts);
  for (let length = 1; length <= parts.length; length++) {
    const below = path.join(root, ...parts.slice(0, length));
    if (make && !fs.existsSync(below)) makeOnce(() => make(below, parts.slice(0, length).join("/")));
  }
  return { steady: false, entry: (name) => path.join(directory, name), retain() {}, release() {}, [Symbol.dispose]() {} };
}

/** Somebody else may make it in the same moment, which is as good. */
function makeOnce(make: () => void): void {
  try {
    make();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** Keeps the last directories open: the files of a run come directory by directory. */
export interface Pins extends Disposable {
  pin(root: string, relative: string, options?: PinOptions): PinnedDirectory;
  /** After trouble the next look starts from the root again. */
  forget(): void;
}

const KEPT = 4;

export function createPins(): Pins {
  const kept = new Map<string, PinnedDirectory>();
  const forget = (): void => {
    for (const pinned of kept.values()) pinned[Symbol.dispose]();
    kept.clear();
  };
  return {
    pin(root, relative, options) {
      const key = `${root}\0${relative}`;
      const pinned = kept.get(key) ?? pinDirectory(root, relative, options);
      // Taken out and put in again it is the youngest: the two that a move needs are never closed under it.
      kept.delete(key);
      kept.set(key, pinned);
      const oldest = kept.size > KEPT ? [...kept][0] : undefined;
      if (oldest) {
        oldest[1][Symbol.dispose]();
        kept.delete(oldest[0]);
      }
      return pinned;
    },
    forget,
    [Symbol.dispose]: forget,
  };
}
