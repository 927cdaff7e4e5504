/**
 * Uploads that go wrong in fifteen ways, on the way to a real S3 server. Whatever the client was told, an upload counts exactly when the
 * object is there with the same bytes; that is found out by downloading it.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { S3Client } from "@aws-sdk/client-s3";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import type { S3Server } from "../../tools/storage/s3.mjs";
import { type Bucket, connect, makeBucket, type PartsOptions, startServer } from "./bucket.ts";
import { type FaultProxy, type Rule, startFaultProxy, storageError } from "./faultProxy.ts";
import { type Files, makeFiles, requestOf, verifyOnce } from "./files.ts";

const MB = 1024 ** 2;
const CONTENT = randomBytes(6 * MB + 11);
const SIZES = [5 * MB, MB + 11];
const ALWAYS = 99;

interface Failing {
  readonly name: string;
  readonly rule: Omit<Rule, "times"> & { readonly times?: number };
  readonly parts?: boolean;
  /** Whether the object gets there all the same. */
  readonly arrives: boolean;
  /** What the pipeline is told. */
  readonly told: "success" | "failure";
  readonly config?: ConstructorParameters<typeof S3Client>[0];
  readonly aborted?: boolean;
}

const PUT = /^PUT /;
const PART_2 = /partNumber=2/;
const COMPLETE = /^POST .*uploadId=/;
const failure = (status: number, code: string) => ({ kind: "answer", status, body: storageError(code) }) as const;
/** As stores do that lie, or gateways before them. */
const swallowed = { kind: "answer", status: 200, headers: { etag: '"d41d8cd98f00b204e9800998ecf8427e"' } } as const;
const brief = { maxAttempts: 1, requestHandler: { requestTimeout: 300, throwOnRequestTimeout: true } };

const FAILING: readonly Failing[] = [
  { name: "500 once", rule: { match: PUT, fault: failure(500, "InternalError") }, arrives: true, told: "success" },
  { name: "503 SlowDown once", rule: { match: PUT, fault: failure(503, "SlowDown") }, arrives: true, told: "success" },
  { name: "500 always", rule: { match: PUT, fault: failure(500, "InternalError"), times: ALWAYS }, arrives: false, told: "failure" },
  { name: "403", rule: { match: PUT, fault: failure(403, "AccessDenied"), times: ALWAYS }, arrives: false, told: "failure" },
  { name: "a reset after 3 MB, once", rule: { match: PUT, fault: { kind: "reset", afterBytes: 3 * MB } }, arrives: true, told: "success" },
  {
    name: "a reset after 3 MB, always",
    rule: { match: PUT, fault: { kind: "reset", afterBytes: 3 * MB }, times: ALWAYS },
    arrives: false,
    told: "failure",
  },
  { name: "a delay", rule: { match: PUT, fault: { kind: "delay", ms: 200 } }, arrives: true, told: "success" },
  {
    name: "no answer in time",
    rule: { match: PUT, fault: { kind: "hang" }, times: ALWAYS },
    arrives: false,
    told: "failure",
    config: brief,
  },
  { name: "200 and nothing stored", rule: { match: PUT, fault: swallowed }, arrives: false, told: "success" },
  {
    name: "stored, the answer lost",
    rule: { match: PUT, fault: { kind: "answerLost" }, times: ALWAYS },
    arrives: true,
    told: "failure",
    config: { maxAttempts: 1 },
  },
  { name: "part 2: 500 once", rule: { match: PART_2, fault: failure(500, "InternalError") }, parts: true, arrives: true, told: "success" },
  {
    name: "part 2: 500 always",
    rule: { match: PART_2, fault: failure(500, "InternalError"), times: ALWAYS },
    parts: true,
    arrives: false,
    told: "failure",
  },
  {
    name: "completion: 200 with an error in it",
    rule: { match: COMPLETE, fault: failure(200, "InternalError"), times: ALWAYS },
    parts: true,
    arrives: false,
    told: "failure",
  },
  {
    name: "completion: the answer lost",
    rule: { match: COMPLETE, fault: { kind: "answerLost" } },
    parts: true,
    arrives: true,
    told: "success",
  },
  {
    name: "aborted in part 2",
    rule: { match: PART_2, fault: { kind: "hang" } },
    parts: true,
    arrives: false,
    told: "failure",
    aborted: true,
  },
];

describe("uploads that fail", function () {
  this.timeout(30_000);
  let server: S3Server | undefined;
  let proxy: FaultProxy;
  let bucket: Bucket;
  let files: Files;
  before(async function () {
    server = await startServer(this);
    proxy = await startFaultProxy(server.endpoint);
    bucket = await makeBucket(server);
    files = makeFiles();
  });
  after(async () => {
    bucket?.client.destroy();
    files?.dispose();
    await proxy?.close();
    await server?.stop();
  });

  /** What the pipeline learns of its upload through the proxy. */
  async function upload(failing: Failing, key: string): Promise<"success" | "failure"> {
    const client = connect({ ...server!, endpoint: proxy.url }, failing.config);
    const controller = new AbortController();
    proxy.arm(failing.rule);
    if (failing.aborted) void proxy.nextFault().then(() => controller.abort());
    const options: PartsOptions = { client, signal: controller.signal };
    try {
      if (failing.parts) await bucket.putParts(key, CONTENT, SIZES, options);
      else await client.send(new PutObjectCommand({ Bucket: bucket.name, Key: key, Body: CONTENT }));
      return "success";
    } catch {
      return "failure";
    } finally {
      client.destroy();
      proxy.arm();
    }
  }

  for (const failing of FAILING) {
    it(`S1.6, R35: ${failing.name}`, async () => {
      const request = requestOf(files.write("video.mp4", CONTENT), bucket.url(failing.name));
      assert.equal(await upload(failing, failing.name), failing.told);
      const stored = await bucket.read(failing.name);
      const check = await verifyOnce(request, bucket.environment);
      assert.equal(stored?.equals(CONTENT) ?? false, failing.arrives, "what was downloaded");
      assert.equal(check.status, failing.arrives ? "verified" : "missing", check.detail);
    });

    it(`S1.6, R35: ${failing.name}, where an older object of the same size was`, async () => {
      const key = `older/${failing.name}`;
      await bucket.put(key, randomBytes(CONTENT.length));
      const request = requestOf(files.write("video.mp4", CONTENT), bucket.url(key));
      assert.equal(await upload(failing, key), failing.told);
      const check = await verifyOnce(request, bucket.environment);
      assert.equal((await bucket.read(key))?.equals(CONTENT), failing.arrives, "what was downloaded");
      assert.equal(check.status, failing.arrives ? "verified" : "different", check.detail);
    });
  }
});
