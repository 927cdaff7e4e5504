/** Directories that a job never used go with the rest of it. */
import type { Config } from "../core/config/config.ts";
import { isSafeId } from "../core/config/template.ts";
import { lockManifests, readManifest } from "../core/jobs/manifests.ts";
import { Refusal } from "../core/reclaim/home.ts";
import { removeIfEmpty } from "../core/reclaim/single.ts";
import type { Layout } from "./layout.ts";

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
