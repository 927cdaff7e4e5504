/** What one project database says: owners, references, outputs, the override of AUTO_CLEANUP_ENABLED. Nothing is judged here. */
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { t } from "@vscode/l10n";
import type { DatabaseConfig } from "../config/config.ts";
import type { OwnerState, Problem } from "../model.ts";
import { DatabaseError, readDatabase } from "./open.ts";

export interface OwnerRow {
  readonly id: string;
  readonly state: OwnerState;
  readonly status: string;
  readonly source: string;
  readonly endedMs?: number;
}

/** A use of a file: by its stored path, or by the ids that the store's template has placeholders for. */
export interface UseRow {
  readonly owner: string;
  readonly source: string;
  readonly path?: string;
  /** A column that is NULL is null here; one that the query does not give is absent. */
  readonly ids?: Readonly<Record<string, string | null>>;
  readonly eventMs?: number;
}

/** An upload that the pipeline wrote down. */
export interface UploadRow {
  readonly path: string;
  readonly url: string;
  readonly source: string;
}

export interface DatabaseContents {
  readonly owners: readonly OwnerRow[];
  readonly references: ReadonlyMap<string, readonly UseRow[]>;
  readonly outputs: readonly UseRow[];
  readonly uploads: ReadonlyMap<string, readonly UploadRow[]>;
  readonly override?: { readonly value: string; readonly source: string };
  /** Why nothing may be decided on the ground of this database (R19, R75). */
  readonly unavailable?: string;
  readonly problems: readonly Problem[];
}

const EMPTY: DatabaseContents = { owners: [], references: new Map(), outputs: [], uploads: new Map(), problems: [] };

export function readContents(config: DatabaseConfig, options: { readonly check?: boolean } = {}): DatabaseContents {
  const problems: Problem[] = [];
  const report = (message: string): void => {
    problems.push({ severity: "error", source: config.label, message });
  };
  try {
    const contents = readDatabase(config.path, (database) => readTables(database, config, report), options);
    const unavailable = problems[0] && `${config.label}: ${problems[0].message}`;
    return { ...contents, ...(unavailable !== undefined && { unavailable }), problems };
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    report(t("the database {0}. Everything is kept until it can be read.", error.message));
    return { ...EMPTY, unavailable: `${config.label} ${error.message}`, problems };
  }
}

function readTables(database: DatabaseSync, config: DatabaseConfig, report: (message: string) => void): DatabaseContents {
  const query = (what: string, sql: string, columns: readonly string[]): readonly Row[] => {
    try {
      const statement = database.prepare(sql);
      statement.setReadBigInts(true); // Ids of 64 bits do not fit into a number.
      const rows = statement.all() as Row[];
      const missing = rows[0] ? columns.filter((column) => !(column in rows[0]!)) : [];
      if (missing.length > 0) {
        report(t('database.{0} gives no column "{1}"; name it with AS. Everything is kept until then.', what, missing.join('", "')));
        return [];
      }
      return rows;
    } catch (error) {
      if (!isAboutQuery(error)) throw error;
      report(explainDrift(database, what, sql, error));
      return [];
    }
  };
  const owners = config.owners === undefined ? [] : query("owners", config.owners, ["id", "status"]).flatMap((row) => toOwner(row, config));
  const references = new Map(
    Object.entries(config.references).map(([store, sql]) => [
      store,
      query(`references.${store}`, sql, ["owner"]).map((row) => toUse(row, sql)),
    ]),
  );
  const outputs =
    config.outputs === undefined ? [] : query("outputs", config.outputs, ["owner", "path"]).map((row) => toUse(row, config.outputs ?? ""));
  const uploads = new Map(
    Object.entries(config.uploads).map(([store, sql]) => [
      store,
      query(`uploads.${store}`, sql, ["path", "url"]).flatMap((row) => toUpload(row, sql)),
    ]),
  );
  const override = config.autoCleanup === undefined ? undefined : Object.values(query("autoCleanup", config.autoCleanup, [])[0] ?? {})[0];
  return {
    owners,
    references,
    outputs,
    uploads,
    ...(override !== undefined &&
      override !== null && {
        override: {
          value: String(override),
          source: t({
            message: "{0} in {1}",
            args: [tableOf(config.autoCleanup ?? ""), config.label],
            comment: ["a table in a database file"],
          }),
        },
      }),
    problems: [],
  };
}

type Row = Readonly<Record<string, SQLOutputValue>>;

/** Busy, locked, unreadable, damaged and "no database" (sqlite.org/rescode.html) are no fault of the query. */
const DATABASE_FAULTS: ReadonlySet<number> = new Set([5, 6, 10, 11, 26]);

function isAboutQuery(error: unknown): boolean {
  const { errcode } = error as { readonly errcode?: number };
  return errcode === undefined || !DATABASE_FAULTS.has(errcode & 0xff);
}

