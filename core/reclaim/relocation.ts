/**
 * A workspace that is moved or copied takes its journals along, and they go on naming the directory in which they were written. No
 * journal is rewritten for that: whoever reads one is told where things are now. What lay in the workspace is looked for in the
 * directory that the journal lies in, so a copy acts on its own hold and a moved workspace finds its own. What lies outside, e.g. on
 * a drive of its own, was not copied: as long as the workspace that the journal names still has that run it belongs to that one.
 */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { lstatOrNothing } from "./guard.ts";
import { archiveFiles, holdOf, journalOf } from "./home.ts";
import type { IntendRecord, JournalRecord } from "./journal.ts";
import { isMountAway, recordsFile } from "./records.ts";
import { foldJournal, type RunFile, type RunState } from "./runState.ts";

/** Where a directory or database that a journal names is now; `foreign`: why it is not for this workspace to touch. */
export type Relocation = (place: string) => { readonly path: string; readonly foreign?: string };

/** The state of a run, seen from the workspace whose `.offcut/` its journal lies in. */
export function foldRun(workspace: string, run: string, records: readonly JournalRecord[]): RunState | undefined {
  const state = foldJournal(records);
  if (!state || state.root === workspace) return state;
  const here = relocationOf(workspace, run, state.root);
  const files = relocateFiles(state.files, here);
  const foreign = files.find((file) => file.foreign)?.note;
  return {
    ...state,
    root: workspace,
    files,
    directories: state.directories.flatMap((directory) => {
      const { path: root, foreign } = here(directory.root);
      return foreign === undefined ? [{ ...directory, root }] : [];
    }),
    statuses: state.statuses.map(({ changes, done }) => ({
      done,
      changes: changes.flatMap((change) => {
        const { path: database, foreign } = here(change.database);
        return foreign === undefined ? [{ ...change, database }] : [];
      }),
    })),
    ...(foreign !== undefined && { foreign }),
  };
}

/** `from`: the workspace that the journal names. */
export function relocationOf(workspace: string, run: string, from: string): Relocation {
  if (from === workspace) return (place) => ({ path: place });
  const known = new Map<string, ReturnType<Relocation>>();
  let outside: { readonly foreign?: string } | undefined;
  const find = (place: string): ReturnType<Relocation> => {
    if (isWithin(place, from)) {
      const inside = path.join(workspace, path.relative(from, place));
      // One volume that is mounted into both: what is held there is the original's.
      return place !== from && isSame(inside, place)
        ? { path: inside, ...(outside ??= outsideOf(workspace, run, from)) }
        : { path: inside };
    }
    const beside = path.resolve(workspace, path.relative(from, place));
    // A directory beside the workspace that came along with it: its hold has the name of the run.
    if (beside !== place && fs.existsSync(holdOf(beside, run)) && !isSame(beside, place)) return { path: beside };
    return { path: place, ...(outside ??= outsideOf(workspace, run, from)) };
  };
  return (place) => {
    let found = known.get(place);
    if (!found) known.set(place, (found = find(place)));
    return found;
  };
}

/** Files that belong to another workspace are none that this one holds, or has to bring to an end. */
export function relocateFiles(files: readonly RunFile[], here: Relocation): RunFile[] {
  return files.map((file) => {
    const { path: root, foreign } = here(file.root);
    if (foreign === undefined) return root === file.root ? file : { ...file, root, relocated: true };
    if (file.state !== "held" && file.state !== "intended") return file;
    const { pending: _pending, ...rest } = file;
    return { ...rest, state: "kept", note: foreign, foreign: true };
  });
}

/** As the journal says it that names the workspace `from`, so that it is found again wherever the journal is read. */
export function recordedPlace(workspace: string, from: string, place: string): string {
  return from !== workspace && isWithin(place, workspace) ? path.join(from, path.relative(workspace, place)) : place;
}

/**
 * The workspace in which a journal was written that has lost its first record. Where in doubt it is one whose places lead here, because
 * then nothing elsewhere is touched.
 */
export function originOf(workspace: string, run: string, records: readonly JournalRecord[]): string {
  const intents = records.filter((record) => record.t === "intend");
  const roots = [...new Set(intents.map((intent) => intent.root))];
  if (roots.includes(workspace)) return workspace;
  const origin = roots.find((root) => hasRun(root, run) !== false) ?? intents.find((intent) => cameAlong(workspace, run, intent))?.root;
  return origin ?? workspace;
}

/** Whether files of an intent are held here, and not where it says. */
function cameAlong(workspace: string, run: string, { root, directory, files }: IntendRecord): boolean {
  const isHeld = (place: string): boolean => files.some(([name]) => fs.existsSync(path.join(holdOf(place, run), directory, name)));
  return isHeld(workspace) && !isHeld(root);
}

/** Whose it is what lies outside of the workspace. */
function outsideOf(workspace: string, run: string, from: string): { readonly foreign?: string } {
  if (isSame(from, workspace)) return {}; // The same directory by another way, e.g. through a link.
  const original = hasRun(from, run);
  if (original === true) return { foreign: t("what lies outside of this workspace belongs to {0}, of which it is a copy", from) };
  if (original === false && !isMountAway(workspace, from)) return {};
  return {
    foreign: t(
      "what lies outside of this workspace may belong to {0}, which is out of reach now (if it moved here for good, move {1} away)",
      from,
      recordsFile(workspace),
    ),
  };
}

/** Whether a workspace has the journal of a run. Undefined when nobody can tell. */
function hasRun(workspace: string, run: string): boolean | undefined {
  try {
    if (lstatOrNothing(journalOf(workspace, run))) return true;
    return archiveFiles(workspace).some((file) => fs.readFileSync(file).includes(`"run":"${run}"`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return undefined;
  }
}

function isWithin(place: string, directory: string): boolean {
  const relative = path.relative(directory, place);
  return relative === "" || (relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative));
}

/** Whether two paths lead to one directory, links followed. */
function isSame(one: string, other: string): boolean {
  try {
    const [a, b] = [fs.statSync(one, { bigint: true }), fs.statSync(other, { bigint: true })];
    return a.dev === b.dev && a.ino === b.ino;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return false;
  }
}
