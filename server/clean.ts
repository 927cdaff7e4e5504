/** Cleaning, undoing, freeing: the engine's three acts, for a client that has asked its user. */
import { t } from "@vscode/l10n";
import { cleanUp } from "../core/cleanUp.ts";
import { loadConfig } from "../core/config/load.ts";
import { retireAfterPurge } from "../core/jobs/retire.ts";
import { loadTracked, purge, undo } from "../core/runs.ts";
import { pathOf } from "./convert.ts";
import { requireTrust, type Work } from "./edge.ts";
import { scheduleExpiry } from "./expiry.ts";
import { storedPlan, takenOf } from "./plan.ts";
import type { CleanAnswer, CleanParams, PurgeAnswer, RunParams, UndoAnswer } from "./protocol.ts";
import type { Session } from "./session.ts";
import { verifierFor } from "./uploads.ts";
import { wordCleanup, wordPurge, wordUndo } from "./words.ts";

/** Takes what the stored plan and the selection have in common, so never more than what was previewed (R15). */
export async function clean(session: Session, params: CleanParams, work: Work): Promise<CleanAnswer> {
  requireTrust(session);
  const root = pathOf(params.folder);
  const { plan } = storedPlan(session, root, params.digest);
  const config = loadConfig(root);
  return act(session, root, t("Cleaning up"), work, async () => {
    const result = await cleanUp(
      config,
      { ...plan, items: takenOf(plan, params) },
      {
        environment: session.environment,
        trusted: session.trusted,
        now: session.now,
        mediaCache: session.mediaCache,
        ...(await verifierFor(session, config)),
        partial: params.stores !== undefined || params.files !== undefined,
        // The plan was made under the signal; here it ends the run between two files, and what was done is in the result.
        signal: work.signal,
        onRunProgress: (progress) => reportShare(work, progress),
      },
    );
    return { ...result, message: wordCleanup(result, session.now()) };
  });
}

export async function undoRun(session: Session, params: RunParams, work: Work): Promise<UndoAnswer> {
  requireTrust(session);
  const root = pathOf(params.folder);
  return act(session, root, t("Undoing the cleanup"), work, async () => {
    const result = await undo(loadTracked(root), params.run, {
      signal: work.signal,
      onProgress: (progress) => reportShare(work, progress),
    });
    const { run, restoredFiles, restoredSpace, renamed, errors } = result;
    return { run, restoredFiles, restoredSpace, renamed, errors, message: wordUndo(result) };
  });
}

export async function purgeRuns(session: Session, params: RunParams, work: Work): Promise<PurgeAnswer> {
  requireTrust(session);
  const root = pathOf(params.folder);
  return act(session, root, t("Freeing space"), work, async () => {
    const results = await purge(root, params.run === undefined ? {} : { run: params.run }, {
      signal: work.signal,
      onProgress: (progress) => reportShare(work, progress),
    });
    await retireAfterPurge(root, session.now());
    return {
      deletedFiles: results.reduce((sum, one) => sum + one.deletedFiles, 0),
      freedSpace: results.reduce((sum, one) => sum + one.freedSpace, 0),
      linkedFiles: results.reduce((sum, one) => sum + one.linkedFiles, 0),
      errors: results.flatMap((one) => one.errors),
      message: wordPurge(results),
    };
  });
}

/** Whatever comes of it, what is shown is old afterwards. */
async function act<R>(session: Session, root: string, title: string, work: Work, run: () => Promise<R>): Promise<R> {
  work.progress.begin(title, 0, undefined, true);
  try {
    return await run();
  } finally {
    work.progress.done();
    session.changed(root);
    scheduleExpiry(session, root);
  }
}

function reportShare(work: Work, { done, total }: { readonly done: number; readonly total: number }): void {
  work.progress.report(total === 0 ? 100 : Math.floor((done / total) * 100), t("{0} of {1}", done, total));
}
