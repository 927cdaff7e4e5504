import assert from "node:assert/strict";
import { type DatabaseContents, readContents } from "../../core/catalog/contents.ts";
import type { DatabaseConfig } from "../../core/config/config.ts";
import { loadConfig } from "../../core/config/load.ts";
import { addProject, makeWorkspace, openWriter, type Workspace } from "../workspace.ts";

describe("readContents", function () {
  this.timeout(20_000);
  let workspace: Workspace;
  beforeEach(() => {
    workspace = makeWorkspace();
    addProject(workspace, "p1", { scenes: 1 });
  });
  afterEach(() => workspace.dispose());

  const read = (changes: Partial<DatabaseConfig> = {}): DatabaseContents => {
    const [database] = loadConfig(workspace.root).databases;
    assert.ok(database);
    return readContents({ ...database, ...changes });
  };
  const message = (contents: DatabaseContents): string =>
    contents.problems.map((problem) => `${problem.severity} ${problem.source}: ${problem.message}`).join("\n");

  it("reads owners, references by path and by ids, outputs and the override, each with its source", () => {
    workspace.sql("UPDATE user_preferences SET auto_cleanup_enabled = 0");
    const contents = read({ owners: "SELECT id, status, '2026-01-31 12:00:00' AS ended FROM projects" });
    assert.deepEqual(contents.owners, [
      { id: "p1", status: "complete", state: "succeeded", source: "projects.status", endedMs: Date.UTC(2026, 0, 31, 12) },
    ]);
    assert.deepEqual(contents.references.get("audio"), [{ owner: "p1", source: "audio_files", path: ".cache/audio/p1/scene-1.mp3" }]);
    assert.deepEqual(contents.references.get("provider"), [
      { owner: "p1", source: "visual_suggestions", ids: { provider: "nasa", video: "p1-1" } },
    ]);
    assert.deepEqual(
      contents.outputs.map((output) => output.path),
      [".cache/output/p1/final.mp4", ".cache/output/p1/final-thumb.jpg"],
    );
    assert.deepEqual(contents.override, { value: "0", source: "user_preferences in data/app.db" });
    assert.deepEqual([contents.unavailable, contents.problems], [undefined, []]);
  });

  it("S0.10: an override that is NULL or has no row leaves the switch to the environment", () => {
    assert.equal(read().override, undefined);
    workspace.sql("DELETE FROM user_preferences");
    assert.equal(read().override, undefined);
  });

  it("R75: a table that is missing is named, with those that are there and the setting to change", () => {
    workspace.sql("PRAGMA foreign_keys = OFF; ALTER TABLE projects RENAME TO films");
    const contents = read();
    assert.match(
      message(contents),
      /^error data\/app\.db: there is no table "projects" \(the tables are audio_files, films, rendered_videos, scenes, user_preferences, visual_suggestions\); set database\.owners in offcut\.json\. Everything is kept until then\.$/m,
    );
    assert.match(contents.unavailable ?? "", /^data\/app\.db: there is no table "projects"/);
  });

  it("R75: a column that was renamed is named, with its table and the columns that are there", () => {
    workspace.sql("ALTER TABLE projects RENAME COLUMN status TO state; ALTER TABLE audio_files RENAME COLUMN file_path TO url");
    const contents = read();
    assert.match(
      message(contents),
      /the table "projects" has no column "status" \(it has id, name, state, created_at, completed_at\); set database\.owners/,
    );
    assert.match(
      message(contents),
      /the table "audio_files" has no column "file_path" \(it has id, project_id, scene_id, url, duration\); set database\.references\.audio/,
    );
    workspace.sql("ALTER TABLE scenes RENAME COLUMN project_id TO film_id");
    assert.match(message(read()), /the table "scenes" has no column "project_id" \(it has id, film_id, /);
  });

  it("R75: a query whose columns have other names says so", () => {
    const contents = read({
      owners: "SELECT id, status AS state FROM projects",
      outputs: "SELECT project_id AS owner, file_path FROM rendered_videos",
      references: { audio: "SELECT project_id, file_path AS path FROM audio_files" },
    });
    assert.match(message(contents), /database\.owners gives no column "status"; name it with AS/);
    assert.match(message(contents), /database\.outputs gives no column "path"; name it with AS/);
    assert.match(message(contents), /database\.references\.audio gives no column "owner"; name it with AS/);
    assert.notEqual(contents.unavailable, undefined);
  });

  it("R75: wrong SQL makes the database unavailable and names the setting", () => {
    for (const sql of [
      "SELECT",
      "SELECT id, status FROM projects WHERE",
      "SELECT no_such_function() AS id, 1 AS status",
      "WITH a AS (SELECT 1) DELETE FROM projects",
    ]) {
      const contents = read({ owners: sql });
      assert.match(message(contents), /database\.owners/, sql);
      assert.notEqual(contents.unavailable, undefined, sql);
    }
    assert.equal(read().owners.length, 1, "nothing was deleted");
  });

  it("R75: a lock is called a lock, also when the pages are not checked", () => {
    workspace.sql("PRAGMA journal_mode = DELETE");
    const writer = openWriter(workspace);
    try {
      writer.exec("PRAGMA journal_mode = DELETE");
      writer.exec("BEGIN EXCLUSIVE");
      const [database] = loadConfig(workspace.root).databases;
      assert.ok(database);
      const contents = readContents(database, { check: false });
      assert.match(
        message(contents),
        /^error data\/app\.db: the database is locked by another program; wait until it is done and try again\. Everything is kept until it can be read\.$/,
      );
      assert.match(contents.unavailable ?? "", /locked/);
      writer.exec("COMMIT");
    } finally {
      writer.close();
    }
  });

  it("R19: what a status means: listed in any case, both kinds, unlisted, empty, NULL", () => {
    workspace.sql(
      "CREATE TABLE jobs (id, status); INSERT INTO jobs VALUES (1, 'complete'), (2, 'COMPLETE '), (3, 'failed'), (4, 'weird'), (5, ''), (6, NULL), (7, 0), (NULL, 'complete')",
    );
    const owners = read({ owners: "SELECT id, status FROM jobs" }).owners.map((owner) => `${owner.id} ${owner.state}`);
    assert.deepEqual(owners, ["1 succeeded", "2 succeeded", "3 failed", "4 running", "5 unknown", "6 unknown", "7 running"]);
    assert.deepEqual(
      read({ owners: "SELECT id, status FROM jobs WHERE id = 1", states: { succeeded: ["complete"], failed: ["Complete"] } }).owners[0]
        ?.state,
      "unknown",
    );
  });

  it("R19: ids of 64 bits, numbers as ids, and text in BLOBs are read to the letter", () => {
    workspace.sql(
      "CREATE TABLE odd (id, path); INSERT INTO odd VALUES (9007199254740993, CAST('a/b.mp3' AS BLOB)), (1.5, 7), (3, x'ff41'), (4, NULL)",
    );
    const contents = read({
      owners: "SELECT id, 'complete' AS status FROM odd",
      references: { audio: "SELECT id AS owner, path FROM odd" },
    });
    assert.deepEqual(
      contents.owners.map((owner) => owner.id),
      ["9007199254740993", "1.5", "3", "4"],
    );
    assert.deepEqual(
      contents.references.get("audio")?.map((row) => row.path),
      ["a/b.mp3", "7", "\uFFFDA", undefined],
    );
    assert.deepEqual(contents.problems, []);
  });

  it("R46, R48: dates of all usual forms are UTC; what is no date is none", () => {
    const noon = Date.UTC(2026, 0, 31, 12);
    const forms = [
      "'2026-01-31 12:00:00'",
      "'2026-01-31T12:00:00'",
      "'2026-01-31T12:00:00.000'",
      "'2026-01-31 12:00'",
      "'2026-01-31T12:00:00Z'",
      "'2026-01-31T14:00:00+02:00'",
      "'2026-01-31 12:00:00+00:00'",
      `${noon / 1000}`,
      `${noon}`,
      `'${noon / 1000}'`,
      `'${noon}'`,
      `${noon / 1000}.0`,
    ];
    const zone = process.env["TZ"];
    process.env["TZ"] = "America/New_York";
    try {
      for (const form of forms)
        assert.equal(read({ owners: `SELECT id, status, ${form} AS ended FROM projects` }).owners[0]?.endedMs, noon, form);
      for (const form of ["NULL", "''", "'soon'", "x'00'"])
        assert.equal(read({ owners: `SELECT id, status, ${form} AS ended FROM projects` }).owners[0]?.endedMs, undefined, form);
    } finally {
      if (zone === undefined) delete process.env["TZ"];
      else process.env["TZ"] = zone;
    }
  });
});
