import { t } from "@vscode/l10n";
import type { Box } from "./boxes.ts";
import { need, readChildren } from "./boxes.ts";
import type { Inside } from "./mp4.ts";
import type { Source } from "./source.ts";
import { countBytes, Flaw } from "./source.ts";
import type { Track } from "./track.ts";

interface Film {
  readonly top: readonly Box[];
  readonly mvex: Box;
  readonly tracks: readonly Track[];
  readonly inside: Inside;
}

const mostSamples = 2_000_000;

/**
 * Adds the samples of all fragments to their tracks; each run must lie inside an `mdat`. Says whether an index (`mfra`, or one
 * `sidx`) proves that the last fragment is there: without one, a file that ends between two fragments looks like a finished one.
 * Source: ISO/IEC 14496-12, 8.8 and 8.16.
 */
export async function checkFragments(source: Source, film: Film): Promise<"indexed" | "none"> {
  const defaults = await readDefaults(source, film.mvex);
  const moofs = film.top.filter((box) => box.type === "moof");
  for (const moof of moofs) await readFragment(source, moof, film, defaults);
  const last = film.top.at(-1);
  if (last?.type === "moof") throw new Flaw(t("the last fragment has no media data"));
  const mfra = film.top.find((box) => box.type === "mfra");
  if (mfra) {
    await checkRandomAccess(source, mfra, moofs);
    return "indexed";
  }
  const indexes = film.top.filter((box) => box.type === "sidx");
  let covered = 0;
  for (const sidx of indexes) covered = Math.max(covered, await readSegmentIndex(source, sidx));
  if (covered > source.size) throw new Flaw(t("the segment index reaches {0} behind the file's end", countBytes(covered - source.size)));
  // Several indexes belong to one segment each and don't know of the next one.
  return indexes.length === 1 && last !== undefined && covered >= last.start ? "indexed" : "none";
}

async function readDefaults(source: Source, mvex: Box): Promise<ReadonlyMap<number, number>> {
  const sizes = new Map<number, number>();
  for (const trex of await readChildren(source, mvex)) {
    if (trex.type !== "trex") continue;
    const fields = await source.read(trex.body, 20);
    sizes.set(fields.readUInt32BE(4), fields.readUInt32BE(16));
  }
  return sizes;
}

async function readFragment(source: Source, moof: Box, film: Film, defaults: ReadonlyMap<number, number>): Promise<void> {
  const boxes = await readChildren(source, moof);
  need(boxes, "mfhd");
  let at = moof.start;
  for (const traf of boxes.filter((box) => box.type === "traf")) {
    const children = await readChildren(source, traf);
    const header = need(children, "tfhd");
    const fields = await source.read(header.body, header.end - header.body);
    const flags = fields.readUInt32BE(0) & 0xffffff;
    const id = fields.readUInt32BE(4);
    const track = film.tracks.find((one) => one.id === id);
    if (!track) throw new Flaw(t("a fragment of track {0}, which moov does not name", id));
    let next = 8;
    let base = flags & 0x20000 ? moof.start : at;
    if (flags & 0x1) {
      base = Number(fields.readBigUInt64BE(next));
      next += 8;
    }
    next += (flags & 0x2 ? 4 : 0) + (flags & 0x8 ? 4 : 0);
    const size = flags & 0x10 ? fields.readUInt32BE(next) : (defaults.get(id) ?? 0);
    at = base;
    for (const trun of children.filter((box) => box.type === "trun"))
      at = await readRun(source, trun, { track, base, at, size }, film.inside);
  }
}

interface Run {
  readonly track: Track;
  /** What the run's own offset counts from, and where it starts when it has none. */
  readonly base: number;
  readonly at: number;
  /** Bytes of a sample that has no size of its own. */
  readonly size: number;
}

async function readRun(source: Source, trun: Box, run: Run, inside: Inside): Promise<number> {
  const { track } = run;
  const fields = await source.read(trun.body, trun.end - trun.body);
  const flags = fields.readUInt32BE(0) & 0xffffff;
  const count = fields.readUInt32BE(4);
  if (track.count + count > mostSamples) throw new Flaw(t("too many samples to be looked at"), "unknown");
  let next = 8;
  let start = run.at;
  if (flags & 0x1) {
    start = run.base + fields.readInt32BE(next);
    next += 4;
  }
  if (flags & 0x4) next += 4;
  const before = flags & 0x100 ? 4 : 0;
  const width = before + (flags & 0x200 ? 4 : 0) + (flags & 0x400 ? 4 : 0) + (flags & 0x800 ? 4 : 0);
  if (next + count * width > fields.length) throw new Flaw(t("trun box is shorter than its table"));
  const own = (flags & 0x200) !== 0;
  const what = (): string => t("a fragment of track {0}", track.id);
  // Checked before the samples are listed, so that a made-up count without a table does not become an allocation.
  if (!own && count * run.size > 0) inside(start, start + count * run.size, what);
  let end = start;
  const listed = own || run.size > 0 ? count : 0;
  for (let index = 0; index < listed; index += 1) {
    const size = own ? fields.readUInt32BE(next + before) : run.size;
    track.offsets.push(end);
    track.sizes.push(size);
    next += width;
    end += size;
  }
  track.count += count;
  if (end > start) inside(start, end, what);
  return end;
}

/** `mfra` is written last; each entry must name a fragment that is there. */
async function checkRandomAccess(source: Source, mfra: Box, moofs: readonly Box[]): Promise<void> {
  const starts = new Set(moofs.map((box) => box.start));
  const boxes = await readChildren(source, mfra);
  const size = (await source.read(need(boxes, "mfro").body + 4, 4)).readUInt32BE(0);
  if (size !== mfra.end - mfra.start) throw new Flaw(t("the index of fragments does not end as it says"));
  for (const tfra of boxes.filter((box) => box.type === "tfra")) {
    const fields = await source.read(tfra.body, tfra.end - tfra.body);
    const wide = fields.readUInt8(0) === 1;
    const lengths = fields.readUInt32BE(8);
    const numbers = ((lengths >> 4) & 3) + ((lengths >> 2) & 3) + (lengths & 3) + 3;
    const width = (wide ? 16 : 8) + numbers;
    const count = fields.readUInt32BE(12);
    if (16 + count * width > fields.length) throw new Flaw(t("tfra box is shorter than its table"));
    for (let index = 0; index < count; index += 1) {
      const at = 16 + index * width;
      const offset = wide ? Number(fields.readBigUInt64BE(at + 8)) : fields.readUInt32BE(at + 4);
      if (!starts.has(offset)) throw new Flaw(t("the index names a fragment at {0}, which is not there", offset));
    }
  }
}

/** Where the last segment that a `sidx` names ends. */
async function readSegmentIndex(source: Source, sidx: Box): Promise<number> {
  const fields = await source.read(sidx.body, sidx.end - sidx.body);
  const wide = fields.readUInt8(0) > 0;
  const offset = wide ? Number(fields.readBigUInt64BE(20)) : fields.readUInt32BE(16);
  const at = wide ? 28 : 20;
  const count = fields.readUInt16BE(at + 2);
  let end = sidx.end + offset;
  for (let index = 0; index < count; index += 1) end += fields.readUInt32BE(at + 4 + index * 12) & 0x7fffffff;
  return end;
}
