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

/** Gives a sign of life now and then, for as long as the job has its manifest. Keeps no process running; what fails is told once. */
export function holdLease(tracker: ManifestTracker, engine: typeof Engine, id: string, logger: Logger): LeaseHeld {
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  let told = false;
  const start = async (): Promise<void> => {
    const { directory, leaseMs } = await tracker.place();
    const beat = (): void => {
      try {
        if (fs.existsSync(engine.manifestFile(directory, id))) engine.heartbeat(directory, id);
        told = false;
      } catch (error) {
        if (!told) logger.warn(t("Job {0}: its sign of life cannot be written: {1}", id, messageOf(error)), { job: id });
        told = true;
      }
    };
    if (ended) return;
    beat();
    timer = setInterval(beat, Math.max(1, Math.floor(leaseMs / BEATS)));
    timer.unref();
  };
  void start();
  return {
    [Symbol.dispose]() {
      ended = true;
      clearInterval(timer);
    },
  };
}
