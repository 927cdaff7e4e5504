/**
 * `node uploadChild.ts ROOT REMOTE` (forked): makes local files, uploads them into a directory that plays the remote storage, fails
 * some uploads in every way it knows, rewrites files afterwards, and notes uploads or not. It alone writes, so it knows what each
 * file and each object has: a local file that is gone although its object is missing or differs is an error.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { identityOf } from "../../core/reclaim/guard.ts";
import { recordUpload } from "../../core/uploads.ts";
import { createRandom, type Random } from "./random.ts";
import { BUCKET, hashOf, objectOf } from "./remote.ts";
import { serve } from "./worker.ts";

export interface UploadTask {
  /** The name of its file. */
  readonly name: string;
  readonly seed: number;
}

export interface UploadsDone {
  /** Files that are still there, and why each has to be: its object is missing or differs. */
  readonly unproven: readonly string[];
  readonly proven: readonly string[];
  readonly gone: number;
}

const [root = "", remote = ""] = process.argv.slice(2);
/** What this process wrote last, by name: a hash. */
const local = new Map<string, string>();

serve<UploadTask | { readonly verb: "finish" }>((task) => ("verb" in task ? finish() : upload(task)));

async function upload({ name, seed }: UploadTask): Promise<object> {
  const random = createRandom(seed);
  const place = path.join(root, "videos", name);
  const url = `${BUCKET}videos/${name}`;
  const object = objectOf(remote, url);
  write(place, name, random);
  for (let step = 1 + random.below(4); step > 0; step--) {
    await pause(random);
    await check();
    if (random.chance(0.8)) send(place, object, random);
    await pause(random);
    if (random.chance(0.3)) note(place, object, url);
    await pause(random);
    // The same file once more: rendered again, perhaps with as many bytes as before.
    if (random.chance(0.3)) write(place, name, random);
  }
  await check();
  return {};
}

async function pause(random: Random): Promise<void> {
  if (random.chance(0.5)) await delay(random.below(10));
}

/** In place or beside and renamed, as pipelines do. The hash is noted first: from then on an old object proves nothing. */
function write(place: string, name: string, random: Random): void {
  const bytes = Buffer.alloc(1000 + 10 * random.below(3), `${name} ${random.below(1e9)}`);
  fs.mkdirSync(path.dirname(place), { recursive: true });
  const inPlace = random.chance(0.5);
  if (inPlace) fs.writeFileSync(place, bytes);
  else {
    fs.writeFileSync(`${place}.part`, bytes);
    fs.renameSync(`${place}.part`, place);
  }
  local.set(name, createHash("sha256").update(bytes).digest("hex"));
}

/** Uploads what the file has now, more or less well. */
function send(place: string, object: string, random: Random): void {
  const name = path.basename(place);
  let bytes: Buffer;
  try {
    bytes = fs.readFileSync(place);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  fs.mkdirSync(path.dirname(object), { recursive: true });
  const put = (content: Uint8Array): void => {
    // A storage shows the old object or the new one.
    fs.writeFileSync(`${object}.put`, content);
    fs.renameSync(`${object}.put`, object);
  };
  const failure = random.below(8);
  if (failure === 0) return; // Answered, and nothing stored.
  if (failure > 2) return put(bytes);
  // A bad object in place of a good one would take away the proof by which the file may have gone a moment ago.
  if (hashOf(object) === local.get(name)) return;
  put(failure === 1 ? bytes.subarray(0, bytes.length / 2) : Buffer.alloc(bytes.length, "other"));
}

function isThere(place: string): boolean {
  return fs.existsSync(place);
}

/** What a pipeline notes after it has looked at the object itself. */
function note(place: string, object: string, url: string): void {
  const identity = identityOf(place);
  const proof = hashOf(place);
  if (!identity || proof === undefined || proof !== hashOf(object)) return;
  const { dev, ino, bytes, mtimeNs } = identity;
  recordUpload(root, { file: place, identity: { dev, ino, bytes, mtimeNs }, url, at: new Date().toISOString(), detail: "SHA-256 agrees" });
}

/** A file that changed while it was moved is away for a moment, until the cleaner has put it back. */
async function check(): Promise<void> {
  for (const [name, hash] of local) {
    const place = path.join(root, "videos", name);
    const isRight = (): boolean => isThere(place) || hashOf(objectOf(remote, `${BUCKET}videos/${name}`)) === hash;
    for (let left = 200; !isRight(); left--) {
      if (left === 0)
        throw new Error(
          `videos/${name} is gone, and its object ${isThere(objectOf(remote, `${BUCKET}videos/${name}`)) ? "differs" : "is missing"}`,
        );
      await delay(10);
    }
  }
}

async function finish(): Promise<UploadsDone> {
  await check();
  const unproven: string[] = [];
  const proven: string[] = [];
  for (const [name, hash] of local) {
    const now = hashOf(path.join(root, "videos", name));
    if (now === undefined) continue;
    if (now !== hash) throw new Error(`videos/${name} is not what was written`);
    (hashOf(objectOf(remote, `${BUCKET}videos/${name}`)) === hash ? proven : unproven).push(`videos/${name}`);
  }
  return { unproven: unproven.sort(), proven: proven.sort(), gone: local.size - unproven.length - proven.length };
}
