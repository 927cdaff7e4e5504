import assert from "node:assert/strict";
import fs from "node:fs";
import { JobManager, type JobManagerOptions } from "../../runtime/index.ts";
import { loadConfig } from "../../core/config/load.ts";
import { lockManifests, readManifest } from "../../core/jobs/manifests.ts";
import { readJobs } from "../../core/jobs/owners.ts";
import { makePlan } from "../../core/makePlan.ts";
import { uptimeMs } from "../../core/process.ts";
import { until } from "../jobs/samples.ts";
import { videoBytes } from "../workspace.ts";
import { AT_ONCE, type Listener, makeListener, makeRoot, type Root } from "./world.ts";

describe("JobManager", () => {
  let root: Root;
  let heard: Listener;
  beforeEach(() => {
    root = makeRoot(AT_ONCE);
    heard = makeListener();
  });
  afterEach(() => root[Symbol.dispose]());

  const make = (options: Partial<JobManagerOptions> = {}): JobManager =>
    new JobManager({ root: root.root, logger: heard.logger, environment: {}, ...options });
  const temporary = (id: string): string[] => root.files().filter((file) => file.startsWith(`output/jobs/${id}/`));

  it("S2.1 S2.6 R45: a job from start to end: temporary files go when it is done, the final and the mark stay", async () => {
    await using jobs = make();
    const job = await jobs.startJob("ep1", "long_form");
    assert.deepEqual([job.state, job.tracked], ["running", true], heard.text());
    fs.writeFileSync(`${job.directory("slides")}/1.png`, "slide");
    fs.writeFileSync(`${job.directory("videos")}/cut.mp4`, "cut");
    await job.addFile("output/jobs/ep1/slides/1.png");
    const final = job.finalPath("long_form", "ep1.mp4");
    fs.writeFileSync(final, videoBytes());
    assert.deepEqual(fs.readdirSync(root.path("output/jobs")).sort(), ["ep1", "ep1_processing"]);
    const result = await job.complete();
    assert.deepEqual([result.deletedFiles, result.errors], [2, []], heard.text());
    assert.ok(result.freedSpace > 0);
    assert.deepEqual(root.files(), ["offcut.json", "output/jobs/ep1_completed", "output/long_form/ep1.mp4"]);
    assert.match(heard.text(), /info Cleanup: Deleted 2 files, freed \d+\.\d\d MB/);
    assert.equal(job.state, "succeeded");
  });

  it("S2.1: a job survives a restart: another manager finds it by its manifest, adds to it and completes it", async () => {
    {
      await using first = make();
      const job = await first.startJob("ep1", "long_form");
      root.write("output/jobs/ep1/videos/cut.mp4");
      await job.addFile(root.path("output/jobs/ep1/videos/cut.mp4"));
    }
    await using second = make();
    const job = await second.getJobContext("ep1");
    assert.ok(job);
    assert.deepEqual([job.id, job.type, job.state], ["ep1", "long_form", "running"]);
    root.write("output/long_form/ep1.mp4", videoBytes());
    await job.addFile("output/long_form/ep1.mp4");
    const result = await second.completeJob("ep1", true);
    assert.equal(result.deletedFiles, 1, heard.text());
    assert.equal(await second.getJobContext("nobody"), undefined);
  });

  it("S2.1 P3: a job that leaves its block without complete() has failed, and everything of it is kept", async () => {
    await using jobs = make();
    await assert.rejects(async () => {
      await using job = await jobs.startJob("ep1", "long_form");
      root.write("output/jobs/ep1/videos/cut.mp4");
      await job.addFile("output/jobs/ep1/videos/cut.mp4");
      throw new Error("the encoder crashed");
    }, /encoder/);
    assert.deepEqual(root.files(), ["offcut.json", "output/jobs/ep1/videos/cut.mp4", "output/jobs/ep1_failed"]);
    assert.equal((await jobs.getJobContext("ep1"))?.state, "failed");
    assert.match(heard.text(), /warn Job ep1 failed .*without complete/);
  });

  it("S2.1: a failed job that starts anew keeps what it had, and loses it when it succeeds", async () => {
    await using jobs = make();
    root.write("output/jobs/ep1/videos/first.mp4");
    await (await jobs.startJob("ep1", "subtitles")).fail(new Error("no network"));
    const job = await jobs.startJob("ep1", "subtitles");
    root.write("output/jobs/ep1/subtitles/second.srt");
    assert.equal(temporary("ep1").length, 2);
    const result = await job.complete();
    assert.equal(result.deletedFiles, 2, heard.text());
    assert.deepEqual(temporary("ep1"), []);
  });

  it("R34: a job whose final is missing or torn keeps its temporary files, and says why", async () => {
    await using jobs = make();
    for (const [id, bytes] of [
      ["torn", videoBytes().subarray(0, 2000)],
      ["none", undefined],
    ] as const) {
      const job = await jobs.startJob(id, "long_form");
      root.write(`output/jobs/${id}/videos/cut.mp4`);
      const final = job.finalPath("long_form", `${id}.mp4`);
      if (bytes) fs.writeFileSync(final, bytes);
      assert.equal((await job.complete()).deletedFiles, 0, heard.text());
      assert.equal(temporary(id).length, 1);
    }
    assert.match(heard.text(), /torn\.mp4 of job torn is not verified/);
    assert.match(heard.text(), /no final of job none is recorded/);
  });

  it("P3: a job that failed does not become a success by the way", async () => {
    await using jobs = make();
    const job = await jobs.startJob("ep1", "long_form", { makesFinal: false });
    root.write("output/jobs/ep1/videos/cut.mp4");
    await job.fail(new Error("boom"));
    assert.equal((await jobs.completeJob("ep1", true)).deletedFiles, 0);
    assert.equal(temporary("ep1").length, 1);
    assert.match(heard.text(), /failed before; its files are kept/);
  });

  it("R34: what an earlier run left where the final should be proves nothing about this one", async () => {
    const final = root.write("output/long_form/ep1.mp4", videoBytes());
    const startedMs = fs.statSync(final).ctimeMs + 5000;
    await using later = make({ now: () => startedMs });
    const job = await later.startJob("ep1", "long_form");
    root.write("output/jobs/ep1/videos/cut.mp4");
    assert.equal(job.finalPath("long_form", "ep1.mp4"), final);
    assert.equal((await job.complete()).deletedFiles, 0);
    assert.match(heard.text(), /no final of job ep1 is recorded/);
  });

  it("P9: with a retention nothing goes at once, and nobody looks for anything", async () => {
    await using jobs = make({ policy: { retentionHours: 1 } });
    const job = await jobs.startJob("ep1", "subtitles");
    root.write("output/jobs/ep1/subtitles/a.srt");
    assert.deepEqual(await job.complete(), { deletedFiles: 0, freedSpace: 0, heldSpace: 0, errors: [], skipped: [] });
    assert.equal(temporary("ep1").length, 1);
  });

  it("P6: AUTO_CLEANUP_ENABLED=false, debug mode and a policy that is off each keep everything", async () => {
    const off: readonly Partial<JobManagerOptions>[] = [
      { environment: { AUTO_CLEANUP_ENABLED: "false" } },
      { environment: { DEBUG: "1" } },
      { policy: { enabled: false, retentionHours: 0 } },
    ];
    for (const [i, options] of off.entries()) {
      await using jobs = make(options);
      const job = await jobs.startJob(`ep${i}`, "subtitles");
      root.write(`output/jobs/ep${i}/subtitles/a.srt`);
      assert.equal((await job.complete()).deletedFiles, 0);
      assert.equal(temporary(`ep${i}`).length, 1);
    }
    assert.equal(heard.lines.filter((line) => line.message.includes("automatic cleanup is off")).length, 3, heard.text());
  });

  it("works without offcut.json: the stores are those of the layout", async () => {
    fs.rmSync(root.path("offcut.json"));
    await using jobs = make({ policy: { retentionHours: 0 } });
    const job = await jobs.startJob("ep1", "subtitles");
    root.write("output/jobs/ep1/subtitles/a.srt");
    const result = await job.complete();
    assert.equal(result.deletedFiles, 1, heard.text());
    assert.ok(result.heldSpace > 0, "the policy of the preset holds for undo");
  });

  it("S2.3: says once which directories of jobs no store has, and where a final could go", async () => {
    using other = makeRoot({
      stores: {
        slides: { path: "output/jobs/{job}/slides/{n}.png", role: "temp" },
        parts: { path: "output/jobs/{job}/videos/part-{n}/", role: "temp" },
        expressions: { path: "output/*/{job}/expressions/*.json", role: "temp" },
        long: { path: "output/long_form/", role: "temp" },
      },
    });
    await using jobs = make({ root: other.root });
    for (const id of ["ep1", "ep2"]) await jobs.startJob(id, "full");
    assert.deepEqual(
      heard.of("warn").map((line) => line.message),
      [
        "no store has the files in output/jobs/{job}/subtitles/, so they are never cleaned; give them a store with the role temp",
        'finals of jobs lie in output/long_form/, where the store "long" has the role temp; give them a store with the role final',
      ],
    );
    await using fitting = make();
    await fitting.startJob("ep1", "full");
    assert.equal(heard.of("warn").length, 2);
  });

  it("several addFile in one moment are one write of the manifest", async () => {
    await using jobs = make();
    const job = await jobs.startJob("ep1", "subtitles");
    const sequence = (): number =>
      (JSON.parse(fs.readFileSync(root.path(".offcut/jobs/ep1.json"), "utf8")) as { sequence: number }).sequence;
    const before = sequence();
    await Promise.all(Array.from({ length: 50 }, (_, i) => job.addFile(`output/jobs/ep1/subtitles/${i}.srt`)));
    assert.ok(sequence() - before <= 2, `${sequence() - before} writes`);
    const { files } = JSON.parse(fs.readFileSync(root.path(".offcut/jobs/ep1.json"), "utf8")) as { files: { kind: string }[] };
    assert.equal(files.length, 50);
    assert.ok(files.every((file) => file.kind === "subtitles"));
  });

  it("R6: an id that is none is a TypeError", async () => {
    await using jobs = make();
    for (const id of ["", "../x", "a/b", "a_failed", null]) {
      await assert.rejects(jobs.startJob(id as string, "full"), TypeError);
      await assert.rejects(jobs.completeJob(id as string, true), TypeError);
      await assert.rejects(jobs.getJobContext(id as string), TypeError);
    }
    await assert.rejects(jobs.startJob("a", ""), TypeError);
  });

  it("S2.7 R88: when nothing can be noted the work goes on, and its files are kept", async () => {
    root.write(".offcut", "somebody's file");
    await using jobs = make();
    const job = await jobs.startJob("ep1", "subtitles");
    assert.equal(job.tracked, false);
    assert.ok(job.problem);
    fs.writeFileSync(`${job.directory("subtitles")}/a.srt`, "text");
    await job.addFile("output/jobs/ep1/subtitles/a.srt");
    const result = await job.complete();
    assert.equal(result.deletedFiles, 0);
    assert.equal(result.errors.length, 1);
    assert.deepEqual(temporary("ep1"), ["output/jobs/ep1/subtitles/a.srt"]);
    assert.ok(heard.of("error").length >= 3, heard.text());
  });

  it("S2.7: what could not be noted at the start is noted as soon as it can be", async () => {
    const blocked = root.write(".offcut", "somebody's file");
    await using jobs = make();
    const job = await jobs.startJob("ep1", "subtitles");
    fs.rmSync(blocked);
    root.write("output/jobs/ep1/subtitles/a.srt");
    await job.addFile("output/jobs/ep1/subtitles/a.srt");
    assert.equal(job.tracked, true, heard.text());
    assert.equal((await job.complete()).deletedFiles, 1, heard.text());
  });

  it("S2.7: a file outside of the root is not tracked, and the job goes on", async () => {
    await using jobs = make();
    const job = await jobs.startJob("ep1", "subtitles");
    await job.addFile("/etc/hosts");
    await job.addFile("../elsewhere.mp4");
    assert.equal(heard.of("error").length, 2, heard.text());
    assert.equal(job.tracked, true);
  });

  it("a job that is running in this process is started once", async () => {
    await using jobs = make();
    const job = await jobs.startJob("ep1", "subtitles");
    assert.equal(await jobs.startJob("ep1", "subtitles"), job);
    assert.match(heard.text(), /warn Job ep1 is running here already/);
  });

  it("a broken configuration fails no job, and cleans nothing", async () => {
    root.write("offcut.json", "{ nonsense");
    await using jobs = make();
    const job = await jobs.startJob("ep1", "subtitles");
    root.write("output/jobs/ep1/subtitles/a.srt");
    const result = await job.complete();
    assert.equal(result.deletedFiles, 0);
    assert.match(result.errors[0]?.message ?? "", /offcut\.json:1/);
  });

  it("a cancelled cleanup is no error", async () => {
    await using jobs = make({ signal: AbortSignal.abort() });
    const job = await jobs.startJob("ep1", "subtitles");
    root.write("output/jobs/ep1/subtitles/a.srt");
    assert.deepEqual(await job.complete(), { deletedFiles: 0, freedSpace: 0, heldSpace: 0, errors: [], skipped: [] });
    assert.match(heard.text(), /info Cleanup of ep1: cancelled/);
    assert.deepEqual(heard.of("error"), []);
  });

  it("R17 R39: a job whose start cannot be noted keeps what it makes, also where an earlier run succeeded, and is noted when it can be", async () => {
    await using jobs = make();
    root.write("output/jobs/ep1/subtitles/old.srt");
    await (await jobs.startJob("ep1", "subtitles", { makesFinal: true })).complete(); // It has no final, so its files are kept.
    const { directory } = loadConfig(root.root).jobs;
    assert.equal(readManifest(directory, "ep1")?.manifest?.job.state, "succeeded");
    let job: Awaited<ReturnType<typeof jobs.startJob>>;
    {
      using _held = await lockManifests(directory, ["ep1"]);
      job = await jobs.startJob("ep1", "subtitles");
      assert.equal(job.tracked, false);
      assert.match(heard.text(), /error Job ep1: .*; its files are kept/);
      root.write("output/jobs/ep1/subtitles/new.srt");
      const { owners } = readJobs(loadConfig(root.root), { wallMs: Date.now(), uptimeMs: uptimeMs() });
      assert.deepEqual(
        owners.map(({ state, status }) => [state, status]),
        [["unknown", "started again, not noted"]],
      );
    }
    const made = await makePlan(loadConfig(root.root), { environment: {} });
    assert.deepEqual(
      made.items.filter((item) => item.verdict === "reclaim"),
      [],
    );
    await until("the start to be noted", () => job.tracked);
    assert.equal(readManifest(directory, "ep1")?.manifest?.job.state, "running");
    assert.match(heard.text(), /info Job ep1: its start is noted now/);
    const result = await job.complete();
    assert.deepEqual([result.errors, temporary("ep1").length], [[], 0], heard.text());
    assert.equal(fs.existsSync(`${directory}/ep1.lease`), false);
  }).timeout(20_000);

  it("R41: twenty jobs that end at once are all cleaned", async () => {
    await using jobs = make();
    const ids = Array.from({ length: 20 }, (_, i) => `ep${i}`);
    const started = await Promise.all(ids.map((id) => jobs.startJob(id, "subtitles")));
    for (const id of ids) root.write(`output/jobs/${id}/subtitles/a.srt`);
    const results = await Promise.all(started.map((job) => job.complete()));
    assert.deepEqual(
      results.map((result) => result.deletedFiles),
      ids.map(() => 1),
      heard.text(),
    );
    assert.deepEqual(heard.of("error"), []);
  });
});
