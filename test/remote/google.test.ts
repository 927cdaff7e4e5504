/**
 * There is no server of Google's to be had for tests. This one answers as the reference of the JSON API says
 * (cloud.google.com/storage/docs/json_api/v1/objects): `size` is a text, `md5Hash` and `crc32c` are base64, the latter with the most
 * significant byte first, and composed objects have no `md5Hash`. What it stands for is the protocol, not Google's behaviour.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { startCrc32c } from "../../core/remote/crc.ts";
import { type Files, makeFiles, requestOf, verifyOnce } from "./files.ts";

const CONTENT = randomBytes(50_000);
const ALTERED = Buffer.from(CONTENT).fill(1, 0, 1).fill(2, 1, 2);

describe("uploads to Google Cloud Storage", function () {
  this.timeout(30_000);
  let files: Files;
  let server: http.Server;
  let host: string;
  /** By the path of the request; numbers are answered as errors. */
  let answers: Record<string, object | number | readonly (object | number)[]>;
  let authorizations: (string | undefined)[];

  before(async () => {
    files = makeFiles();
    server = http.createServer((request, response) => {
      authorizations.push(request.headers.authorization);
      const found = answers[`${request.method} ${request.url}`] ?? 404;
      const answer = Array.isArray(found) ? (found.length > 1 ? found.shift() : found[0]) : found;
      const isError = typeof answer === "number";
      response.writeHead(isError ? answer : 200, { "content-type": "application/json; charset=UTF-8" });
      response.end(JSON.stringify(isError ? { error: { code: answer, message: "made to fail" } } : answer));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    answers = {};
    authorizations = [];
  });
  after(() => {
    files.dispose();
    server.closeAllConnections();
    server.close();
  });

  const pathOf = (bucket: string, key: string) => `GET /storage/v1/b/${bucket}/o/${encodeURIComponent(key)}?fields=size,md5Hash,crc32c`;
  const md5Hash = createHash("md5").update(CONTENT).digest("base64");
  const crc = startCrc32c();
  crc.update(CONTENT);
  const crc32c = crc.finish().toString("base64");
  const size = String(CONTENT.length);

  async function check(url: string, content = CONTENT, environment: Readonly<Record<string, string>> = {}): Promise<string> {
    const request = requestOf(files.write("local.bin", content), url);
    const { status, detail } = await verifyOnce(request, { STORAGE_EMULATOR_HOST: `http://${host}`, ...environment });
    return `${status}: ${detail}`;
  }

  it("S1.6, R35: proved by MD5, without credentials where the address is an emulator's", async () => {
    const key = "mv/jobs/1/ü b?.mp4";
    answers[pathOf("my_bucket", key)] = { size, md5Hash, crc32c };
    assert.equal(await check(`gs://my_bucket/${key}`), "verified: MD5 agrees");
    assert.equal(await check(`gs://my_bucket/${key}`, ALTERED), "different: MD5 differs");
    assert.match(await check(`gs://my_bucket/${key}`, CONTENT.subarray(1)), /^different: the remote object has 50000 bytes/);
    assert.deepEqual(new Set(authorizations), new Set([undefined]));
  });

  it("S1.6, R35: a composed object is proved by CRC-32C", async () => {
    answers[pathOf("bucket", "composed")] = { size, crc32c };
    assert.equal(await check("gs://bucket/composed"), "verified: CRC-32C agrees");
    assert.equal(await check("gs://bucket/composed", ALTERED), "different: CRC-32C differs");
  });

  it("R35: without any checksum, missing, refused, out of order", async () => {
    answers = { [pathOf("bucket", "bare")]: { size }, [pathOf("bucket", "403")]: 403, [pathOf("bucket", "500")]: 500 };
    assert.match(await check("gs://bucket/bare"), /^unproven: the storage knows no checksum/);
    assert.equal(await check("gs://bucket/nothing"), "missing: there is no such object");
    assert.equal(await check("gs://bucket/403"), "unreachable: the storage refuses access (403)");
    assert.equal(await check("gs://bucket/500"), "unreachable: the storage could not answer (500)");
  });

  it("R35: asks again after an error", async () => {
    answers[pathOf("bucket", "flaky")] = [503, { size, md5Hash }];
    assert.equal(await check("gs://bucket/flaky"), "verified: MD5 agrees");
  });

  it("S1.6: the emulator's address may lack the scheme or have the path of the interface", async () => {
    answers[pathOf("bucket", "k")] = { size, md5Hash };
    for (const name of [host, `http://${host}/`, `http://${host}/storage/v1/`])
      assert.equal(await check("gs://bucket/k", CONTENT, { STORAGE_EMULATOR_HOST: name }), "verified: MD5 agrees", name);
  });

  it("R35: nobody there", async () => {
    assert.match(
      await check("gs://bucket/k", CONTENT, { STORAGE_EMULATOR_HOST: "http://127.0.0.1:1" }),
      /^unreachable: there is no connection to the storage \(ECONNREFUSED\)$/,
    );
  });

  const saved = process.env["GOOGLE_APPLICATION_CREDENTIALS"];
  afterEach(() => {
    if (saved === undefined) delete process.env["GOOGLE_APPLICATION_CREDENTIALS"];
    else process.env["GOOGLE_APPLICATION_CREDENTIALS"] = saved;
  });

  it("S1.6: credentials that cannot be used are told without a word of what they are", async () => {
    const broken = files.write("broken.json", Buffer.from('{ "type": "secret" }'));
    for (const file of [broken, `${broken}.gone`]) {
      process.env["GOOGLE_APPLICATION_CREDENTIALS"] = file;
      const told = await check("gs://bucket/k", CONTENT, { STORAGE_EMULATOR_HOST: "" });
      assert.equal(told, "unreachable: no credentials were found for the storage");
    }
  });
});
