import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MIGRATION, migrate, planMigration } from "../../core/catalog/write.ts";
import type { DatabaseConfig, StatusTable } from "../../core/config/config.ts";
import { loadConfig } from "../../core/config/load.ts";
import { cleanUp } from "../../core/cleanUp.ts";
import { undo } from "../../core/runs.ts";
import { addProject, openWriter, type Workspace } from "../workspace.ts";
import { ageFinals, AUDIO, canChattr, clean, environment, makeReady, planFor, sameStates, takenOf, withImmutable } from "./world.ts";

const SECOND = ".cache/audio/p1/scene-2.mp3";

describe("status tracking", function () {
  this.timeout(20_000);
  let workspace: Workspace;

  beforeEach(() => {
    workspace = makeReady();
  });
  afterEach(() => workspace.dispose());

  const turnOn = (): { readonly database: DatabaseConfig; readonly table: StatusTable } => {
    workspace.write(
      "offcut.json",
      Buffer.from(JSON.stringify({ preset: "video-generator", database: { path: "data/app.db", trackStatus: true } })),
    );
    const database = loadConfig(workspace.root).databases[0];
    assert.ok(database?.trackStatus);
    return { database, table: database.trackStatus };
  };
  const backups = () => workspace.path(".offcut/backups");
  const migrated = (): void => {
    const { database, table } = turnOn();
    migrate(database, table, backups(), "1");
  };
  const query = (sql: string, file = workspace.path("data/app.db")): Record<string, unknown>[] => {
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      return database
        .prepare(sql)
        .all()
        .map((row) => Object.assign({}, row));
    } finally {
      database.close();
    }
  };
  const statusOf = (id: string) => query(`SELECT cleanup_status AS status, cleanup_completed_at AS at FROM projects WHERE id = '${id}'`)[0];

  describe("migration", () => {
    it("S0.11 R13: a dry run says what it would do and writes nothing", () => {
      const { database, table } = turnOn();
      const before = workspace.snapshot({ everything: true });
      const { statements, notes } = planMigration(database, table);
      assert.equal(statements.length, 4);
      assert.match(
        statements.join("\n"),
        /cleanup_status TEXT .*'pending', 'complete', 'failed'[^]*cleanup_completed_at[^]*"idx_projects_cleanup_status"[^]*user_version = 8/,
      );
      assert.deepEqual(notes, []);
      sameStates(before, workspace.snapshot({ everything: true }));
    });

    it("S0.11: it adds columns and index, moves user_version from 7 to 8, and leaves a backup that can be opened; twice is once", () => {
      const { database, table } = turnOn();
      const rows = query("SELECT * FROM projects ORDER BY id");
      const backup = migrate(database, table, backups(), "1");
      assert.ok(backup);
      assert.equal(path.dirname(backup), backups());
      assert.deepEqual(
        query("SELECT * FROM projects ORDER BY id"),
        rows.map((row) => ({ ...row, cleanup_status: "pending", cleanup_completed_at: null })),
      );
      assert.equal(query("PRAGMA user_version")[0]?.["user_version"], MIGRATION.version);
      assert.equal(
        query("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'idx_projects_cleanup_status' AND type = 'index'")[0]?.["n"],
        1,
      );
      assert.deepEqual(query("SELECT * FROM projects ORDER BY id", backup), rows);
      assert.equal(query("PRAGMA integrity_check", backup)[0]?.["integrity_check"], "ok");
      assert.equal(query("PRAGMA user_version", backup)[0]?.["user_version"], 7);
      assert.throws(() => workspace.sql("PRAGMA ignore_check_constraints = OFF; UPDATE projects SET cleanup_status = 'nonsense'"), /CHECK/);
      const after = workspace.snapshot({ everything: true });
      assert.equal(migrate(database, table, backups(), "2"), undefined);
      sameStates(after, workspace.snapshot({ everything: true }));
    });

    it("S0.11: a user_version that is not 7 is somebody else's and stays", () => {
      workspace.sql("PRAGMA user_version = 12");
      const { database, table } = turnOn();
      assert.match(planMigration(database, table).notes.join(), /user_version is 12, not 7/);
      migrate(database, table, backups(), "1");
      assert.equal(query("PRAGMA user_version")[0]?.["user_version"], 12);
      assert.equal(statusOf("p1")?.["status"], "pending");
    });

    it("S0.11: what half is there is completed, and what fails is rolled back as a whole", () => {
      workspace.sql("ALTER TABLE projects ADD COLUMN cleanup_status TEXT");
      const { database, table } = turnOn();
      assert.equal(planMigration(database, table).statements.length, 3);
      const writer = openWriter(workspace);
      try {
        writer.exec("BEGIN IMMEDIATE");
        assert.throws(() => migrate(database, table, backups(), "1"), /could not be written: database is locked/);
        writer.exec("ROLLBACK");
      } finally {
        writer.close();
      }
      assert.equal(query("PRAGMA user_version")[0]?.["user_version"], 7);
      assert.ok(migrate(database, table, backups(), "2"));
      assert.throws(() => planMigration(database, { table: "nothing", id: "id" }), /has no table "nothing"/);
    });
  });

  it("R74: without trackStatus the database is never written, not even its time", async () => {
    const before = workspace.snapshot({ everything: true });
    await clean(workspace);
    await undo(loadConfig(workspace.root), undefined);
    await clean(workspace, { undoMs: 0 });
    const after = workspace.snapshot({ everything: true });
    for (const file of [...before.keys(), ...after.keys()].filter((name) => name.startsWith("data/")))
      assert.deepEqual(after.get(file), before.get(file), file);
  });

  it("S0.11 R77: a cleaned project is complete with a time, an undone one says again what it said", async () => {
    migrated();
    workspace.sql("UPDATE projects SET cleanup_status = 'failed' WHERE id = 'p1'");
    await clean(workspace);
    assert.equal(statusOf("p1")?.["status"], "complete");
    assert.ok(Math.abs(Date.parse(String(statusOf("p1")?.["at"])) - Date.now()) < 10_000);
    assert.deepEqual(statusOf("p2"), { status: "pending", at: null });
    await undo(loadConfig(workspace.root), undefined);
    assert.deepEqual(statusOf("p1"), { status: "failed", at: null });
  });

  it("S0.11: a project with a file that failed is failed, one with a file that was kept is pending", async function () {
    migrated();
    if (!canChattr(workspace)) this.skip(); // Needs root and a filesystem with an immutable flag.
    await withImmutable(workspace.path(AUDIO), async () => {
      const result = await clean(workspace);
      assert.equal(result.errors.length, 1);
      assert.deepEqual(statusOf("p1"), { status: "failed", at: null });
    });
    const { config, plan } = await planFor(workspace);
    fs.appendFileSync(workspace.path(AUDIO), "x");
    await cleanUp(config, plan, { environment });
    assert.deepEqual(statusOf("p1"), { status: "pending", at: null });
  });

  it("S0.11: a project that a cancelled run did not reach is pending", async () => {
    const large = makeReady({ scenes: 90 });
    workspace.dispose();
    workspace = large;
    addProject(workspace, "p9");
    ageFinals(workspace);
    migrated();
    const { config, plan } = await planFor(workspace);
    const stop = new AbortController();
    const own = plan.items.filter((item) => item.owner === "p9");
    const filler = plan.items.filter((item) => item.owner === "p1" && item.verdict === "reclaim").slice(0, 256);
    assert.equal(filler.length, 256);
    await cleanUp(config, { ...plan, items: [...filler, ...own] }, { environment, signal: stop.signal, onRunProgress: () => stop.abort() });
    assert.ok(own.every((item) => fs.existsSync(workspace.path(item.path))));
    assert.deepEqual(statusOf("p9"), { status: "pending", at: null });
  });

  it("R77: when the database is locked the files are done, the row is reported, and the next run repairs it", async () => {
    migrated();
    const writer = openWriter(workspace);
    try {
      writer.exec("BEGIN IMMEDIATE");
      const result = await clean(workspace);
      assert.ok(result.deletedFiles > 0 && !fs.existsSync(workspace.path(AUDIO)));
      assert.deepEqual(
        result.errors.map((error) => error.path),
        ["data/app.db"],
      );
      assert.match(result.errors[0]?.message ?? "", /the next cleanup repairs it/);
      writer.exec("ROLLBACK");
    } finally {
      writer.close();
    }
    assert.equal(statusOf("p1")?.["status"], "pending");
    addProject(workspace, "p5");
    ageFinals(workspace);
    await clean(workspace);
    assert.equal(statusOf("p1")?.["status"], "complete");
    assert.equal(statusOf("p5")?.["status"], "complete");
  });

  it("R77: a row that was repaired once is not written again over what came later", async () => {
    migrated();
    const writer = openWriter(workspace);
    writer.exec("BEGIN IMMEDIATE");
    const { run } = await clean(workspace);
    writer.exec("ROLLBACK");
    writer.close();
    workspace.write(".cache/assembly/p1/late.mp4");
    await clean(workspace); // Repairs the first run's row.
    await undo(loadConfig(workspace.root), run);
    assert.equal(statusOf("p1")?.["status"], "pending");
    addProject(workspace, "p6");
    ageFinals(workspace);
    await clean(workspace, { selection: { projects: ["p6"] } });
    assert.equal(statusOf("p1")?.["status"], "pending", "the files are back, and the row says so");
  });

  it("R77: a database that nobody may read when the status is written is repaired as well", async () => {
    migrated();
    workspace.sql("PRAGMA journal_mode = DELETE");
    const locker = new DatabaseSync(workspace.path("data/app.db"));
    const { config, plan } = await planFor(workspace);
    let locked = false;
    const result = await cleanUp(config, plan, {
      environment,
      onRunProgress: () => {
        if (!locked) locker.exec("BEGIN EXCLUSIVE");
        locked = true;
      },
    });
    assert.deepEqual([result.deletedFiles, result.errors.map((error) => error.path)], [takenOf(plan).length, ["data/app.db"]]);
    locker.exec("ROLLBACK");
    locker.close();
    addProject(workspace, "p5");
    ageFinals(workspace);
    await clean(workspace, { selection: { projects: ["p5"] } });
    assert.equal(statusOf("p1")?.["status"], "complete");
    await undo(loadConfig(workspace.root), result.run);
    assert.deepEqual(statusOf("p1"), { status: "pending", at: null });
  });

  it("R77: a read-only database is reported, the files are done, and it is repaired when it can be written", async function () {
    migrated();
    if (!canChattr(workspace)) this.skip(); // Root writes read-only files; only the immutable flag stops it.
    const result = await withImmutable(workspace.path("data/app.db"), () => clean(workspace));
    assert.ok(result.deletedFiles > 0);
    assert.deepEqual(
      result.errors.map((error) => error.path),
      ["data/app.db"],
    );
    addProject(workspace, "p5");
    ageFinals(workspace);
    await clean(workspace);
    assert.equal(statusOf("p1")?.["status"], "complete");
  });

  it("R63: one file that comes back makes its project pending again, and an undo in two parts ends where it began", async () => {
    migrated();
    const { run } = await clean(workspace);
    const config = loadConfig(workspace.root);
    await undo(config, run, { paths: [AUDIO] });
    assert.deepEqual(statusOf("p1"), { status: "pending", at: null });
    await undo(config, run, { paths: [SECOND] });
    await undo(config, run);
    assert.deepEqual(statusOf("p1"), { status: "pending", at: null });
  });

  it("S0.11: without the columns the files are done and the mend is named", async () => {
    turnOn();
    const result = await clean(workspace);
    assert.ok(result.deletedFiles > 0);
    assert.match(result.errors[0]?.message ?? "", /no such column: cleanup_status/);
  });
});
