/** Checksums of files that were read before, good as long as the file has not changed in any way. */
import type { Identity } from "../model.ts";
import { digestFile, type DigestRequest, type Digests, statFile } from "./digest.ts";

/** Times of files are coarse: what was changed so shortly ago may change again without showing it, milliseconds. */
const SETTLED = 2_000;
const MOST_FILES = 100_000;

interface Known {
  /** Also changes when somebody sets the time of modification back. */
  readonly ctimeNs: bigint;
  readonly hex: Map<string, string>;
}

export type DigestCache = typeof digestFile;

/** `now` in milliseconds. */
export function createDigestCache(now: () => number): DigestCache {
  const files = new Map<string, Known>();
  return async (file, identity, requests, signal) => {
    const key = keyOf(identity);
    const names = requests.map(nameOf);
    const known = files.get(key);
    if (known && names.every((name) => known.hex.has(name)) && (await statFile(file, identity))?.ctimeNs === known.ctimeNs) {
      return { status: "read", hex: names.map((name) => known.hex.get(name)!), ctimeNs: known.ctimeNs };
    }
    const digests = await digestFile(file, identity, requests, signal);
    if (digests.status === "read" && now() - latestChange(identity, digests.ctimeNs) > SETTLED) remember(key, names, digests);
    return digests;
  };

  function remember(key: string, names: readonly string[], { hex, ctimeNs }: Extract<Digests, { readonly status: "read" }>): void {
    const before = files.get(key);
    const known = before?.ctimeNs === ctimeNs ? before : { ctimeNs, hex: new Map<string, string>() };
    for (const [i, name] of names.entries()) known.hex.set(name, hex[i]!);
    if (files.size >= MOST_FILES) files.clear();
    files.set(key, known);
  }
}

/** Milliseconds. */
function latestChange({ mtimeNs }: Identity, ctimeNs: bigint): number {
  const latest = BigInt(mtimeNs) > ctimeNs ? BigInt(mtimeNs) : ctimeNs;
  return Number(latest / 1_000_000n);
}

const keyOf = ({ dev, ino, bytes, mtimeNs }: Identity) => [dev, ino, bytes, mtimeNs].join(" ");
const nameOf = ({ algorithm, parts }: DigestRequest) => `${algorithm} ${parts?.join() ?? ""}`;
