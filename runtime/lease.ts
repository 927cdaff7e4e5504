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
    const isWanted = (): boolean => fs.existsSync(engine.manifestFile(directory, id));
    heart = engine.startHeartbeat(directory, id, Math.max(1, Math.floor(leaseMs / BEATS)), { onError, isWanted });
  };
  start().catch(onError);
  return {
    [Symbol.dispose]() {
      ended = true;
      heart?.[Symbol.dispose]();
    },
  };
}
