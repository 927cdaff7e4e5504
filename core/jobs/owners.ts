/** Job manifests as the catalog wants them: owners, what they use, what they made. Looks only (R13). */
import { createHash } from "node:crypto";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Config } from "../config/config.ts";
import type { Owner, OwnerState, Problem } from "../model.ts";
import { Refusal } from "../reclaim/home.ts";
import { type Heartbeat, type LeaseState, type Moment, readHeartbeat, stateOfLease } from "./lease.ts";
import type { Manifest } from "./manifest.ts";
import {
  findStrayManifests,
  type ManifestFound,
  manifestsSignature,
  readLoneHeartbeats,
  readManifest,
  readManifests,
} from "./manifests.ts";

/** A job, and a number that changes when it runs again, also when it goes on with what began long before (R37). */
export interface JobOwner extends Owner {
  readonly run?: number;
}

export interface JobReference {
  readonly owner: string;
  readonly path: string;
  readonly source: string;
  readonly eventMs?: number;
  /** Of a directory: a file in it that was made and changed after that is not the job's (R26). */
  readonly untilMs?: number;
}

export interface JobFacts {
  readonly owners: readonly JobOwner[];
  /** Everything that a manifest lists, directories too: a job uses what is in them. Absolute paths. */
  readonly references: readonly JobReference[];
  /** What is listed as final. A directory protects what is in it, and is no proof that the job made anything. */
  readonly outputs: readonly {
    readonly owner: string;
    readonly path: string;
    readonly source: string;
    readonly bytes?: number;
    readonly directory?: true;
  }[];
  /** Why nothing at all can be decided: a manifest that nobody can read might list anything (R32). */
  readonly unavailable?: string;
  readonly problems: readonly Problem[];
  /** Changes when a manifest or the state of a job changes (R16). */
  readonly hash: string;
}

const SOURCE = "job manifest";

export function readJobs(config: Pick<Config, "root" | "jobs">, now: Moment): JobFacts {
  const { directory } = config.jobs;
  try {
    const signature = manifestsSignature(directory);
    const alone = readLoneHeartbeats(directory); // Before the manifests, so that a job that is noted just now is in one of them.
    const stray = findStrayManifests(directory);
    return collect(config, { signature, alone, stray, manifests: readManifests(directory) }, now);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const problem: Problem = { severity: "error", source: directory, message: t("{0}. Nothing is cleaned until they can.", error.message) };
    return { owners: [], references: [], outputs: [], unavailable: problem.message, problems: [problem], hash: hashOf([error.message]) };
  }
}

/**
 * What a job that says that it is running is: an ended lease means that it was abandoned, which is a way to fail (R37, R39). A job
 * that ended is what its manifest says, unless it gave a sign of life since: then somebody runs it again and could not note that, so
 * that nobody knows which of its files are new.
 */
export function stateOfJob(
  { manifest, heartbeat }: { readonly manifest: Manifest; readonly heartbeat?: Heartbeat },
  now: Moment,
): { readonly state: OwnerState; readonly status: string; readonly lease?: LeaseState; readonly endedMs?: number } {
  const { job } = manifest;
  if (job.state !== "running") {
    const endedMs = Date.parse(job.ended ?? job.started);
    if (heartbeat && isAnew(heartbeat, endedMs)) return { state: "unknown", status: t("started again, not noted") };
    return { state: job.state, status: job.state, endedMs };
  }
  const lease = stateOfLease(manifest.lease, currentOf(manifest, heartbeat) ?? { at: job.started }, now);
  if (lease.state === "live") return { state: "running", status: job.state, lease };
  if (lease.state === "unknown") return { state: "unknown", status: job.state, lease };
  return { state: "failed", status: "abandoned", lease, endedMs: lastSignOf(manifest, heartbeat) };
}

/** A heartbeat from before belongs to a process that ran the same job earlier. */
function currentOf({ job }: Manifest, heartbeat: Heartbeat | undefined): Heartbeat | undefined {
  return heartbeat && Date.parse(heartbeat.at) >= Date.parse(job.started) ? heartbeat : undefined;
}

/** When a job was heard of last, milliseconds since 1970. */
export function lastSignOf(manifest: Manifest, heartbeat: Heartbeat | undefined): number {
  const current = currentOf(manifest, heartbeat);
  const entries = [...manifest.files, ...manifest.directories];
  const signs = [manifest.job.started, ...(current ? [current.at] : []), ...entries.map((entry) => entry.added)];
  return signs.reduce((latest, sign) => Math.max(latest, Date.parse(sign)), Number.NEGATIVE_INFINITY);
}

function isAnew(heartbeat: Heartbeat, endedMs: number): boolean {
  return heartbeat.notNotedSince !== undefined || Date.parse(heartbeat.at) > endedMs;
}

