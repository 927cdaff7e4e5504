/**
 * What verifying uploads costs beyond asking: `node bench/uploads.ts [files]`. The same objects on the same S3 server are asked for by
 * bare HEADs of the vendor's client and verified by Offcut, which also reads and hashes the local files; with the same number of
 * requests at a time, in turn, in one process.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { identityOf } from "/work/main/core/reclaim/guard.ts";
import { createUploadVerifier, type UploadRequest } from "/work/main/core/remote/verifier.ts";
import { install, start, unavailable } from "/work/main/tools/storage/s3.mjs";
import { quantile } from "/work/main/bench/timed.ts";

const files = Number(process.argv[2] ?? 1000);
if (!Number.isSafeInteger(files) || files < 1) throw new RangeError("usage: node bench/uploads.ts [files]");
const BYTES = 20_000;
const CONCURRENCY = 16;
const ROUNDS = 9;

const reason = unavailable();
if (reason === undefined) await run();
else console.log(`Not measured: ${reason}.`);

async function run(): Promise<void> {
  install();
  const home = mkdtempSync(join(tmpdir(), "offcut-uploads-"));
  const server = await start();
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  const agent = { keepAlive: true, maxSockets: CONCURRENCY };
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestHandler: { httpAgent: agent, httpsAgent: agent, connectionTimeout: 5000, requestTimeout: 15000, throwOnRequestTimeout: true },
  });
  const environment = {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
  const verifier = createUploadVerifier({ environment, concurrency: CONCURRENCY });
  try {
    await client.send(new CreateBucketCommand({ Bucket: "bench" }));
    const requests: UploadRequest[] = [];
    await inParallel(files, async (index) => {
      const file = join(home, `${index}.bin`);
      const content = randomBytes(BYTES);
      writeFileSync(file, content);
      await client.send(new PutObjectCommand({ Bucket: "bench", Key: `${index}`, Body: content }));
      const { dev, ino, bytes, mtimeNs } = identityOf(file)!;
      requests[index] = { file, url: `s3://bench/${index}`, identity: { dev, ino, bytes, mtimeNs } };
    });

    const ask = () =>
      inParallel(files, (index) => client.send(new HeadObjectCommand({ Bucket: "bench", Key: `${index}`, ChecksumMode: "ENABLED" })));
    const verify = async () => {
      const checks = await verifier.verify(requests, { fresh: true });
      const verified = checks.filter(({ status }) => status === "verified").length;
      if (verified !== files) throw new Error(`${verified} of ${files} were verified`);
    };
    const [asked, took]: [number[], number[]] = [[], []];
    for (let round = -2; round < ROUNDS; round++) {
      const pair: [() => Promise<unknown>, number[]][] = [
        [ask, asked],
        [verify, took],
      ];
      for (const [act, times] of round % 2 === 0 ? pair : pair.reverse()) {
        const started = performance.now();
        await act();
        if (round >= 0) times.push(performance.now() - started);
      }
    }
    console.log(asked.map(Math.round).join(" "), "|", took.map(Math.round).join(" "));
    const [base, own] = [quantile(asked, 0.5), quantile(took, 0.5)];
    console.log(
      `${files} objects of ${BYTES} bytes, ${CONCURRENCY} requests at a time, ${ROUNDS} rounds in turn, medians; ${cpus().length} × ${cpus()[0]?.model ?? "CPU"}, load ${loadavg()[0]?.toFixed(1) ?? "?"}, Node ${process.versions.node}\n`,
    );
    console.log("| what | ms | × bare HEADs |\n|---|---:|---:|");
    console.log(`| bare HEADs of the vendor's client | ${base.toFixed(0)} | 1.00 |`);
    console.log(`| **Offcut**: verified, local files read and hashed | ${own.toFixed(0)} | ${(own / base).toFixed(2)} |`);
  } finally {
    await verifier[Symbol.asyncDispose]();
    client.destroy();
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

async function inParallel(count: number, act: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
}
