import { crc32 } from "node:zlib";
import { t } from "@vscode/l10n";
import type { Element } from "./ebml.ts";
import { readElement } from "./ebml.ts";
import type { Source } from "./source.ts";
import { Flaw } from "./source.ts";

const ebml = 0x1a45dfa3;
const segment = 0x18538067;
const info = 0x1549a966;
const tracks = 0x1654ae6b;
const cluster = 0x1f43b675;
const cues = 0x1c53bb6b;
const voidElement = 0xec;
const simpleBlock = 0xa3;
/** SeekHead, Info, Tracks, Cluster, Cues, Attachments, Chapters, Tags, Void, CRC-32. */
const inSegment = new Set([0x114d9b74, info, tracks, cluster, cues, 0x1941a469, 0x1043a770, 0x1254c367, voidElement, 0xbf]);
/** Timestamp, SimpleBlock, BlockGroup, PrevSize, Position, SilentTracks, EncryptedBlock, Void, CRC-32. */
const inCluster = new Set([0xe7, simpleBlock, 0xa0, 0xab, 0xa7, 0x5854, 0xaf, voidElement, 0xbf]);

const mostElements = 2_000_000;
const lookedAtClusters = 8;
const largestChecksum = 16 * 1024 * 1024;

interface Parts {
  readonly elements: readonly Element[];
  readonly clusters: readonly { readonly body: number; readonly end: number }[];
  readonly live: boolean;
}

/**
 * WebM and Matroska. The elements of the segment tile it to its end; checksums of its parts hold where they are written; and the
 * blocks of the first, the last and a spread of clusters, eight in all, tile them and are not zeros only. A live recording (segment
 * of unknown size) is complete when its last element is whole. Source: RFC 9559.
 */
export async function checkMatroska(source: Source): Promise<string> {
  const header = await readElement(source, 0, source.size);
  if (header.id !== ebml || header.end === undefined) throw new Flaw(t("EBML header is broken"));
  const root = await readElement(source, header.end, source.size);
  if (root.id !== segment) throw new Flaw(t("no segment after the EBML header"));
  const { elements, clusters, live } = await readSegment(source, root);
  const track = elements.find((element) => element.id === tracks);
  if (!elements.some((element) => element.id === info) || track?.end === undefined) throw new Flaw(t("track description missing"));
  if (clusters.length === 0) throw new Flaw(t("no cluster"));
  if (live && (await isUnfinished(source, elements))) throw new Flaw(t("the writer never came back to fill in its header"));
  for (const element of elements) await checkSum(source, element);
  const description = await source.read(track.body, track.end - track.body);
  // Silence and black are zeros where nothing is coded.
  const raw = description.includes("A_PCM") || description.includes("V_UNCOMPRESSED");
  const stride = Math.max(1, Math.ceil(clusters.length / (lookedAtClusters - 1)));
  const chosen = clusters.filter((_, index) => index % stride === 0 || index === clusters.length - 1);
  for (const one of chosen) await readBlocks(source, one.body, { end: one.end, open: false, raw });
  const counted = clusters.length === 1 ? t("1 cluster") : t("{0} clusters", clusters.length);
  return live ? t("{0}, a live recording whose last one is whole", counted) : t("{0}, the segment is whole", counted);
}

async function readSegment(source: Source, root: Element): Promise<Parts> {
  const end = root.end ?? source.size;
  const elements: Element[] = [];
  const clusters: { body: number; end: number }[] = [];
  let at = root.body;
  while (at < end) {
    const element = await readElement(source, at, end);
    if (!inSegment.has(element.id)) throw new Flaw(t("an element that does not belong into the segment at {0}", at));
    if (element.end === undefined && element.id !== cluster) throw new Flaw(t("an element of unknown size at {0}", at));
    const next = element.end ?? (await readBlocks(source, element.body, { end, open: true, raw: true }));
    if (element.id === cluster) clusters.push({ body: element.body, end: next });
    else elements.push(element);
    if (clusters.length + elements.length > mostElements) throw new Flaw(t("too many elements to be looked at"), "unknown");
    at = next;
  }
  return { elements, clusters, live: root.end === undefined };
}

interface Extent {
  readonly end: number;
  /** Whether another element of the segment may end the cluster before `end`. */
  readonly open: boolean;
  /** Whether blocks may be zeros only. */
  readonly raw: boolean;
}

/** Walks the blocks of one cluster and returns where it ends. */
async function readBlocks(source: Source, body: number, extent: Extent): Promise<number> {
  let at = body;
  while (at < extent.end) {
    const element = await readElement(source, at, extent.end);
    const belongs = inCluster.has(element.id);
    if (!belongs && extent.open && inSegment.has(element.id)) return at;
    if (!belongs || element.end === undefined) throw new Flaw(t("no block of the cluster at {0}", at));
    if (element.id === simpleBlock && !extent.raw) await checkBlock(source, element.body, element.end);
    at = element.end;
  }
  return at;
}

async function checkBlock(source: Source, body: number, end: number): Promise<void> {
  // Track number, time and flags take four bytes or a few more.
  const content = await source.read(body, Math.min(end - body, 64 * 1024));
  if (content.length >= 20 && content.subarray(8).every((byte) => byte === 0)) throw new Flaw(t("a block at {0} is a hole of zeros", body));
}

/** A CRC-32 element, when there is one, stands first and covers the rest. Source: RFC 8794, 11.3.1. */
async function checkSum(source: Source, element: Element): Promise<void> {
  const { body, end = body } = element;
  if (element.id === voidElement || end - body < 6 || end - body > largestChecksum) return;
  const content = await source.read(body, end - body);
  if (content[0] !== 0xbf || content[1] !== 0x84) return;
  if (crc32(content.subarray(6)) !== content.readUInt32LE(2))
    throw new Flaw(t("the checksum of an element at {0} does not hold", element.start));
}

/**
 * FFmpeg reserves room for its index before the first cluster, and writes sizes and index when it ends. A segment of unknown size that
 * still has the empty room, and no index, belongs to a writer that was killed. What current versions send through a pipe, and what a
 * browser records, has no such room; FFmpeg 4.0 leaves it there too, and its live recordings stay unproven.
 */
async function isUnfinished(source: Source, elements: readonly Element[]): Promise<boolean> {
  const [first] = elements;
  if (elements.some((element) => element.id === cues) || first === undefined) return false;
  return first.id === voidElement;
}
