/** What became of earlier runs: history, undo, purge, recovery. */
import fs from "node:fs";
import { t } from "@vscode/l10n";
import { type Config, ConfigError } from "./config/config.ts";
import { loadConfig } from "./config/load.ts";
import type { Problem, RunSummary } from "./model.ts";
import { listArchived, readArchived } from "./reclaim/archive.ts";
import { holdOf, journalOf, Refusal, STATE_SCHEMA } from "./reclaim/home.ts";
import { type Journal, openJournal } from "./reclaim/journal.ts";
import { acquireLocks, lockHolder } from "./reclaim/lock.ts";
import { purgeRun, type PurgeOptions, type PurgeResult } from "./reclaim/purge.ts";
import { compareRecords } from "./reclaim/records.ts";
import { needsRecovery, readOne, readOrNothing, readRuns, type Recovered, recover } from "./reclaim/recover.ts";
import { foldRun } from "./reclaim/relocation.ts";
import { isDue, type RunState, summarise } from "./reclaim/runState.ts";
import { undoRun, type UndoOptions, type UndoResult } from "./reclaim/undo.ts";
import { undoStatus } from "./status.ts";
import { noteUndone } from "./undone.ts";

/** All runs, the newest first. */
export function listRuns(workspace: string): readonly RunSummary[] {
  // In this order, because a run may move into the archive meanwhile.
  const recent = listRecent(workspace);
  const names = new Set(recent.map((one) => one.run));
  const archived = listArchived(workspace).filter((one) => !names.has(one.run));
  if (archived.length === 0) return recent;
  return [...recent, ...archived].sort((a, b) => (a.started === b.started ? 0 : a.started < b.started ? 1 : -1));
}

/** The runs that are not in the archive, so all that hold something, the newest first. */
export function listRecent(workspace: string): readonly RunSummary[] {
  const busy = lockHolder(workspace) !== undefined;
  return readRuns(workspace)
    .map((state) => summarise(state, isReachable(state), busy))
    .reverse();
}

/** Every file of a run, for the history. Undefined when there is no such run. */
export function readRun(workspace: string, run: string): RunState | undefined {
  if (!isName(run)) return undefined;
  return readOne(workspace, run)?.state ?? readArchived(workspace, run);
}

/** Whether it can be the name of a run, and so part of a path. */
function isName(run: string): boolean {
  return /^[\w-]+$/.test(run);
}

/** A hold that is not there with its files is not forgotten: its drive may be away (R64). */
function isReachable(state: RunState): boolean {
  const roots = new Set(state.files.filter((file) => file.state === "held").map((file) => file.root));
  return [...roots].every((root) => fs.existsSync(holdOf(root, state.run)));
}

/** Finishes what a crash left. Returns what was done, run by run; nothing is locked or written when nothing has to be done. */
export async function recoverRuns(workspace: string, now: () => number = Date.now): Promise<readonly Recovered[]> {
  if (needsRecovery(workspace).length === 0) return [];
  using _lock = await acquireLocks([workspace]);
  return recover(workspace, now);
}

/** What undoing needs of a configuration: where the files are, and which databases have status rows. */
export type Tracked = Pick<Config, "root" | "databases"> & Partial<Pick<Config, "stores">>;

/** A mistake in `offcut.json` must not stand between a user and the files: then only the status rows are left as they are. */
export function loadTracked(root: string): Tracked & { readonly problems: readonly Problem[] } {
  try {
    return loadConfig(root);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { root, databases: [], problems: error.problems };
  }
}

/** Puts a run back; without a name the newest one that holds files. Throws a {@link Refusal} when there is none. */
export async function undo(config: Tracked, run: string | undefined, options: UndoOptions = {}): Promise<UndoResult> {
  await recoverRuns(config.root);
  const chosen = run ?? listRecent(config.root).find((one) => one.heldFiles > 0)?.run;
  if (chosen === undefined) {
    const foreign = readRuns(config.root).findLast((state) => state.foreign !== undefined)?.foreign;
    throw new Refusal(
      foreign === undefined ? t("there is nothing to undo: no cleanup holds files") : t("there is nothing to undo: {0}", foreign),
    );
  }
  return withRun(config.root, chosen, async (state, journal) => {
    if (!state.files.some((file) => file.state === "held")) throw new Refusal(t("{0} cannot be undone: {1}", chosen, explainEmpty(state)));
    const missing = options.paths?.filter((wanted) => !state.files.some((file) => file.state === "held" && file.path === wanted)) ?? [];
    if (missing.length > 0) throw new Refusal(t("{0} does not hold {1}", chosen, missing.join(", ")));
    const result = await undoRun(state, journal, options);
    if (result.restoredFiles > 0) noteUndone(config.root, chosen, Date.now());
    const notes = [...(result.notes ?? []), ...(result.restoredFiles > 0 ? notesOn(config, state) : [])];
    const whole = options.paths === undefined && !result.cancelled;
    const errors = [...result.errors, ...undoStatus(config, state, whole ? undefined : ownersBack(config.root, state))];
    return { ...result, errors, ...(notes.length > 0 && { notes }) };
  });
}

/** What becomes of the files that came back. Of a configuration that cannot be read nothing is known. */
function notesOn({ stores = [] }: Tracked, { files }: RunState): readonly string[] {
  const names = new Set(files.flatMap((file) => (file.state === "held" ? [file.store] : [])));
  const limited = stores.filter((store) => names.has(store.name) && (store.maxAgeMs ?? store.maxBytes) !== undefined);
  const others = stores.some((store) => names.has(store.name) && !limited.includes(store));
  return [
    ...limited.map((store) =>
      t(
        'the limits of the store "{0}" hold for what came back, too: automatic cleaning may take it again; pin what shall stay',
        store.name,
      ),
    ),
    ...(others ? [t("automatic cleaning leaves what came back alone for a day")] : []),
  ];
}

