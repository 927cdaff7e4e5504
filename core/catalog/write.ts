/**
 * The only code that writes a user's database: the override of AUTO_CLEANUP_ENABLED after asking, status tracking when it was
 * turned on (S0.11), and its migration. Everything else reads.
 */
import fs from "node:fs";
import path from "node:path";
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { t } from "@vscode/l10n";
import type { DatabaseConfig, StatusTable } from "../config/config.ts";
import { DatabaseError, loadSqlite, readDatabase } from "./open.ts";

/** `add_cleanup_tracking` is the eighth migration of the video generator (S0.11). */
export const MIGRATION = { version: 8, name: "add_cleanup_tracking" } as const;

export type CleanupStatus = "pending" | "complete" | "failed";

export interface OwnerStatus {
  readonly status: string | null;
  readonly completedAt: string | null;
}

/** Changes the override in the database, in one transaction. Throws a {@link DatabaseError} with the mend. */
export function writeOverride(config: DatabaseConfig, enabled: boolean): void {
  const sql = config.setAutoCleanup;
  if (sql === undefined)
    throw new DatabaseError(
      t(
        '{0} decides, and offcut.json does not say how to change it; set database.setAutoCleanup, e.g. "UPDATE user_preferences SET auto_cleanup_enabled = :value"',
        config.label,
      ),
    );
  write(config, (database) => {
    const changed = Number(database.prepare(sql).run({ value: enabled ? 1 : 0 }).changes);
    if (changed === 0) throw new DatabaseError(t("no row of {0} was changed by database.setAutoCleanup", config.label));
  });
}

/** Reads what the tracking columns say of some owners, in one look. An owner without a row is not in the result. */
export function readStatuses(config: DatabaseConfig, table: StatusTable, owners: readonly string[]): ReadonlyMap<string, OwnerStatus> {
  return readDatabase(
    config.path,
    (database) => {
      const statement = database.prepare(
        `SELECT cleanup_status AS status, cleanup_completed_at AS completedAt FROM ${quote(table.table)} WHERE ${quote(table.id)} = ?`,
      );
      const statuses = new Map<string, OwnerStatus>();
      for (const owner of owners) {
        const row = statement.get(owner);
        if (row) statuses.set(owner, { status: textOrNull(row["status"]), completedAt: textOrNull(row["completedAt"]) });
      }
      return statuses;
    },
    { check: false },
  );
}

function textOrNull(value: SQLOutputValue | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

/** Writes the status of several owners in one transaction. An owner without a row is passed over. */
export function writeStatus(
  config: DatabaseConfig,
  table: StatusTable,
  changes: readonly { readonly owner: string; readonly status: OwnerStatus }[],
): void {
  write(config, (database) => {
    const update = database.prepare(
      `UPDATE ${quote(table.table)} SET cleanup_status = ?, cleanup_completed_at = ? WHERE ${quote(table.id)} = ?`,
    );
    for (const { owner, status } of changes) update.run(status.status, status.completedAt, owner);
  });
}

export interface MigrationPlan {
  readonly database: string;
  /** What would be executed; empty when there is nothing to do. */
  readonly statements: readonly string[];
  readonly notes: readonly string[];
}

/** What migration 8 would do to a database. Reads only. */
export function planMigration(config: DatabaseConfig, table: StatusTable): MigrationPlan {
  return readDatabase(config.path, (database) => {
    const columns = (database.prepare("SELECT name FROM pragma_table_info(?)").all(table.table) as { name: string }[]).map(
      (row) => row.name,
    );
    if (columns.length === 0)
      throw new DatabaseError(t('has no table "{0}"; set database.trackStatus to { "table": …, "id": … }', table.table));
    if (!columns.includes(table.id))
      throw new DatabaseError(
        t('has no column "{0}" in "{1}"; set database.trackStatus to { "table": …, "id": … }', table.id, table.table),
      );
    const index = `idx_${table.table}_cleanup_status`;
    const hasIndex = database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?").get(index) !== undefined;
    const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
    const statements: string[] = [];
    const notes: string[] = [];
    const name = quote(table.table);
    if (!columns.includes("cleanup_status"))
      statements.push(
        `ALTER TABLE ${name} ADD COLUMN cleanup_status TEXT DEFAULT 'pending' CHECK (cleanup_status IN ('pending', 'complete', 'failed'))`,
      );
    if (!columns.includes("cleanup_completed_at")) statements.push(`ALTER TABLE ${name} ADD COLUMN cleanup_completed_at TEXT`);
    if (!hasIndex) statements.push(`CREATE INDEX ${quote(index)} ON ${name} (cleanup_status)`);
    if (statements.length > 0 && version === MIGRATION.version - 1) statements.push(`PRAGMA user_version = ${MIGRATION.version}`);
    else if (statements.length > 0)
      notes.push(
        t(
          "user_version is {0}, not {1}, so it is left as it is; note migration {2} in your own bookkeeping",
          version,
          MIGRATION.version - 1,
          MIGRATION.name,
        ),
      );
    return { database: config.label, statements, notes };
  });
}

/**
 * Runs migration 8: a backup first, then everything in one transaction. Returns the backup's absolute path; undefined when
 * there was nothing to do.
 */
export function migrate(config: DatabaseConfig, table: StatusTable, backupDirectory: string, stamp: string): string | undefined {
  const { statements } = planMigration(config, table);
  if (statements.length === 0) return undefined;
  fs.mkdirSync(backupDirectory, { recursive: true });
  const backup = path.join(backupDirectory, `${path.basename(config.path)}.before-${MIGRATION.name}.${stamp}`);
  open(config, (database) => {
    database.prepare("VACUUM INTO ?").run(backup);
    inTransaction(database, () => {
      for (const statement of statements) database.exec(statement);
    });
  });
  return backup;
}

function write(config: DatabaseConfig, act: (database: DatabaseSync) => void): void {
  open(config, (database) => inTransaction(database, () => act(database)));
}

/** Opening read-write creates a missing file, so it has to be there first. */
function open(config: DatabaseConfig, act: (database: DatabaseSync) => void): void {
  if (!fs.existsSync(config.path)) throw new DatabaseError(t("{0} is not there", config.label));
  const { DatabaseSync } = loadSqlite();
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(config.path);
    database.exec("PRAGMA busy_timeout = 2000");
    act(database);
  } catch (error) {
    if (error instanceof DatabaseError) throw error;
    throw new DatabaseError(
      t("{0} could not be written: {1}", config.label, (error as Error).message),
      (error as { errcode?: number }).errcode,
    );
  } finally {
    database?.close();
  }
}

function inTransaction(database: DatabaseSync, act: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    act();
    database.exec("COMMIT");
  } catch (error) {
    try {
      database.exec("ROLLBACK");
    } catch {
      // SQLite rolled back by itself, as it does when the disk is full; the first error says why.
    }
    throw error;
  }
}

function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
