/** What jobs leave beside their files: directories that they never used, and marks of those that nobody remembers. */
import fs from "node:fs";
import path from "node:path";
import type { Config } from "../core/config/config.ts";
import { isSafeId } from "../core/config/template.ts";
import { lockManifests, readManifest } from "../core/jobs/manifests.ts";
import { Refusal } from "../core/reclaim/home.ts";
import { deleteSingle, removeIfEmpty } from "../core/reclaim/single.ts";
import { type Layout, STATUSES } from "./layout.ts";

/**
 * What resists stays, which harms nobody. Holds the lock of the manifests, so that a job that starts anew makes its directories before or after, never in
 * between.
 */
export async function removeEmptyOf(config: Config, layout: Layout, owners: readonly string[]): Promise<void> {
  const ids = [...new Set(owners)].filter(isSafeId);
  if (ids.length === 0) return;
  try {
    using _lock = await lockManifests(config.jobs.directory, ids);
    for (const id of ids) {
      const found = readManifest(config.jobs.directory, id);
      if (found && (!found.manifest || found.manifest.job.state === "running")) continue;
      for (const kind of layout.temporary) removeIfEmpty(config.root, `${layout.jobs}/${id}/${kind}`);
      removeIfEmpty(config.root, `${layout.jobs}/${id}`);
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
}

/** The empty marks of jobs without manifest and directory, when they were made before a time. A file that is not empty is no mark. */
export async function removeOldMarks(config: Config, layout: Layout, beforeMs: number): Promise<void> {
  const directory = path.join(config.root, layout.jobs);
  for (const name of namesIn(directory)) {
    const status = STATUSES.find((one) => name.endsWith(`_${one}`));
    const id = status === undefined ? "" : name.slice(0, -status.length - 1);
    if (!isSafeId(id) || fs.existsSync(path.join(directory, id)) || readManifest(config.jobs.directory, id)) continue;
    const stat = fs.lstatSync(path.join(directory, name), { throwIfNoEntry: false });
    if (!stat || Math.max(stat.mtimeMs, stat.ctimeMs) >= beforeMs) continue;
    await deleteSingle(path.join(directory, name), { mayGo: async ({ identity }) => (identity.bytes === 0 ? undefined : "it is no mark") });
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return []; // No job was ever started.
  }
}
