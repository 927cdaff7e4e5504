/** How findings cross from a worker to the calling thread: one string and one transferred array instead of thousands of objects. */
import type { Stats } from "node:fs";
import type { FileEntry } from "../model.ts";
import type { WalkStore } from "./walk.ts";

export interface PackedFiles {
  /** The relative paths, joined with NUL, which no name can hold. */
  readonly paths: string;
  /** {@link FIELDS} numbers for each file. */
  readonly numbers: Float64Array<ArrayBuffer>;
}

const FIELDS = 9;
const TYPES = ["file", "link", "other"] as const;

/** Collects files on a worker. */
export function startPacking() {
  let paths: string[] = [];
  let numbers: number[] = [];
  return {
    add: (store: number, path: string, stats: Stats): void => {
      paths.push(path);
      const type = typeOf(stats);
      numbers.push(
        store,
        TYPES.indexOf(type),
        stats.size,
        allocatedOf(stats),
        stats.mtimeMs,
        stats.ctimeMs,
        stats.dev,
        stats.ino,
        stats.nlink,
      );
    },
    /** What was collected since the last call. */
    take(): PackedFiles {
      const packed = { paths: paths.join("\0"), numbers: new Float64Array(numbers) };
      paths = [];
      numbers = [];
      return packed;
    },
  };
}

export function unpackFiles(stores: readonly WalkStore[], { paths, numbers }: PackedFiles): FileEntry[] {
  if (numbers.length === 0) return [];
  return paths.split("\0").map((path, i): FileEntry => {
    const at = i * FIELDS;
    const store = stores[numbers[at] ?? -1];
    if (!store) throw new RangeError(`packed file ${i} names store ${numbers[at]} of ${stores.length}`);
    return {
      store: store.name,
      root: store.root,
      path,
      bytes: numbers[at + 2] as number,
      allocated: numbers[at + 3] as number,
      mtimeMs: numbers[at + 4] as number,
      ctimeMs: numbers[at + 5] as number,
      dev: numbers[at + 6] as number,
      ino: numbers[at + 7] as number,
      links: numbers[at + 8] as number,
      type: TYPES[numbers[at + 1] ?? 2] ?? "other",
    };
  });
}

export function fileEntry(store: WalkStore, path: string, stats: Stats): FileEntry {
  return {
    store: store.name,
    root: store.root,
    path,
    bytes: stats.size,
    allocated: allocatedOf(stats),
    mtimeMs: stats.mtimeMs,
    ctimeMs: stats.ctimeMs,
    dev: stats.dev,
    ino: stats.ino,
    links: stats.nlink,
    type: typeOf(stats),
  };
}

function typeOf(stats: Stats): FileEntry["type"] {
  if (stats.isFile()) return "file";
  return stats.isSymbolicLink() ? "link" : "other";
}

/** Not every platform counts blocks; there the size is the best that is known. */
function allocatedOf(stats: Stats): number {
  const blocks: number | undefined = stats.blocks;
  return blocks === undefined ? stats.size : blocks * 512;
}
