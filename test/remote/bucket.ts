/** A bucket on the real S3 server, and ways to put objects there. Uses the vendor's own client, as pipelines do. */
import { randomBytes } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  type ChecksumAlgorithm,
  type ChecksumType,
  CompleteMultipartUploadCommand,
  type CompletedPart,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { install, isInstalled, type S3Server, start, unavailable } from "../../tools/storage/s3.mjs";

export interface Bucket {
  readonly name: string;
  readonly client: S3Client;
  readonly endpoint: string;
  /** With what a verifier reaches the server. */
  readonly environment: Readonly<Record<string, string>>;
  url(key: string): string;
  put(key: string, body: Uint8Array, more?: Partial<PutObjectCommandInput>): Promise<void>;
  /** In parts of these sizes. */
  putParts(key: string, body: Uint8Array, sizes: readonly number[], more?: PartsOptions): Promise<void>;
  /** Undefined when there is no such object. */
  read(key: string): Promise<Buffer | undefined>;
}

export interface PartsOptions {
  readonly algorithm?: ChecksumAlgorithm;
  readonly type?: ChecksumType;
  readonly client?: S3Client;
  readonly signal?: AbortSignal;
}

/** Starts the server, installing it when it is missing; skips the tests where there can be none. */
export async function startServer(context: Mocha.Context): Promise<S3Server> {
  const reason = unavailable();
  if (reason !== undefined) {
    console.log(`      skipped: ${reason}`);
    return context.skip();
  }
  context.timeout(600_000);
  if (!isInstalled()) install();
  return start();
}

/** Clients that add no checksums of their own accord, as older ones and those of other storages do. */
export const WITHOUT_CHECKSUMS: S3ClientConfig = {
  requestChecksumCalculation: "WHEN_REQUIRED",
  responseChecksumValidation: "WHEN_REQUIRED",
};

export function connect(server: S3Server, config: S3ClientConfig = {}): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  return new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey }, ...config });
}

export async function makeBucket(server: S3Server, config: S3ClientConfig = {}): Promise<Bucket> {
  const client = connect(server, config);
  const name = `b-${randomBytes(6).toString("hex")}`;
  await client.send(new CreateBucketCommand({ Bucket: name }));
  return {
    name,
    client,
    endpoint: server.endpoint,
    environment: {
      AWS_ENDPOINT_URL_S3: server.endpoint,
      AWS_REGION: server.region,
      AWS_ACCESS_KEY_ID: server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    },
    url: (key) => `s3://${name}/${key}`,
    async put(key, body, more = {}) {
      await client.send(new PutObjectCommand({ Bucket: name, Key: key, Body: body, ...more }));
    },
    putParts: (key, body, sizes, more = {}) => putParts(more.client ?? client, name, key, body, sizes, more),
    async read(key) {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: name, Key: key }));
        return Buffer.from((await Body?.transformToByteArray()) ?? []);
      } catch (error) {
        if (error instanceof NoSuchKey) return undefined;
        throw error;
      }
    },
  };
}

/** One part after the other; what fails is taken back, as upload managers do. */
async function putParts(
  client: S3Client,
  Bucket: string,
  Key: string,
  body: Uint8Array,
  sizes: readonly number[],
  { algorithm, type, signal }: PartsOptions,
): Promise<void> {
  const options = signal ? { abortSignal: signal } : {};
  const { UploadId } = await client.send(
    new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: algorithm, ChecksumType: type }),
    options,
  );
  try {
    const Parts: CompletedPart[] = [];
    let offset = 0;
    for (const [index, size] of sizes.entries()) {
      const part = {
        Bucket,
        Key,
        UploadId,
        PartNumber: index + 1,
        Body: body.subarray(offset, offset + size),
        ChecksumAlgorithm: algorithm,
      };
      const { ETag, ChecksumSHA1, ChecksumSHA256, ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME } = await client.send(
        new UploadPartCommand(part),
        options,
      );
      Parts.push({ PartNumber: index + 1, ETag, ChecksumSHA1, ChecksumSHA256, ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME });
      offset += size;
    }
    await client.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ChecksumType: type }),
      options,
    );
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch(() => {}); // (it may be completed already)
    throw error;
  }
}
