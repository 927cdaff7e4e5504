/** Status tracking (S0.11): written only when it was turned on, after the files, and repaired by the next run when it failed (R77). */
import { t } from "@vscode/l10n";
import { DatabaseError } from "./catalog/open.ts";
import { type CleanupStatus, type OwnerStatus, readStatus, writeStatus } from "./catalog/write.ts";
import type { Config, DatabaseConfig, StatusTable } from "./config/config.ts";
import type { ItemError, PlanItem } from "./model.ts";
import { journalOf } from "./reclaim/home.ts";
import { openJournal, readJournal, type StatusChange } from "./reclaim/journal.ts";
import { readRuns } from "./reclaim/recover.ts";
import type { RunOutcome } from "./reclaim/run.ts";
import { foldJournal, type RunState } from "./reclaim/runState.ts";

/** Notes what became of each owner's files. Returns what could not be written. */
export function trackStatus(config: Config, outcome: RunOutcome, items: readonly PlanItem[], nowMs: number): readonly ItemError[] {
  const owners = [...new Set(items.flatMap((item) => (item.owner === undefined ? [] : [item.owner])))];
  const failed = ownersOf(items, outcome.errors.map((error) => error.path));
  const left = ownersOf(items, outcome.skipped.filter((skipped) => skipped.reason !== "gone").map((skipped) => skipped.path));
  const completedAt = new Date(nowMs).toISOString();
  return trackedDatabases(config).flatMap(({ database, table }) => {
    try {
      const changes = owners.flatMap((owner): StatusChange[] => {
        const before = readStatus(database, table, owner);
        if (!before) return [];
        const status: CleanupStatus = failed.has(owner) ? "failed" : left.has(owner) ? "pending" : "complete";
        return [{ database: database.path, owner, before, after: { status, completedAt: status === "complete" ? completedAt : null } }];
      });
      return changes.length === 0 ? [] : writeJournaled(config, outcome.run, database, table, changes);
    } catch (error) {
      return [explain(database, error)];
    }
  });
}

/** Writes the rows of earlier runs that could not be written then. What fails again is tried again next time. */
export function repairStatus(config: Config): void {
  for (const state of readRuns(config.root)) {
    const open = state.statuses.filter((entry) => !entry.done).at(-1);
    if (open) writeAgain(config, state, open.changes);
  }
}

/** After an undo the rows say again what they said before (R63). */
export function undoStatus(config: Config, state: RunState): readonly ItemError[] {
  const changes = state.statuses.flatMap((entry) => entry.changes).map((change) => ({ ...change, before: change.after, after: change.before }));
  return changes.length === 0 ? [] : writeAgain(config, state, changes);
}

function writeAgain(config: Config, state: RunState, changes: readonly StatusChange[]): readonly ItemError[] {
  return trackedDatabases(config).flatMap(({ database, table }) => {
    const own = changes.filter((change) => change.database === database.path);
    return own.length === 0 ? [] : writeJournaled(config, state.run, database, table, own);
  });
}

function writeJournaled(config: Config, run: string, database: DatabaseConfig, table: StatusTable, changes: readonly StatusChange[]): readonly ItemError[] {
  const file = journalOf(config.root, run);
  const contents = readJournal(file);
  if (!foldJournal(contents.records)) return [];
  using journal = openJournal(file, contents.end);
  journal.append({ t: "status", changes });
  journal.sync();
  try {
    writeStatus(database, table, changes.map((change): { owner: string; status: OwnerStatus } => ({ owner: change.owner, status: change.after })));
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

function trackedDatabases(config: Config): { readonly database: DatabaseConfig; readonly table: StatusTable }[] {
  return config.databases.flatMap((database) => (database.trackStatus ? [{ database, table: database.trackStatus }] : []));
}

function ownersOf(items: readonly PlanItem[], paths: readonly string[]): ReadonlySet<string> {
  const wanted = new Set(paths);
  return new Set(items.flatMap((item) => (item.owner !== undefined && wanted.has(item.path) ? [item.owner] : [])));
}
