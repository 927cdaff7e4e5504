/** What the manifest of a job becomes when the job begins, has made something, and ends. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Manifest, ManifestEntry } from "../core/jobs/manifest.ts";
import { changedAt, isSince } from "./changed.ts";
import type * as Engine from "./engine.ts";
import { Ended, Held } from "./held.ts";
import type { OpenJob } from "./jobContext.ts";
import { messageOf } from "./logger.ts";
import { type Change, isPromise, startedAnew, withEntry } from "./manifestTracker.ts";
import type { Place } from "./place.ts";
import { signOfHolder, silence, whyNot } from "./runningJobs.ts";
import type { Run } from "./whoElse.ts";

export interface Beginning {
  readonly root: string;
  readonly nowMs: number;
  /** What its type says. */
  readonly makesFinal: boolean;
  readonly directories: readonly Pick<ManifestEntry, "path" | "kind">[];
  /** The manifest of the same run where it was noted until now. */
  readonly moved: Manifest | undefined;
}

/** `run` is the one that the change has made. */
export function beginning(
  context: OpenJob,
  engine: typeof Engine,
  place: Place,
  { root, nowMs, makesFinal, directories, moved }: Beginning,
): { readonly change: Change; readonly run: () => Run } {
  const { id, type, noted, options } = context;
  const { resume = false } = options;
  let started = "";
  const lease = engine.myLease(place.leaseMs);
  const change: Change = (old) => {
    const own = old && noted && engine.isRunOf(old, noted.run) ? old : undefined;
    const problem = old && noted && (own !== undefined || old.job.state === "running") ? whyNot(context, old, engine) : undefined;
    if (problem) throw problem;
    const holder = old && engine.whoElse(old, signOfHolder(context, old, place.directory, engine), resume);
    if (holder !== undefined) throw new Held(holder);
    const goesOn = resume && old?.job.state === "running" ? old.job.started : undefined;
    started = noted?.run.started ?? goesOn ?? engine.beginAfter(old, nowMs);
    const fresh: Manifest = {
      ...startedAnew(old, root),
      job: { id, type, state: "running", started },
      lease,
      makesFinal: options.makesFinal ?? (moved ?? own)?.makesFinal ?? makesFinal,
    };
    const before = moved ? withAll(fresh, startedAnew(moved, root)) : fresh;
    return directories.reduce((sum, entry) => withEntry(sum, "directories", { ...entry, role: "temp", added: started }), before);
  };
  return { change, run: () => ({ started, lease }) };
}

/** A final stays one, whichever of the two says so (R28). */
function withAll(manifest: Manifest, more: Pick<Manifest, "files" | "directories">): Manifest {
  const isFinal = (name: string): boolean =>
    [...manifest.files, ...manifest.directories].some((entry) => entry.path === name && entry.role === "final");
  return (["files", "directories"] as const).reduce(
    (sum, list) => more[list].filter((entry) => !isFinal(entry.path)).reduce((all, entry) => withEntry(all, list, entry), sum),
    manifest,
  );
}

/** Who writes files for a job is at work on it: after a restart its lease is this process's from then on. */
export function addition(context: OpenJob, engine: typeof Engine, place: Place, file: string): Change {
  const lease = engine.myLease(place.leaseMs);
  return (old) => {
    if (!old) throw new Error(t("it has no manifest any more"));
    const problem = whyNot(context, old, engine);
    if (problem instanceof Ended) throw new Ended(problem.state, t("it ended already, so {0} is kept", file));
    if (problem) throw problem;
    const holder = engine.whoElse(old, engine.readHeartbeat(place.directory, context.id), true);
    if (holder !== undefined) throw new Held(holder);
    return JSON.stringify(old.lease) === JSON.stringify(lease) ? old : { ...old, lease };
  };
}

/** A final that somebody asked the path of, and when that file changed. */
export interface Promised {
  readonly entry: ManifestEntry;
  readonly changedMs: number;
}

export interface Ending {
  readonly root: string;
  readonly state: "succeeded" | "failed";
  /** Only if it did not end yet. */
  readonly onlyRunning: boolean;
  readonly error: unknown;
  readonly promised: readonly Promised[];
  readonly date: () => string;
}

/** Throws {@link Held} when the run is somebody else's, or another one, and {@link Ended} when a failed one should become a success (P3). */
export function ending(context: OpenJob, engine: typeof Engine, { directory }: Place, end: Ending): Change {
  const { root, state, onlyRunning, error, promised, date } = end;
  return (old) => {
    if (!old) throw new Error(t("it has no manifest"));
    const problem = whyNot(context, old, engine);
    if (problem instanceof Held) throw problem;
    if (problem && (problem.state === state || onlyRunning)) return old;
    if (problem && state === "succeeded") throw problem;
    const holder = engine.whoElse(old, signOfHolder(context, old, directory, engine), false);
    if (holder !== undefined) throw new Held(holder);
    silence(context, directory, engine);
    // What an earlier run of the same job left at that path proves nothing about this one.
    const made = promised.filter((one) => isSince(one.changedMs, Date.parse(old.job.started)));
    const manifest = made.reduce((sum, one) => withEntry(sum, "files", one.entry), old);
    const said = error === undefined ? undefined : messageOf(error).slice(0, 2000);
    const { ended: _ended, error: _error, abandoned: _abandoned, ...job } = manifest.job;
    return {
      ...manifest,
      job: { ...job, state, ended: date(), ...(said !== undefined && { error: said }) },
      files: manifest.files.flatMap((entry) => (isKept(root, entry, old) ? measured(root, entry) : [])),
    };
  };
}

/** A promised final is one if this run has made it; what an earlier run left there proves nothing about this one. */
function isKept(root: string, entry: ManifestEntry, { job }: Manifest): boolean {
  return !isPromise(entry) || isSince(changedAt(path.join(root, entry.path)), Date.parse(job.started));
}

/** A final as it was when the job ended: from then on it proves the job only with this size. */
function measured(root: string, entry: ManifestEntry): ManifestEntry {
  if (entry.role !== "final") return entry;
  const stat = fs.lstatSync(path.join(root, entry.path), { throwIfNoEntry: false });
  return stat?.isFile() ? { ...entry, bytes: stat.size } : entry;
}
