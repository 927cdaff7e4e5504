/**
 * A process that works on job manifests, so that a test can kill it, stop it, or let several of them meet. It prints lines.
 * `work ROOT ID LEASE_MS [FILES]`: a job as a pipeline runs it: manifest, heartbeat, files that it lists and then writes, below
 *   `output/jobs/ID/`. Prints `started`, `wrote PATH` for each file, and `lost PATH`, ending with code 3, when one of its files is not
 *   what it wrote. After FILES files it makes its final, ends as succeeded and prints `succeeded`; without a number it never ends.
 * `update DIRECTORY ID COUNT`: so many changes of one manifest; prints `done SEQUENCE` or `failed MESSAGE` for each.
 * `add DIRECTORY ID PREFIX COUNT`: adds so many files to a manifest, one change each.
 * `remove DIRECTORY ID`: forgets a job. `aside DIRECTORY ID`: sets its manifest aside.
 * `hold DIRECTORY`: takes the lock of the manifests and keeps it. `lease`: prints its lease. Both until killed.
 */
import fs from "node:fs";
import path from "node:path";
import { heartbeat, myLease, startHeartbeat } from "../../core/jobs/lease.ts";
import type { Manifest, ManifestEntry } from "../../core/jobs/manifest.ts";
import { lockManifests, removeManifest, setAsideManifest, updateManifest } from "../../core/jobs/manifests.ts";

const [verb = "", directory = "", id = "", ...rest] = process.argv.slice(2);

/** At once: a line that waits in a buffer would be lost with the process. */
function say(line: string): void {
  fs.writeSync(1, `${line}\n`);
}

function existing(old: Manifest | undefined): Manifest {
  if (!old) throw new Error(`there is no manifest of ${id}`);
  return old;
}

function started(leaseMs: number): Manifest {
  return {
    schema: 1,
    sequence: 1,
    job: { id, type: "full", state: "running", started: new Date().toISOString() },
    lease: myLease(leaseMs),
    makesFinal: true,
    files: [],
    directories: [],
  };
}

async function work(root: string, leaseMs: number, files: number): Promise<void> {
  const jobs = path.join(root, ".offcut/jobs");
  const written = new Map<string, number>();
  const add = async (relative: string, role: ManifestEntry["role"], bytes: number): Promise<void> => {
    const entry: ManifestEntry = { path: relative, kind: role === "final" ? "long_form" : "slides", role, added: new Date().toISOString() };
    await updateManifest(jobs, id, (old) => {
      const manifest = existing(old);
      return { ...manifest, files: [...manifest.files.filter((one) => one.path !== relative), entry] };
    });
    const file = path.join(root, relative);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, Buffer.alloc(bytes, 7));
    written.set(relative, bytes);
    say(`wrote ${relative}`);
  };
  // The first sign of life comes first: from the moment that there is a manifest, its lease counts.
  fs.mkdirSync(jobs, { recursive: true });
  heartbeat(jobs, id);
  await updateManifest(jobs, id, (old) => ({ ...started(leaseMs), files: old?.files ?? [] }));
  using _heart = startHeartbeat(jobs, id, Math.max(1, leaseMs / 4));
  say("started");
  for (let n = 1; n <= files; n++) {
    await add(`output/jobs/${id}/slides/slide-${n % 40}.png`, "temp", 100 + (n % 50));
    for (const [relative, bytes] of written) {
      if (fs.lstatSync(path.join(root, relative), { throwIfNoEntry: false })?.size === bytes) continue;
      say(`lost ${relative}`);
      process.exit(3);
    }
  }
  const final = `output/long_form/${id}.mp4`;
  await add(final, "final", 5000);
  await updateManifest(jobs, id, (old) => {
    const manifest = existing(old);
    const job = { ...manifest.job, state: "succeeded" as const, ended: new Date().toISOString() };
    return { ...manifest, job, files: manifest.files.map((one) => (one.path === final ? { ...one, bytes: 5000 } : one)) };
  });
  say("succeeded");
}

async function update(count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    try {
      const manifest = await updateManifest(directory, id, (old) => {
        const { files, ...base } = old ?? started(200);
        const added = `output/${(old?.sequence ?? 0) + 1}.png`;
        return { ...base, files: [...files, { path: added, kind: "slides", role: "temp", added: base.job.started }] };
      });
      say(`done ${manifest.sequence}`);
    } catch (error) {
      say(`failed ${(error as Error).name}: ${(error as Error).message}`);
    }
  }
}

async function add(prefix: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++)
    await updateManifest(directory, id, (old) => {
      const base = old ?? started(200);
      return { ...base, files: [...base.files, { path: `${prefix}/${n}`, kind: "slides", role: "temp", added: base.job.started }] };
    });
  say("added");
}

switch (verb) {
  case "work":
    await work(directory, Number(rest[0]), rest[1] === undefined ? Number.POSITIVE_INFINITY : Number(rest[1]));
    break;
  case "update":
    await update(Number(rest[0]));
    break;
  case "add":
    await add(rest[0] ?? "", Number(rest[1]));
    break;
  case "remove":
  case "aside": {
    using _turn = await lockManifests(directory, [id]);
    if (verb === "remove") removeManifest(directory, id);
    else setAsideManifest(directory, id);
    say("done");
    break;
  }
  case "hold":
    await lockManifests(directory, ["any"]);
    say("held");
    setInterval(() => {}, 1e9);
    break;
  case "lease":
    say(JSON.stringify(myLease(200)));
    setInterval(() => {}, 1e9);
    break;
  default:
    throw new Error(`there is no verb ${JSON.stringify(verb)}`);
}
