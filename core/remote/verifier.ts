/**
 * Whether the remote copies of local files are there, with the same content (R35). Asks the storage for size and checksums, and
 * computes the same here; nothing is downloaded. What cannot be compared is `unproven`, and then the file stays.
 */
import type { UploadCheck } from "../model.ts";
import type { UploadRequest, UploadVerifier, VerifyOptions } from "../uploads.ts";
import { type Address, parseAddress, shownAddress } from "./address.ts";
import type { DigestRequest } from "./digest.ts";
import { createDigestCache } from "./digestCache.ts";
import { makeLimit } from "./limit.ts";
import type { HeadAnswer, Proof, RemoteObject, RemoteStorage, StorageOptions } from "./storage.ts";
import { answerOf } from "./trouble.ts";
import { changed, compared, missing, noAddress, noEndpoint, noProof, otherSize, unreachable, unreadable, type Verdict } from "./verdict.ts";

export interface VerifierOptions {
  /** Credentials come from here, or from where the libraries of the vendors look for them. They are never kept, written or told. */
  readonly environment: StorageOptions["environment"];
  /** How many storages and files are asked at a time. Default 16. */
  readonly concurrency?: number;
  /** Milliseconds. */
  readonly now?: () => number;
}

/** How long an answer of the storage is good for, unless a fresh one is wanted, milliseconds. */
const GOOD_FOR = 600_000;
/** Reading and hashing is bound by disk and processor; more at a time only takes memory. */
const FILES_AT_A_TIME = 4;
const MOST_REMEMBERED = 100_000;

/** Where an object is asked for, and what tells one such place from another. */
interface Place extends Pick<StorageOptions, "endpoint" | "region"> {
  readonly kind: Address["kind"];
  readonly key: string;
}

interface Remembered {
  readonly at: number;
  readonly object: RemoteObject;
}

/** What a file has to be compared with, or what is clear without reading it. */
type Claim = { readonly verdict: Verdict } | { readonly proof: Proof; readonly request: DigestRequest };

export function createUploadVerifier({ environment, concurrency = 16, now = Date.now }: VerifierOptions): UploadVerifier {
  const storages = new Map<string, Promise<RemoteStorage>>();
  const remembered = new Map<string, Remembered>();
  const sizesOfParts = new WeakMap<RemoteObject, readonly number[]>();
  const digest = createDigestCache(now);
  const limitRequests = makeLimit(concurrency);
  const limitFiles = makeLimit(FILES_AT_A_TIME);
  let closed = false;

  return { verify, [Symbol.asyncDispose]: close };

  async function verify(requests: readonly UploadRequest[], options: VerifyOptions = {}): Promise<readonly UploadCheck[]> {
    if (closed) throw new Error("the verifier is closed");
    options.signal?.throwIfAborted();
    const checks: UploadCheck[] = [];
    // A storage that cannot be reached at all is told once, not asked a thousand times with all repetitions.
    const down = new Map<string, HeadAnswer>();
    const files = groupByFile(requests).values();
    let done = 0;
    const work = async (): Promise<void> => {
      for (const entries of files) {
        const group = entries.map(({ request }) => request);
        const verdicts = await verifyFile(group, options, down);
        for (const [i, { index, request }] of entries.entries()) checks[index] = { url: shownAddress(request.url), ...verdicts[i]! };
        done += entries.length;
        options.onProgress?.(done, requests.length);
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: Math.min(concurrency, requests.length) }, work));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    return checks;
  }

  /** All requests are about one file, which is read at most once. */
  async function verifyFile(group: readonly UploadRequest[], options: VerifyOptions, down: Map<string, HeadAnswer>): Promise<Verdict[]> {
    const claims = await Promise.all(group.map((request) => findClaim(request, options, down)));
    const wanted = claims.flatMap((claim) => ("proof" in claim ? [claim.request] : []));
    const { file, identity } = group[0]!;
    const read = wanted.length === 0 ? undefined : await limitFiles(() => digest(file, identity, wanted, options.signal));
    let next = 0;
    return claims.map((claim) => {
      if ("verdict" in claim) return claim.verdict;
      if (read?.status === "unreadable") return unreadable(read.code);
      return read?.status === "read" ? compared(claim.proof, read.hex[next++]!) : changed();
    });
  }

  async function findClaim(request: UploadRequest, options: VerifyOptions, down: Map<string, HeadAnswer>): Promise<Claim> {
    const address = parseAddress(request.url);
    if (!address) return { verdict: noAddress() };
    const place = findPlace(address, request, environment);
    if (!place) return { verdict: noEndpoint() };
    const answer = await head(address, place, options, down);
    if (answer.status === "missing") return { verdict: missing() };
    if (answer.status === "unreachable") return { verdict: unreachable(answer) };
    const { object } = answer;
    if (object.bytes !== request.identity.bytes) return { verdict: otherSize(object.bytes, request.identity.bytes) };
    return chooseClaim(object, async (parts) => {
      const known = sizesOfParts.get(object);
      if (known) return known;
      const sizes = await limitRequests(async () => object.partSizes?.(parts, options.signal));
      if (sizes) sizesOfParts.set(object, sizes);
      return sizes;
    });
  }

  async function head(address: Address, place: Place, { signal, fresh = false }: VerifyOptions, down: Map<string, HeadAnswer>) {
    const question = JSON.stringify([place.key, address]);
    const known = remembered.get(question);
    if (known && !fresh && Math.abs(now() - known.at) < GOOD_FOR) return { status: "found", object: known.object } as const;
    const answer = await limitRequests(async (): Promise<HeadAnswer> => {
      signal?.throwIfAborted();
      return down.get(place.key) ?? ask(address, place, signal);
    });
    if (isDown(answer)) down.set(place.key, answer);
    remembered.delete(question);
    if (remembered.size >= MOST_REMEMBERED) remembered.clear();
    if (answer.status === "found") remembered.set(question, { at: now(), object: answer.object });
    return answer;
  }

  async function ask(address: Address, { kind, key, endpoint, region }: Place, signal: AbortSignal | undefined): Promise<HeadAnswer> {
    let storage = storages.get(key);
    if (!storage) {
      const settings = { environment, concurrency, ...(endpoint !== undefined && { endpoint }), ...(region !== undefined && { region }) };
      storage = loadStorage(kind).then((module) => module.openStorage(settings));
      storages.set(key, storage);
    }
    try {
      return await (await storage).head(address, signal);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      return answerOf(error, undefined);
    }
  }

  async function close(): Promise<void> {
    closed = true;
    for (const storage of await Promise.allSettled(storages.values())) if (storage.status === "fulfilled") storage.value.close();
  }
}