function toOwner(row: Row, config: DatabaseConfig): OwnerRow[] {
  if (row["id"] === null || row["id"] === undefined) return [];
  const status = row["status"] === null || row["status"] === undefined ? "" : String(row["status"]);
  const endedMs = toTime(row["ended"]);
  return [
    {
      id: String(row["id"]),
      status,
      state: stateOf(status, config.states),
      source: `${tableOf(config.owners ?? "")}.${columnOf(config.owners ?? "", "status")}`,
      ...(endedMs !== undefined && { endedMs }),
    },
  ];
}

/** A status that nobody listed belongs to an unfinished project: it protects. No status at all is unknown, and protects too. */
function stateOf(status: string, states: DatabaseConfig["states"]): OwnerState {
  const word = status.trim().toLowerCase();
  const listed = (words: readonly string[]): boolean => words.some((candidate) => candidate.toLowerCase() === word);
  if (word === "") return "unknown";
  if (listed(states.succeeded)) return listed(states.failed) ? "unknown" : "succeeded";
  return listed(states.failed) ? "failed" : "running";
}

function toUse(row: Row, sql: string): UseRow {
  const { owner, path: stored, at, ...rest } = row;
  const eventMs = toTime(at);
  const ids: Record<string, string | null> = {};
  for (const [name, value] of Object.entries(rest)) ids[name] = value === null || value === undefined ? null : String(value);
  return {
    owner: owner === null || owner === undefined ? "" : String(owner),
    source: tableOf(sql),
    ...("path" in row ? stored !== null && stored !== undefined && { path: toText(stored) } : { ids }),
    ...(eventMs !== undefined && { eventMs }),
  };
}

/** Without an address nothing is uploaded yet. */
function toUpload({ path: stored, url }: Row, sql: string): UploadRow[] {
  if (stored === null || stored === undefined || url === null || url === undefined || url === "") return [];
  return [{ path: toText(stored), url: toText(url), source: tableOf(sql) }];
}

/** Some programs store text as a BLOB. Bytes that are no UTF-8 become U+FFFD, which no path may have (R8). */
function toText(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : String(value);
}

/** A date of SQLite (`2026-01-31 12:00:00`), ISO 8601, both UTC unless they say otherwise (R48), or seconds or milliseconds since 1970. */
function toTime(value: unknown): number | undefined {
  if (typeof value === "number" || typeof value === "bigint") {
    const number = Number(value);
    return number > 1e11 ? number : number * 1000;
  }
  if (typeof value !== "string") return undefined;
  if (/^\d{9,14}(\.\d+)?$/.test(value)) return toTime(Number(value));
  const plain = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(value) ? `${value.replace(" ", "T")}Z` : value;
  const time = Date.parse(plain);
  return Number.isNaN(time) ? undefined : time;
}

/** SQLite names what is missing; the reader also wants to know what is there. */
function explainDrift(database: DatabaseSync, what: string, sql: string, error: unknown): string {
  const message = (error as Error).message;
  const table = /no such table: (\S+)/.exec(message)?.[1];
  if (table !== undefined) {
    const tables = (
      database
        .prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name")
        .all() as { name: string }[]
    ).map((row) => row.name);
    return t(
      'there is no table "{0}" (the tables are {1}); set database.{2} in offcut.json. Everything is kept until then.',
      table,
      tables.join(", ") || t("none"),
      what,
    );
  }
  const column = /no such column: (\S+)/.exec(message)?.[1];
  if (column === undefined)
    return t("database.{0} failed: {1}; set database.{0} in offcut.json. Everything is kept until then.", what, message);
  const [qualifier, name] = column.includes(".") ? column.split(".", 2) : [tableOf(sql), column];
  const columns = (database.prepare("SELECT name FROM pragma_table_info(?)").all(qualifier ?? "") as { name: string }[]).map(
    (row) => row.name,
  );
  return columns.length > 0
    ? t(
        'the table "{0}" has no column "{1}" (it has {2}); set database.{3} in offcut.json. Everything is kept until then.',
        qualifier ?? "",
        name ?? "",
        columns.join(", "),
        what,
      )
    : t(
        'the table "{0}" has no column "{1}"; set database.{2} in offcut.json. Everything is kept until then.',
        qualifier ?? "",
        name ?? "",
        what,
      );
}

/** The first table of a query, for the evidence. */
function tableOf(sql: string): string {
  return /\bfrom\s+["`[]?([A-Za-z_][\w]*)/i.exec(sql)?.[1] ?? "database";
}

/** The column behind a name in the result: `state AS status` → `state`. */
function columnOf(sql: string, name: string): string {
  return new RegExp(`([A-Za-z_][\\w.]*)\\s+as\\s+["\`]?${name}\\b`, "i").exec(sql)?.[1] ?? name;
}
