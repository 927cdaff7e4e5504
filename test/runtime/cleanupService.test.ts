import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import { ClipStore, CleanupService, type CleanupServiceOptions, JobManager } from "../../runtime/index.ts";
import { canChattr, withImmutable } from "../reclaim/world.ts";
import { makeWorkspace } from "../workspace.ts";
import { AT_ONCE, type Listener, makeListener, makeRoot, type Root } from "./world.ts";

const HOUR = 3_600_000;

describe("CleanupService", () => {
  let root: Root;
  let heard: Listener;
  beforeEach(() => {
    root = makeRoot(AT_ONCE);
    root.write("output/long_form/other.mp4"); // A cleanup that leaves nothing at all would ask first (R20).
    heard = makeListener();
  });
  afterEach(() => root[Symbol.dispose]());

  const make = (options: Partial<CleanupServiceOptions> = {}): CleanupService =>
    new CleanupService({ root: root.root, logger: heard.logger, environment: {}, ...options });
  /** A job that ended and was not cleaned, because automatic cleaning was off then. */
  const makeJob = async (id: string, success = true, where = root.root): Promise<void> => {
    await using jobs = new JobManager({ root: where, logger: heard.logger, environment: { AUTO_CLEANUP_ENABLED: "off" } });
    const job = await jobs.startJob(id, "subtitles");
    fs.writeFileSync(`${job.directory("subtitles")}/a.srt`, "one");
    fs.writeFileSync(`${job.directory("slides")}/1.png`, "slide");
    await (success ? job.complete() : job.fail());
    heard.lines.length = 0;
  };
  const temporary = (id: string): string[] => root.files().filter((file) => file.startsWith(`output/jobs/${id}/`));

  it("S2.4 R70: cleanupJob takes what one job has, and its manifest goes last", async () => {
    await makeJob("a");
    await makeJob("b");
    const result = await make().cleanupJob("a");
    assert.deepEqual([result.deletedFiles, result.errors], [2, []], heard.text());
    assert.deepEqual([temporary("a").length, temporary("b").length], [0, 2]);
    assert.deepEqual(
      fs.readdirSync(root.path(".offcut/jobs")).filter((name) => name.endsWith(".json")),
      ["b.json"],
    );
    assert.ok(root.files().includes("output/jobs/a_completed"), "the mark tells what became of it");
    assert.ok(!root.directories().includes("output/jobs/a"));
  });

  it("R70: when the time for an undo is over, the manifests go with what was held, also of jobs that left nothing", async () => {
    root.write("offcut.json", JSON.stringify({ ...AT_ONCE, policy: { ...AT_ONCE.policy, undo: "1ms" } }));
    const manifests = (): string[] => fs.readdirSync(root.path(".offcut/jobs")).filter((name) => name.endsWith(".json"));
    for (const id of ["a", "b", "c"]) await makeJob(id);
    for (const file of ["subtitles/a.srt", "slides/1.png"]) fs.rmSync(root.path(`output/jobs/c/${file}`));
    assert.equal((await make().cleanupJob("a")).deletedFiles, 2, heard.text());
    assert.deepEqual(manifests(), ["a.json", "b.json", "c.json"], "what is held can come back");
    assert.equal((await make().cleanupJob("b")).deletedFiles, 2, heard.text());
    assert.deepEqual(manifests(), ["b.json"]);
    await make().cleanupByAge(0);
    assert.deepEqual(manifests(), []);
  });

  it("R70: the manifest of a job that left nothing goes when it is cleaned; one of which nothing is listed stays with its files", async () => {
    const manifests = (): string[] => fs.readdirSync(root.path(".offcut/jobs")).filter((name) => name.endsWith(".json"));
    for (const id of ["a", "b"]) await makeJob(id);
    for (const file of ["subtitles/a.srt", "slides/1.png"]) fs.rmSync(root.path(`output/jobs/a/${file}`));
    await using _clips = await ClipStore.open({ directory: root.path("clips"), root: root.root, logger: heard.logger, everyMinutes: 0 });
    assert.deepEqual(manifests(), ["a.json", "b.json"], "clips know nothing of jobs");
    assert.equal((await make({ policy: { retentionHours: 5 } }).cleanupJob("b")).deletedFiles, 0);
    assert.equal((await make().cleanupJob("a")).deletedFiles, 0);
    assert.deepEqual(manifests(), ["b.json"]);
    assert.ok(!root.directories().includes("output/jobs/a"), "nor is an empty directory left");
    assert.equal(temporary("b").length, 2);
  });

  it("S2.5: a kind that there is not is told, whether anything is cleaned now or later", async () => {
    for (const retentionHours of [0, 24]) {
      await using jobs = new JobManager({
        root: root.root,
        logger: heard.logger,
        environment: {},
        policy: { retentionHours, fileTypesToClean: ["slide", "videos"] },
      });
      heard.lines.length = 0;
      const job = await jobs.startJob(`a${retentionHours}`, "subtitles");
      fs.writeFileSync(`${job.directory("slides")}/1.png`, "slide");
      assert.equal((await job.complete()).deletedFiles, 0);
      const told = heard.of("warn").filter((line) => /names the kind "slide", .* the kinds are slides, expressions/.test(line.message));
      assert.equal(told.length, 1, heard.text());
    }
    heard.lines.length = 0;
    await make({ policy: { fileTypesToClean: ["slides", "videos"] } }).cleanupByAge(0);
    assert.doesNotMatch(heard.text(), /names the kind/);
  });

  it("S2.4 R37: a failed job keeps everything, unless the caller says otherwise", async () => {
    await makeJob("a", false);
    assert.equal((await make().cleanupJob("a")).deletedFiles, 0);
    assert.equal(temporary("a").length, 2);
    assert.match(heard.text(), /job a failed .*kept for debugging/);
    assert.equal((await make().cleanupJob("a", false)).deletedFiles, 2, heard.text());
  });

  it("R39: a job that runs keeps everything, whatever is asked", async () => {
    await using jobs = new JobManager({ root: root.root, logger: heard.logger });
    const job = await jobs.startJob("a", "subtitles");
    fs.writeFileSync(`${job.directory("subtitles")}/a.srt`, "one");
    assert.equal((await make().cleanupJob("a", false)).deletedFiles, 0);
    assert.equal((await make().cleanupByAge(0)).deletedFiles, 0);
    assert.equal((await make().manualCleanup("**", false)).deletedFiles, 0);
    assert.equal(temporary("a").length, 1);
  });

  it("S2.4: a job that nobody knows is told; an id that is none is a TypeError", async () => {
    const result = await make().cleanupJob("nobody");
    assert.equal(result.errors.length, 1);
    await assert.rejects(make().cleanupJob("../x"), TypeError);
  });

  it("S2.4: cleanupByAge takes the jobs that ended longer ago, and no younger ones", async () => {
    await makeJob("a");
    const later = make({ now: () => Date.now() + 3 * HOUR });
    assert.equal((await later.cleanupByAge(4)).deletedFiles, 0);
    assert.equal((await later.cleanupByAge(2)).deletedFiles, 2, heard.text());
    for (const hours of [-1, Number.NaN, "1"]) await assert.rejects(later.cleanupByAge(hours as number), TypeError);
  });

  it("S2.6: the mark of a job of which nothing else is left goes when it is old, and nothing that only looks like one", async () => {
    await makeJob("a");
    await make().cleanupJob("a");
    root.write("output/jobs/b_failed", "somebody's notes");
    await makeJob("c", false);
    const marks = (): string[] => fs.readdirSync(root.path("output/jobs")).filter((name) => name.includes("_"));
    await make().cleanupByAge(2);
    assert.deepEqual(marks(), ["a_completed", "b_failed", "c_failed"]);
    await make({ now: () => Date.now() + 3 * HOUR }).cleanupByAge(2);
    assert.deepEqual(marks(), ["b_failed", "c_failed"]);
  });

  it("P9: cleanupByAge never undercuts the retention of the policy", async () => {
    await makeJob("a");
    const now = (): number => Date.now() + 6 * HOUR;
    assert.equal((await make({ policy: { retentionHours: 7 }, now }).cleanupByAge(1)).deletedFiles, 0);
    assert.equal((await make({ policy: { retentionHours: 5 }, now }).cleanupByAge(1)).deletedFiles, 2, heard.text());
  });

  it("S2.8 P7: manualCleanup works while automatic cleaning is off; first it tells, then it does", async () => {
    await makeJob("a");
    await makeJob("b");
    const service = make({ environment: { AUTO_CLEANUP_ENABLED: "off", DEBUG: "1" }, policy: { enabled: false, retentionHours: 0 } });
    assert.equal((await service.cleanupJob("a")).deletedFiles, 0, "automatic cleaning is off");
    const told = await service.manualCleanup("output/jobs/a/**");
    assert.deepEqual(
      [told.dryRun, told.files, told.deletedFiles],
      [true, ["output/jobs/a/slides/1.png", "output/jobs/a/subtitles/a.srt"], 0],
      heard.text(),
    );
    assert.equal(told.bytes, 8);
    assert.equal(temporary("a").length, 2);
    const done = await service.manualCleanup("output/jobs/a/**", false);
    assert.deepEqual([done.dryRun, done.deletedFiles, temporary("a").length, temporary("b").length], [false, 2, 0, 2]);
  });

  it("R13: a dry run writes nothing at all", async () => {
    await makeJob("a");
    const state = (): unknown =>
      [...fs.readdirSync(root.root, { recursive: true })].map((name) => [name, fs.lstatSync(root.path(String(name))).mtimeMs]);
    const before = state();
    assert.equal((await make().manualCleanup("**")).files.length, 2);
    assert.deepEqual(state(), before);
  });

  it("R21: an empty pattern selects nothing; a pattern matches whole paths", async () => {
    await makeJob("a");
    for (const [pattern, count] of [
      ["", 0],
      ["a.srt", 0],
      ["output/jobs/a", 0],
      ["output/jobs/*/subtitles/?.srt", 1],
      ["**/*.png", 1],
      ["output/jobs/**/a.srt", 1],
      ["**/a/**", 2],
      ["**", 2],
      ["output/jobs/a/*", 0],
      ["output.jobs*", 0],
    ] as const)
      assert.equal((await make().manualCleanup(pattern)).files.length, count, pattern);
    await assert.rejects(make().manualCleanup(undefined as unknown as string), TypeError);
  });

  it("R20: what is surprisingly much needs the number that was seen", async () => {
    root.write("offcut.json", JSON.stringify({ ...AT_ONCE, policy: { ...AT_ONCE.policy, brake: { files: 1 } } }));
    await makeJob("a");
    const stopped = await make().manualCleanup("**", false);
    assert.equal(stopped.deletedFiles, 0);
    assert.match(stopped.errors[0]?.message ?? "", /2 files are more than 1/);
    assert.equal((await make().manualCleanup("**", false, { confirmedFiles: 3 })).deletedFiles, 0);
    assert.equal((await make().manualCleanup("**", false, { confirmedFiles: stopped.files.length })).deletedFiles, 2);
  });

  it("R30: a file that nobody owns is taken by hand, and not by itself", async () => {
    root.write("output/jobs/stray/videos/a.mp4");
    await makeJob("a");
    assert.equal((await make().cleanupByAge(0)).deletedFiles, 2, heard.text());
    assert.equal((await make().manualCleanup("output/jobs/stray/**", false)).deletedFiles, 1, heard.text());
  });

  it("S2.4 S2.5: isCleanupEnabled is what environment, debug mode and policy say together", async () => {
    assert.equal(await make().isCleanupEnabled(), true);
    assert.equal(await make({ environment: { AUTO_CLEANUP_ENABLED: "no" } }).isCleanupEnabled(), false);
    assert.equal(await make({ environment: { OFFCUT_DEBUG: "1" } }).isCleanupEnabled(), false);
    assert.equal(await make({ environment: { OFFCUT_DEBUG: "1" }, policy: { debugModeDisables: false } }).isCleanupEnabled(), true);
    assert.equal(await make({ policy: { enabled: false } }).isCleanupEnabled(), false);
    assert.equal(await make({ policy: { enabled: false }, environment: { AUTO_CLEANUP_ENABLED: "1" } }).isCleanupEnabled(), true);
    root.write("offcut.json", "{ nonsense");
    assert.equal(await make().isCleanupEnabled(), false);
  });

  it("S2.7 R88: a configuration that cannot be used is told, and nothing throws", async () => {
    await makeJob("a");
    root.write("offcut.json", "{ nonsense");
    for (const result of [await make().cleanupJob("a"), await make().cleanupByAge(0), await make().manualCleanup("**", false)]) {
      assert.equal(result.deletedFiles, 0);
      assert.match(result.errors[0]?.message ?? "", /offcut\.json:1/);
    }
    assert.equal(temporary("a").length, 2);
  });

  it("P8 R22: a partly failed cleanup names each file that stayed", async function () {
    const workspace = makeWorkspace({ schema: false });
    try {
      if (!canChattr(workspace)) return this.skip(); // Nobody but root can make a file that root cannot delete.
      workspace.write("offcut.json", Buffer.from(JSON.stringify(AT_ONCE)));
      await makeJob("a", true, workspace.root);
      const stuck = workspace.path("output/jobs/a/slides/1.png");
      const result = await withImmutable(stuck, () => make({ root: workspace.root }).cleanupJob("a"));
      assert.equal(result.deletedFiles, 1);
      assert.deepEqual(
        result.errors.map((error) => error.path),
        ["output/jobs/a/slides/1.png"],
      );
      assert.match(heard.text(), /error Cleanup: output\/jobs\/a\/slides\/1\.png: not permitted/);
      assert.ok(fs.existsSync(stuck));
      assert.ok(fs.existsSync(workspace.path(".offcut/jobs/a.json")), "the manifest stays until the rest is gone");
      assert.equal((await make({ root: workspace.root }).cleanupJob("a")).deletedFiles, 1, heard.text());
      assert.ok(!fs.existsSync(workspace.path(".offcut/jobs/a.json")));
    } finally {
      workspace.dispose();
    }
  });

  it("works where the root was never cleaned before, and where it is away", async () => {
    using other = makeRoot(undefined, os.tmpdir());
    assert.equal((await make({ root: other.root }).manualCleanup("**", false)).deletedFiles, 0);
    assert.deepEqual(fs.readdirSync(other.root), []);
    const away = await make({ root: other.path("drive") }).manualCleanup("**", false);
    assert.equal(away.deletedFiles, 0);
    assert.deepEqual(fs.readdirSync(other.root), []);
  });
});
