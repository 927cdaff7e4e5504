import { t } from "@vscode/l10n";
import type { Box } from "./boxes.ts";
import { need, readChildren } from "./boxes.ts";
import type { Inside } from "./mp4.ts";
import type { Source } from "./source.ts";
import { Flaw } from "./source.ts";

export interface Track {
  readonly id: number;
  /** The type of its sample entry, e.g. `avc1`; empty when there are several. */
  readonly codec: string;
  /** Bytes of the length before each NAL unit, for codecs that have one. */
  readonly lengthSize?: number;
  /** Samples found so far; fragments add to it. */
  count: number;
  /** Where the samples of coded tracks lie; tracks of samples of one size (PCM) are only checked as whole chunks. */
  readonly offsets: number[];
  readonly sizes: number[];
}

const nalCodecs = new Set(["avc1", "avc3", "dva1", "dvav", "hvc1", "hev1", "dvh1", "dvhe"]);
const mostSamples = 2_000_000;

/** Reads one `trak` and checks that each of its samples lies inside the media data. Source: ISO/IEC 14496-12, 8.5 to 8.7. */
export async function readTrack(source: Source, trak: Box, inside: Inside): Promise<Track> {
  const boxes = await readChildren(source, trak);
  const media = await readChildren(source, need(boxes, "mdia"));
  const info = await readChildren(source, need(media, "minf"));
  await checkReference(source, info);
  const table = await readChildren(source, need(info, "stbl"));
  const header = need(boxes, "tkhd");
  const version = (await source.read(header.body, 1)).readUInt8(0);
  const id = (await source.read(header.body + (version === 1 ? 20 : 12), 4)).readUInt32BE(0);
  const entry = await readEntry(source, need(table, "stsd"));
  const track: Track = { id, ...entry, count: 0, offsets: [], sizes: [] };
  await readSamples(source, table, track, inside);
  return track;
}

/** A QuickTime reference movie keeps its media in other files. */
async function checkReference(source: Source, info: readonly Box[]): Promise<void> {
  const dinf = info.find((box) => box.type === "dinf");
  if (!dinf) return;
  const dref = (await readChildren(source, dinf)).find((box) => box.type === "dref");
  if (!dref) return;
  for (const entry of await readChildren(source, dref, 8)) {
    const flags = (await source.read(entry.body, 4)).readUInt32BE(0);
    if ((flags & 1) === 0) throw new Flaw(t("its media data lie in another file"), "unknown");
  }
}

async function readEntry(source: Source, stsd: Box): Promise<Pick<Track, "codec" | "lengthSize">> {
  const entries = await readChildren(source, stsd, 8);
  const [entry] = entries;
  if (!entry || entries.length > 1) return { codec: "" };
  if (!nalCodecs.has(entry.type)) return { codec: entry.type };
  // 78 bytes are the fields of a visual sample entry.
  const boxes = await readChildren(source, entry, 78);
  const config = boxes.find((box) => box.type === "avcC" || box.type === "hvcC");
  if (!config) throw new Flaw(t("{0} without its configuration", entry.type));
  const byte = (await source.read(config.body + (config.type === "avcC" ? 4 : 21), 1)).readUInt8(0);
  return { codec: entry.type, lengthSize: (byte & 3) + 1 };
}

