import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { DatabaseError, databaseSignature, readDatabase } from "../../core/catalog/open.ts";
import { makeWorkspace, openWriter, type Workspace, type Writer } from "../workspace.ts";

const OPEN = new URL("../../core/catalog/open.ts", import.meta.url).href;

describe("readDatabase", function () {
  this.timeout(30_000);
  let workspace: Workspace;
  let file: string;
  beforeEach(() => {
    workspace = makeWorkspace();
    file = workspace.path("data/app.db");
    workspace.sql("INSERT INTO projects (id, name, status) VALUES ('old', 'x', 'draft'), ('gone', 'x', 'draft')");
  });
  afterEach(() => workspace.dispose());

  describe("R74: the four databases", () => {
    const changes = {
      "a row only in the log": [
        "INSERT INTO projects (id, name, status) VALUES ('new', 'x', 'complete')",
        "gone=draft new=complete old=draft",
      ],
      "a row deleted in the log": ["DELETE FROM projects WHERE id = 'gone'", "old=draft"],
      "a row changed in the log": ["UPDATE projects SET status = 'complete' WHERE id = 'old'", "gone=draft old=complete"],
      "an empty log": ["", "gone=draft old=draft"],
    } as const;
    for (const [name, [sql, expected]] of Object.entries(changes)) {
      it(`R74, R13: ${name}, while its writer lives`, () => {
        const writer = openWriter(workspace);
        try {
          if (sql !== "") writer.exec(sql);
          assertReads(expected);
        } finally {
          writer.close();
        }
      });

      it(`R74, R13: ${name}, after its writer crashed, with its -shm and without`, async () => {
        const writer = openWriter(workspace);
        if (sql !== "") writer.exec(sql);
        await writer.crash();
        assert.deepEqual(readdirSync(workspace.path("data")), sql === "" ? ["app.db"] : ["app.db", "app.db-shm", "app.db-wal"]);
        assertReads(expected);
        rmSync(`${file}-shm`, { force: true });
        assertReads(expected);
      });
    }

    it("R74, R13: no log at all", () => assertReads("gone=draft old=draft"));

    it("R74: what is not committed is not seen; neither is a torn end of the log", async () => {
      const writer = openWriter(workspace);
      writer.exec("UPDATE projects SET status = 'complete' WHERE id = 'old'");
      writer.exec("BEGIN; UPDATE projects SET status = 'complete' WHERE id = 'gone'");
      assertReads("gone=draft old=complete");
      writer.exec("COMMIT");
      assertReads("gone=complete old=complete");
      await writer.crash();
      const log = readFileSync(`${file}-wal`);
      writeFileSync(`${file}-wal`, log.subarray(0, log.length - 10));
      assertReads("gone=draft old=complete");
    });

    it("R74: a link to the database leads to the log beside the real file, and to its changes", async () => {
      const writer = openWriter(workspace);
      symlinkSync(file, workspace.path("link.db"));
      const before = databaseSignature(workspace.path("link.db"));
      writer.exec("UPDATE projects SET status = 'complete' WHERE id = 'old'");
      assert.notEqual(databaseSignature(workspace.path("link.db")), before, "R17: the change is noticed through the link");
      assertReads("gone=draft old=complete", workspace.path("link.db"));
      await writer.crash();
      assertReads("gone=draft old=complete", workspace.path("link.db"));
    });

    it("R74: whatever a query tries, nothing is written", () => {
      const before = stateBeside(file);
      for (const sql of [
        "DELETE FROM projects",
        "WITH a AS (SELECT 1) DELETE FROM projects",
        "PRAGMA journal_mode = DELETE",
        "VACUUM",
        "CREATE TEMP TABLE x (y)",
        "PRAGMA user_version = 9",
      ]) {
        try {
          readDatabase(file, (database) => database.prepare(sql).all());
        } catch (error) {
          assert.ok(error instanceof DatabaseError, `${sql}: ${String(error)}`);
        }
        assert.deepEqual(stateBeside(file), before, sql);
      }
      assert.deepEqual(read(file), "gone=draft old=draft");
    });
  });

  it("R13, R74: an ordinary user reads a database in a directory that he may not write, with a log and without", async function () {
    if (process.getuid?.() !== 0) return this.skip();
    chmodSync(workspace.root, 0o755);
    chmodSync(workspace.path("data"), 0o555);
    const asUser = (): string => {
      const program = `const { readDatabase } = await import(${JSON.stringify(OPEN)}); console.log(readDatabase(${JSON.stringify(file)}, (d) => d.prepare("SELECT id FROM projects WHERE status = 'complete'").all().length));`;
      const { stdout, stderr } = spawnSync(
        "setpriv",
        ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, "--input-type=module", "-e", program],
        { encoding: "utf8", cwd: "/" },
      );
      return stdout.trim() || (/^DatabaseError: (.*)$/m.exec(stderr)?.[1] ?? stderr);
    };
    assert.equal(asUser(), "0");
    const writer = openWriter(workspace);
    writer.exec("UPDATE projects SET status = 'complete'");
    assert.equal(asUser(), "2");
    await writer.crash();
    rmSync(`${file}-shm`);
    assert.equal(asUser(), "2");
    chmodSync(file, 0o600);
    assert.equal(asUser(), "may not be read by this user");
    chmodSync(file, 0o644);
    chmodSync(workspace.path("data"), 0o700);
    assert.equal(asUser(), "may not be read by this user");
  });

  describe("R75: what cannot be read says why, and how to mend it", () => {
    it("R75: locked by a writer with a rollback journal", () => {
      workspace.sql("PRAGMA journal_mode = DELETE");
      const writer = openWriter(workspace);
      try {
        writer.exec("PRAGMA journal_mode = DELETE");
        writer.exec("BEGIN EXCLUSIVE");
        const before = stateBeside(file);
        assert.throws(() => read(file), /is locked by another program; wait until it is done and try again/);
        assert.deepEqual(stateBeside(file), before);
        writer.exec("COMMIT");
        assert.equal(read(file), "gone=draft old=draft");
      } finally {
        writer.close();
      }
    });

    it("R75, R13: a rollback journal that a crash left hot is not rolled back", async () => {
      workspace.sql("PRAGMA journal_mode = DELETE");
      const writer = openWriter(workspace);
      writer.exec("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; PRAGMA cache_spill = 1");
      writer.exec(
        "CREATE TABLE big (x); BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO big SELECT randomblob(500) FROM n; UPDATE projects SET status = 'complete'",
      );
      await writer.crash();
      assert.deepEqual(readdirSync(workspace.path("data")), ["app.db", "app.db-journal"]);
      // SQLite gives the journal to the database's owner when root opens it, which touches the journal's ctime and nothing else.
      const before = stateBeside(file, false);
      assert.throws(() => read(file), DatabaseError);
      assert.deepEqual(stateBeside(file, false), before);
    });

    it("R75: a damaged page, even one that no query touches", () => {
      workspace.sql(
        "CREATE TABLE big (x); INSERT INTO big SELECT randomblob(3000) FROM pragma_table_info('projects') a, pragma_table_info('scenes') b, pragma_table_info('scenes') c; CREATE INDEX ix ON big (x)",
      );
      const bytes = readFileSync(file);
      const page = Math.floor(bytes.length / 4096 / 2) * 4096;
      bytes.fill(0xa5, page, page + 4096);
      writeFileSync(file, bytes);
      assert.throws(() => read(file), /is damaged \(.+\); restore it from a backup/);
    });

    const broken: readonly (readonly [name: string, act: (path: string) => void, RegExp])[] = [
      ["not there", (path) => rmSync(path), /^is not there$/],
      ["a directory", (path) => (rmSync(path), mkdirSync(path)), /^is not a file$/],
      ["empty", (path) => writeFileSync(path, ""), /^is empty \(0 bytes\)$/],
      ["no database", (path) => writeFileSync(path, "x".repeat(5000)), /^is not an SQLite database$/],
      ["ten bytes", (path) => writeFileSync(path, "SQLite for"), /^is not an SQLite database$/],
      ["cut to its header", (path) => writeFileSync(path, readFileSync(path).subarray(0, 100)), /damaged|not an SQLite database/],
      ["cut in the middle", (path) => writeFileSync(path, readFileSync(path).subarray(0, 4096 * 3)), /damaged/],
      ["a link to nowhere", (path) => (rmSync(path), symlinkSync("nowhere", path)), /^is not there$/],
      ["a link in a circle", (path) => (rmSync(path), symlinkSync("app.db", path)), /./],
    ];
    for (const [name, act, expected] of broken) {
      it(`R75: ${name}`, () => {
        act(file);
        const before = readdirSync(workspace.path("data"));
        assert.throws(
          () => read(file),
          (error) => error instanceof DatabaseError && expected.test(error.message),
        );
        assert.deepEqual(readdirSync(workspace.path("data")), before);
      });
    }
  });

  it("R17: the signature changes with the database, its log and its journal", () => {
    const seen = new Set([databaseSignature(file)]);
    const writer: Writer = openWriter(workspace);
    writer.exec("UPDATE projects SET status = 'complete'");
    seen.add(databaseSignature(file));
    writer.close();
    seen.add(databaseSignature(file));
    writeFileSync(`${file}-journal`, "x");
    seen.add(databaseSignature(file));
    rmSync(`${file}-journal`);
    cpSync(file, `${file}.copy`);
    renameSync(`${file}.copy`, file);
    seen.add(databaseSignature(file));
    assert.equal(seen.size, 5);
  });

  it("R74: a hard link to the database is read as the file that it is", () => {
    linkSync(file, workspace.path("second.db"));
    assert.equal(read(workspace.path("second.db")), "gone=draft old=draft");
  });

  function assertReads(expected: string, path = file): void {
    const before = stateBeside(file);
    assert.equal(read(path), expected);
    assert.deepEqual(stateBeside(file), before, "something was written beside the database");
  }
});

function read(file: string): string {
  return readDatabase(file, rows);
}

function rows(database: DatabaseSync): string {
  return (database.prepare("SELECT id, status FROM projects ORDER BY id").all() as { id: string; status: string }[])
    .map((row) => `${row.id}=${row.status}`)
    .join(" ");
}

/** Names, sizes, times and contents of everything in the database's directory, and the time of the directory itself. */
function stateBeside(file: string, withCtime = true): object {
  const directory = join(file, "..");
  const describe = (path: string): object => {
    const { size, mtimeNs, ctimeNs, ino, mode } = lstatSync(path, { bigint: true });
    return { size, mtimeNs, ino, mode, ...(withCtime && { ctimeNs }) };
  };
  const names = readdirSync(directory);
  return {
    self: describe(directory),
    names: names.map((name) => [
      name,
      describe(join(directory, name)),
      createHash("sha256")
        .update(readFileSync(join(directory, name)))
        .digest("hex"),
    ]),
  };
}
