import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ChecksumAlgorithm, ChecksumType } from "@aws-sdk/client-s3";
import { DeleteObjectCommand, PutBucketVersioningCommand } from "@aws-sdk/client-s3";
import { createUploadVerifier } from "../../core/remote/verifier.ts";
import type { UploadVerifier } from "../../core/uploads.ts";
import type { S3Server } from "../../tools/storage/s3.mjs";
import { type Bucket, makeBucket, startServer, WITHOUT_CHECKSUMS } from "./bucket.ts";
import { type Files, makeFiles, requestOf, verifyOnce } from "./files.ts";

const MB = 1024 ** 2;
const SMALL = randomBytes(70_001);
const LARGE = randomBytes(11 * MB + 7);
const EVEN = [5 * MB, 5 * MB, MB + 7];

/** The same size, one bit is different. */
function alter(bytes: Buffer): Buffer {
  const altered = Buffer.from(bytes);
  altered.writeUInt8(altered.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  return altered;
}

describe("uploads to a real S3 server", function () {
  this.timeout(30_000);
  let server: S3Server | undefined;
  /** With a client that sends checksums, and with one that does not. */
  let bucket: Bucket;
  let plain: Bucket;
  let files: Files;
  let verifier: UploadVerifier;

  before(async function () {
    server = await startServer(this);
    bucket = await makeBucket(server);
    plain = await makeBucket(server, WITHOUT_CHECKSUMS);
    files = makeFiles();
  });
  beforeEach(() => {
    verifier = createUploadVerifier({ environment: bucket.environment });
  });
  afterEach(() => verifier[Symbol.asyncDispose]());
  after(async () => {
    bucket?.client.destroy();
    plain?.client.destroy();
    files?.dispose();
    await server?.stop();
  });

  async function check(content: Buffer, url: string): Promise<string> {
    const [found] = await verifier.verify([requestOf(files.write("local.bin", content), url)]);
    return `${found?.status}: ${found?.detail}`;
  }

  describe("S1.6, R35: in one piece", () => {
    const kinds: readonly (readonly [algorithm: ChecksumAlgorithm, words: string])[] = [
      ["SHA256", "SHA-256"],
      ["SHA1", "SHA-1"],
      ["CRC32C", "CRC-32C"],
      ["CRC32", "CRC-32"],
      ["CRC64NVME", "CRC-64"],
    ];
    for (const [algorithm, words] of kinds) {
      it(`R35: proved by ${words}`, async () => {
        await bucket.put(algorithm, SMALL, { ChecksumAlgorithm: algorithm });
        assert.equal(await check(SMALL, bucket.url(algorithm)), `verified: ${words} agrees`);
        assert.equal(await check(alter(SMALL), bucket.url(algorithm)), `different: ${words} differs`);
      });
    }

    it("R35: proved by the entity tag when the storage has no checksum", async () => {
      await plain.put("tag", SMALL);
      assert.equal(await check(SMALL, plain.url("tag")), "verified: MD5 agrees");
      assert.equal(await check(alter(SMALL), plain.url("tag")), "different: MD5 differs");
    });

    it("R35: a file of no bytes, and a key with signs that URLs give a meaning", async () => {
      const key = "a b/ü+%41?x=1&y#z/ü…'()*!.mp4";
      await bucket.put(key, new Uint8Array());
      assert.equal(await check(Buffer.alloc(0), bucket.url(key)), "verified: CRC-32 agrees");
      assert.match(await check(Buffer.alloc(0), bucket.url("a b/ü+A?x=1&y#z/ü…'()*!.mp4")), /^missing: /);
    });

    it("R35: truncated there, or longer here: told by the sizes", async () => {
      await bucket.put("cut", SMALL.subarray(0, 70_000));
      assert.equal(await check(SMALL, bucket.url("cut")), "different: the remote object has 70000 bytes, the file 70001");
    });
  });

  describe("S1.6, R35: in parts", () => {
    const whole: readonly (readonly [algorithm: ChecksumAlgorithm, type: ChecksumType | undefined, words: string])[] = [
      ["CRC64NVME", undefined, "CRC-64"],
      ["CRC32", "FULL_OBJECT", "CRC-32"],
      ["CRC32C", "FULL_OBJECT", "CRC-32C"],
      ["SHA256", "COMPOSITE", "SHA-256 of 3 parts"],
      ["SHA1", "COMPOSITE", "SHA-1 of 3 parts"],
    ];
    for (const [algorithm, type, words] of whole) {
      it(`R35: proved by ${words}${type === "FULL_OBJECT" ? " of the whole" : ""}`, async () => {
        await bucket.putParts(`parts/${algorithm}`, LARGE, EVEN, { algorithm, ...(type && { type }) });
        assert.equal(await check(LARGE, bucket.url(`parts/${algorithm}`)), `verified: ${words} agrees`);
        assert.equal(await check(alter(LARGE), bucket.url(`parts/${algorithm}`)), `different: ${words} differs`);
      });
    }

    const sizes: readonly (readonly [name: string, sizes: readonly number[]])[] = [
      ["of 5 MB", EVEN],
      ["of 8 MB", [8 * MB, 3 * MB + 7]],
      ["that fit exactly", [5 * MB + MB / 2, 5 * MB + MB / 2, 7]],
      ["of different sizes", [5 * MB, 5 * MB + 6, MB + 1]],
      ["of which there is one", [11 * MB + 7]],
    ];
    for (const [name, parts] of sizes) {
      it(`R35: proved by the entity tag, of parts ${name}`, async () => {
        const key = `tag/${parts.join("-")}`;
        await plain.putParts(key, LARGE, parts);
        assert.equal(await check(LARGE, plain.url(key)), `verified: MD5 of ${parts.length} parts agrees`);
        assert.equal(await check(alter(LARGE), plain.url(key)), `different: MD5 of ${parts.length} parts differs`);
      });
    }
  });

  describe("S1.6, R35: encrypted there", () => {
    it("R35: with a key of the key management, the entity tag proves nothing, a checksum does", async () => {
      const encryption = { ServerSideEncryption: "aws:kms", SSEKMSKeyId: server?.kmsKey } as const;
      await plain.put("kms-tag", SMALL, encryption);
      assert.match(await check(SMALL, plain.url("kms-tag")), /^unproven: the storage knows no checksum/);
      await bucket.put("kms-checksum", SMALL, { ...encryption, ChecksumAlgorithm: "SHA256" });
      assert.equal(await check(SMALL, bucket.url("kms-checksum")), "verified: SHA-256 agrees");
    });

    it("R35: with a key of the customer, nothing is told without it", async () => {
      await bucket.put("customer", SMALL, { SSECustomerAlgorithm: "AES256", SSECustomerKey: randomBytes(32).toString("base64") });
      assert.equal(await check(SMALL, bucket.url("customer")), "unreachable: the storage could not answer (400)");
    });
  });

  describe("S1.6, R35: not there", () => {
    it("R35: no such key, no such bucket", async () => {
      assert.equal(await check(SMALL, bucket.url("nothing")), "missing: there is no such object");
      assert.equal(await check(SMALL, "s3://no-such-bucket/nothing"), "missing: there is no such object");
    });

    it("R35: behind a marker of deletion, in a bucket with versions", async () => {
      const versioned = await makeBucket(server!);
      await versioned.client.send(
        new PutBucketVersioningCommand({ Bucket: versioned.name, VersioningConfiguration: { Status: "Enabled" } }),
      );
      await versioned.put("v", SMALL);
      assert.match(await check(SMALL, versioned.url("v")), /^verified: /);
      await versioned.put("v", alter(SMALL));
      verifier = createUploadVerifier({ environment: bucket.environment });
      assert.match(await check(SMALL, versioned.url("v")), /^different: /);
      await versioned.client.send(new DeleteObjectCommand({ Bucket: versioned.name, Key: "v" }));
      verifier = createUploadVerifier({ environment: bucket.environment });
      assert.equal(await check(SMALL, versioned.url("v")), "missing: there is no such object");
      versioned.client.destroy();
    });
  });

  describe("R35: asked again", () => {
    it("R35: an answer is good for ten minutes, unless a fresh one is wanted", async () => {
      let now = 0;
      const timed = createUploadVerifier({ environment: bucket.environment, now: () => now });
      const request = requestOf(files.write("again.bin", SMALL), bucket.url("again"));
      const ask = async (fresh = false) => (await timed.verify([request], { fresh }))[0]?.status;
      assert.equal(await ask(), "missing");
      await bucket.put("again", SMALL);
      assert.equal(await ask(), "verified", "what was missing is asked again");
      await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.name, Key: "again" }));
      now = 599_999;
      assert.equal(await ask(), "verified");
      assert.equal(await ask(true), "missing");
      await bucket.put("again", SMALL);
      assert.equal(await ask(), "verified");
      await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.name, Key: "again" }));
      now += 600_000;
      assert.equal(await ask(), "missing");
      await timed[Symbol.asyncDispose]();
    });

    it("R35: what was computed of a file is not used once the file is another", async () => {
      await bucket.put("local", SMALL);
      const file = files.write("changing.bin", SMALL);
      const past = new Date(Date.now() - 60_000);
      utimesSync(file, past, past);
      const ask = async () => (await verifier.verify([requestOf(file, bucket.url("local"))]))[0]?.status;
      assert.equal(await ask(), "verified");
      writeFileSync(file, alter(SMALL));
      utimesSync(file, past, past);
      assert.equal(await ask(), "different", "the same size and the same time of modification");
    });
  });

  describe("S1.6: the local file", () => {
    it("R3: is another than the one that was looked at, or a link, or gone", async () => {
      await bucket.put("other", SMALL);
      const file = files.write("other.bin", SMALL);
      const request = requestOf(file, bucket.url("other"));
      const ask = async (one = request) => {
        const [found] = await verifier.verify([one]);
        return `${found?.status}: ${found?.detail}`;
      };
      const words = "unproven: the file was changed or replaced since it was looked at";
      const link = join(files.directory, "link.bin");
      symlinkSync(file, link);
      assert.match(await ask(), /^verified: /);
      assert.equal(await ask({ ...request, file: link }), words);
      assert.equal(await ask({ ...request, file: join(files.directory, "gone.bin") }), words);
      assert.equal(await ask({ ...request, file: files.directory }), words);
      truncateSync(file, 70_000);
      assert.equal(await ask(), words);
    });
  });

  it("S1.6: many at once come back in the order of the requests, with progress", async () => {
    const requests = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const content = randomBytes(1000 + i);
        if (i % 3 > 0) await bucket.put(`many/${i}`, i % 3 === 1 ? content : alter(content));
        return requestOf(files.write(`many/${i}.bin`, content), bucket.url(`many/${i}`));
      }),
    );
    const seen: number[] = [];
    const checks = await verifier.verify(requests, { onProgress: (done, total) => seen.push(done * 1000 + total) });
    assert.deepEqual(
      checks.map(({ status, url }) => `${status} ${url}`),
      requests.map(({ url }, i) => `${["missing", "verified", "different"][i % 3]} ${url}`),
    );
    assert.deepEqual(seen.at(-1), 60_060);
    assert.equal(seen.length, 60);
  });

  it("S1.6: one file that was uploaded to two places", async () => {
    await bucket.put("two/a", SMALL, { ChecksumAlgorithm: "SHA256" });
    await plain.put("two/b", alter(SMALL));
    const file = files.write("two.bin", SMALL);
    const checks = await verifier.verify(
      [plain.url("two/b"), bucket.url("two/a"), "s3://x", bucket.url("two/c")].map((url) => requestOf(file, url)),
    );
    assert.deepEqual(
      checks.map(({ status }) => status),
      ["different", "verified", "unproven", "missing"],
    );
  });

  it("R35: the endpoint of a store goes before the one of the environment", async () => {
    await bucket.put("endpoint", SMALL);
    const request = requestOf(files.write("endpoint.bin", SMALL), bucket.url("endpoint"));
    const environment = { ...bucket.environment, AWS_ENDPOINT_URL_S3: "http://127.0.0.1:1" };
    assert.equal((await verifyOnce({ ...request, endpoint: bucket.endpoint }, environment)).status, "verified");
    assert.equal((await verifyOnce(request, environment)).status, "unreachable");
    assert.equal((await verifyOnce({ ...request, endpoint: "127.0.0.1:9000" }, environment)).status, "unproven");
  });
});
