/** How a run is cut into batches, and what the journal says before each. */
import path from "node:path";
import type { Identity, PlanItem } from "../model.ts";
import type { IntendRecord } from "./journal.ts";

/** Files per fsync: few at first, so that a short run shows progress and can be stopped. */
const FIRST = 256;
const MOST = 1024;
/** A batch of large files ends early: while it lasts nobody else may change the jobs that own them. */
const MOST_BYTES = 2 ** 30;
/** A run of more files than this is taken as they lie on the disk: names tell nothing about that. */
const LARGE = 4096;
/** Files per record of the journal: where one is damaged, only so many lose their owner and reason. */
const PER_RECORD = 64;

export interface Batch {
  /** The number of its first item. */
  readonly from: number;
  readonly items: readonly PlanItem[];
}

export function* batchesOf(plan: readonly PlanItem[]): Generator<Batch> {
  const items = plan.length > LARGE ? inDiskOrder(plan) : plan;
  for (let from = 0; from < items.length;) {
    let to = from;
    let bytes = 0;
    while (to < items.length && to - from < (from === 0 ? FIRST : MOST) && (to - from < FIRST || bytes < MOST_BYTES))
      bytes += items[to++]!.bytes;
    yield { from, items: items.slice(from, to) };
    from = to;
  }
}

/** What the journal has to say before a batch is touched. `undoMs` is that of the run. */
export function intentsOf({ from, items }: Batch, undoMs: number): IntendRecord[] {
  const records: { head: PlanItem; record: IntendRecord; files: IntendRecord["files"][number][] }[] = [];
  for (const [i, item] of items.entries()) {
    const identity = item.identity ?? { dev: "", ino: "", bytes: item.bytes, mtimeNs: "" };
    const directory = path.posix.dirname(item.path);
    const last = records.at(-1);
    const file = [path.posix.basename(item.path), item.bytes, item.allocated, identity.ino, identity.mtimeNs] as const;
    if (
      last &&
      last.files.length < PER_RECORD &&
      last.record.directory === directory &&
      last.record.dev === identity.dev &&
      isAlike(last.head, item)
    ) {
      last.files.push(file);
      continue;
    }
    const { root, store, owner, reason } = item;
    const own = item.undoMs !== undefined && item.undoMs !== undoMs ? { undoMs: item.undoMs } : {};
    const files = [file];
    const record = {
      t: "intend",
      n: from + i,
      root,
      directory,
      store,
      ...(owner !== undefined && { owner }),
      reason,
      ...own,
      dev: identity.dev,
      files,
    } as const;
    records.push({ head: item, record, files });
  }
  return records.map(({ record }) => record);
}

function isAlike(a: PlanItem, b: PlanItem): boolean {
  return a.root === b.root && a.store === b.store && a.owner === b.owner && a.reason === b.reason && a.undoMs === b.undoMs;
}

/**
 * Files as they lie on the disk: directory by directory, and in each by inode. So each block of inodes is changed in one go, which
 * is many times faster than coming back to it for every file.
 */
export function inDiskOrder<T extends { readonly root: string; readonly path: string; readonly identity?: Identity }>(
  files: readonly T[],
): T[] {
  const directories = new Map<string, number>();
  const placed = files.map((file) => {
    const directory = `${file.root}\0${path.posix.dirname(file.path)}`;
    let place = directories.get(directory);
    if (place === undefined) directories.set(directory, (place = directories.size));
    return { file, place, ino: Number(file.identity?.ino ?? 0) };
  });
  return placed.sort((a, b) => a.place - b.place || a.ino - b.ino).map(({ file }) => file);
}