/** The owners of whom a file came back in this undo of a part. */
function ownersBack(workspace: string, before: RunState): ReadonlySet<string> {
  const held = new Set(before.files.filter((file) => file.state === "held").map((file) => file.n));
  const now = load(workspace, before.run).state;
  return new Set(
    now.files.flatMap((file) => (file.state === "restored" && held.has(file.n) && file.owner !== undefined ? [file.owner] : [])),
  );
}

function explainEmpty(state: RunState): string {
  if (state.foreign !== undefined) return state.foreign;
  if (state.files.some((file) => file.state === "purged")) return t("its space was freed");
  if (state.files.some((file) => file.state === "restored")) return t("it is undone already");
  return t("it moved no files");
}

export interface PurgeSelection {
  /** Only this run. */
  readonly run?: string;
  /** Of it, only the files of this store. */
  readonly store?: string;
  /** One that was named and resists is told in the results, too, instead of thrown. */
  readonly tolerant?: boolean;
  /** Only files whose undo window is over at this time, milliseconds since 1970. */
  readonly expiredAt?: number;
}

/** Frees what runs hold, the oldest first. */
export async function purge(
  workspace: string,
  selection: PurgeSelection = {},
  options: PurgeOptions = {},
): Promise<readonly PurgeResult[]> {
  await recoverRuns(workspace);
  const { run, expiredAt } = selection;
  // R48: whether the time for an undo is over, only a clock can tell that is right.
  if (expiredAt !== undefined && compareRecords(workspace, [], expiredAt).clock !== undefined) return [];
  const runs = listRecent(workspace)
    .filter((one) => one.heldFiles > 0 && one.state !== "unreachable")
    .filter((one) => run === undefined || one.run === run)
    .reverse();
  if (run !== undefined && runs.length === 0 && !selection.tolerant) {
    const foreign = readRun(workspace, run)?.foreign;
    throw new Refusal(foreign === undefined ? t("{0} holds no files", run) : t("{0} holds no files: {1}", run, foreign));
  }
  const results: PurgeResult[] = [];
  for (const one of runs) {
    if (options.signal?.aborted) break;
    try {
      if (expiredAt !== undefined && !holdsDue(load(workspace, one.run).state, expiredAt)) continue;
      results.push(
        await withRun(workspace, one.run, async (state, journal) => {
          // Asked again under the lock: what was listed may have been somebody's run at work.
          if (expiredAt !== undefined && !holdsDue(state, expiredAt))
            return { run: one.run, deletedFiles: 0, freedSpace: 0, linkedFiles: 0, errors: [], cancelled: false };
          return purgeRun(onlyOf(state, selection.store), journal, { ...options, ...(expiredAt !== undefined && { expiredAt }) });
        }),
      );
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const isNamed = run !== undefined && !selection.tolerant;
      // Since it was listed, somebody else has undone it or freed it: there is nothing left to free, and nothing went wrong.
      if (!(readRun(workspace, one.run)?.files.some((file) => file.state === "held") ?? false)) {
        if (isNamed) throw new Refusal(t("{0} holds no files", run));
        continue;
      }
      // One run that resists does not stop the others (R22); one that was asked for by name explains itself.
      if (isNamed) throw error;
      results.push({
        run: one.run,
        deletedFiles: 0,
        freedSpace: 0,
        linkedFiles: 0,
        errors: [{ path: one.run, message: error.message }],
        cancelled: false,
      });
    }
  }
  return results;
}

function onlyOf(state: RunState, store: string | undefined): RunState {
  return store === undefined ? state : { ...state, files: state.files.filter((file) => file.state !== "held" || file.store === store) };
}

function holdsDue(state: RunState, atMs: number): boolean {
  return state.files.some((file) => isDue(state, file, atMs));
}

async function withRun<T>(workspace: string, run: string, act: (state: RunState, journal: Journal) => Promise<T>): Promise<T> {
  const before = load(workspace, run);
  // Before the locks, which make `.offcut/`: nothing is made where a drive should be (R76).
  if (!isReachable(before.state))
    throw new Refusal(t("{0} is out of reach now: its held files are not there; mount the drive and try again", run));
  using _locks = await acquireLocks([
    ...new Set([workspace, ...before.state.files.filter((file) => file.state === "held").map((file) => file.root)]),
  ]);
  const { state, end } = load(workspace, run);
  if (state.schema > STATE_SCHEMA) throw new Refusal(t("{0} was made by a newer version of Offcut; update this one", run));
  using journal = openJournal(journalOf(workspace, run), end);
  return await act(state, journal);
}

function load(
  workspace: string,
  run: string,
): { readonly state: RunState; readonly end: { readonly sequence: number; readonly bytes: number } } {
  // Not first asked whether it is there: another process may put it into the archive at any moment.
  const contents = isName(run) ? readOrNothing(workspace, run) : undefined;
  if (!contents) {
    const archived = readRun(workspace, run);
    if (archived) throw new Refusal(t("{0} cannot be undone: {1}", run, explainEmpty(archived)));
    throw new Refusal(t('there is no cleanup "{0}"; "offcut history" lists them', run));
  }
  const state = foldRun(workspace, run, contents.records);
  if (!state) throw new Refusal(t('the journal of "{0}" cannot be read', run));
  return { state, end: contents.end };
}
