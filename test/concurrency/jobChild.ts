/**
 * `node jobChild.ts ROOT FINAL` (forked): runs one job after the other as a pipeline does, and looks all the time whether each of
 * its files is still there. FINAL is a complete video. Answers what the job did; a file that went while it lived is an error.
 */
import fs from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startHeartbeat, heartbeat, myLease } from "../../core/jobs/lease.ts";
import { type Manifest, type ManifestEntry, MANIFEST_SCHEMA } from "../../core/jobs/manifest.ts";
import { updateManifest } from "../../core/jobs/manifests.ts";
import { createRandom, type Random } from "./random.ts";
import { serve } from "./worker.ts";

export interface JobTask {
  readonly id: string;
  readonly seed: number;
  /** How many shared files there are to choose from. */
  readonly shared: number;
}

export interface JobDone {
  readonly state: "succeeded" | "failed";
  readonly final?: string;
  /** Files that were looked at, summed over all looks. */
  readonly looks: number;
}

const [root = "", finalSource = ""] = process.argv.slice(2);
const jobs = path.join(root, ".offcut/jobs");
const LEASE_MS = 2000;

serve<JobTask>(run);

async function run({ id, seed, shared }: JobTask): Promise<JobDone> {
  const random = createRandom(seed);
  const own = new Set<string>();
  let looks = 0;
  const look = (when: string): void => {
    for (const file of own) {
      looks++;
      if (!fs.existsSync(path.join(root, file))) throw new Error(`${file} of the live job ${id} is gone (${when})`);
    }
  };
  const change = (to: (old: Manifest) => Manifest): Promise<Manifest> =>
    updateManifest(jobs, id, (old) => {
      if (!old) throw new Error(`the manifest of the live job ${id} is gone`);
      look("before a change");
      return to(old);
    });
  const list = (file: string, kind: string, role: ManifestEntry["role"]): Promise<Manifest> =>
    change((old) => ({ ...old, files: [...old.files.filter((one) => one.path !== file), { path: file, kind, role, added: now() }] }));

  fs.mkdirSync(jobs, { recursive: true });
  heartbeat(jobs, id);
  const started = await updateManifest(jobs, id, (old) => ({
    schema: MANIFEST_SCHEMA,
    sequence: 0,
    job: { id, type: "full", state: "running", started: now() },
    lease: myLease(LEASE_MS),
    makesFinal: true,
    files: old?.files ?? [],
    directories: old?.directories ?? [{ path: `output/jobs/${id}/parts`, kind: "parts", role: "temp", added: now() }],
  }));
  using _beat = startHeartbeat(jobs, id, LEASE_MS / 4);
  // A job that starts again finds some of what it had, and from now on that stays.
  for (const { path: file } of started.files) if (fs.existsSync(path.join(root, file))) own.add(file);
  for (const file of partsOf(id)) own.add(file);

  for (let step = 2 + random.below(6); step > 0; step--) {
    await work(id, random, shared, own, list);
    look("at work");
    // So that cleaners come between the steps of a job.
    if (random.chance(0.5)) await delay(random.below(12));
  }
  const succeeded = random.chance(0.7);
  const final = `output/final/${id}.mp4`;
  if (succeeded) {
    await list(final, "film", "final");
    copyFinal(final);
    own.add(final);
  }
  look("before its end");
  const bytes = succeeded ? fs.statSync(path.join(root, final)).size : 0;
  await change((old) => {
    const job = { ...old.job, state: succeeded ? ("succeeded" as const) : ("failed" as const), ended: now() };
    return { ...old, job, files: old.files.map((one) => (one.path === final ? { ...one, bytes } : one)) };
  });
  return { state: succeeded ? "succeeded" : "failed", looks, ...(succeeded && { final }) };
}

type List = (file: string, kind: string, role: ManifestEntry["role"]) => Promise<Manifest>;

async function work(id: string, random: Random, shared: number, own: Set<string>, list: List): Promise<void> {
  switch (random.below(3)) {
    case 0: {
      const file = `output/jobs/${id}/slides/${random.below(12)}.png`;
      await list(file, "slides", "temp");
      write(file, random.below(5000));
      own.add(file);
      break;
    }
    case 1: {
      // Listed as a directory from the start.
      const file = `output/jobs/${id}/parts/${random.below(3)}/${random.below(12)}.ts`;
      write(file, random.below(5000));
      own.add(file);
      break;
    }
    default: {
      // Whoever finds a shared file uses it, whoever does not makes it.
      const file = `cache/${random.below(shared)}.mp4`;
      await list(file, "cache", "temp");
      if (!fs.existsSync(path.join(root, file))) write(file, 3000);
      own.add(file);
    }
  }
}

function partsOf(id: string): string[] {
  const directory = `output/jobs/${id}/parts`;
  if (!fs.existsSync(path.join(root, directory))) return [];
  return fs
    .readdirSync(path.join(root, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
}

/** As writers do: a directory that was just removed because it was empty is made again. */
function write(file: string, bytes: number): void {
  const absolute = path.join(root, file);
  for (;;) {
    fs.mkdirSync(path.dirname(absolute), { recursive: true });
    try {
      return fs.writeFileSync(absolute, Buffer.alloc(bytes, file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}

/** As if it had been written a while ago: of one from just now the cleaner waits whether it still grows. */
function copyFinal(file: string): void {
  const absolute = path.join(root, file);
  fs.mkdirSync(path.dirname(absolute), { recursive: true });
  fs.copyFileSync(finalSource, `${absolute}.part`);
  const then = new Date(Date.now() - 60_000);
  fs.utimesSync(`${absolute}.part`, then, then);
  fs.renameSync(`${absolute}.part`, absolute);
}

function now(): string {
  return new Date().toISOString();
}
