import { t } from "@vscode/l10n";
import type { Source } from "./source.ts";
import { Flaw } from "./source.ts";

interface Frame {
  readonly length: number;
  /** Bytes of header and side information, behind which a Xing header stands. */
  readonly side: number;
}

interface Promised {
  readonly frames: number | undefined;
  readonly bytes: number | undefined;
}

const rates1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const rates2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const frequencies = [44100, 48000, 32000];

/**
 * MP3. After the ID3v2 tag, frames tile the file up to its end or to trailing tags, and there are as many as a Xing, Info or VBRI header
 * says. Without such a header, a file that was cut exactly between two frames looks complete.
 */
export async function checkMp3(source: Source): Promise<string> {
  const end = await findEnd(source);
  let at = await skipTag(source, 0, end);
  const first = at;
  const promised = await readPromise(source, at, end);
  let frames = 0;
  while (at < end) {
    const head = await source.read(at, Math.min(4, end - at));
    const frame = readHeader(head);
    if (frame) {
      if (at + frame.length > end) throw new Flaw(t("frame {0} is cut off", frames + 1));
      frames += 1;
      at += frame.length;
    } else if (head.toString("latin1", 0, 3) === "ID3") {
      // Files that were joined end to end keep their tags.
      at = await skipTag(source, at, end);
    } else throw new Flaw(t("no frame at {0}", at));
  }
  if (frames === 0) throw new Flaw(t("no frame"));
  if (!promised) return frames === 1 ? t("1 frame to the end") : t("{0} frames to the end", frames);
  const audio = frames - 1;
  if (promised.frames === 0 && audio > 0) throw new Flaw(t("the writer never came back to fill in its header"));
  // Some encoders count the header's own frame.
  if (promised.frames !== undefined && audio + 1 < promised.frames) throw new Flaw(t("{0} of {1} frames", audio, promised.frames));
  if (promised.bytes !== undefined && end - first < promised.bytes)
    throw new Flaw(t("{0} of {1} bytes of audio", end - first, promised.bytes));
  return audio === 1 ? t("1 frame, as many as its header says") : t("{0} frames, as many as its header says", audio);
}

/** Source: ISO/IEC 11172-3, 2.4.1.3, with the MPEG-2.5 extension. Only Layer III. */
function readHeader(head: Buffer): Frame | undefined {
  if (head.length < 4 || head.readUInt16BE(0) < 0xffe0) return undefined;
  const [, second = 0, third = 0, fourth = 0] = head;
  const version = (second >> 3) & 3;
  const bitrate = (version === 3 ? rates1 : rates2)[third >> 4];
  const frequency = frequencies[(third >> 2) & 3];
  if (version === 1 || ((second >> 1) & 3) !== 1 || bitrate === undefined || frequency === undefined) return undefined;
  if (bitrate === 0) throw new Flaw(t("frames of free bit rate cannot be looked at"), "unknown");
  const mono = fourth >> 6 === 3;
  const divided = version === 3 ? frequency : version === 2 ? frequency / 2 : frequency / 4;
  const length = Math.floor(((version === 3 ? 144_000 : 72_000) * bitrate) / divided) + ((third >> 1) & 1);
  const side = version === 3 ? (mono ? 17 : 32) : mono ? 9 : 17;
  return { length, side: side + 4 };
}

/** What the header in the first frame says about the whole file. */
async function readPromise(source: Source, at: number, end: number): Promise<Promised | undefined> {
  if (end - at < 4) return undefined;
  const frame = readHeader(await source.read(at, 4));
  if (!frame || at + frame.length > end) return undefined;
  const bytes = await source.read(at, frame.length);
  const name = bytes.toString("latin1", frame.side, frame.side + 4);
  if (name === "Xing" || name === "Info") {
    const flags = bytes.readUInt32BE(frame.side + 4);
    const counts = frame.side + 8;
    return {
      frames: flags & 1 ? bytes.readUInt32BE(counts) : undefined,
      bytes: flags & 2 ? bytes.readUInt32BE(counts + (flags & 1 ? 4 : 0)) : undefined,
    };
  }
  if (bytes.toString("latin1", 36, 40) !== "VBRI") return undefined;
  return { bytes: bytes.readUInt32BE(46), frames: bytes.readUInt32BE(50) };
}

async function skipTag(source: Source, at: number, end: number): Promise<number> {
  const head = await source.read(at, Math.min(10, end - at));
  if (head.toString("latin1", 0, 3) !== "ID3") return at;
  if (head.length < 10) throw new Flaw(t("ID3 tag is cut off"));
  const [a = 0, b = 0, c = 0, d = 0] = head.subarray(6);
  const footer = head.readUInt8(5) & 0x10 ? 10 : 0;
  const next = at + 10 + ((a & 127) << 21) + ((b & 127) << 14) + ((c & 127) << 7) + (d & 127) + footer;
  if (next > end) throw new Flaw(t("ID3 tag is cut off"));
  return next;
}

/** Where the audio ends: before ID3v1, its extension, APE and Lyrics3 tags, in whatever order they stand. */
async function findEnd(source: Source): Promise<number> {
  let end = source.size;
  for (let round = 0; round < 6; round += 1) {
    const length = await trailerBefore(source, end);
    if (length <= 0 || length > end) return end;
    end -= length;
  }
  return end;
}

async function trailerBefore(source: Source, end: number): Promise<number> {
  const text = async (before: number, length: number) =>
    end >= before ? (await source.read(end - before, length)).toString("latin1") : "";
  if ((await text(128, 3)) === "TAG") return 128;
  if ((await text(227, 4)) === "TAG+") return 227;
  if ((await text(9, 9)) === "LYRICS200") return Number(await text(15, 6)) + 15 || 0;
  if ((await text(32, 8)) !== "APETAGEX") return 0;
  const footer = await source.read(end - 32, 32);
  return footer.readUInt32LE(12) + (footer.readUInt32LE(20) & 0x80000000 ? 32 : 0);
}
