/** Whether a running job is somebody else's (R39). */
import { t } from "@vscode/l10n";
import { readHeartbeat, stateOfLease } from "../core/jobs/lease.ts";
import type { Manifest } from "../core/jobs/manifest.ts";
import { lookForProcess, thisProcess, uptimeMs } from "../core/process.ts";

/**
 * Who holds a job that runs, in words; undefined when it may be taken over: nobody holds it, this process does, or its process is
 * gone for certain. A process that cannot be seen from here counts as gone when its lease is over and the caller means to go on.
 */
export function whoElse(directory: string, manifest: Manifest, resume: boolean): string | undefined {
  const { job, lease } = manifest;
  const me = thisProcess();
  const mine =
    lease.pid === me.pid &&
    lease.started === me.started &&
    lease.boot === me.boot &&
    lease.namespace === me.namespace &&
    lease.host === me.host;
  if (job.state !== "running" || mine) return undefined;
  const process = lookForProcess(lease, me);
  if (process === "gone") return undefined;
  const { state, words } = stateOfLease(lease, readHeartbeat(directory, job.id) ?? { at: job.started }, {
    wallMs: Date.now(),
    uptimeMs: uptimeMs(),
  });
  return process === "unknown" && resume && state === "unknown" ? undefined : t("another process is at work on it ({0})", words);
}
