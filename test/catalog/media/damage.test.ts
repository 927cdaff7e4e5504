import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import type { Studio } from "./studio.ts";
import { audio, hasEncoder, openStudio, video, zeroed } from "./studio.ts";

interface Made {
  readonly name: string;
  readonly args: readonly string[];
  /** Whether a hole of 4 KiB is found wherever it lies. In PCM zeros are silence; Matroska and JPEG content is not decoded. */
  readonly holes: boolean;
  /** Zeros at the end that are found for sure, in bytes; absent where zeros are content. */
  readonly tail?: number;
  /** Bytes of a trailing tag, without which the media is still whole. */
  readonly tag?: number;
  /** The encoder, when FFmpeg may lack it. */
  readonly encoder?: string;
}

const x264 = ["-c:v", "libx264", "-g", "5", "-c:a", "aac"];
const formats: readonly Made[] = [
  { name: "plain.mp4", args: [...video, ...audio, ...x264], holes: true, tail: 512 },
  { name: "faststart.mp4", args: [...video, ...audio, ...x264, "-movflags", "+faststart"], holes: true, tail: 512 },
  { name: "fragments.mp4", args: [...video, ...audio, ...x264, "-movflags", "frag_keyframe+empty_moov"], holes: true, tail: 4 },
  { name: "hybrid.mp4", args: [...video, ...audio, ...x264, "-movflags", "frag_keyframe"], holes: true, tail: 4 },
  { name: "pcm.mov", args: [...video, ...audio, "-c:v", "libx264", "-c:a", "pcm_s16le"], holes: false, tail: 512 },
  { name: "prores.mov", args: [...video, "-c:v", "prores"], holes: false, tail: 512 },
  { name: "audio.m4a", args: [...audio, "-c:a", "aac"], holes: true, tail: 512 },
  {
    name: "hevc.mp4",
    args: [...video, "-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "log-level=none"],
    holes: true,
    tail: 512,
    encoder: "libx265",
  },
  { name: "av1.mp4", args: [...video, "-c:v", "libsvtav1", "-preset", "12"], holes: true, tail: 512, encoder: "libsvtav1" },
  { name: "vp8.webm", args: [...video, ...audio, "-c:v", "libvpx", "-c:a", "libopus"], holes: true, tail: 64 },
  { name: "film.mkv", args: [...video, ...audio, ...x264], holes: true, tail: 1 },
  { name: "cbr.mp3", args: [...audio, "-b:a", "64k"], holes: true, tail: 512 },
  { name: "vbr.mp3", args: [...audio, "-q:a", "5"], holes: true, tail: 512 },
  { name: "tagged.mp3", args: [...audio, "-write_id3v1", "1", "-metadata", "title=offcut"], holes: true, tail: 512, tag: 128 },
  { name: "sound.wav", args: [...audio], holes: false },
  { name: "long.wav", args: [...audio, "-rf64", "always"], holes: false },
  { name: "picture.jpg", args: [...video, "-frames:v", "1", "-q:v", "2"], holes: false, tail: 1 },
  { name: "picture.png", args: [...video, "-frames:v", "1", "-compression_level", "0"], holes: true, tail: 1 },
  { name: "picture.webp", args: [...video, "-frames:v", "1"], holes: false, tail: 128 },
  { name: "film.gif", args: [...video], holes: true, tail: 1 },
];

for (const made of formats) {
  describe(`media check: ${made.name}`, () => {
    let studio: Studio;
    let bytes: Buffer;

    before(function () {
      studio = openStudio();
      if (made.encoder && !hasEncoder(made.encoder)) this.skip();
      bytes = readFileSync(studio.make(made.name, ...made.args));
    });
    after(() => studio.close());

    it("S0.7: complete as made", async () => {
      const check = await studio.checkBytes(made.name, bytes);
      assert.equal(check.status, "complete", check.detail);
    });

    it("R34: cut anywhere, it is incomplete", async () => {
      const last = bytes.length - 1;
      const places = fc.oneof(fc.integer({ min: 1, max: last }), fc.integer({ min: Math.max(1, last - 256), max: last }));
      await fc.assert(
        fc.asyncProperty(places, async (length) => {
          fc.pre(made.tag === undefined || length !== bytes.length - made.tag);
          const check = await studio.checkBytes(made.name, bytes.subarray(0, length));
          // Cut between two fragments nothing is torn; that the index is gone is all there is to see.
          const between = check.status === "unknown" && /no index says/.test(check.detail);
          assert.ok(check.status === "incomplete" || between, `${length} of ${bytes.length} bytes: ${check.status}, ${check.detail}`);
        }),
        { numRuns: 200 },
      );
    });

    const { tail, holes } = made;
    if (tail !== undefined)
      it("R34: with zeros at its end it is not complete", async () => {
        await fc.assert(
          fc.asyncProperty(fc.integer({ min: tail, max: bytes.length }), async (length) => {
            const check = await studio.checkBytes(made.name, zeroed(bytes, bytes.length - length, length));
            assert.notEqual(check.status, "complete", `${length} zeros: ${check.detail}`);
          }),
          { numRuns: 40 },
        );
      });

    if (holes)
      it("R34: with a hole of 4 KiB it is not complete", async () => {
        await fc.assert(
          fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 4096 }), async (start) => {
            const check = await studio.checkBytes(made.name, zeroed(bytes, start, 4096));
            assert.notEqual(check.status, "complete", `hole at ${start}: ${check.detail}`);
          }),
          { numRuns: 40 },
        );
      });

    it("R34: whatever bytes change, the check ends with a result", async () => {
      const change = fc.record({
        at: fc.nat(bytes.length - 1),
        value: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff),
        length: fc.constantFrom(1, 4, 8),
      });
      // Half of the changes hit the head, where most structures stand.
      const near = change.map((one) => ({ ...one, at: one.at % Math.min(bytes.length, 2048) }));
      await fc.assert(
        fc.asyncProperty(fc.array(fc.oneof(change, near), { minLength: 1, maxLength: 6 }), async (changes) => {
          const mutated = Buffer.from(bytes);
          for (const { at, value, length } of changes) mutated.fill(value, at, Math.min(at + length, mutated.length));
          const check = await studio.checkBytes(made.name, mutated);
          assert.match(check.status, /^(complete|incomplete|unknown)$/);
        }),
        { numRuns: 60 },
      );
    });
  });
}
