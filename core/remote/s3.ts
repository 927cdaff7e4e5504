/** Objects of Amazon S3 and of storages that speak its protocol. */
import {
  GetObjectAttributesCommand,
  HeadObjectCommand,
  S3Client,
  type HeadObjectCommandOutput,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import type { Address } from "./address.ts";
import type { Algorithm, HeadAnswer, Proof, RemoteObject, RemoteStorage, StorageOptions } from "./storage.ts";
import { ANSWER_TIMEOUT, CONNECTION_TIMEOUT } from "./storage.ts";
import { answerOf } from "./trouble.ts";

type ObjectAddress = Extract<Address, { readonly kind: "s3" }>;

const CREDENTIALS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"] as const;
const ALGORITHMS: readonly Algorithm[] = ["SHA256", "SHA512", "SHA1", "MD5", "CRC32C", "CRC32", "CRC64NVME"];
/** An object has 10,000 parts at most, and an answer lists 1,000. */
const MOST_PAGES = 10;

export function openStorage(options: StorageOptions): RemoteStorage {
  const client = new S3Client(configure(options));
  return {
    async head(address, signal) {
      if (address.kind !== "s3") throw new TypeError("not an address of S3");
      try {
        const output = await client.send(
          new HeadObjectCommand({ Bucket: address.bucket, Key: address.key, ChecksumMode: "ENABLED" }),
          withSignal(signal),
        );
        return { status: "found", object: describe(client, address, output) };
      } catch (error) {
        return interpret(error, signal);
      }
    },
    close: () => client.destroy(),
  };
}

function configure({ environment, endpoint, region, concurrency }: StorageOptions): S3ClientConfig {
  const place = region ?? environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"];
  const agent = { keepAlive: true, maxSockets: concurrency };
  return {
    // Without an own endpoint the region may also come from the user's AWS configuration, which the library reads.
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true, region: place ?? "us-east-1" }),
    ...(endpoint === undefined && { followRegionRedirects: true, ...(place !== undefined && { region: place }) }),
    ...chooseCredentials(environment),
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT,
      requestTimeout: ANSWER_TIMEOUT,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
  };
}

/** The library reads the environment of the process; only what differs from that has to be handed over. */
function chooseCredentials(environment: StorageOptions["environment"]): S3ClientConfig {
  if (CREDENTIALS.every((name) => environment[name] === process.env[name])) return {};
  const [accessKeyId, secretAccessKey, sessionToken, profile] = CREDENTIALS.map((name) => environment[name]);
  if (profile) return { profile };
  return accessKeyId && secretAccessKey ? { credentials: { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) } } : {};
}

function describe(client: S3Client, address: ObjectAddress, output: HeadObjectCommandOutput): RemoteObject {
  return {
    bytes: output.ContentLength ?? -1,
    proofs: [...checksumsOf(output, "whole"), ...checksumsOf(output, "parts"), ...entityTagOf(output, address.bucket)],
    async partSizes(parts, signal) {
      if (parts === 1) return [output.ContentLength ?? -1];
      return (await listParts(client, address, parts, signal)) ?? measureParts(client, address, parts, output.ContentLength ?? -1, signal);
    },
  };
}

/**
 * Checksums that the storage computed or compared when it took the content. One of parts ends in their number; a storage that says
 * neither this nor the type, of an object that has parts, leaves open what its checksum is of.
 */
function checksumsOf(output: HeadObjectCommandOutput, wanted: "whole" | "parts"): Proof[] {
  const inParts = /-\d+"?$/.test(output.ETag ?? "");
  return ALGORITHMS.flatMap((algorithm): Proof[] => {
    const [, base64, count] = /^([A-Za-z0-9+/=]+)(?:-(\d+))?$/.exec(output[`Checksum${algorithm}`] ?? "") ?? [];
    if (base64 === undefined) return [];
    const hex = Buffer.from(base64, "base64").toString("hex");
    if (count !== undefined) return wanted === "parts" ? [{ algorithm, hex, parts: Number(count) }] : [];
    const isWhole = output.ChecksumType === "FULL_OBJECT" || (output.ChecksumType === undefined && !inParts);
    return wanted === "whole" && isWhole ? [{ algorithm, hex }] : [];
  });
}

/**
 * The entity tag is the MD5 of the content, or of the MD5s of the parts, unless the object was encrypted with a key of the customer's
 * or of the key management, or lies in a directory bucket. Source: "Object" in the Amazon S3 API reference, `ETag`.
 */
function entityTagOf(output: HeadObjectCommandOutput, bucket: string): Proof[] {
  const encrypted = output.SSECustomerAlgorithm !== undefined || (output.ServerSideEncryption ?? "").startsWith("aws:kms");
  const [, hex, count] = /^"?([0-9a-f]{32})(?:-(\d+))?"?$/.exec(output.ETag ?? "") ?? [];
  if (hex === undefined || encrypted || bucket.endsWith("--x-s3")) return [];
  return [{ algorithm: "MD5", hex, ...(count !== undefined && { parts: Number(count) }) }];
}

/** The exact sizes, where the storage and the permissions allow to ask for them. */
async function listParts(
  client: S3Client,
  { bucket, key }: ObjectAddress,
  parts: number,
  signal: AbortSignal | undefined,
): Promise<readonly number[] | undefined> {
  const sizes: number[] = [];
  let marker: string | undefined;
  try {
    for (let page = 0; page < MOST_PAGES; page++) {
      const { ObjectParts } = await client.send(
        new GetObjectAttributesCommand({
          Bucket: bucket,
          Key: key,
          ObjectAttributes: ["ObjectParts"],
          MaxParts: 1000,
          PartNumberMarker: marker,
        }),
        withSignal(signal),
      );
      for (const { Size } of ObjectParts?.Parts ?? []) sizes.push(Size ?? -1);
      marker = ObjectParts?.NextPartNumberMarker;
      if (ObjectParts?.IsTruncated !== true || marker === undefined) break;
    }
  } catch {
    signal?.throwIfAborted();
    return undefined; // Not permitted, or not known to this storage: the parts themselves tell.
  }
  return sizes.length === parts ? sizes : undefined;
}

/** All parts but the last are as large as the first, if that fits with the size of the last. */
async function measureParts(
  client: S3Client,
  address: ObjectAddress,
  parts: number,
  bytes: number,
  signal: AbortSignal | undefined,
): Promise<readonly number[] | undefined> {
  const sizeOf = async (part: number): Promise<number> => {
    const { ContentLength } = await client.send(
      new HeadObjectCommand({ Bucket: address.bucket, Key: address.key, PartNumber: part }),
      withSignal(signal),
    );
    return ContentLength ?? -1;
  };
  try {
    const [first, last] = [await sizeOf(1), await sizeOf(parts)];
    if (first <= 0 || last <= 0 || first * (parts - 1) + last !== bytes) return undefined;
    return [...Array.from({ length: parts - 1 }, () => first), last];
  } catch {
    signal?.throwIfAborted();
    return undefined; // Storages without parts to ask for; the object stays unproven.
  }
}

const withSignal = (signal: AbortSignal | undefined) => (signal ? { abortSignal: signal } : {});

function interpret(error: unknown, signal: AbortSignal | undefined): HeadAnswer {
  if (signal?.aborted) throw signal.reason;
  const { $metadata } = error as { readonly $metadata?: { readonly httpStatusCode?: number } };
  return answerOf(error, $metadata?.httpStatusCode);
}
