import assert from "node:assert/strict";
import fs from "node:fs";
import { DirectoryManager, JOB_TYPES, LAYOUT } from "../../runtime/index.ts";
import { makeRoot, type Root } from "./world.ts";

describe("DirectoryManager", () => {
  let root: Root;
  let manager: DirectoryManager;
  beforeEach(() => {
    root = makeRoot();
    manager = new DirectoryManager({ root: root.root });
  });
  afterEach(() => root[Symbol.dispose]());

  it("S2.3: makes what the type of job needs and nothing else, with plain names", async () => {
    const made = await manager.createJobDirectories("a1", "subtitles");
    assert.deepEqual(made, { directory: root.path("output/jobs/a1"), kinds: { subtitles: root.path("output/jobs/a1/subtitles") } });
    assert.deepEqual(root.directories(), ["output", "output/jobs", "output/jobs/a1", "output/jobs/a1/subtitles"]);
    await manager.createJobDirectories("a1", "subtitles");
    assert.equal(root.directories().length, 4);
  });

  it("S2.3: says which kinds a type needs, and where they lie", () => {
    assert.equal(manager.shouldCreateDirectory("subtitles", "subtitles"), true);
    assert.equal(manager.shouldCreateDirectory("subtitles", "slides"), false);
    assert.equal(manager.shouldCreateDirectory("constructor", "length"), false);
    assert.deepEqual(manager.getSimplifiedStructure("long_form"), {
      slides: "output/jobs/{job}/slides",
      expressions: "output/jobs/{job}/expressions",
      subtitles: "output/jobs/{job}/subtitles",
      videos: "output/jobs/{job}/videos",
      long_form: "output/long_form",
    });
    assert.deepEqual(manager.getSimplifiedStructure("unheard-of"), {});
  });

  it("R6: an id or a name that leads elsewhere is a TypeError, and nothing is made", async () => {
    for (const id of ["", ".", "..", "../x", "a/b", "-a", "a\0", "x".repeat(129), "a_processing", "a_completed", "a_failed", 7])
      await assert.rejects(manager.createJobDirectories(id as string, "full"), TypeError, String(id));
    for (const name of ["", "..", "a/b", "a\\b", ".hidden", "a\n", "x".repeat(256)])
      assert.throws(() => manager.finalPath("long_form", name), TypeError, name);
    assert.throws(() => manager.finalPath("slides", "a.mp4"), TypeError);
    assert.throws(() => manager.directoryOf("a", "constructor"), TypeError);
    assert.deepEqual(root.directories(), []);
    assert.equal(manager.finalPath("long_form", "Folge 1 – für dich.mp4"), root.path("output/long_form/Folge 1 – für dich.mp4"));
  });

  it("S2.6 P11: the mark beside the directory changes in one step, and the directory keeps its name", async () => {
    const { directory } = await manager.createJobDirectories("a1", "subtitles");
    const inode = fs.statSync(directory).ino;
    assert.equal(manager.getStatus("a1"), undefined);
    for (const status of ["processing", "failed", "processing", "completed"] as const) {
      await manager.setStatus("a1", status);
      assert.equal(manager.getStatus("a1"), status);
      assert.deepEqual(root.files(), [`output/jobs/a1_${status}`]);
    }
    assert.equal(fs.statSync(directory).ino, inode);
  });

  it("a mark that a crash left beside another one goes; somebody's file of that name stays", async () => {
    root.write("output/jobs/a1_processing", "");
    root.write("output/jobs/a1_failed", "");
    await manager.setStatus("a1", "completed");
    assert.deepEqual(root.files(), ["output/jobs/a1_completed"]);
    root.write("output/jobs/b1_failed", "somebody's notes");
    assert.equal(manager.getStatus("b1"), undefined);
    await assert.rejects(manager.setStatus("b1", "failed"), /no mark of a job/);
    assert.equal(fs.readFileSync(root.path("output/jobs/b1_failed"), "utf8"), "somebody's notes");
  });

  it("R76: never makes the root", async () => {
    const away = new DirectoryManager({ root: root.path("drive") });
    await assert.rejects(away.createJobDirectories("a1", "full"), /ENOENT/);
    assert.deepEqual(root.directories(), []);
  });

  it("P10: a layout that mixes finals with temporary files, or leaves the root, is a TypeError", () => {
    const make = (layout: object): DirectoryManager =>
      new DirectoryManager({ root: root.root, layout: { ...LAYOUT, ...layout }, types: {} });
    for (const layout of [
      { finals: { film: "output/jobs" } },
      { finals: { film: "output/jobs/films" } },
      { finals: { film: "output" } },
      { finals: { film: "../films" } },
      { jobs: "/jobs" },
      { jobs: "" },
      { jobs: "jobs/{job}" },
      { temporary: ["a/b"] },
    ])
      assert.throws(() => make(layout), TypeError, JSON.stringify(layout));
    assert.throws(() => new DirectoryManager({ root: root.root, types: { odd: ["cats"] } }), /needs "cats"/);
    assert.deepEqual(Object.keys(JOB_TYPES), ["full", "long_form", "short_form", "expressions", "subtitles"]);
  });
});
