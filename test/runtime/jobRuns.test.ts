/** Whose run of a job it is: several managers, several starts, settings that change under a job. */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { CleanupService, type JobContext, JobManager, type JobManagerOptions } from "../../runtime/index.ts";
import { readHeartbeat } from "../../core/jobs/lease.ts";
import type { Manifest } from "../../core/jobs/manifest.ts";
import { readManifest, updateManifest } from "../../core/jobs/manifests.ts";
import { loadConfig } from "../../core/config/load.ts";
import { readJobs } from "../../core/jobs/owners.ts";
import { uptimeMs } from "../../core/process.ts";
import { until } from "../jobs/samples.ts";
import { videoBytes } from "../workspace.ts";
import { AT_ONCE, type Listener, makeListener, makeRoot, type Root } from "./world.ts";

describe("runs of a job", () => {
  let root: Root;
  let heard: Listener;
  let managers: JobManager[];
  beforeEach(() => {
    root = makeRoot(AT_ONCE);
    root.write("output/long_form/other.mp4", videoBytes()); // A cleanup that leaves nothing at all would ask first (R20).
    heard = makeListener();
    managers = [];
  });
  afterEach(async () => {
    for (const manager of managers) await manager[Symbol.asyncDispose]();
    root[Symbol.dispose]();
  });

  const make = (options: Partial<JobManagerOptions> = {}): JobManager => {
    const manager = new JobManager({ root: root.root, logger: heard.logger, environment: {}, ...options });
    managers.push(manager);
    return manager;
  };
  const jobsDirectory = (): string => root.path(".offcut/jobs");
  const manifestOf = (id: string, directory = jobsDirectory()): Manifest | undefined => readManifest(directory, id)?.manifest;
  const isThere = (file: string): boolean => fs.existsSync(root.path(file));
  /** What a timer or another program would do now. */
  const sweep = async (): Promise<void> => {
    const service = new CleanupService({ root: root.root, logger: heard.logger, environment: {}, policy: { retentionHours: 0 } });
    await service.cleanupJob("ep1", false);
    await service.cleanupByAge(0);
  };
  const work = async (job: JobContext, name: string): Promise<string> => {
    const file = `output/jobs/ep1/subtitles/${name}`;
    root.write(file);
    await job.addFile(file);
    return file;
  };

  describe("R39", () => {
    it("two starts at once are one", async () => {
      const jobs = make();
      const start = async (): Promise<{ readonly job: JobContext; readonly wasTracked: boolean }> => {
        const job = await jobs.startJob("ep1", "subtitles");
        return { job, wasTracked: job.tracked };
      };
      const both = await Promise.all([start(), start()]);
      const [a, b] = [both[0].job, both[1].job];
      assert.equal(a, b);
      assert.deepEqual([both[0].wasTracked, both[1].wasTracked], [true, true], heard.text());
      assert.equal(heard.of("warn").filter((line) => line.message.includes("running here already")).length, 1);
      await work(a, "1.srt");
      const [first, second] = await Promise.all([a.complete(), b.complete()]);
      assert.deepEqual([first.errors, second.errors, first.deletedFiles + second.deletedFiles], [[], [], 1], heard.text());
      const again = await jobs.startJob("ep1", "subtitles");
      assert.notEqual(again, a);
      assert.equal(again.tracked, true, heard.text());
    });

    it("a run that people took for dead, and that is not, says so with its next sign, and keeps its files", async () => {
      const job = await make({ leaseMs: 200 }).startJob("ep1", "subtitles");
      const file = await work(job, "1.srt");
      await updateManifest(jobsDirectory(), "ep1", (old) => {
        assert.ok(old);
        const ended = new Date(Date.parse(old.job.started) - 1000).toISOString();
        return { ...old, job: { ...old.job, state: "failed", ended, error: "abandoned", abandoned: true } };
      });
      const state = (): string | undefined =>
        readJobs(loadConfig(root.root), { wallMs: Date.now(), uptimeMs: uptimeMs() }).owners[0]?.state;
      await until("its next sign", () => job.problem !== undefined);
      assert.equal(state(), "unknown");
      await sweep();
      assert.ok(isThere(file), heard.text());
      assert.match(heard.text(), /warn Job ep1: somebody said that it is over, and it is not; its files are kept/);
    });

    it("a run that another manager has ended is not gone on with: the next start is a run of its own, and keeps its files", async () => {
      const [first, second] = [make(), make({ policy: { retentionHours: 1 } })];
      const before = await first.startJob("ep1", "subtitles");
      await work(before, "1.srt");
      assert.deepEqual((await second.completeJob("ep1", true)).errors, [], heard.text());
      const job = await first.startJob("ep1", "subtitles");
      assert.notEqual(job, before);
      assert.equal(before.state, "succeeded");
      const file = await work(job, "2.srt");
      assert.deepEqual([job.tracked, manifestOf("ep1")?.job.state, manifestOf("ep1")?.files.length], [true, "running", 2]);
      await sweep();
      assert.ok(isThere(file), heard.text());
      assert.equal((await job.complete()).deletedFiles, 2, heard.text());
    });

    it("a second manager that starts the job begins another run, and the first one cannot end that", async () => {
      const frozen = { now: () => Date.parse("2025-01-31T12:00:00.000Z") }; // Two starts within one tick of the clock.
      const [first, second] = [make(frozen), make(frozen)];
      const old = await first.startJob("ep1", "subtitles");
      const job = await second.startJob("ep1", "subtitles");
      const file = await work(job, "2.srt");
      const result = await old.complete();
      assert.deepEqual([result.deletedFiles, result.errors.length], [0, 1]);
      assert.match(result.errors[0]?.message ?? "", /another run of it began/);
      assert.deepEqual([old.tracked, old.state, job.tracked], [false, "running", true]);
      assert.ok(isThere(file));
      await old.addFile(file);
      await old.fail(new Error("given up"));
      assert.deepEqual([manifestOf("ep1")?.job.state, old.tracked], ["running", false], "it begins no run anew");
      assert.equal((await job.complete()).deletedFiles, 1, heard.text());
    });

    it("a context learns by itself that its run is over", async () => {
      const first = make({ leaseMs: 20 });
      const [replaced, ended, lost] = [
        await first.startJob("ep1", "subtitles"),
        await first.startJob("ep2", "long_form"), // It makes no final, so its manifest stays.
        await first.startJob("ep3", "subtitles"),
      ];
      root.write("output/jobs/ep2/videos/cut.mp4");
      const second = make();
      await second.startJob("ep1", "subtitles");
      await second.completeJob("ep2", true);
      for (const suffix of ["json", "json.bak"]) fs.rmSync(path.join(jobsDirectory(), `ep3.${suffix}`));
      await until("the first to know", () => !replaced.tracked && ended.state === "succeeded" && !lost.tracked);
      assert.match(replaced.problem ?? "", /another run of it began/);
      assert.match(lost.problem ?? "", /no manifest any more/);
    }).timeout(20_000);

    it("a late complete() of an ended run takes nothing of a later one, of this manager or another one", async () => {
      const [first, second] = [make({ leaseMs: 40 }), make({ leaseMs: 40 })];
      const old = await first.startJob("ep1", "subtitles");
      await work(old, "1.srt");
      assert.equal((await old.complete()).deletedFiles, 1, heard.text());
      assert.deepEqual((await old.complete()).errors, [], "nothing of it is left");
      for (const manager of [first, second]) {
        const job = await manager.startJob("ep1", "subtitles");
        const file = await work(job, "2.srt");
        for (const end of [async () => old.complete(), async () => old.fail()]) {
          const result = await end();
          assert.deepEqual([result.deletedFiles, result.errors.length], [0, 1]);
        }
        const { at } = await until("a sign of life", () => readHeartbeat(jobsDirectory(), "ep1"));
        await until("another one", () => readHeartbeat(jobsDirectory(), "ep1")?.at !== at);
        await sweep();
        assert.ok(isThere(file));
        assert.deepEqual([manifestOf("ep1")?.job.state, job.tracked], ["running", true]);
        assert.equal((await job.complete()).deletedFiles, 1, heard.text());
      }
    }).timeout(20_000);

    it("P3: what another manager has called failed does not become a success, and what it has called a success does not fail by the way", async () => {
      const [first, second] = [make(), make()];
      const job = await first.startJob("ep1", "subtitles");
      const file = await work(job, "1.srt");
      await second.completeJob("ep1", false);
      assert.deepEqual([(await job.complete()).deletedFiles, job.state], [0, "failed"]);
      assert.ok(isThere(file));
      {
        await using left = await first.startJob("ep2", "long_form"); // It makes no final, so something of it stays.
        root.write("output/jobs/ep2/videos/cut.mp4");
        assert.equal(left.state, "running");
        await second.completeJob("ep2", true);
      }
      assert.equal(manifestOf("ep2")?.job.state, "succeeded", heard.text());
    });

    it("a start while the end of the run before is being noted keeps its signs of life and its files", async () => {
      for (let round = 0; round < 20; round++) {
        const jobs = make({ leaseMs: 40 });
        const old = await jobs.startJob("ep1", "subtitles");
        await work(old, "1.srt");
        const ending = old.complete();
        for (let i = 0; i < round; i++) await Promise.resolve(); // Somewhere in the middle of it.
        const job = await jobs.startJob("ep1", "subtitles");
        const file = await work(job, `${round}.srt`);
        await ending;
        await sweep();
        assert.deepEqual([job === old, job.tracked, job.state], [false, true, "running"], heard.text());
        assert.ok(isThere(file), heard.text());
        const { at } = await until("a sign of life", () => readHeartbeat(jobsDirectory(), "ep1"));
        await until("another one", () => readHeartbeat(jobsDirectory(), "ep1")?.at !== at);
        assert.deepEqual((await job.complete()).errors, []);
      }
    }).timeout(30_000);

    it("the end of a run leaves the sign of somebody who began since and could not note it, and takes nothing", async () => {
      const job = await make().startJob("ep1", "subtitles");
      const file = await work(job, "1.srt");
      const sign = { at: new Date().toISOString(), notNotedSince: new Date(Date.now() - 1000).toISOString() };
      fs.writeFileSync(path.join(jobsDirectory(), "ep1.lease"), JSON.stringify(sign));
      assert.equal((await job.complete()).deletedFiles, 0);
      assert.deepEqual(readHeartbeat(jobsDirectory(), "ep1"), sign);
      await sweep();
      assert.ok(isThere(file));
    });

    it("a sign of life never replaces that of somebody who began and could not note it, until that is old", async () => {
      const jobs = make({ leaseMs: 400 });
      await jobs.startJob("ep1", "subtitles");
      const notNotedSince = new Date(Date.now() - 1000).toISOString();
      const file = path.join(jobsDirectory(), "ep1.lease");
      await until("a sign", () => fs.existsSync(file));
      fs.writeFileSync(file, JSON.stringify({ at: new Date().toISOString(), notNotedSince }));
      await until("a sign of its own", () => readHeartbeat(jobsDirectory(), "ep1")?.notNotedSince === undefined);
      const { at } = readHeartbeat(jobsDirectory(), "ep1")!;
      assert.ok(Date.parse(at) - Date.parse(notNotedSince) > 1400, at);
    });
  });

  describe("R39: a job of a container that was replaced", () => {
    const LEASE_MS = 60_000;
    /** Makes the run one of a process that nobody here can see, with its last sign of life so long ago. */
    const moveAway = async (silentMs: number): Promise<void> => {
      const at = new Date(Date.now() - silentMs).toISOString();
      await updateManifest(jobsDirectory(), "ep1", (old) => ({
        ...old!,
        job: { ...old!.job, started: new Date(Date.now() - Math.abs(silentMs) - 1000).toISOString() },
        lease: { ...old!.lease, host: "box1", namespace: "pid:[1]" },
      }));
      fs.writeFileSync(path.join(jobsDirectory(), "ep1.lease"), JSON.stringify({ at }));
    };
    const leave = async (silentMs: number): Promise<string> => {
      await using jobs = make({ leaseMs: LEASE_MS });
      const job = await jobs.startJob("ep1", "subtitles");
      const file = await work(job, "1.srt");
      await jobs[Symbol.asyncDispose]();
      await moveAway(silentMs);
      return file;
    };

    it("S2.1: is gone on with by resume: true once its lease is over, and by nothing else", async () => {
      const file = await leave(LEASE_MS + 1000);
      const jobs = make({ leaseMs: LEASE_MS });
      const refused = await jobs.startJob("ep1", "subtitles");
      assert.equal(refused.tracked, false);
      assert.match(refused.problem ?? "", /cannot be seen from here: .*; if that is gone for good, start it with resume: true/);
      const result = await jobs.completeJob("ep1", true);
      assert.deepEqual([result.deletedFiles, result.errors.length], [0, 1]);
      assert.ok(isThere(file));
      const { started } = manifestOf("ep1")!.job;
      const job = await jobs.startJob("ep1", "subtitles", { resume: true });
      assert.deepEqual([job.tracked, job.problem, manifestOf("ep1")?.job.started], [true, undefined, started], heard.text());
      assert.equal((await job.complete()).deletedFiles, 1, heard.text());
    });

    it("is not, while its lease lasts, or its clock is ahead", async () => {
      for (const silentMs of [1000, -10 * LEASE_MS]) {
        await leave(silentMs);
        const job = await make({ leaseMs: LEASE_MS }).startJob("ep1", "subtitles", { resume: true });
        assert.equal(job.tracked, false);
        assert.match(job.problem ?? "", /another process (is|may be) at work on it/);
        assert.equal(readHeartbeat(jobsDirectory(), "ep1")?.notNotedSince, undefined, "signs of life are the other's");
        assert.equal((await job.complete()).deletedFiles, 0);
        fs.rmSync(jobsDirectory(), { recursive: true });
      }
    });

    it("R17: is not, when another one has gone on with it while this one could not note that", async () => {
      await leave(LEASE_MS + 1000);
      const jobs = make({ leaseMs: LEASE_MS });
      const manifest = path.join(jobsDirectory(), "ep1.json");
      const text = fs.readFileSync(manifest);
      const locks = path.join(jobsDirectory(), "locks");
      fs.rmSync(locks, { recursive: true });
      fs.writeFileSync(locks, "in the way");
      const job = await jobs.startJob("ep1", "subtitles", { resume: true });
      assert.equal(job.tracked, false);
      assert.ok(readHeartbeat(jobsDirectory(), "ep1")?.notNotedSince, "it gives signs of life meanwhile");
      fs.rmSync(locks);
      await updateManifest(jobsDirectory(), "ep1", (old) => ({ ...old!, lease: { ...old!.lease, host: "box2" } }));
      assert.notDeepEqual(fs.readFileSync(manifest), text);
      await work(job, "2.srt");
      assert.equal(job.tracked, false);
      assert.match(job.problem ?? "", /on box2/);
      assert.equal(manifestOf("ep1")?.lease.host, "box2");
      assert.equal(readHeartbeat(jobsDirectory(), "ep1"), undefined, "its own signs would look like the other's");
    });
  });

  describe("where the manifests are", () => {
    const settings = (directory: string): string => JSON.stringify({ ...AT_ONCE, jobs: { directory } });

    it("S2.7: is not guessed: what begins while offcut.json is broken is noted when it is mended, and keeps its files", async () => {
      root.write("offcut.json", settings("state/jobs"));
      await (await make().startJob("ep1", "subtitles")).fail();
      await updateManifest(root.path("state/jobs"), "ep1", (old) => ({ ...old!, job: { ...old!.job, state: "succeeded" } }));
      root.write("offcut.json", settings("state/jobs").slice(0, -1));
      const jobs = make();
      const job = await jobs.startJob("ep1", "subtitles");
      assert.equal(job.tracked, false);
      assert.match(job.problem ?? "", /offcut\.json:1/);
      const file = await work(job, "live.srt");
      assert.equal(isThere(".offcut/jobs/ep1.json"), false);
      root.write("offcut.json", settings("state/jobs"));
      await until("the start to be noted", () => job.tracked);
      await sweep();
      assert.ok(isThere(file), heard.text());
      assert.equal(manifestOf("ep1", root.path("state/jobs"))?.job.state, "running");
      assert.equal((await job.complete()).deletedFiles, 1, heard.text());
    }).timeout(20_000);

    it("S2.7: is looked up again when offcut.json changes under a job: the manifest comes along, with all that it lists", async () => {
      root.write("offcut.json", settings("old/jobs"));
      const [old, next] = [root.path("old/jobs"), root.path("new/jobs")];
      const jobs = make();
      const job = await jobs.startJob("ep1", "subtitles");
      const file = await work(job, "1.srt");
      const listed = root.write("elsewhere/listed.bin");
      await job.addFile(listed);
      // An earlier run that ended there would let go what this one makes.
      await updateManifest(next, "ep1", () => ({
        ...manifestOf("ep1", old)!,
        files: [],
        job: { id: "ep1", type: "subtitles", state: "succeeded", started: "2025-01-31T12:00:00.000Z", ended: "2025-01-31T13:00:00.000Z" },
      }));
      root.write("offcut.json", settings("new/jobs"));
      await until("the manifest to come along", () => manifestOf("ep1", next)?.job.state === "running" && !manifestOf("ep1", old));
      const { started, files } = { ...manifestOf("ep1", next)!.job, files: manifestOf("ep1", next)!.files };
      assert.notEqual(started, "2025-01-31T12:00:00.000Z");
      assert.deepEqual(
        files.map((entry) => entry.path),
        [file, "elsewhere/listed.bin"],
      );
      await until("it to be on record", () => job.tracked);
      await sweep();
      assert.ok(isThere(file) && fs.existsSync(listed), heard.text());
      await work(job, "2.srt");
      assert.equal((await job.complete()).errors.length, 0, heard.text());
      assert.equal(isThere(file), false);
    }).timeout(20_000);

    it("is not known while offcut.json is broken under a job, which says so", async () => {
      const jobs = make();
      const job = await jobs.startJob("ep1", "subtitles");
      root.write("offcut.json", "{ nonsense");
      await until("it to be noticed", () => !job.tracked);
      assert.match(job.problem ?? "", /offcut\.json:1/);
      root.write("offcut.json", JSON.stringify(AT_ONCE));
      const file = await work(job, "1.srt");
      assert.deepEqual([job.tracked, job.problem], [true, undefined], heard.text());
      await job.complete();
      assert.equal(isThere(file), false, heard.text());
    }).timeout(20_000);
  });

  describe("S2.1: a final that somebody asked the path of", () => {
    const finals = (id: string): unknown => manifestOf(id)?.files.map(({ path: file, role, bytes }) => [file, role, bytes]);

    it("is known to whoever completes the job", async () => {
      const job = await make().startJob("ep1", "long_form");
      const file = await work(job, "1.srt");
      fs.writeFileSync(job.finalPath("long_form", "ep1.mp4"), videoBytes());
      job.finalPath("long_form", "never-made.mp4");
      await until("both to be noted", () => manifestOf("ep1")?.files.length === 3);
      const result = await make().completeJob("ep1", true);
      assert.deepEqual([result.deletedFiles, result.errors], [1, []], heard.text());
      assert.deepEqual([isThere(file), isThere("output/long_form/ep1.mp4")], [false, true]);
    });

    it("R34: proves nothing when an earlier run made it, and everything when it was named and is missing", async () => {
      const final = root.write("output/long_form/ep1.mp4", videoBytes());
      const later = { now: () => fs.statSync(final).ctimeMs + 5000 };
      const job = await make(later).startJob("ep1", "long_form");
      const file = await work(job, "1.srt");
      job.finalPath("long_form", "ep1.mp4");
      await until("it to be noted", () => manifestOf("ep1")?.files.length === 2);
      assert.equal((await make(later).completeJob("ep1", true)).deletedFiles, 0);
      assert.match(heard.text(), /no final of job ep1 is recorded/);
      assert.deepEqual([isThere(file), finals("ep1")], [true, [[file, "temp", undefined]]]);

      const named = await make().startJob("ep2", "long_form", { makesFinal: false });
      root.write("output/jobs/ep2/subtitles/1.srt");
      named.finalPath("long_form", "ep2.mp4");
      await until("it to be noted", () => manifestOf("ep2")?.files.length === 1);
      await named.addFile("output/long_form/ep2.mp4");
      assert.equal((await named.complete()).deletedFiles, 0);
      assert.match(heard.text(), /ep2\.mp4 of job ep2 is not verified/);
    });
  });
});
