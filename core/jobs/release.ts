/** Failed jobs and projects whose files somebody has let go by hand: what was "held for debugging" need not be held any more (R37). */
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Problem } from "../model.ts";
import { ensureHome, HOME, readState, Refusal, STATE_SCHEMA, writeState } from "../reclaim/home.ts";
import type { JobOwner } from "./owners.ts";

/** One owner as it was when it was let go: one that started again, or failed otherwise, is another matter. */
interface Release {
  readonly owner: string;
  readonly status: string;
  readonly startedMs?: number;
  readonly endedMs?: number;
  /** Of a job: one that is resumed keeps its start. */
  readonly run?: number;
  /** ISO 8601, UTC. */
  readonly at: string;
}

interface ReleaseFile {
  readonly schema: number;
  readonly releases: readonly Release[];
}

/** A release is meant for now: a failure next week has a right to be looked at. */
const GOOD_FOR_MS = 24 * 3_600_000;

export interface Releases {
  readonly isReleased: (owner: JobOwner) => boolean;
  /** The file cannot be understood, so nothing is released. */
  readonly problem?: Problem;
}

export function releasesFile(root: string): string {
  return path.join(root, HOME, "releases.json");
}

/** Looks only (R13). */
export function readReleases(root: string, nowMs: number): Releases {
  try {
    const byOwner = new Map(load(root).map((release) => [release.owner, release]));
    return {
      isReleased(owner) {
        const release = byOwner.get(owner.id);
        return release !== undefined && isGood(release, nowMs) && isSameEnd(release, owner);
      },
    };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const message = t("{0}. What was released is held until then.", error.message);
    return { isReleased: () => false, problem: { severity: "warning", source: releasesFile(root), message } };
  }
}

/** Only what failed is held for debugging; throws a {@link Refusal} for any other owner. */
export function releaseOwner(root: string, owner: JobOwner, nowMs: number): void {
  if (owner.state !== "failed")
    throw new Refusal(t("{0} did not fail ({1}), so nothing of it is held for debugging", owner.id, owner.status));
  const release: Release = {
    owner: owner.id,
    status: owner.status,
    ...(owner.startedMs !== undefined && { startedMs: owner.startedMs }),
    ...(owner.endedMs !== undefined && { endedMs: owner.endedMs }),
    ...(owner.run !== undefined && { run: owner.run }),
    at: new Date(nowMs).toISOString(),
  };
  const others = load(root).filter((one) => one.owner !== owner.id && isGood(one, nowMs));
  save(root, [...others, release]);
}

/** Holds it again. Returns whether it was released. */
export function unreleaseOwner(root: string, id: string): boolean {
  return forgetReleases(root, [id]) > 0;
}

/** After their files were cleaned. Returns how many there were; of a file that cannot be understood none is good. */
export function forgetReleases(root: string, ids: readonly string[]): number {
  if (readReleases(root, 0).problem) return 0;
  const releases = load(root);
  const left = releases.filter((release) => !ids.includes(release.owner));
  if (left.length < releases.length) save(root, left);
  return releases.length - left.length;
}

/** What is not known of one and known of the other is a difference: it may have run once more. */
function isSameEnd(release: Release, owner: JobOwner): boolean {
  return (
    release.status === owner.status &&
    release.startedMs === owner.startedMs &&
    release.endedMs === owner.endedMs &&
    release.run === owner.run
  );
}

/** A time in the future is that of a clock that was wrong (R48). */
function isGood(release: Release, nowMs: number): boolean {
  const age = nowMs - Date.parse(release.at);
  return age >= 0 && age <= GOOD_FOR_MS;
}

function load(root: string): readonly Release[] {
  const file = releasesFile(root);
  const state = readState<ReleaseFile>(file);
  if (state === undefined) return [];
  if (state.schema > STATE_SCHEMA)
    throw new Refusal(t("{0} was written by a newer version of Offcut (schema {1}); update this one", file, state.schema));
  if (!Array.isArray(state.releases) || !state.releases.every(isRelease))
    throw new Refusal(t("{0} is damaged; mend it or move it away", file));
  return state.releases;
}

function isRelease(value: unknown): value is Release {
  if (typeof value !== "object" || value === null) return false;
  const { owner, status, startedMs, endedMs, run, at } = value as Record<string, unknown>;
  return (
    typeof owner === "string" &&
    typeof status === "string" &&
    [startedMs, endedMs, run].every((ms) => ms === undefined || Number.isFinite(ms)) &&
    typeof at === "string" &&
    !Number.isNaN(Date.parse(at))
  );
}

function save(root: string, releases: readonly Release[]): void {
  ensureHome(root);
  writeState<ReleaseFile>(releasesFile(root), { schema: STATE_SCHEMA, releases });
}
