import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Studio } from "./studio.ts";
import { audio, findFfmpeg, openStudio, video } from "./studio.ts";

describe("media check: what formats allow", () => {
  let studio: Studio;

  before(() => {
    studio = openStudio();
  });
  after(() => studio.close());

  async function expect(name: string, bytes: Buffer, status: string, detail: RegExp = /./): Promise<void> {
    const check = await studio.checkBytes(name, bytes);
    assert.equal(check.status, status, `${name}: ${check.detail}`);
    assert.match(check.detail, detail);
  }

  it("R34: an mdat of 64-bit size, and one that reaches to the end of the file", async () => {
    const plain = readFileSync(studio.make("plain.mp4", ...video, "-c:v", "libx264"));
    const at = plain.indexOf("free\0", 0, "latin1") - 4;
    assert.equal(plain.toString("latin1", at + 12, at + 16), "mdat", "FFmpeg leaves room for a 64-bit size before mdat");
    const large = Buffer.from(plain);
    large.writeUInt32BE(1, at);
    large.write("mdat", at + 4, "latin1");
    large.writeBigUInt64BE(BigInt(plain.readUInt32BE(at + 8) + 8), at + 8);
    await expect("large.mp4", large, "complete");
    large.writeBigUInt64BE(2n ** 63n, at + 8);
    await expect("large.mp4", large, "incomplete", /behind the file's end/);

    const open = readFileSync(studio.make("open.mp4", ...video, "-c:v", "libx264", "-movflags", "+faststart"));
    const mdat = open.lastIndexOf("mdat", undefined, "latin1") - 4;
    assert.equal(mdat + open.readUInt32BE(mdat), open.length, "mdat is the last box");
    open.writeUInt32BE(0, mdat);
    await expect("open.mp4", open, "complete");
    await expect("open.mp4", open.subarray(0, -1), "incomplete", /outside the media data/);
  });

  it("R34: zeros behind the last box are not a box", async () => {
    const bytes = readFileSync(studio.make("padded.mp4", ...video, "-c:v", "libx264"));
    await expect("padded.mp4", Buffer.concat([bytes, Buffer.alloc(4096)]), "incomplete", /no box/);
  });

  it("R34: fragments without an index are unknown, because nothing proves which one is the last", async () => {
    const fragmented = ["-movflags", "frag_keyframe+empty_moov+skip_trailer"];
    const bytes = readFileSync(studio.make("bare.mp4", ...video, "-c:v", "libx264", "-g", "5", ...fragmented));
    await expect("bare.mp4", bytes, "unknown", /no index/);
    await expect("bare.mp4", bytes.subarray(0, -1), "incomplete");
    const moof = bytes.lastIndexOf("moof", undefined, "latin1") - 4;
    await expect("bare.mp4", bytes.subarray(0, moof + bytes.readUInt32BE(moof)), "incomplete", /no media data|outside the media data/);
    const indexed = studio.make("indexed.mp4", ...video, "-c:v", "libx264", "-g", "5", "-movflags", "dash+frag_keyframe+global_sidx");
    await expect("indexed.mp4", readFileSync(indexed), "complete");
  });

  it("R34: a live recording of unknown size is complete while its last element is whole", async () => {
    // FFmpeg 4 reserves room for an index even here, as a browser does not: cut it out.
    const record = (...args: readonly string[]) => withoutRoom(stream(...args));
    const stream = (...args: readonly string[]) =>
      spawnSync(findFfmpeg(), ["-v", "fatal", ...video, ...args, "-"], { maxBuffer: 1e7 }).stdout;
    const live = record("-c:v", "libvpx", "-live", "1", "-f", "webm");
    await expect("live.webm", live, "complete", /live recording/);
    await expect("live.webm", live.subarray(0, -1), "incomplete");
    await expect("pipe.mkv", record("-c:v", "libx264", "-f", "matroska"), "complete", /live recording/);
  });

  it("R34: MP3 files that were joined, and trailing tags", async () => {
    const tagged = readFileSync(studio.make("tagged.mp3", ...audio, "-write_id3v1", "1", "-metadata", "title=offcut"));
    const untagged = readFileSync(studio.make("untagged.mp3", ...audio, "-id3v2_version", "0", "-write_xing", "0"));
    await expect("joined.mp3", Buffer.concat([untagged, tagged]), "complete");
    await expect("joined.mp3", Buffer.concat([untagged, Buffer.from("ID3\x04")]), "incomplete", /ID3 tag is cut off/);
    const ape = Buffer.alloc(32);
    ape.write("APETAGEX", "latin1");
    ape.writeUInt32LE(32, 12);
    await expect("ape.mp3", Buffer.concat([untagged, ape]), "complete");
    await expect("zeros.mp3", Buffer.concat([untagged, Buffer.alloc(64)]), "incomplete", /no frame/);
  });

  it("R34: padding and a second picture may follow a JPEG, other data may not", async () => {
    const picture = readFileSync(studio.make("picture.jpg", ...video, "-frames:v", "1"));
    await expect("picture.jpg", Buffer.concat([picture, Buffer.alloc(100)]), "complete");
    await expect("picture.jpg", Buffer.concat([picture, picture]), "complete", /2 pictures/);
    await expect("picture.jpg", Buffer.concat([picture, picture.subarray(0, -2)]), "incomplete");
    await expect("picture.jpg", Buffer.concat([picture, Buffer.from("junk")]), "incomplete", /after the end/);
  });
});

/** The bytes without a Void element (8-byte size) at the start of a segment of unknown size. */
function withoutRoom(bytes: Buffer): Buffer {
  const segment = Buffer.from("1853806701ffffffffffffff", "hex");
  const at = bytes.indexOf(segment) + segment.length;
  assert.ok(at > segment.length, "a segment of unknown size");
  if (bytes.readUInt16BE(at) !== 0xec01) return bytes;
  const size = Number(bytes.readBigUInt64BE(at + 1) & 0x00ffffffffffffffn);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 9 + size)]);
}
