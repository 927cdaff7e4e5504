/** What `offcut doctor` looks at beside configuration, database and holds: jobs, the automatic loop, the reserve. */
import fs from "node:fs";
import { t } from "@vscode/l10n";
import type { Config } from "../core/config/config.ts";
import { type ManifestFound, readManifests, repairManifest } from "../core/jobs/manifests.ts";
import { readJobs, stateOfJob } from "../core/jobs/owners.ts";
import { readReleases } from "../core/jobs/release.ts";
import { uptimeMs } from "../core/process.ts";
import { homeOf, Refusal } from "../core/reclaim/home.ts";
import { reserveOf } from "../core/reclaim/reserve.ts";
import { readSchedule } from "../core/schedule.ts";
import { formatBytes, formatDuration } from "../core/words.ts";
import { quote } from "./args.ts";
import { clock } from "./show.ts";

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
}

/** Restores what has a backup, then tells of the jobs and their leases. */
export async function checkJobs(config: Config): Promise<readonly Check[]> {
  const { directory } = config.jobs;
  const checks: Check[] = [];
  const add = (ok: boolean, message: string): void => void checks.push({ name: t("jobs"), ok, message });
  let found: readonly ManifestFound[];
  try {
    found = readManifests(directory);
    for (const { id, manifest, from } of found) {
      if (!manifest || from !== "backup") continue;
      await repairManifest(directory, id);
      add(true, t("restored the manifest of {0} from its backup, which may be one change older", id));
    }
    found = readManifests(directory);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    add(false, error.message);
    return checks;
  }
  const now = { wallMs: Date.now(), uptimeMs: uptimeMs() };
  const { owners, problems } = readJobs(config, now);
  for (const problem of problems) add(problem.severity !== "error", problem.message);
  for (const { id, manifest, heartbeat } of found) {
    if (!manifest || manifest.job.state !== "running") continue;
    const { state, lease } = stateOfJob({ manifest, ...(heartbeat && { heartbeat }) }, now);
    if (state === "failed") add(true, t("{0} was abandoned: {1}; its files are held like those of a failed job", id, lease?.words ?? ""));
    if (state === "unknown")
      add(
        true,
        t(
          "nobody can tell from here whether {0} runs: {1}; its files are kept. Once nobody is at work on it: offcut jobs forget {2}",
          id,
          lease?.words ?? "",
          quote(id),
        ),
      );
  }
  const count = (state: string): number => owners.filter((owner) => owner.state === state).length;
  if (owners.length > 0)
    add(
      true,
      t("{0} running, {1} succeeded, {2} failed, {3} unknown", count("running"), count("succeeded"), count("failed"), count("unknown")),
    );
  const released = readReleases(config.root, now.wallMs).problem;
  if (released) add(false, released.message);
  return checks;
}

/** Who enforces the policy by itself, and what became of it last. */
export function checkSchedule(root: string): Check {
  const { running, words, last, next } = readSchedule(root);
  const parts = [
    running ? t("{0} every {1}", words, formatDuration(running.everyMs)) : words,
    ...(last ? [t("last round {0}: {1}", clock(last.at), last.message)] : []),
    ...(next === undefined ? [] : [t("next {0}", clock(next))]),
  ];
  return { name: t("automatic loop"), ok: true, message: parts.join("; ") };
}

/** Room that is given up when the disk is full (R57). */
export function checkReserve(root: string): Check {
  const directory = reserveOf(homeOf(root));
  const sizes = fs.existsSync(directory)
    ? fs.readdirSync(directory).flatMap((name) => fs.lstatSync(`${directory}/${name}`, { throwIfNoEntry: false })?.size ?? [])
    : [];
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return {
    name: t("reserve"),
    ok: true,
    message:
      bytes === 0
        ? t("none yet; a cleanup makes it where there is room, so that the next one works on a full disk")
        : t("{0}, so that a cleanup works on a full disk", formatBytes(bytes)),
  };
}
