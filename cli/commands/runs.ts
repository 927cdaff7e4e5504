/** What became of earlier cleanups: history, undo, purge. */
import { t } from "@vscode/l10n";
import { listRuns, loadTracked, purge as purgeRuns, readRun, undo as undoRun } from "../../core/runs.ts";
import { retireAfterPurge } from "../../core/jobs/retire.ts";
import { checkRoot } from "../../core/reclaim/guard.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { compareRecords } from "../../core/reclaim/records.ts";
import type { RunState } from "../../core/reclaim/runState.ts";
import { cleanupLine, countFiles, formatBytes } from "../../core/words.ts";
import { UsageError } from "../args.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { clock } from "../show.ts";
import { formatProblem, table, visible } from "../terminal.ts";

/** The runs, the newest first; with a run's name its files. */
export function history(context: Context): ExitCode {
  const [run] = context.args.positionals;
  return run === undefined ? showRuns(context) : showRun(context, run);
}

function showRuns({ args, terminal, root }: Context): ExitCode {
  const runs = listRuns(root);
  if (args.json) terminal.printJson({ root, runs });
  else if (runs.length === 0) terminal.print(t("No cleanup has run here yet."));
  else {
    terminal.print(
      ...table(
        terminal,
        [
          { title: t("RUN"), whole: true },
          { title: t("WHEN") },
          { title: t("BY") },
          { title: t("STATE") },
          { title: t("FILES"), align: "right" },
          { title: t("HELD"), align: "right" },
          { title: t("FREED"), align: "right" },
          { title: t("UNDO UNTIL") },
          { title: t("PROJECTS/JOBS"), flexible: true },
        ],
        runs.map((run) => [
          run.run,
          clock(run.started),
          run.automatic ? t("itself") : t("hand"),
          run.state,
          String(run.files),
          formatBytes(run.heldSpace),
          formatBytes(run.freedSpace),
          run.undoUntil === undefined ? "-" : isOver(run) ? t("over") : clock(run.undoUntil),
          run.owners.join(", "),
        ]),
      ),
    );
    if (runs.some(isOver))
      terminal.print(terminal.style("dim", t("over: the next cleanup frees this space; at once: offcut purge --expired")));
  }
  return EXIT.done;
}

/** A name that is mistyped is the same mistake, whatever was to be done with the run. */
function requireRun(root: string, name: string): RunState {
  const run = readRun(root, name);
  if (!run) throw new UsageError(t('there is no cleanup "{0}"; "offcut history" lists them', name));
  return run;
}

/** It still holds files that can no longer be undone for sure. */
function isOver({ heldFiles, undoUntil }: { readonly heldFiles: number; readonly undoUntil?: string }): boolean {
  return heldFiles > 0 && undoUntil !== undefined && Date.parse(undoUntil) <= Date.now();
}

function showRun({ args, terminal, root }: Context, name: string): ExitCode {
  const run = requireRun(root, name);
  const files = run.files.map(({ path, owner, store, bytes, reason, state, note, restoredTo }) => ({
    path,
    owner,
    store,
    bytes,
    reason,
    state,
    ...(note !== undefined && { note }),
    ...(restoredTo !== undefined && restoredTo !== path && { restoredTo }),
  }));
  if (args.json) terminal.printJson({ root, run: run.run, started: run.started, ended: run.ended, undoUntil: run.undoUntil, files });
  else
    terminal.print(
      ...table(
        terminal,
        [
          { title: t("STATE") },
          { title: t("PROJECT/JOB") },
          { title: t("KIND") },
          { title: t("BYTES"), align: "right" },
          { title: t("REASON") },
          { title: t("FILE"), flexible: true },
        ],
        files.map((file) => [
          file.state,
          file.owner ?? "-",
          file.store,
          formatBytes(file.bytes),
          file.note ?? file.reason,
          file.restoredTo ?? file.path,
        ]),
      ),
    );
  return EXIT.done;
}

