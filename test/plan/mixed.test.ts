import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, renameSync } from "node:fs";
import { cleanUp } from "../../core/cleanUp.ts";
import { loadConfig } from "../../core/config/load.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { configure, itemAt, planLater, planNow, reasonOf, taken } from "./planned.ts";

const AUDIO = ".cache/audio/p1/scene-1.mp3";

describe("directories that hold more than media, and rows that name more than files", () => {
  let workspace: Workspace;
  beforeEach(() => {
    workspace = makeWorkspace();
    addProject(workspace, "p1");
    addProject(workspace, "p2", { status: "rendering", scenes: 1 });
  });
  afterEach(() => workspace.dispose());

  it("R19 R28: a database in a store is never taken, neither by the plan nor by the sink, nor are its logs", async () => {
    renameSync(workspace.path("data/app.db"), workspace.path(".cache/assembly/p1/app.db"));
    configure(workspace, { database: { path: ".cache/assembly/p1/app.db" } });
    workspace.write(".cache/assembly/p1/app.db-wal", 0);
    const plan = await planLater(workspace);
    assert.equal(reasonOf(plan, ".cache/assembly/p1/app.db"), "keep: state-file");
    assert.equal(reasonOf(plan, ".cache/assembly/p1/app.db-wal"), "keep: state-file");
    const item = itemAt(plan, ".cache/assembly/p1/app.db");
    const forged = { ...(await planNow(workspace)), items: [{ ...item, verdict: "reclaim" as const, reason: "owner-succeeded" as const }] };
    const result = await cleanUp(loadConfig(workspace.root), forged, { environment: {} });
    assert.equal(result.deletedFiles, 0);
    assert.ok(workspace.files().includes(".cache/assembly/p1/app.db"));
  });

  it("R19: other state in a directory that is taken as a whole stays too, media with a named extension do not", async () => {
    for (const name of ["cache.sqlite", "index.db-journal", ".env", ".gitkeep"]) workspace.write(`.cache/assembly/p1/${name}`, 10);
    workspace.write(".cache/assembly/p1/part.mp4", 10);
    const plan = await planLater(workspace);
    for (const name of ["cache.sqlite", "index.db-journal", ".env", ".gitkeep"])
      assert.equal(reasonOf(plan, `.cache/assembly/p1/${name}`), "keep: state-file", name);
    assert.ok(taken(plan).includes(".cache/assembly/p1/part.mp4"));
  });

  it("R28 R34: an output that is a directory keeps all that is in it, and proves nothing", async () => {
    workspace.write(".cache/assembly/p1/hls/seg1.ts", 10);
    workspace.sql("INSERT INTO rendered_videos (id, project_id, file_path) VALUES ('hls', 'p1', '.cache/assembly/p1/hls/')");
    const plan = await planLater(workspace);
    assert.equal(reasonOf(plan, ".cache/assembly/p1/hls/seg1.ts"), "keep: final-output");
    assert.equal(reasonOf(plan, AUDIO), "keep: final-unverified");
  });

  it("R34: an output without an extension that is not there is a doubt; a missing thumbnail is none", async () => {
    workspace.sql("UPDATE rendered_videos SET thumbnail_path = 'nowhere.jpg' WHERE project_id = 'p1'");
    assert.ok(taken(await planLater(workspace)).includes(AUDIO));
    workspace.sql("INSERT INTO rendered_videos (id, project_id, file_path) VALUES ('x', 'p1', 'exports/p1')");
    assert.equal(reasonOf(await planLater(workspace), AUDIO), "keep: final-unverified");
  });

  it("R26 R19: a directory that an unfinished project refers to keeps all that is in it", async () => {
    for (const path of [".cache/audio/p1", ".cache/audio/p1/", ".cache/audio"]) {
      workspace.sql(`UPDATE audio_files SET file_path = '${path}' WHERE project_id = 'p2'`);
      assert.equal(reasonOf(await planLater(workspace), AUDIO), "keep: referenced", path);
    }
  });

  it("R19: a row of an unfinished project that leads nowhere keeps its store, and says so; a file that is not made yet does not", async () => {
    for (const path of ["/api/media/.cache/audio/p1/scene-1.mp3", `${AUDIO}?v=2`, ` ${AUDIO}`, `${AUDIO}\n`, '["a.mp3"]']) {
      workspace.sql(`UPDATE audio_files SET file_path = '${path}' WHERE project_id = 'p2'`);
      const plan = await planLater(workspace);
      assert.equal(itemAt(plan, AUDIO).verdict, "keep", JSON.stringify(path));
      assert.ok(
        plan.problems.some((problem) => /audio_files of p2: the path .* fits no store/.test(problem.message)),
        JSON.stringify(path),
      );
    }
    workspace.sql("UPDATE audio_files SET file_path = '.cache/audio/p2/scene-77.mp3' WHERE project_id = 'p2'");
    const plan = await planLater(workspace);
    assert.ok(taken(plan).includes(AUDIO));
    assert.deepEqual(plan.problems, []);
  });

  it("R28: a configuration inside a store stays: a workspace of its own may begin there", async () => {
    mkdirSync(workspace.path(".cache/assembly/p1"), { recursive: true });
    copyFileSync(workspace.path("offcut.json"), workspace.path(".cache/assembly/p1/offcut.json"));
    const { items } = await planLater(workspace);
    assert.deepEqual(
      items.filter((item) => item.path.endsWith("offcut.json")).map((item) => [item.verdict, item.reason]),
      [["keep", "state-file"]],
    );
  });
});
