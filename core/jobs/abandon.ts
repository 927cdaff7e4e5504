/**
 * A job that says that it is running, whose lease is over, and whose process cannot be seen from here, e.g. because its container is
 * gone: nobody but people can know that it ended. Once they say so it has failed, like any abandoned job (R37, R39).
 */
import fs from "node:fs";
import { t } from "@vscode/l10n";
import { Refusal } from "../reclaim/home.ts";
import { heartbeatFile, type Moment } from "./lease.ts";
import type { Manifest } from "./manifest.ts";
import { changeManifest, lockManifests, type ManifestFound, readManifest } from "./manifests.ts";
import { lastSignOf, stateOfJob } from "./owners.ts";

/** In words: who held the lease and when it was heard of last. Undefined when it is known whether the job runs. Looks only (R13). */
export function whyUnseen(directory: string, id: string, now: Moment): string | undefined {
  const found = readManifest(directory, id);
  return found && wordsOf(found, now);
}

function wordsOf({ manifest, heartbeat }: ManifestFound, now: Moment): string | undefined {
  if (manifest?.job.state !== "running") return undefined;
  const { state, lease } = stateOfJob({ manifest, ...(heartbeat && { heartbeat }) }, now);
  return state === "unknown" ? lease?.words : undefined;
}

/**
 * Notes that the job failed, at its last sign of life: should its process live after all, then its next sign says that nobody knows
 * again. Throws a {@link Refusal} when it is known whether the job runs, or the manifest cannot be changed.
 */
export async function abandonJob(directory: string, id: string, clock: () => Moment, signal?: AbortSignal): Promise<Manifest> {
  using _lock = await lockManifests(directory, [id], signal);
  const now = clock();
  const found = readManifest(directory, id);
  const words = found && wordsOf(found, now);
  if (!found?.manifest || words === undefined) throw new Refusal(t("it is known by now whether {0} runs; see offcut jobs", id));
  const { manifest, heartbeat } = found;
  // Signs from the future are those of a clock that was wrong.
  const endedMs = Math.min(now.wallMs, lastSignOf(manifest, heartbeat));
  const failed = await changeManifest(directory, id, (old) => {
    const { job, ...rest } = old ?? manifest;
    const ended = new Date(endedMs).toISOString();
    return { ...rest, job: { ...job, state: "failed", ended, error: t("abandoned; {0}", words), abandoned: true } };
  });
  if (heartbeat && Date.parse(heartbeat.at) > endedMs) fs.rmSync(heartbeatFile(directory, id), { force: true });
  return failed;
}
