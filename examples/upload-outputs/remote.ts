/** Where the files of the example go: a bucket, or a directory that stands in for one. */
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { VerifiedUpload } from "../../runtime/index.ts";

export interface Remote {
  put(key: string, content: Buffer): Promise<void>;
  /** What the store says of an object, asked anew: an answer to `put` alone proves nothing. */
  head(key: string): Promise<VerifiedUpload>;
}

/** A bucket of whatever store AWS_ENDPOINT_URL_S3 names, with the credentials of the environment. It must exist. */
export async function openBucket(bucket: string): Promise<Remote> {
  const { HeadObjectCommand, PutObjectCommand, S3Client } = await import("@aws-sdk/client-s3");
  const client = new S3Client({ forcePathStyle: true, region: process.env["AWS_REGION"] ?? "us-east-1" });
  return {
    async put(Key, Body) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ChecksumAlgorithm: "SHA256" }));
    },
    async head(Key) {
      const found = await client.send(new HeadObjectCommand({ Bucket: bucket, Key, ChecksumMode: "ENABLED" }));
      return {
        url: `s3://${bucket}/${Key}`,
        ...(found.ContentLength !== undefined && { bytes: found.ContentLength }),
        ...(found.ChecksumSHA256 !== undefined && { sha256: found.ChecksumSHA256 }),
      };
    },
  };
}

/** So that the example runs without an account. */
export function openDirectory(directory: string): Remote {
  return {
    async put(key, content) {
      const file = join(directory, key);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content, { flush: true });
    },
    async head(key) {
      const file = join(directory, key);
      const content = await readFile(file);
      return { url: pathToFileURL(file).href, bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
    },
  };
}

/** For demonstrations: after so many objects the connection breaks in the middle of one, and half of it lies under its key. */
export function breakAfter(remote: Remote, objects: number): Remote {
  let left = objects;
  return {
    async put(key, content) {
      if (left-- > 0) return remote.put(key, content);
      await remote.put(key, content.subarray(0, content.length / 2));
      throw new Error(`the connection broke while ${key} was uploaded`);
    },
    head: (key) => remote.head(key),
  };
}