/** The last sign of life of a job that was started, or started again, without its manifest saying so. Looks only. */
export function readUnnotedStart(directory: string, id: string): Heartbeat | undefined {
  const found = readManifest(directory, id);
  if (!found) return readHeartbeat(directory, id);
  const { manifest, heartbeat } = found;
  if (!heartbeat || !manifest || manifest.job.state === "running") return undefined;
  return isAnew(heartbeat, Date.parse(manifest.job.ended ?? manifest.job.started)) ? heartbeat : undefined;
}

/** Why a path may not be listed: the manifests would be in the tree that one of them describes (R70). */
export function refuseManifestTree(config: Pick<Config, "root" | "jobs">, relative: string): string | undefined {
  return findsManifests(config)(relative) ? t("holds the job manifests, or is one of them") : undefined;
}

function findsManifests({ root, jobs }: Pick<Config, "root" | "jobs">): (relative: string) => boolean {
  const directory = path.relative(root, jobs.directory).split(path.sep).join("/");
  return (relative) =>
    directory === "" || relative === directory || relative.startsWith(`${directory}/`) || directory.startsWith(`${relative}/`);
}

interface Found {
  readonly signature: string;
  readonly manifests: readonly ManifestFound[];
  readonly alone: ReturnType<typeof readLoneHeartbeats>;
  readonly stray: readonly string[];
}

function collect(config: Pick<Config, "root" | "jobs">, { signature, manifests, alone, stray }: Found, now: Moment): JobFacts {
  const owners: JobOwner[] = [];
  const references: JobReference[] = [];
  const outputs: JobFacts["outputs"][number][] = [];
  const problems = stray.map((file): Problem => {
    const message = t("{0} is the manifest of no job: its name is no id. It is passed over; move it away.", file);
    return { severity: "warning", source: file, message };
  });
  let unavailable: string | undefined;
  const holdsManifests = findsManifests(config);
  for (const { id, file, manifest, heartbeat, problem } of manifests) {
    if (problem) problems.push(problem);
    if (!manifest) {
      unavailable ??= problem?.message;
      owners.push({ id, state: "unknown", status: t("unreadable"), source: SOURCE, kind: "job" });
      continue;
    }
    const entries = [...manifest.files, ...manifest.directories];
    const { state, status, lease, endedMs } = stateOfJob({ manifest, ...(heartbeat && { heartbeat }) }, now);
    const around = entries.find((entry) => holdsManifests(entry.path));
    if (around)
      problems.push({
        severity: "warning",
        source: file,
        message: t(
          "{0} {1}. Nothing of the job {2} is cleaned until it lists something else.",
          around.path,
          refuseManifestTree(config, around.path) ?? "",
          id,
        ),
      });
    owners.push({
      id,
      state: around && state !== "running" ? "unknown" : state,
      status,
      source: SOURCE,
      kind: "job",
      type: manifest.job.type,
      startedMs: Date.parse(manifest.job.started),
      run: manifest.sequence,
      ...(endedMs !== undefined && { endedMs }),
      ...(lease && { lease: lease.words }),
      ...(!manifest.makesFinal && { makesNoFinal: true }),
    });
    // Only where being the job's lets a file go: what is held stays held. Times of files are finer than those of manifests.
    const untilMs = state === "succeeded" && endedMs !== undefined ? endedMs + 1 : undefined;
    for (const [list, until] of [
      [manifest.files, undefined],
      [manifest.directories, untilMs],
    ] as const)
      for (const entry of list)
        references.push({
          owner: id,
          path: absolute(config.root, entry.path),
          source: SOURCE,
          eventMs: Date.parse(entry.added),
          ...(until !== undefined && { untilMs: until }),
        });
    for (const [list, directory] of [
      [manifest.files, false],
      [manifest.directories, true],
    ] as const)
      for (const { role, path: relative, bytes } of list)
        if (role === "final")
          outputs.push({
            owner: id,
            path: absolute(config.root, relative),
            source: SOURCE,
            ...(bytes !== undefined && { bytes }),
            ...(directory && { directory }),
          });
  }
  for (const { id, heartbeat } of alone) {
    if (owners.some((owner) => owner.id === id)) continue;
    const startedMs = Date.parse(heartbeat.notNotedSince ?? heartbeat.at);
    owners.push({ id, state: "unknown", status: t("started, not noted"), source: SOURCE, kind: "job", startedMs });
  }
  const hash = hashOf([signature, ...owners.map((owner) => `${owner.id} ${owner.state}`)]);
  return { owners, references, outputs, ...(unavailable !== undefined && { unavailable }), problems, hash };
}

/** Checked when it was read: plain segments with `/` between them. */
function absolute(root: string, relative: string): string {
  return root + path.sep + (path.sep === "/" ? relative : relative.replaceAll("/", path.sep));
}

function hashOf(lines: readonly string[]): string {
  return createHash("sha256").update(lines.join("\n")).digest("hex").slice(0, 16);
}
