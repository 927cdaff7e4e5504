import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { cleanupProjectFiles, type Logger } from "../../runtime/index.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";

describe("cleanupProjectFiles", () => {
  let ws: Workspace;
  let lines: string[];
  let logger: Logger;

  beforeEach(() => {
    ws = makeWorkspace();
    ws.write("offcut.json", Buffer.from('{ "preset": "video-generator", "policy": { "undo": "0h", "grace": "0s" } }'));
    addProject(ws, "p1", { scenes: 10 });
    addProject(ws, "p2", { scenes: 1 });
    lines = [];
    const write = (message: string): void => void lines.push(message);
    logger = { info: write, warn: write, error: write };
  });
  afterEach(() => ws.dispose());

  const clean = (environment: Record<string, string> = {}) => cleanupProjectFiles("p1", { root: ws.root, logger, environment });

  it("S0.12 S0.15 R45: called at the end of a job it cleans that job at once, returns what was deleted and freed, and logs the line of S0.8", async () => {
    const before = ws.files().length;
    const result = await clean();
    assert.equal(result.deletedFiles, before - ws.files().length);
    assert.ok(result.deletedFiles >= 20 && result.freedSpace > 0);
    assert.deepEqual(result.errors, []);
    assert.ok(
      lines.some((line) => /^Cleanup: Deleted \d+ files, freed \d+\.\d\d MB$/.test(line)),
      lines.join("\n"),
    );
    assert.ok(ws.files().includes(".cache/output/p1/final.mp4"));
    assert.ok(!ws.files().includes(".cache/audio/p1/scene-1.mp3"));
    assert.ok(ws.files().includes(".cache/audio/p2/scene-1.mp3"), "another project is left alone");
  });

  it("S0.10 S0.16: AUTO_CLEANUP_ENABLED=false leaves everything in place", async () => {
    const before = ws.snapshot({ everything: true });
    assert.deepEqual(await clean({ AUTO_CLEANUP_ENABLED: "false" }), {
      deletedFiles: 0,
      freedSpace: 0,
      heldSpace: 0,
      errors: [],
      skipped: [],
    });
    assert.deepEqual(ws.snapshot({ everything: true }), before);
  });

  it("R33: an automatic cleanup leaves the download cache alone unless it was allowed to", async () => {
    await clean();
    assert.ok(ws.files().some((file) => file.startsWith("assets/cache/nasa/p1-")));
    ws.write(
      "offcut.json",
      Buffer.from(
        '{ "preset": "video-generator", "policy": { "undo": "0h", "grace": "0s" }, "stores": { "provider": { "automatic": true } } }',
      ),
    );
    await clean();
    assert.ok(!ws.files().some((file) => file.startsWith("assets/cache/nasa/p1-")));
  });

  it("R88 S0.9: never throws into the pipeline, whatever is wrong", async () => {
    fs.writeFileSync(ws.path("offcut.json"), "{ nonsense");
    const broken = await clean();
    assert.equal(broken.deletedFiles, 0);
    assert.match(broken.errors[0]?.message ?? "", /offcut\.json:1/);
    assert.match(lines.join("\n"), /Cleanup of p1 failed/);
    const away = await cleanupProjectFiles("p1", { root: ws.path("no/such/directory"), logger });
    assert.equal(away.deletedFiles, 0);
    await assert.rejects(cleanupProjectFiles(""), TypeError);
  });

  it("S0.7: a project whose final is not complete keeps its files", async () => {
    addProject(ws, "torn", { final: "truncated" });
    const result = await cleanupProjectFiles("torn", { root: ws.root, logger, environment: {} });
    assert.equal(result.deletedFiles, 0);
    assert.match(lines.join("\n"), /final\.mp4 of project torn is not verified/);
    assert.ok(ws.files().includes(".cache/audio/torn/scene-1.mp3"));
  });

  it("R84: a project that nobody knows is named, and a relative root will do", async () => {
    const root = path.relative(process.cwd(), ws.root);
    const before = ws.snapshot();
    const unknown = await cleanupProjectFiles("nobody", { root, logger, environment: {} });
    assert.match(unknown.errors[0]?.message ?? "", /no database lists a project "nobody"/);
    assert.match(lines.join("\n"), /Cleanup of nobody: nothing was touched: no database lists/);
    assert.deepEqual(ws.snapshot(), before);
    const known = await cleanupProjectFiles("p1", { root, logger, environment: {} });
    assert.ok(known.deletedFiles > 0 && known.errors.length === 0, lines.join("\n"));
  });

  it("S0.12: looks into the directories of this project only, where each has its own", async () => {
    const link = ws.path(".cache/audio/linked");
    fs.symlinkSync("p2", link);
    const result = await clean();
    assert.ok(result.deletedFiles >= 20);
    assert.doesNotMatch(lines.join("\n"), /symbolic link/);
    const other = await cleanupProjectFiles("nobody", { root: ws.root, logger, environment: {} });
    assert.equal(other.errors.length, 1);
    assert.match(lines.join("\n"), /linked: A symbolic link/, "of somebody who is not known everything is asked");
  });

  it("S0.3 R27: what another project needs that is not finished stays, wherever it lies", async () => {
    addProject(ws, "one", { clips: ["nasa/shared"] });
    addProject(ws, "two", { clips: ["nasa/shared"], status: "assembly" });
    const settings = { preset: "video-generator", policy: { undo: "0h", grace: "0s" }, stores: { provider: { automatic: true } } };
    ws.write("offcut.json", Buffer.from(JSON.stringify(settings)));
    const shared = ws.files().filter((file) => file.includes("nasa/shared"));
    assert.ok(shared.length > 0);
    assert.ok((await cleanupProjectFiles("one", { root: ws.root, logger, environment: {} })).deletedFiles > 0, lines.join("\n"));
    assert.deepEqual(
      ws.files().filter((file) => file.includes("nasa/shared")),
      shared,
    );
  });

  for (const alone of [true, false])
    it(`R20: a project ${alone ? "that is all there is stops" : "beside another one is no surprise"}`, async () => {
      const database = {
        path: "data/app.db",
        owners: "SELECT id, status FROM projects",
        outputs: "SELECT project_id AS owner, file_path AS path FROM rendered_videos",
        states: { succeeded: ["complete"] },
      };
      const stores = { audio: { path: ".cache/audio/{project}/", role: "temp" } };
      ws.write("offcut.json", Buffer.from(JSON.stringify({ database, stores, policy: { retention: "0s", undo: "0h", grace: "0s" } })));
      if (alone) fs.rmSync(ws.path(".cache/audio/p2"), { recursive: true });
      const result = await clean();
      assert.equal(result.deletedFiles, alone ? 0 : 10, lines.join("\n"));
      if (alone) assert.match(lines.join("\n"), /stopped: nothing would be left: all 10 files/);
    });

  it("R75: a database without projects is named with all the files that speak against it", async () => {
    ws.sql("DELETE FROM projects");
    const count = ws.files().length;
    const result = await clean();
    assert.equal(result.deletedFiles, 0);
    assert.match(lines.join("\n"), /lists no projects, but there are (\d+) files; is it the right database\?/);
    const told = Number(/there are (\d+) files/.exec(lines.join("\n"))?.[1]);
    assert.ok(told > 22 && told <= count, `${told} of ${count}`);
  });
});
