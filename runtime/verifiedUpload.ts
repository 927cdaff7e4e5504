/** What a pipeline learned about the remote copy of a file, and whether the local one agrees (R35). */
import { createHash } from "node:crypto";
import fs from "node:fs";
import { t } from "@vscode/l10n";
import { identityKey } from "../core/catalog/paths.ts";
import type { SingleFile } from "../core/reclaim/single.ts";
import { shownAddress } from "../core/remote/address.ts";

/** Of a HEAD after the upload. At least one of `bytes` and the digests is needed: an address alone proves nothing. */
export interface VerifiedUpload {
  /**
   * Where the remote copy is, e.g. `s3://bucket/jobs/7/video.mp4`. It is noted and logged without user name, password and query, so
   * that a signed address may be passed.
   */
  readonly url: string;
  /** Its size. */
  readonly bytes?: number;
  /** Its ETag, with or without quotes. Compared where it is an MD5; that of an upload in several parts is none. */
  readonly etag?: string;
  /** Digests in hexadecimal or base64. */
  readonly sha256?: string;
  readonly md5?: string;
}

/** The proof in words, or why there is none. */
export async function proveUpload(
  file: SingleFile,
  verified: VerifiedUpload,
  signal: AbortSignal | undefined,
): Promise<{ readonly proof: string } | { readonly doubt: string }> {
  if (typeof verified.url !== "string" || verified.url === "") return { doubt: t("the verified upload has no address") };
  const { bytes } = file.identity;
  const shown = shownAddress(verified.url);
  if (verified.bytes !== undefined && verified.bytes !== bytes)
    return { doubt: t("{0} has {1} bytes, the local file {2}", shown, verified.bytes, bytes) };
  const expected = expectedDigests(verified);
  if (verified.bytes === undefined && expected.length === 0)
    return { doubt: t("neither the size nor a digest of {0} is known, so nothing proves that the upload is complete", shown) };
  const actual = await digestsOf(file, [...new Set(expected.map((one) => one.algorithm))], signal);
  if (!actual) return { doubt: t("it changed while it was looked at") };
  const different = expected.find(({ algorithm, digest }) => !actual.get(algorithm)?.equals(digest));
  if (different) return { doubt: t("the {0} of {1} is another one than that of the local file", different.name, shown) };
  const agreeing = [...(verified.bytes === undefined ? [] : [t("{0} bytes", bytes)]), ...expected.map((one) => one.name)];
  return { proof: t("{0} agree", agreeing.join(", ")) };
}

interface Expected {
  readonly name: string;
  readonly algorithm: "md5" | "sha256";
  readonly digest: Buffer;
}

function expectedDigests({ sha256, md5, etag }: VerifiedUpload): readonly Expected[] {
  const tag = etag?.replace(/^W\//, "").replaceAll('"', "");
  return [
    ...(sha256 === undefined ? [] : [{ name: "SHA-256", algorithm: "sha256", digest: decodeDigest(sha256) } as const]),
    ...(md5 === undefined ? [] : [{ name: "MD5", algorithm: "md5", digest: decodeDigest(md5) } as const]),
    ...(tag !== undefined && /^[0-9a-f]{32}$/i.test(tag)
      ? [{ name: "ETag", algorithm: "md5", digest: Buffer.from(tag, "hex") } as const]
      : []),
  ];
}

/** What is no digest at all equals none. */
function decodeDigest(text: string): Buffer {
  return /^([0-9a-f]{32}|[0-9a-f]{64})$/i.test(text) ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
}

/** Undefined when the file was written meanwhile. */
async function digestsOf(
  file: SingleFile,
  algorithms: readonly Expected["algorithm"][],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Buffer> | undefined> {
  const hashes = algorithms.map((algorithm) => ({ algorithm, hash: createHash(algorithm) }));
  if (hashes.length > 0) {
    // Opened where it was looked at, and never through a link that took its place.
    await using handle = await fs.promises.open(file.entry, fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0));
    const before = await handle.stat({ bigint: true });
    if (keyOf(before) !== identityKey(file.identity)) return undefined;
    const buffer = Buffer.allocUnsafe(1024 ** 2);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, buffer.length);
      if (bytesRead === 0) break;
      for (const { hash } of hashes) hash.update(buffer.subarray(0, bytesRead));
    }
    if (keyOf(await handle.stat({ bigint: true })) !== identityKey(file.identity)) return undefined;
  }
  return new Map(hashes.map(({ algorithm, hash }) => [algorithm, hash.digest()]));
}

function keyOf(stat: fs.BigIntStats): string {
  return identityKey({ dev: String(stat.dev), ino: String(stat.ino), bytes: Number(stat.size), mtimeNs: String(stat.mtimeNs) });
}
