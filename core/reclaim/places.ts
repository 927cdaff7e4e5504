/**
 * The directories that a run is working in, held open on both sides: where files come from and where they are held. A way to a
 * directory that was gone step by step is trusted for a moment only, so that a directory that was moved away is left alone soon.
 */
import fs from "node:fs";
import path from "node:path";
import { HOME } from "./home.ts";
import { pinDirectory, type PinnedDirectory } from "./pinned.ts";

export interface Place {
  /** Where the files are. */
  readonly source: PinnedDirectory;
  /** Where they are held; made when the first of them gets there. */
  hold(): PinnedDirectory;
}

export interface Places extends Disposable {
  /** Throws a Refusal when a link is in the way, and the system's error when something is missing. */
  of(root: string, directory: string): Place;
  /** The next look goes from the root again. */
  forget(): void;
}

/** Open files are limited. */
const MOST = 64;

export function createPlaces(run: string): Places {
  const known = new Map<string, Place & Disposable>();
  const forget = (): void => {
    for (const place of known.values()) place[Symbol.dispose]();
    known.clear();
  };
  return {
    of(root, directory) {
      const key = `${root}\0${directory}`;
      const place = known.get(key);
      if (place?.source.steady) return place;
      if (place || known.size >= MOST) forget();
      const fresh = openPlace(root, directory, run);
      known.set(key, fresh);
      return fresh;
    },
    forget,
    [Symbol.dispose]: forget,
  };
}

function openPlace(root: string, directory: string, run: string): Place & Disposable {
  const source = pinDirectory(root, directory);
  let hold: PinnedDirectory | undefined;
  return {
    source,
    hold: () =>
      (hold ??= pinDirectory(root, path.posix.join(HOME, "holds", run, directory), { make: (absolute) => fs.mkdirSync(absolute) })),
    [Symbol.dispose]() {
      source[Symbol.dispose]();
      hold?.[Symbol.dispose]();
    },
  };
}