interface Entry {
  readonly index: number;
  readonly request: UploadRequest;
}

function groupByFile(requests: readonly UploadRequest[]): Map<string, Entry[]> {
  const files = new Map<string, Entry[]>();
  for (const [index, request] of requests.entries()) {
    const key = JSON.stringify([request.file, request.identity]);
    const entries = files.get(key);
    if (entries) entries.push({ index, request });
    else files.set(key, [{ index, request }]);
  }
  return files;
}

/** Undefined when the endpoint is not one. */
function findPlace(address: Address, { endpoint, region }: UploadRequest, environment: StorageOptions["environment"]): Place | undefined {
  const { kind } = address;
  if (kind !== "s3") return { kind, key: kind === "azure" ? `azure ${address.account}` : kind };
  const ignored = environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] === "true";
  const chosen = endpoint ?? (ignored ? undefined : (environment["AWS_ENDPOINT_URL_S3"] ?? environment["AWS_ENDPOINT_URL"]));
  if (chosen !== undefined && !(URL.canParse(chosen) && /^https?:\/\//i.test(chosen))) return undefined;
  return {
    kind,
    key: JSON.stringify([kind, chosen, region]),
    ...(chosen !== undefined && { endpoint: chosen }),
    ...(region !== undefined && { region }),
  };
}

/** The libraries of the vendors are large: none is loaded before an address of its kind turns up. */
function loadStorage(kind: Address["kind"]): Promise<{ readonly openStorage: (options: StorageOptions) => RemoteStorage }> {
  if (kind === "s3") return import("./s3.ts");
  return kind === "azure" ? import("./azure.ts") : import("./google.ts");
}

/** The best that can be computed here. */
async function chooseClaim(
  { bytes, proofs }: RemoteObject,
  partSizes: (parts: number) => Promise<readonly number[] | undefined>,
): Promise<Claim> {
  for (const proof of proofs) {
    if (proof.parts === undefined) return { proof, request: { algorithm: proof.algorithm } };
    const parts = await partSizes(proof.parts);
    if (parts?.length !== proof.parts || parts.some((size) => size < 0) || parts.reduce((sum, size) => sum + size, 0) !== bytes) continue;
    return { proof, request: { algorithm: proof.algorithm, parts } };
  }
  return { verdict: noProof() };
}

/** Whether others of the same storage need not be asked. */
function isDown(answer: HeadAnswer): boolean {
  if (answer.status !== "unreachable") return false;
  const { trouble, code } = answer;
  return trouble === "connection" ? code !== "ECONNRESET" && code !== "EPIPE" : trouble !== "access" && trouble !== "answer";
}
