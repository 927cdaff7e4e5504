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
import { identityOf } from "../core/reclaim/guard.ts";
import { createUploadVerifier } from "../core/remote/verifier.ts";
import type { UploadRequest } from "../core/uploads.ts";
import { install, start, unavailable } from "../tools/storage/s3.mjs";
import { quantile } from "./timed.ts";

const files = Number(process.argv[2] ?? 1000);
if (!Number.isSafeInteger(files) || files < 1) throw new RangeError("usage: node bench/uploads.ts [files]");
const BYTES = 20_000;
const CONCURRENCY = 16;
const ROUNDS = 9;
const WARM_UP = 2;

/** Milliseconds of each round: until it was done, and of the processor in this process. */
interface Measured {
  readonly wall: number[];
  readonly processor: number[];
}

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
    requestHandler: { httpAgent: agent, httpsAgent: agent },
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
      const count = checks.filter(({ status }) => status === "verified").length;
      if (count !== files) throw new Error(`${count} of ${files} were verified`);
    };
    const asked: Measured = { wall: [], processor: [] };
    const verified: Measured = { wall: [], processor: [] };
    for (let round = -WARM_UP; round < ROUNDS; round++) {
      const both = [() => measure(ask, asked, round >= 0), () => measure(verify, verified, round >= 0)];
      for (const one of round % 2 === 0 ? both : both.reverse()) await one();
    }
    console.log(
      `${files} objects of ${BYTES} bytes, ${CONCURRENCY} requests at a time, ${ROUNDS} rounds in turn, medians; ${cpus().length} × ${cpus()[0]?.model ?? "CPU"}, load ${loadavg()[0]?.toFixed(1) ?? "?"}, Node ${process.versions.node}\n`,
    );
    console.log("| what | ms | × bare HEADs | processor ms | × bare HEADs |\n|---|---:|---:|---:|---:|");
    console.log(row("bare HEADs of the vendor's client", asked, asked));
    console.log(row("**Offcut**: verified, local files read and hashed", verified, asked));
  } finally {
    await verifier[Symbol.asyncDispose]();
    client.destroy();
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

async function measure(act: () => Promise<unknown>, { wall, processor }: Measured, counts: boolean): Promise<void> {
  const before = process.cpuUsage();
  const started = performance.now();
  await act();
  const taken = performance.now() - started;
  const { user, system } = process.cpuUsage(before);
  if (!counts) return;
  wall.push(taken);
  processor.push((user + system) / 1000);
}

function row(name: string, own: Measured, base: Measured): string {
  const cells = (["wall", "processor"] as const).flatMap((kind) => {
    const median = quantile(own[kind], 0.5);
    return [median.toFixed(0), (median / quantile(base[kind], 0.5)).toFixed(2)];
  });
  return `| ${name} | ${cells.join(" | ")} |`;
}

async function inParallel(count: number, act: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
}
