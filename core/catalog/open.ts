/**
 * Opens a user's SQLite database so that its write-ahead log is visible and nothing is written beside it (R13, R74).
 *
 * | the database | how it is read |
 * |---|---|
 * | WAL mode, no log or an empty one | `immutable=1`: a plain read-only open would create `-shm` and `-wal` |
 * | WAL mode with a log | a private copy of database and log: even a read-only open marks the `-shm`, and creates it after a crash |
 * | WAL mode with a log, too large to copy | read-only, with a busy timeout |
 * | rollback journal | read-only, with a busy timeout |
 *
 * The first two are taken again when database or log changed meanwhile.
 */
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { statKey } from "./paths.ts";
import type * as Sqlite from "node:sqlite";
import type { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { t } from "@vscode/l10n";

/** Why a database could not be read, in words for the view. */
export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  /** The SQLite result code, when SQLite said no. */
  readonly code?: number;

  constructor(message: string, code?: number) {
    super(message);
    if (code !== undefined) this.code = code;
  }
}

/** Databases up to this size are copied to be read, bytes. */
const COPY_LIMIT = 256 * 1024 ** 2;
const BUSY_TIMEOUT_MS = 2000;
const ATTEMPTS = 20;
const WAL_HEADER_BYTES = 32;

/** What changes whenever the content may have changed: database, log and journal. */
export function databaseSignature(file: string): string {
  const real = realFile(file);
  return ["", "-wal", "-journal"].map((suffix) => statKey(real + suffix)).join("|");
}

/** Signatures of databases whose pages were found whole: a refresh of the same bytes need not read them all again. */
const checkedPages = new Map<string, string>();

/** SQLite follows a link to the database and keeps the log beside the real file. */
function realFile(file: string): string {
  try {
    return fs.realpathSync.native(file);
  } catch {
    return file; // It is missing or may not be reached: opening it says so.
  }
}

/**
 * Calls `read` with an open, read-only database and returns its result. Throws a {@link DatabaseError} when the file is
 * missing, locked, no database or damaged.
 */
export function readDatabase<T>(file: string, read: (database: DatabaseSync) => T, options: { readonly check?: boolean } = {}): T {
  const { DatabaseSync } = loadSqlite();
  for (let attempt = 1; ; attempt++) {
    let before = "";
    let source: Source | undefined;
    let database: DatabaseSync | undefined;
    let result: { readonly value: T } | undefined;
    let failure: unknown;
    try {
      before = databaseSignature(file);
      source = chooseSource(realFile(file));
      database = new DatabaseSync(source.location, { readOnly: source.readOnly });
      database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA query_only = 1`);
      if (options.check !== false && checkedPages.get(file) !== before) {
        checkPages(database);
        checkedPages.set(file, before);
      }
      result = { value: read(database) };
    } catch (error) {
      failure = error;
    } finally {
      database?.close();
      source?.dispose();
    }
    // A change meanwhile explains a failure as well as it spoils a result.
    const moved = source?.snapshot === true && databaseSignature(file) !== before;
    if (moved && attempt < ATTEMPTS) continue;
    if (moved) throw new DatabaseError(t("changes faster than it can be read; try again when the pipeline is quieter"));
    if (result) return result.value;
    throw explain(failure);
  }
}

interface Source {
  readonly location: string | URL;
  readonly readOnly: boolean;
  /** The bytes are only right if nothing changed while they were read. */
  readonly snapshot: boolean;
  dispose(): void;
}

function chooseSource(file: string): Source {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (!stat) throw new DatabaseError(t("is not there"));
  if (!stat.isFile()) throw new DatabaseError(t("is not a file"));
  if (stat.size === 0) throw new DatabaseError(t("is empty (0 bytes)"));
  const plain: Source = { location: file, readOnly: true, snapshot: false, dispose() {} };
  if (!isWalMode(file)) return plain;
  const wal = fs.statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (wal <= WAL_HEADER_BYTES) {
    const location = pathToFileURL(file);
    location.searchParams.set("immutable", "1");
    return { location, readOnly: true, snapshot: true, dispose() {} };
  }
  if (stat.size + wal > COPY_LIMIT) return plain;
  return copyOf(file);
}

function copyOf(file: string): Source {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-db-"));
  const dispose = (): void => fs.rmSync(directory, { recursive: true, force: true });
  const copy = path.join(directory, "db");
  try {
    fs.copyFileSync(file, copy, fs.constants.COPYFILE_FICLONE);
    fs.copyFileSync(`${file}-wal`, `${copy}-wal`, fs.constants.COPYFILE_FICLONE);
  } catch (error) {
    // The log may go while it is copied: the signature differs then, and the caller takes another look.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      dispose();
      throw error;
    }
  }
  return { location: copy, readOnly: false, snapshot: true, dispose };
}

/** Bytes 18 and 19 of the header are 2 in WAL mode (sqlite.org/fileformat2.html, section 1.3). */
function isWalMode(file: string): boolean {
  const handle = fs.openSync(file, "r");
  try {
    const header = Buffer.alloc(20);
    const length = fs.readSync(handle, header, 0, 20, 0);
    if (length < 20 || header.toString("latin1", 0, 16) !== "SQLite format 3\0") throw new DatabaseError(t("is not an SQLite database"));
    return header[18] === 2 || header[19] === 2;
  } finally {
    fs.closeSync(handle);
  }
}

/** Only this finds damaged pages that a query happens not to touch. */
function checkPages(database: DatabaseSync): void {
  const row = database.prepare("PRAGMA quick_check(1)").get();
  const word = Object.values(row ?? {})[0];
  if (word !== "ok")
    throw new DatabaseError(
      t(
        'is damaged ({0}); restore it from a backup or run ".recover" of the sqlite3 program',
        `quick_check: ${String(word)
          .replace(/^\*{3}.*\*{3}\s+/, "")
          .replaceAll(/\s+/g, " ")}`,
      ),
    );
}

function explain(error: unknown): Error {
  if (error instanceof DatabaseError) return error;
  const { errcode, code, message } = error as { errcode?: number; code?: string; message: string };
  switch (errcode === undefined ? undefined : errcode & 0xff) {
    case 5:
    case 6:
      return new DatabaseError(t("is locked by another program; wait until it is done and try again"), errcode);
    case 11:
      return new DatabaseError(t('is damaged ({0}); restore it from a backup or run ".recover" of the sqlite3 program', message), errcode);
    case 26:
      return new DatabaseError(t("is not an SQLite database"), errcode);
    case undefined:
      if (code === "ENOENT" || code === "ENOTDIR") return new DatabaseError(t("is not there"));
      return code === "EACCES" || code === "EPERM" ? new DatabaseError(t("may not be read by this user")) : new DatabaseError(message);
    default:
      return new DatabaseError(message, errcode);
  }
}

let sqlite: typeof Sqlite | undefined;

/** Loaded when first needed: a runtime without it can still do everything else. */
export function loadSqlite(): typeof Sqlite {
  if (sqlite) return sqlite;
  try {
    sqlite = createRequire(import.meta.url)("node:sqlite") as typeof Sqlite;
    return sqlite;
  } catch {
    throw new DatabaseError(
      t(
        "needs node:sqlite, which this runtime (Node {0}) does not have; use Node 22.13 or newer, or VS Code 1.101 or newer (a few builds of mid-2025 lack it: update)",
        process.versions.node,
      ),
    );
  }
}
