/** Signs of life of a job, and whose it is. */
import fs from "node:fs";
import { t } from "@vscode/l10n";
import type * as Engine from "./engine.ts";
import { type Logger, messageOf } from "./logger.ts";
import type { ManifestTracker } from "./manifestTracker.ts";

/** Renewed until it is disposed. */
export type LeaseHeld = Disposable;

/** Signs of life in one lease. */
const BEATS = 4;

/** Between two signs of life. */
export function beatMs(leaseMs: number): number {
  return Math.max(1, Math.floor(leaseMs / BEATS));
}

/** Gives a sign of life now and then, for as long as the manifest says that the job runs. Keeps no process running; what fails is told once. */
export function holdLease(tracker: ManifestTracker, engine: typeof Engine, id: string, logger: Logger): LeaseHeld {
  let heart: Disposable | undefined;
  let ended = false;
  let told = false;
  const onError = (error: unknown): void => {
    if (!told) logger.warn(t("Job {0}: its sign of life cannot be written: {1}", id, messageOf(error)), { job: id });
    told = true;
  };
  const start = async (): Promise<void> => {
    const { directory, leaseMs } = await tracker.place();
    if (ended) return;
    // After its end a sign of life would say that the job runs again; it may have been ended by another process.
    const isWanted = (): boolean =>
      fs.existsSync(engine.manifestFile(directory, id)) &&
      (engine.readManifest(directory, id)?.manifest?.job.state ?? "running") === "running";
    heart = engine.startHeartbeat(directory, id, beatMs(leaseMs), { onError, isWanted });
  };
  start().catch(onError);
  return {
    [Symbol.dispose]() {
      ended = true;
      heart?.[Symbol.dispose]();
    },
  };
}
