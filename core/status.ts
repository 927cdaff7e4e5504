/** Status tracking (S0.11): written only when it was turned on, after the files, and repaired by the next run when it failed (R77). */
import { t } from "@vscode/l10n";
import { DatabaseError } from "./catalog/open.ts";
import { type CleanupStatus, type OwnerStatus, readStatuses, writeStatus } from "./catalog/write.ts";
import type { Config, DatabaseConfig, StatusTable } from "./config/config.ts";
import type { ItemError, PlanItem } from "./model.ts";
import { journalOf, STATE_SCHEMA } from "./reclaim/home.ts";
import { openJournal, readJournal, type StatusChange } from "./reclaim/journal.ts";
import { readRuns } from "./reclaim/recover.ts";
import type { RunOutcome } from "./reclaim/run.ts";
import { recordedPlace } from "./reclaim/relocation.ts";
import type { RunState } from "./reclaim/runState.ts";

/** Notes what became of each owner's files. Returns what could not be written. */
export function trackStatus(
  config: Config,
  outcome: RunOutcome,
  items: readonly PlanItem[],
  nowMs: number,
  partial: boolean,
): readonly ItemError[] {
  const owners = [...new Set(items.flatMap((item) => (item.owner === undefined ? [] : [item.owner])))];
  const moved = new Set(outcome.moved.map((item) => item.path));
  // What is held although it was to be deleted is off its place all the same.
  const failed = ownersOf(items, new Set(outcome.errors.map((error) => error.path).filter((path) => !moved.has(path))));
  // Whatever is still at its place, also what a cancelled run did not reach.
  const settled = new Set([...moved, ...outcome.skipped.filter((skipped) => skipped.reason === "gone").map((one) => one.path)]);
  const left = ownersOf(items, new Set(items.map((item) => item.path).filter((path) => !settled.has(path))));
  const completedAt = new Date(nowMs).toISOString();
  return trackedDatabases(config).flatMap(({ database, table }) => {
    const before = statusesBefore(database, table, owners);
    const changes = [...before].map(([owner, was]): StatusChange => {
      const status: CleanupStatus = failed.has(owner) ? "failed" : partial || left.has(owner) ? "pending" : "complete";
      return { database: database.path, owner, before: was, after: { status, completedAt: status === "complete" ? completedAt : null } };
    });
    return changes.length === 0 ? [] : writeJournaled(config, outcome.run, database, table, changes);
  });
}

/** A database that cannot be read now is written later (R77); then every project was pending before, which is what they start as. */
function statusesBefore(database: DatabaseConfig, table: StatusTable, owners: readonly string[]): ReadonlyMap<string, OwnerStatus> {
  try {
    return readStatuses(database, table, owners);
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    return new Map(owners.map((owner) => [owner, { status: "pending", completedAt: null }]));
  }
}

/**
 * Writes the rows of earlier runs that could not be written then. What fails again is tried again next time. Of each database
 * only the last word of a run counts, and of each owner only that of the newest run.
 */
export function repairStatus(config: Config): void {
  const said = new Set<string>();
  for (const state of [...readRuns(config.root)].reverse()) {
    if (state.schema > STATE_SCHEMA) continue;
    for (const { database } of trackedDatabases(config)) {
      const last = state.statuses.findLast((entry) => entry.changes.some((change) => change.database === database.path));
      const open = last?.done === false ? last.changes.filter((change) => !said.has(`${change.database}\0${change.owner}`)) : [];
      if (open.length > 0) writeAgain(config, state, open);
    }
    for (const change of state.statuses.flatMap((entry) => entry.changes)) said.add(`${change.database}\0${change.owner}`);
  }
}

/** After an undo the rows of all owners, or of some, say again what they said before the run (R63). */
export function undoStatus(
  config: Pick<Config, "root" | "databases">,
  state: RunState,
  owners?: ReadonlySet<string>,
): readonly ItemError[] {
  const undone = new Map<string, StatusChange>();
  for (const change of state.statuses.flatMap((entry) => entry.changes)) {
    if (owners && !owners.has(change.owner)) continue;
    const key = `${change.database}\0${change.owner}`;
    // An earlier undo of a part has its own entries: back is where the first one came from.
    undone.set(key, { ...change, before: change.after, after: undone.get(key)?.after ?? change.before });
  }
  return undone.size === 0 ? [] : writeAgain(config, state, [...undone.values()]);
}

function writeAgain(config: Pick<Config, "root" | "databases">, state: RunState, changes: readonly StatusChange[]): readonly ItemError[] {
  return trackedDatabases(config).flatMap(({ database, table }) => {
    const own = changes.filter((change) => change.database === database.path);
    return own.length === 0 ? [] : writeJournaled(config, state.run, database, table, own);
  });
}

function writeJournaled(
  config: Pick<Config, "root" | "databases">,
  run: string,
  database: DatabaseConfig,
  table: StatusTable,
  changes: readonly StatusChange[],
): readonly ItemError[] {
  const file = journalOf(config.root, run);
  const contents = readJournal(file);
  const [start] = contents.records;
  if (start?.t !== "start") return [];
  const recorded = changes.map((change) => ({ ...change, database: recordedPlace(config.root, start.root, change.database) }));
  using journal = openJournal(file, contents.end);
  journal.append({ t: "status", changes: recorded });
  journal.sync();
  try {
    writeStatus(
      database,
      table,
      changes.map((change): { owner: string; status: OwnerStatus } => ({ owner: change.owner, status: change.after })),
    );
  } catch (error) {
    return [explain(database, error)];
  }
  journal.append({ t: "status-done" });
  journal.sync();
  return [];
}

function explain(database: DatabaseConfig, error: unknown): ItemError {
  if (!(error instanceof DatabaseError)) throw error;
  return { path: database.label, message: t("cleanup_status was not written ({0}); the next cleanup repairs it", error.message) };
}

function trackedDatabases(
  config: Pick<Config, "root" | "databases">,
): { readonly database: DatabaseConfig; readonly table: StatusTable }[] {
  return config.databases.flatMap((database) => (database.trackStatus ? [{ database, table: database.trackStatus }] : []));
}

function ownersOf(items: readonly PlanItem[], paths: ReadonlySet<string>): ReadonlySet<string> {
  return new Set(items.flatMap((item) => (item.owner !== undefined && paths.has(item.path) ? [item.owner] : [])));
}
