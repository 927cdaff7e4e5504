import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readlinkSync, truncateSync, utimesSync } from "node:fs";
import type { UploadCheck } from "../../core/model.ts";
import { answerOf } from "../../core/remote/trouble.ts";
import { createUploadVerifier } from "../../core/remote/verifier.ts";
import type { UploadRequest } from "../../core/uploads.ts";
import type { S3Server } from "../../tools/storage/s3.mjs";
import { type Bucket, makeBucket, startServer, WITHOUT_CHECKSUMS } from "./bucket.ts";
import { type FaultProxy, type Rule, startFaultProxy, storageError } from "./faultProxy.ts";
import { type Files, makeFiles, requestOf, verifyOnce } from "./files.ts";

const MB = 1024 ** 2;
const CONTENT = randomBytes(4321);
const ALWAYS = 99;

describe("storages that answer badly or not at all", function () {
  this.timeout(30_000);
  let server: S3Server | undefined;
  let proxy: FaultProxy;
  let bucket: Bucket;
  let files: Files;
  /** A file that is uploaded well. */
  let request: UploadRequest;
  let proxied: Readonly<Record<string, string>>;
  before(async function () {
    server = await startServer(this);
    proxy = await startFaultProxy(server.endpoint);
    bucket = await makeBucket(server);
    files = makeFiles();
    proxied = { ...bucket.environment, AWS_ENDPOINT_URL_S3: proxy.url };
    await bucket.put("good", CONTENT);
    request = requestOf(files.write("good.bin", CONTENT), bucket.url("good"));
  });
  afterEach(() => proxy.arm());
  after(async () => {
    bucket?.client.destroy();
    files?.dispose();
    await proxy?.close();
    await server?.stop();
  });

  const told = ({ status, detail }: UploadCheck) => `${status}: ${detail}`;
  const failure = (status: number) => ({ kind: "answer", status, body: storageError("Injected") }) as const;

  describe("R35: an answer that is an error", () => {
    it("R35: is asked for again", async () => {
      proxy.arm({ match: /^HEAD/, fault: failure(503) });
      assert.equal(told(await verifyOnce(request, proxied)), "verified: CRC-32 agrees");
    });

    for (const [status, words] of [
      [500, "the storage could not answer (500)"],
      [503, "the storage could not answer (503)"],
      [403, "the storage refuses access (403)"],
      [401, "the storage refuses access (401)"],
      [400, "the storage could not answer (400)"],
      [412, "the storage could not answer (412)"],
    ] as const) {
      it(`R35: ${status} always`, async () => {
        proxy.arm({ match: /^HEAD/, fault: failure(status), times: ALWAYS });
        assert.equal(told(await verifyOnce(request, proxied)), `unreachable: ${words}`);
      });
    }

    it("R35: is not remembered", async () => {
      const verifier = createUploadVerifier({ environment: proxied });
      proxy.arm({ match: /^HEAD/, fault: failure(403) });
      const statuses = [await verifier.verify([request]), await verifier.verify([request])].map(([check]) => check?.status);
      assert.deepEqual(statuses, ["unreachable", "verified"]);
      await verifier[Symbol.asyncDispose]();
    });

    it("R35: a connection that breaks", async () => {
      proxy.arm({ match: /^HEAD/, fault: { kind: "reset", afterBytes: 0 }, times: ALWAYS });
      assert.equal(told(await verifyOnce(request, proxied)), "unreachable: there is no connection to the storage (ECONNRESET)");
    });
  });

  describe("R35: nobody there", () => {
    it("R35: a closed port, which is not tried anew for every file", async () => {
      const environment = { ...bucket.environment, AWS_ENDPOINT_URL_S3: "http://127.0.0.1:1" };
      const verifier = createUploadVerifier({ environment, concurrency: 2 });
      const checks = await verifier.verify(Array.from({ length: 2000 }, (_, i) => ({ ...request, url: bucket.url(`${i}`) })));
      assert.deepEqual(new Set(checks.map(told)), new Set(["unreachable: there is no connection to the storage (ECONNREFUSED)"]));
      await verifier[Symbol.asyncDispose]();
    });

    it("R35: a name that nobody knows", async () => {
      const environment = { ...bucket.environment, AWS_ENDPOINT_URL_S3: "http://storage.invalid" };
      assert.match(
        told(await verifyOnce(request, environment)),
        /^unreachable: the name of the storage's host is not known \((ENOTFOUND|EAI_AGAIN)\)$/,
      );
    });

    it("R35: no answer in time, a certificate that is not trusted, no region", () => {
      const named = (name: string, code?: string) => Object.assign(new Error("secret"), { name }, code === undefined ? {} : { code });
      const cases: readonly (readonly [unknown, string])[] = [
        [named("TimeoutError"), "timeout"],
        [named("Error", "ETIMEDOUT"), "timeout"],
        [new Error("outer", { cause: named("Error", "SELF_SIGNED_CERT_IN_CHAIN") }), "certificate"],
        [new AggregateError([named("Error", "ECONNREFUSED")]), "connection"],
        [new Error("Region is missing"), "region"],
        [named("CredentialsProviderError"), "credentials"],
        ["text", "answer"],
      ];
      for (const [error, trouble] of cases) {
        const answer = answerOf(error, undefined);
        assert.ok(answer.status === "unreachable");
        assert.equal(answer.trouble, trouble);
      }
    });
  });

  describe("credentials", () => {
    const names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"];
    const places = {
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
      AWS_CONFIG_FILE: "/nonexistent/config",
    };
    const saved = new Map([...names, ...Object.keys(places)].map((name) => [name, process.env[name]]));
    beforeEach(() => {
      for (const name of names) delete process.env[name];
      Object.assign(process.env, places);
    });
    afterEach(() => {
      for (const [name, value] of saved) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    });

    it("S1.6: none are to be found", async () => {
      const environment = { AWS_ENDPOINT_URL_S3: bucket.endpoint, AWS_REGION: "us-east-1" };
      assert.equal(told(await verifyOnce(request, environment)), "unreachable: no credentials were found for the storage");
    });

    it("S1.6: those of the process are used", async () => {
      Object.assign(process.env, bucket.environment);
      try {
        assert.equal((await verifyOnce(request, process.env as Record<string, string>)).status, "verified");
      } finally {
        for (const name of Object.keys(bucket.environment)) delete process.env[name];
      }
    });

    it("S1.6: wrong ones; nothing that is secret is told", async () => {
      const secret = "hunter2hunter2hunter2hunter2hunter2hunter";
      const wrong = { ...bucket.environment, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: `${secret}-token` };
      const unknown = { ...wrong, AWS_ACCESS_KEY_ID: `${secret}-id` };
      const azure = {
        AZURE_STORAGE_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=one;AccountKey=${secret};BlobEndpoint=http://127.0.0.1:1/one`,
      };
      const checks = [
        await verifyOnce(request, wrong),
        await verifyOnce(request, unknown),
        await verifyOnce({ ...request, endpoint: `http://user:${secret}@127.0.0.1:1` }, wrong),
        await verifyOnce({ ...request, endpoint: `ftp://user:${secret}@127.0.0.1:1` }, wrong),
        await verifyOnce({ ...request, url: `https://user:${secret}@example.org/a?X-Amz-Signature=${secret}` }, wrong),
        await verifyOnce({ ...request, url: `https://one.blob.core.windows.net/b?sig=${secret}` }, azure),
        await verifyOnce({ ...request, url: `s3://user:${secret}@bucket/key` }, wrong),
      ];
      assert.deepEqual(checks.slice(0, 2).map(told), [
        "unreachable: the storage refuses access (403)",
        "unreachable: the storage refuses access (403)",
      ]);
      assert.ok(checks.every(({ status }) => status !== "verified"));
      assert.ok(!JSON.stringify(checks).includes("hunter2"), JSON.stringify(checks));
    });
  });

  describe("R35: parts whose sizes the storage does not list", () => {
    const large = randomBytes(11 * MB + 7);
    const deny = { match: /attributes/, fault: failure(403), times: ALWAYS };
    let plain: Bucket;
    before(async () => {
      plain = await makeBucket(server!, WITHOUT_CHECKSUMS);
    });
    after(() => plain?.client.destroy());
    const check = async (sizes: readonly number[], ...more: readonly Rule[]) => {
      await plain.putParts("large", large, sizes);
      proxy.arm(deny, ...more);
      return told(await verifyOnce(requestOf(files.write("large.bin", large), plain.url("large")), proxied));
    };

    it("R35: are found out by the first and the last", async () => {
      assert.equal(await check([5 * MB, 5 * MB, MB + 7]), "verified: MD5 of 3 parts agrees");
    });
    it("R35: are not guessed when they are not alike", async () => {
      assert.match(await check([5 * MB, 5 * MB + 6, MB + 1]), /^unproven: the storage knows no checksum/);
    });
    it("R35: stay unknown where parts cannot be asked for", async () => {
      assert.match(await check([5 * MB, 5 * MB, MB + 7], { match: /partNumber/, fault: failure(501), times: ALWAYS }), /^unproven: /);
    });
    it("R35: a checksum that does not say what it is of, or that nobody here can compute, is not used", async () => {
      const headers = { "content-length": CONTENT.length, "x-amz-checksum-xxhash64": "AAAAAAAAAAA=", "x-amz-checksum-crc32": "AAAAAA==" };
      proxy.arm({
        match: /^HEAD/,
        fault: { kind: "answer", status: 200, headers: { ...headers, etag: '"0123456789abcdef0123456789abcdef-2"' } },
      });
      assert.match(told(await verifyOnce(request, proxied)), /^unproven: /);
    });
  });

  describe("while a large file is read", () => {
    /** Nothing is stored of it; the proxy answers for the storage. The file has no blocks, so it is there in no time. */
    const bytes = 1024 * MB;
    const headers = { "content-length": bytes, "x-amz-checksum-crc64nvme": "AAAAAAAAAAA=", "x-amz-checksum-type": "FULL_OBJECT" };
    let file: string;
    let large: UploadRequest;
    beforeEach(function () {
      if (process.platform !== "linux") return this.skip(); // Who has a file open is asked of /proc.
      file = files.write("sparse.bin", Buffer.alloc(0));
      truncateSync(file, bytes);
      large = requestOf(file, bucket.url("sparse"));
      proxy.arm({ match: /^HEAD/, fault: { kind: "answer", status: 200, headers } });
    });

    const isOpen = () => readdirSync("/proc/self/fd").some((fd) => targetOf(fd) === file);
    const targetOf = (fd: string): string => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return ""; // It was closed meanwhile.
      }
    };
    const whileRead = async (act: () => void): Promise<void> => {
      while (!isOpen()) await new Promise(setImmediate);
      act();
      assert.ok(isOpen(), "it is still being read");
    };

    it("S1.6, R3: a change is noticed", async () => {
      const found = verifyOnce(large, proxied);
      await whileRead(() => truncateSync(file, bytes + 1));
      assert.equal(told(await found), "unproven: the file was changed or replaced since it was looked at");
    });

    it("S1.6, R3: a change is noticed whose traces are wiped", async () => {
      const found = verifyOnce(large, proxied);
      await whileRead(() => {
        truncateSync(file, bytes - 1);
        truncateSync(file, bytes);
        const seconds = Number(BigInt(large.identity.mtimeNs) / 1_000_000_000n);
        utimesSync(file, seconds, seconds);
      });
      assert.equal((await found).status, "unproven");
    });

    it("S1.6: it can be aborted, and the file is closed", async () => {
      const verifier = createUploadVerifier({ environment: proxied });
      const controller = new AbortController();
      const found = verifier.verify([large], { signal: controller.signal });
      const reason = new Error("enough");
      const rejected = assert.rejects(found, (error) => error === reason);
      await whileRead(() => controller.abort(reason));
      await rejected;
      assert.ok(!isOpen());
      await verifier[Symbol.asyncDispose]();
    });
  });

  it("S1.6: aborted while the storage does not answer, and before it was asked", async () => {
    const verifier = createUploadVerifier({ environment: proxied });
    const controller = new AbortController();
    const reason = new Error("enough");
    proxy.arm({ match: /^HEAD/, fault: { kind: "hang" }, times: ALWAYS });
    const asked = proxy.nextFault();
    const found = assert.rejects(
      verifier.verify([request, { ...request, url: bucket.url("more") }], { signal: controller.signal }),
      (error) => error === reason,
    );
    await asked;
    controller.abort(reason);
    await found;
    proxy.requests.length = 0;
    await assert.rejects(verifier.verify([request], { signal: controller.signal }), (error) => error === reason);
    assert.deepEqual(proxy.requests, []);
    proxy.arm();
    assert.equal((await verifier.verify([request]))[0]?.status, "verified", "it can be used again");
    await verifier[Symbol.asyncDispose]();
    await assert.rejects(verifier.verify([request]), /closed/);
  });
});
