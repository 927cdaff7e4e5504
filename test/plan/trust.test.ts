import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { configure, HOUR, itemAt, planLater, planNow, reasonOf, taken } from "./planned.ts";

describe("makePlan where it may not decide", function () {
  this.timeout(20_000);
  let workspace: Workspace;
  beforeEach(() => {
    workspace = makeWorkspace();
    addProject(workspace, "p1");
  });
  afterEach(() => workspace.dispose());

  it("R82: in an untrusted workspace no query is run and nothing can go", async () => {
    configure(workspace, {
      database: { path: "data/app.db", owners: "SELECT id, status FROM no_such_table", autoCleanup: "SELECT 'off'" },
    });
    const asked = await planLater(workspace);
    assert.match(asked.problems.map((problem) => problem.message).join(), /no_such_table/);
    const plan = await planLater(workspace, { trusted: false, orphans: true });
    assert.doesNotMatch(JSON.stringify(plan.problems), /no_such_table/);
    assert.deepEqual(taken(plan), []);
    assert.equal(plan.autoCleanup.source, "default", "nor the query for the switch");
    assert.match(itemAt(plan, ".cache/audio/p1/scene-1.mp3").evidence[0] ?? "", /not trusted/);
    assert.match(plan.problems.map((problem) => problem.message).join(), /Trust the workspace/);
  });

  it("R82: an untrusted workspace does not lead to files outside of it, directly or through a link", async () => {
    const outside = realpathSync(mkdtempSync(join(tmpdir(), "offcut-outside-")));
    try {
      symlinkSync(outside, workspace.path("door"));
      for (const root of [outside, workspace.path("door"), join(workspace.path("door"), "."), "../"]) {
        configure(workspace, { stores: { far: { path: "tmp/{project}/", role: "temp", root } } });
        const plan = await planNow(workspace, { trusted: false });
        assert.ok(
          plan.items.every((item) => item.root === workspace.root && item.store !== "far"),
          root,
        );
        assert.match(plan.problems.map((problem) => problem.message).join(), /only when the workspace is trusted/, root);
      }
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  it("R75: a database that lists no projects while the tree is full keeps everything and asks whether it is the right one", async () => {
    workspace.sql("DELETE FROM projects");
    const plan = await planLater(workspace, { orphans: true });
    assert.deepEqual(taken(plan), []);
    assert.match(
      plan.problems.map((problem) => problem.message).join(),
      /data\/app\.db lists no projects, but there are \d+ files; is it the right database\? Everything is kept/,
    );
  });

  it("R75, R76: a root that is not there keeps everything and makes nothing", async () => {
    configure(workspace, { stores: { far: { path: "tmp/{project}/", role: "temp", root: "drive" } } });
    const plan = await planLater(workspace);
    assert.deepEqual(taken(plan), []);
    assert.equal(readdirSync(workspace.root).includes("drive"), false);
    assert.match(plan.problems.map((problem) => problem.message).join(), /unreachable/);
  });

  it("R75: a missing or unreadable database keeps everything and says why", async () => {
    for (const [path, expected] of [
      ["data/other.db", /is not there/],
      ["data", /is not a file/],
      ["offcut.json", /is not an SQLite database/],
      ["offcut.json/x.db", /is not there/],
    ] as const) {
      configure(workspace, { database: { path } });
      const plan = await planLater(workspace, { orphans: true });
      assert.deepEqual(taken(plan), []);
      assert.match(itemAt(plan, ".cache/audio/p1/scene-1.mp3").evidence[0] ?? "", expected);
      assert.equal(reasonOf(plan, ".cache/audio/p1/scene-1.mp3"), "keep: catalog-unavailable");
    }
  });

  it("R30: without a database nobody owns anything: all of it is shown, and taken by hand only", async () => {
    const alone = makeWorkspace({ schema: false });
    try {
      addProject(alone, "p1");
      alone.write(
        "offcut.json",
        Buffer.from(`{ "stores": { "audio": { "path": ".cache/audio/{project}/scene-{n}.mp3", "role": "intermediate" } } }`),
      );
      const later = { now: () => Date.now() + 2 * HOUR };
      assert.equal(reasonOf(await planNow(alone, later), ".cache/audio/p1/scene-1.mp3"), "keep: orphan");
      assert.equal(taken(await planNow(alone, { ...later, orphans: true })).length, 2);
      alone.write("offcut.json", Buffer.from("{}"));
      assert.deepEqual((await planNow(alone)).items, []);
      rmSync(alone.path("offcut.json"));
      assert.match((await planNow(alone)).problems[0]?.message ?? "", /is not there .* knows no stores and keeps everything/);
    } finally {
      alone.dispose();
    }
  });
});
