/** Checksums of a local file, all in one reading. */
import { createHash } from "node:crypto";
import { constants, type BigIntStats } from "node:fs";
import { lstat, open, type FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { Identity } from "../model.ts";
import { startCrc32c, startCrc64nvme } from "./crc.ts";
import type { Algorithm } from "./storage.ts";

export interface DigestRequest {
  readonly algorithm: Algorithm;
  /** Sizes of parts that add up to the file: wanted is the checksum of their checksums. */
  readonly parts?: readonly number[];
}

export type Digests =
  /** As hexadecimal numbers, in the order of the requests. */
  | { readonly status: "read"; readonly hex: readonly string[]; readonly ctimeNs: bigint }
  /** It is not the file of that identity, or did not stay it, or is a link. */
  | { readonly status: "changed" }
  | { readonly status: "unreadable"; readonly code: string };

const CHUNK = 1024 ** 2;

/**
 * Reads the file once. The identity is compared before and after the reading, and at its end also the time of its last change of any
 * kind and what lies at the path, so that the checksums are those of the very content that the identity stands for.
 */
export async function digestFile(
  file: string,
  identity: Identity,
  requests: readonly DigestRequest[],
  signal?: AbortSignal,
): Promise<Digests> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    const before = await handle.stat({ bigint: true });
    if (!before.isFile() || !isSame(before, identity)) return { status: "changed" };
    const hashers = requests.map(startHasher);
    if (!(await readAll(handle, identity.bytes, hashers, signal))) return { status: "changed" };
    const after = await handle.stat({ bigint: true });
    if (after.ctimeNs !== before.ctimeNs || !isSame(after, identity) || !(await statFile(file, identity))) return { status: "changed" };
    return { status: "read", hex: hashers.map((hasher) => hasher.finish().toString("hex")), ctimeNs: after.ctimeNs };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const code = (error as NodeJS.ErrnoException).code ?? "";
    // ELOOP: the last component is a link. ENXIO: a socket, or a pipe that nobody reads.
    return ["ENOENT", "ENOTDIR", "ELOOP", "ENXIO"].includes(code) ? { status: "changed" } : { status: "unreadable", code };
  } finally {
    await handle?.close();
  }
}

/** What lies at the path, if it is the file of that identity and no link. */
export async function statFile(file: string, identity: Identity): Promise<BigIntStats | undefined> {
  try {
    const stat = await lstat(file, { bigint: true });
    return stat.isFile() && isSame(stat, identity) ? stat : undefined;
  } catch {
    return undefined; // Whatever hides it: it is not there as it was.
  }
}

/** False when the file ends early. The next piece is read while this one is hashed. */
async function readAll(handle: FileHandle, bytes: number, hashers: readonly Hasher[], signal: AbortSignal | undefined): Promise<boolean> {
  if (bytes === 0) return true;
  const size = Math.min(CHUNK, bytes);
  let ahead = handle.read(Buffer.allocUnsafeSlow(size), 0, size, 0);
  let spare = bytes > size ? Buffer.allocUnsafeSlow(size) : Buffer.alloc(0);
  for (let position = 0; position < bytes;) {
    const { bytesRead, buffer } = await ahead;
    signal?.throwIfAborted();
    if (bytesRead === 0) return false;
    position += bytesRead;
    if (position < bytes) {
      ahead = handle.read(spare, 0, Math.min(size, bytes - position), position);
      ahead.catch(() => {}); // Seen when it is awaited, unless something else ends the reading first.
      spare = buffer;
    }
    for (const hasher of hashers) hasher.update(buffer.subarray(0, bytesRead));
  }
  return true;
}

function isSame(stat: BigIntStats, identity: Identity): boolean {
  return (
    String(stat.dev) === identity.dev &&
    String(stat.ino) === identity.ino &&
    Number(stat.size) === identity.bytes &&
    String(stat.mtimeNs) === identity.mtimeNs
  );
}

interface Hasher {
  update(bytes: Uint8Array): void;
  finish(): Buffer;
}

function startHasher({ algorithm, parts }: DigestRequest): Hasher {
  return parts ? startComposite(algorithm, parts) : startWhole(algorithm);
}

function startWhole(algorithm: Algorithm): Hasher {
  switch (algorithm) {
    case "CRC32C":
      return startCrc32c();
    case "CRC64NVME":
      return startCrc64nvme();
    case "CRC32":
      return startCrc32();
    default: {
      const hash = createHash(algorithm);
      return { update: (bytes) => void hash.update(bytes), finish: () => hash.digest() };
    }
  }
}

function startCrc32(): Hasher {
  let value = 0;
  return {
    update(bytes) {
      value = crc32(bytes, value);
    },
    finish() {
      const result = Buffer.alloc(4);
      result.writeUInt32BE(value);
      return result;
    },
  };
}

/** The checksum of the parts' checksums, which stand one behind the other as bytes. */
function startComposite(algorithm: Algorithm, parts: readonly number[]): Hasher {
  const whole = startWhole(algorithm);
  let index = 0;
  let part = startWhole(algorithm);
  let left = parts[0] ?? 0;
  return {
    update(bytes) {
      let rest = bytes;
      while (rest.length > 0) {
        const taken = rest.subarray(0, left);
        part.update(taken);
        left -= taken.length;
        rest = rest.subarray(taken.length);
        if (left > 0) continue;
        whole.update(part.finish());
        part = startWhole(algorithm);
        left = parts[++index] ?? Number.POSITIVE_INFINITY;
      }
    },
    finish() {
      // A file of no bytes has one part of no bytes.
      if (index === 0 && left === 0) whole.update(part.finish());
      return whole.finish();
    },
  };
}