async function readSamples(source: Source, table: readonly Box[], track: Track, inside: Inside): Promise<void> {
  const sizes = await readSizes(source, table);
  track.count = sizes.count;
  if (sizes.count === 0) return;
  await checkTimes(source, need(table, "stts"), sizes.count);
  const { count: chunks, offsetOf } = await readChunks(source, table);
  const runs = await readTable(source, need(table, "stsc"), 4, 12);
  if (runs.count === 0 || runs.entries.readUInt32BE(0) !== 1) throw new Flaw(t("stsc box does not start at the first chunk"));
  let sample = 0;
  let run = 0;
  for (let chunk = 0; chunk < chunks && sample < sizes.count; chunk += 1) {
    while (run + 1 < runs.count && runs.entries.readUInt32BE((run + 1) * 12) <= chunk + 1) run += 1;
    const inChunk = Math.min(runs.entries.readUInt32BE(run * 12 + 4), sizes.count - sample);
    const start = offsetOf(chunk);
    let end = start;
    if (sizes.fixed > 0) end += inChunk * sizes.fixed;
    else {
      for (let index = sample; index < sample + inChunk; index += 1) {
        const size = sizes.sizeOf(index);
        track.offsets.push(end);
        track.sizes.push(size);
        end += size;
      }
    }
    const number = chunk + 1;
    if (end > start) inside(start, end, () => t("chunk {0} of track {1}", number, track.id));
    sample += inChunk;
  }
  if (sample < sizes.count)
    throw new Flaw(
      sizes.count - sample === 1
        ? t("1 sample of track {0} is in no chunk", track.id)
        : t("{0} samples of track {1} are in no chunk", sizes.count - sample, track.id),
    );
}

interface Sizes {
  readonly count: number;
  /** The size of all samples in bytes, or 0 when each has its own. */
  readonly fixed: number;
  readonly sizeOf: (index: number) => number;
}

async function readSizes(source: Source, table: readonly Box[]): Promise<Sizes> {
  const compact = table.find((box) => box.type === "stz2");
  const box = compact ?? need(table, "stsz");
  const field = (await source.read(box.body + 4, 4)).readUInt32BE(0);
  if (!compact && field > 0) {
    const count = (await source.read(box.body + 8, 4)).readUInt32BE(0);
    return { count, fixed: field, sizeOf: () => field };
  }
  const bits = compact ? field & 0xff : 32;
  if (![4, 8, 16, 32].includes(bits)) throw new Flaw(t("stz2 box with an unknown field size"));
  const { count, entries } = await readTable(source, box, 8, bits / 8);
  if (count > mostSamples) throw new Flaw(t("too many samples to be looked at"), "unknown");
  if (bits === 32) return { count, fixed: 0, sizeOf: (index) => entries.readUInt32BE(index * 4) };
  if (bits === 16) return { count, fixed: 0, sizeOf: (index) => entries.readUInt16BE(index * 2) };
  if (bits === 8) return { count, fixed: 0, sizeOf: (index) => entries.readUInt8(index) };
  return { count, fixed: 0, sizeOf: (index) => (entries.readUInt8(index >> 1) >> (index & 1 ? 0 : 4)) & 15 };
}

async function readChunks(source: Source, table: readonly Box[]): Promise<{ count: number; offsetOf: (chunk: number) => number }> {
  const large = table.find((box) => box.type === "co64");
  const { count, entries } = await readTable(source, large ?? need(table, "stco"), 4, large ? 8 : 4);
  if (large) return { count, offsetOf: (chunk) => Number(entries.readBigUInt64BE(chunk * 8)) };
  return { count, offsetOf: (chunk) => entries.readUInt32BE(chunk * 4) };
}

/** Durations are not used, but a hole in this table shows that it does not add up. */
async function checkTimes(source: Source, stts: Box, samples: number): Promise<void> {
  const { count, entries } = await readTable(source, stts, 4, 8);
  let sum = 0;
  for (let index = 0; index < count; index += 1) sum += entries.readUInt32BE(index * 8);
  if (sum !== samples) throw new Flaw(t("stts box times {0} of {1} samples", sum, samples));
}

/** A table whose 32-bit count stands `at` bytes into the box's body, with entries of `width` bytes behind it. */
async function readTable(source: Source, box: Box, at: number, width: number): Promise<{ count: number; entries: Buffer }> {
  const count = (await source.read(box.body + at, 4)).readUInt32BE(0);
  const length = Math.ceil(count * width);
  if (box.body + at + 4 + length > box.end) throw new Flaw(t("{0} box is shorter than its table", box.type));
  return { count, entries: await source.read(box.body + at + 4, length) };
}
