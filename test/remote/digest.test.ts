import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { chmodSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { type Crc, startCrc32c, startCrc64nvme } from "../../core/remote/crc.ts";
import { digestFile } from "../../core/remote/digest.ts";
import { createDigestCache } from "../../core/remote/digestCache.ts";
import { type Files, makeFiles, requestOf } from "./files.ts";

/** Bit by bit, as the definition has it: reflected, all ones before, complement after. */
function slowCrc(bytes: Uint8Array, polynomial: bigint, width: bigint): string {
  const ones = (1n << width) - 1n;
  let crc = ones;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
  }
  return (crc ^ ones).toString(16).padStart(Number(width) / 4, "0");
}

function run(crc: Crc, chunks: readonly Uint8Array[]): string {
  for (const chunk of chunks) crc.update(chunk);
  return crc.finish().toString("hex");
}

describe("checksums", () => {
  it("R35: CRC-32C and CRC-64/NVME have the values of the catalogue for 123456789", () => {
    const digits = [Buffer.from("123456789")];
    assert.equal(run(startCrc32c(), digits), "e3069283");
    assert.equal(run(startCrc64nvme(), digits), "ae8b14860a799888");
  });

  it("R35: they are what the definition says, however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (chunks) => {
        const all = Buffer.concat(chunks);
        assert.equal(run(startCrc32c(), chunks), slowCrc(all, 0x82f63b78n, 32n));
        assert.equal(run(startCrc64nvme(), chunks), slowCrc(all, 0x9a6c9329ac4bc9b5n, 64n));
      }),
      { numRuns: 200 },
    );
  });
});

describe("digestFile", () => {
  let files: Files;
  beforeEach(() => {
    files = makeFiles();
  });
  afterEach(() => files.dispose());

  it("R35: all checksums in one reading, of the whole and of parts", async () => {
    const content = randomBytes(3 * 1024 ** 2 + 5);
    const parts = [1, 1024 ** 2, 2 * 1024 ** 2 - 1, 5];
    const pieces = parts.map((size, i) => content.subarray(sum(parts.slice(0, i)), sum(parts.slice(0, i)) + size));
    const { file, identity } = requestOf(files.write("f", content), "s3://b/k");
    const ofParts = (hash: (bytes: Buffer) => Buffer) => hash(Buffer.concat(pieces.map(hash))).toString("hex");
    const crc = (bytes: Buffer) => {
      const value = Buffer.alloc(4);
      value.writeUInt32BE(crc32(bytes));
      return value;
    };
    const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest();
    const digests = await digestFile(file, identity, [
      { algorithm: "SHA256" },
      { algorithm: "CRC32" },
      { algorithm: "SHA256", parts },
      { algorithm: "CRC32", parts },
      { algorithm: "SHA512" },
    ]);
    assert.ok(digests.status === "read");
    assert.deepEqual(digests.hex, [
      sha256(content).toString("hex"),
      crc(content).toString("hex"),
      ofParts(sha256),
      ofParts(crc),
      createHash("sha512").update(content).digest("hex"),
    ]);
  });

  it("R35: a file of no bytes, whole and as one part", async () => {
    const { file, identity } = requestOf(files.write("f", Buffer.alloc(0)), "s3://b/k");
    const digests = await digestFile(file, identity, [{ algorithm: "MD5" }, { algorithm: "MD5", parts: [0] }]);
    assert.ok(digests.status === "read");
    assert.deepEqual(digests.hex, ["d41d8cd98f00b204e9800998ecf8427e", "59adb24ef3cdbe0297f05b395827453f"]);
  });

  it("R3: another identity is not read at all", async () => {
    const { file, identity } = requestOf(files.write("f", Buffer.from("abc")), "s3://b/k");
    for (const other of [{ dev: "1" }, { ino: "1" }, { bytes: 4 }, { mtimeNs: "1" }])
      assert.equal((await digestFile(file, { ...identity, ...other }, [{ algorithm: "MD5" }])).status, "changed");
  });

  describe("with a cache", () => {
    const later = () => Date.now() + 60_000;

    it("S1.6: a file is read once", async () => {
      const digest = createDigestCache(later);
      const { file, identity } = requestOf(files.write("f", Buffer.alloc(0)), "s3://b/k");
      truncateSync(file, 128 * 1024 ** 2);
      const large = requestOf(file, "s3://b/k").identity;
      assert.equal((await digest(file, identity, [{ algorithm: "MD5" }])).status, "changed");
      const timed = async () => {
        const started = performance.now();
        assert.equal((await digest(file, large, [{ algorithm: "MD5" }])).status, "read");
        return performance.now() - started;
      };
      const first = await timed();
      const second = await timed();
      assert.ok(second < first / 5, `${second} ms after ${first} ms`);
    });

    it("R3: but again after any change, and when it changed a moment ago", async () => {
      for (const now of [later, Date.now]) {
        const digest = createDigestCache(now);
        const file = files.write("f", Buffer.from("one"));
        utimesSync(file, 1000, 1000);
        const { identity } = requestOf(file, "s3://b/k");
        const ask = async () => {
          const digests = await digest(file, identity, [{ algorithm: "MD5" }]);
          return digests.status === "read" ? digests.hex[0] : digests.status;
        };
        const one = createHash("md5").update("one").digest("hex");
        assert.equal(await ask(), one);
        chmodSync(file, 0o600);
        assert.equal(await ask(), one);
        writeFileSync(file, "two");
        utimesSync(file, 1000, 1000);
        assert.equal(await ask(), createHash("md5").update("two").digest("hex"), "the same size and time of modification");
      }
    });
  });
});

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
