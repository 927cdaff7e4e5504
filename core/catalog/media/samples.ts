import { t } from "@vscode/l10n";
import type { Source } from "./source.ts";
import { Flaw } from "./source.ts";
import type { Track } from "./track.ts";

/** Codecs whose samples are never zeros only. PCM, text and time codes may be. */
const codedCodecs = new Set(
  "mp4a Opus ac-3 ec-3 alac fLaC av01 vp08 vp09 mp4v jpeg mjpa mjpb apch apcn apcs apco ap4h ap4x .mp3".split(" "),
);

/** Codecs whose arithmetic coding does not produce long runs of zeros. */
const denseCodecs = new Set(["av01", "vp08", "vp09"]);
const longHole = Buffer.alloc(1024);

const mostSamples = 64;
/** A track that lies within this many bytes of the file is looked at as a whole. A thin one in a large film costs a read per sample. */
const smallSpan = 8 * 1024 * 1024;
const largestSample = 16 * 1024 * 1024;
/** Emulation prevention keeps three zero bytes out of a NAL unit; 32 leaves room for encoders that pad. */
const hole = Buffer.alloc(32);

/**
 * Looks into the first, the last and a spread of samples, 64 in all, or into each sample of a track that lies within 8 MiB:
 * length-prefixed NAL units must tile the sample exactly, and coded content is not made of zeros.
 */
export async function checkContent(source: Source, track: Track): Promise<void> {
  if (!track.lengthSize && !codedCodecs.has(track.codec)) return;
  for (const index of chooseSamples(track)) {
    const offset = track.offsets[index] ?? 0;
    const size = track.sizes[index] ?? 0;
    const what = (): string => t("sample {0} of track {1}", index + 1, track.id);
    if (size > largestSample) continue;
    if (size === 0 && track.lengthSize) throw new Flaw(t("{0} is empty", what()));
    const sample = await source.read(offset, size);
    if (track.lengthSize) checkUnits(sample, track.lengthSize, what);
    else if ((size >= 16 && isZero(sample)) || (denseCodecs.has(track.codec) && sample.includes(longHole)))
      throw new Flaw(t("{0} has a hole of zeros", what()));
  }
}

function chooseSamples({ offsets, sizes }: Track): readonly number[] {
  const last = sizes.length - 1;
  const span = (offsets[last] ?? 0) + (sizes[last] ?? 0) - (offsets[0] ?? 0);
  const stride = span <= smallSpan && last < smallSpan / 16 ? 1 : Math.max(1, Math.ceil(sizes.length / (mostSamples - 1)));
  const chosen: number[] = [];
  for (let index = 0; index < sizes.length; index += stride) chosen.push(index);
  if (last >= 0 && chosen.at(-1) !== last) chosen.push(last);
  return chosen;
}

/** Source: ISO/IEC 14496-15, 5.3.4 (AVC) and 8.3.2 (HEVC). */
function checkUnits(sample: Buffer, lengthSize: number, what: () => string): void {
  let at = 0;
  while (at < sample.length) {
    if (at + lengthSize > sample.length) throw new Flaw(t("{0} is torn", what()));
    const length = sample.readUIntBE(at, lengthSize);
    at += lengthSize + length;
    if (length === 0 || at > sample.length) throw new Flaw(t("{0} is torn", what()));
  }
  if (sample.includes(hole)) throw new Flaw(t("{0} has a hole of zeros", what()));
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}