/** Puts a run back, the newest one that holds files by default. */
export async function undo(context: Context): Promise<ExitCode> {
  const { args, terminal } = context;
  checkRoot(context.root);
  const [run] = args.positionals;
  const tracked = loadTracked(context.root);
  for (const problem of tracked.problems) terminal.warn(formatProblem(problem));
  const result = await undoRun(tracked, run, {
    ...(args.paths && { paths: args.paths }),
    signal: context.signal,
    onProgress: ({ done, total }) => terminal.progress(t("Restoring … {0} of {1}", done, total)),
  }).catch((error: unknown) => {
    // Only now: one whose journal was damaged is known again after its recovery.
    if (error instanceof Refusal && run !== undefined) requireRun(context.root, run);
    throw error;
  });
  terminal.progress(undefined);
  if (args.json) terminal.printJson(result);
  else {
    for (const { path, to } of result.renamed) terminal.warn(visible(t("{0} is taken by another file; restored as {1}", path, to)));
    for (const { path, message } of result.errors) terminal.warn(terminal.style("red", t("failed: {0}: {1}", path, message)));
    terminal.print(
      terminal.style(
        "bold",
        t("Undo: Restored {0}, {1} MB", countFiles(result.restoredFiles), (result.restoredSpace / 1024 ** 2).toFixed(2)),
      ),
      ...(result.notes ?? []).map(visible),
    );
  }
  if (result.cancelled) return EXIT.interrupted;
  return result.errors.length > 0 ? EXIT.failedItems : EXIT.done;
}

/** Frees what runs hold. */
export async function purge(context: Context): Promise<ExitCode> {
  const { args, terminal, root } = context;
  checkRoot(root);
  const [run] = args.positionals;
  const expiredAt = args.has("expired") ? Date.now() : undefined;
  const doubt = expiredAt === undefined ? undefined : compareRecords(root, [], expiredAt).clock;
  if (doubt !== undefined)
    throw new Refusal(t("{0}, so nobody knows what can no longer be undone; name a cleanup to free its space now", doubt));
  const held = listRuns(root).filter(
    (one) =>
      one.heldFiles > 0 &&
      (run === undefined || one.run === run) &&
      (expiredAt === undefined || (one.undoUntil !== undefined && Date.parse(one.undoUntil) <= expiredAt)),
  );
  const unreachable = held.filter((one) => one.state === "unreachable");
  for (const one of unreachable) terminal.warn(t("{0} is out of reach and stays as it is: mount its drive", one.run));
  const files = held.reduce((sum, one) => sum + one.heldFiles, 0);
  const bytes = held.reduce((sum, one) => sum + one.heldSpace, 0);
  if (run !== undefined && held.length === 0) {
    requireRun(root, run);
    throw new Refusal(t("{0} holds no files", run));
  }
  if (files > 0 && !args.has("yes") && !args.has("expired")) {
    if (!terminal.interactive) throw new UsageError(t("nobody is there to confirm; add --yes to delete {0} for good", countFiles(files)));
    const answer = await terminal.ask(t("Delete {0} ({1}) held below {2} for good? [y/N] ", countFiles(files), formatBytes(bytes), root));
    if (!/^y(es)?$/i.test(answer)) {
      terminal.print(t("Nothing was touched."));
      return EXIT.done;
    }
  }
  const results = await purgeRuns(
    root,
    { ...(run !== undefined && { run }), ...(expiredAt !== undefined && { expiredAt }) },
    { signal: context.signal, onProgress: ({ done, total }) => terminal.progress(t("Freeing … {0} of {1}", done, total)) },
  );
  terminal.progress(undefined);
  await retireAfterPurge(root, Date.now());
  const deletedFiles = results.reduce((sum, one) => sum + one.deletedFiles, 0);
  const freedSpace = results.reduce((sum, one) => sum + one.freedSpace, 0);
  const linked = results.reduce((sum, one) => sum + one.linkedFiles, 0);
  const errors = results.flatMap((one) => one.errors);
  if (args.json) terminal.printJson({ runs: results.map((one) => one.run), deletedFiles, freedSpace, linkedFiles: linked, errors });
  else {
    for (const { path, message } of errors) terminal.warn(terminal.style("red", t("failed: {0}: {1}", path, message)));
    terminal.print(
      results.length === 0
        ? t("Nothing is held, so there is nothing to free.")
        : terminal.style("bold", cleanupLine(deletedFiles, freedSpace)),
    );
    if (linked > 0) terminal.print(t("{0} had another hard link, so deleting them freed nothing.", countFiles(linked)));
  }
  if (results.some((one) => one.cancelled)) return EXIT.interrupted;
  return errors.length > 0 ? EXIT.failedItems : EXIT.done;
}
