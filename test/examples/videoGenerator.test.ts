import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findFfmpeg } from "../../examples/ffmpeg.ts";
import { createProject, openDatabase, renderProject, type SceneDraft } from "../../examples/video-generator/pipeline.ts";

const MAIN = fileURLToPath(new URL("../../examples/video-generator/main.ts", import.meta.url));

describe("video generator", function () {
  this.timeout(60_000);
  let demo: string;
  let root: string;

  before(() => {
    demo = mkdtempSync(join(tmpdir(), "offcut-demo-"));
    execFileSync(process.execPath, [MAIN, demo], { stdio: "pipe" });
  });
  after(() => rmSync(demo, { recursive: true, force: true }));
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "offcut-render-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it("leaves every intermediate of a finished project, and a final that plays", () => {
    assert.deepEqual(
      names(demo, ".cache/audio/sunrise"),
      [1, 2, 3, 4, 5, 6].map((n) => `scene-${n}.mp3`),
    );
    assert.deepEqual(names(demo, ".cache/assembly/sunrise"), ["concat.txt", ...[1, 2, 3, 4, 5, 6].map((n) => `scene-${n}.mp4`)]);
    assert.equal(names(demo, ".cache/videos/sunrise").length, 6);
    assert.deepEqual(names(demo, ".cache/output/sunrise"), ["final-thumb.jpg", "final.mp4"]);
    assertPlays(join(demo, ".cache/output/sunrise/final.mp4"));
    assertPlays(join(demo, ".cache/output/sunrise/final-thumb.jpg"));
  });

  it("names exactly the files that exist in its rows", () => {
    const paths = query(
      demo,
      `SELECT file_path AS path FROM audio_files UNION ALL
       SELECT default_segment_path FROM visual_suggestions WHERE default_segment_path IS NOT NULL UNION ALL
       SELECT file_path FROM rendered_videos UNION ALL SELECT thumbnail_path FROM rendered_videos`,
    ).map((row) => String(row["path"]));
    assert.deepEqual(
      paths.filter((path) => !existsSync(join(demo, path))),
      [],
    );
    const written = ["audio", "videos", "output"].flatMap((kind) =>
      names(demo, `.cache/${kind}`).flatMap((id) => names(demo, `.cache/${kind}/${id}`).map((name) => `.cache/${kind}/${id}/${name}`)),
    );
    assert.deepEqual(paths.toSorted(), written.toSorted());
    assert.deepEqual(query(demo, "PRAGMA user_version")[0]?.["user_version"], 7);
    assert.deepEqual(query(demo, "PRAGMA journal_mode")[0]?.["journal_mode"], "wal");
  });

  it("makes one finished, one running and one failed project", () => {
    assert.deepEqual(statuses(demo), { glacier: "failed", harbor: "rendering", sunrise: "complete" });
    assert.equal(names(demo, ".cache/audio/harbor").length, 2);
    assert.deepEqual(names(demo, ".cache/output"), ["sunrise"]);
    const ended = query(demo, "SELECT id FROM projects WHERE completed_at IS NOT NULL").map((row) => row["id"]);
    assert.deepEqual(ended, ["sunrise"]);
  });

  it("the finished and the running project use one provider clip", () => {
    const shared = query(
      demo,
      `SELECT provider || '/' || video_id AS clip FROM visual_suggestions JOIN scenes ON scenes.id = scene_id
       GROUP BY clip HAVING group_concat(DISTINCT project_id) IN ('sunrise,harbor', 'harbor,sunrise')`,
    );
    assert.equal(shared.length, 1);
    assert.ok(existsSync(join(demo, `assets/cache/${String(shared[0]?.["clip"])}.mp4`)));
  });

  it("writes settings that a second run leaves alone", () => {
    const read = (name: string): string => readFileSync(join(root, name), "utf8");
    execFileSync(process.execPath, [MAIN, root, "--projects", "glacier"], { stdio: "pipe" });
    assert.match(read("offcut.json"), /"preset": "video-generator"/);
    assert.match(read(".env"), /^AUTO_CLEANUP_ENABLED=true$/m);
    assert.match(read(".gitignore"), /^\.offcut\/$/m);
    const clip = join(root, "assets/cache/nasa/ice-core.mp4");
    const first = readFileSync(clip);

    execFileSync(process.execPath, [MAIN, root, "--projects", "glacier"], { stdio: "pipe" });
    assert.ok(readFileSync(clip).equals(first), "the cached clip was fetched again");
    assert.equal(query(root, "SELECT count(*) AS n FROM audio_files")[0]?.["n"], 2);
  });

  it("an aborted render is failed, keeps what it made and leaves no half file", async () => {
    createProject(root, { id: "p1", scenes: scenes(4) });
    const abort = new AbortController();
    const log = (message: string): void => {
      if (message.includes("scene")) abort.abort(new Error("stopped by the test"));
    };
    await assert.rejects(renderProject(root, "p1", { signal: abort.signal, log }), /stopped by the test/);

    assert.deepEqual(statuses(root), { p1: "failed" });
    assert.ok(!existsSync(join(root, ".cache/output/p1/final.mp4")));
    assert.deepEqual(query(root, "SELECT * FROM rendered_videos"), []);
    assert.ok(names(root, ".cache/audio/p1").length >= 1);
    const clips = names(root, "assets/cache/nasa");
    assert.deepEqual(
      clips.filter((name) => !name.endsWith(".mp4")),
      [],
    );
    for (const clip of clips) assertPlays(join(root, "assets/cache/nasa", clip));
  });

  it("an abort while the scenes are joined leaves no half final", async () => {
    createProject(root, { id: "p1", scenes: scenes(2) });
    await renderProject(root, "p1", { size: "160x90" });
    rmSync(join(root, ".cache/output"), { recursive: true });
    const abort = new AbortController();
    const output = join(root, ".cache/output/p1");
    const stopWhenJoining = (): void => {
      if (existsSync(output) && names(output, ".").some((name) => name.endsWith(".part"))) abort.abort(new Error("stopped by the test"));
      else if (!settled) setImmediate(stopWhenJoining);
    };
    let settled = false;
    setImmediate(stopWhenJoining);
    const render = renderProject(root, "p1", { size: "160x90", signal: abort.signal }).finally(() => {
      settled = true;
    });
    await assert.rejects(render, /stopped by the test/);
    assert.deepEqual(statuses(root), { p1: "failed" });
    assert.deepEqual(names(output, "."), []);

    await renderProject(root, "p1", { size: "160x90" });
    assert.deepEqual(statuses(root), { p1: "complete" });
    assertPlays(join(root, ".cache/output/p1/final.mp4"));
  });

  it("a scene that fails makes the project failed and says which", async () => {
    createProject(root, { id: "p1", scenes: scenes(3) });
    await assert.rejects(renderProject(root, "p1", { size: "160x90", failAt: 2 }), /nasa has no clip clip-2 \(scene 2 of p1\)/);
    assert.deepEqual(statuses(root), { p1: "failed" });
  });

  it("refuses an id that would leave its directory", () => {
    assert.throws(() => createProject(root, { id: "../p1", scenes: scenes(1) }), /cannot be part of a path/);
    assert.ok(!existsSync(join(root, "data/app.db")));
  });
});

function scenes(count: number): SceneDraft[] {
  return Array.from({ length: count }, (_, index) => ({ text: "two words", provider: "nasa", video: `clip-${index + 1}` }));
}

function names(root: string, directory: string): string[] {
  return readdirSync(join(root, directory)).sort();
}

function statuses(root: string): Record<string, unknown> {
  return Object.fromEntries(query(root, "SELECT id, status FROM projects ORDER BY id").map((row) => [row["id"], row["status"]]));
}

function query(root: string, sql: string): Record<string, unknown>[] {
  const database = openDatabase(root);
  try {
    return database
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    database.close();
  }
}

/** Decodes every frame; any complaint of ffmpeg is a failure. */
function assertPlays(file: string): void {
  const { status, stderr } = spawnSync(findFfmpeg(), ["-nostdin", "-v", "error", "-xerror", "-i", file, "-f", "null", "-"]);
  assert.deepEqual({ status, stderr: stderr.toString() }, { status: 0, stderr: "" }, file);
}
