import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { CleanupService, JobManager } from "../../runtime/index.ts";
import { AT_ONCE, type Listener, makeListener, makeRoot, type Root } from "./world.ts";

const PROGRAM = fileURLToPath(new URL("jobChild.ts", import.meta.url));

describe("jobs of several processes", function () {
  this.timeout(60_000);
  let root: Root;
  let heard: Listener;
  const children: ChildProcess[] = [];
  beforeEach(() => {
    root = makeRoot({ ...AT_ONCE, policy: { ...AT_ONCE.policy, preserveOnFailure: false } });
    root.write("output/long_form/other.mp4"); // A cleanup that leaves nothing at all would ask first (R20).
    heard = makeListener();
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    root[Symbol.dispose]();
  });

  interface Worker {
    readonly child: ChildProcess;
    line(): Promise<string>;
  }

  const start = (id: string, leaseMs: number, type = "subtitles"): Worker => {
    const child = spawn(process.execPath, [PROGRAM, root.root, id, String(leaseMs), type], { stdio: ["pipe", "pipe", "ignore"] });
    children.push(child);
    // Without a listener a line that comes before anybody asks would be lost.
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return { child, line: async () => String((await lines.next()).value) };
  };
  const kill = async ({ child }: Worker): Promise<void> => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  const service = (): CleanupService => new CleanupService({ root: root.root, logger: heard.logger, environment: {} });
  const jobs = (): JobManager => new JobManager({ root: root.root, logger: heard.logger, environment: {}, leaseMs: 1000 });
  const temporary = (id: string): string[] => root.files().filter((file) => file.startsWith(`output/jobs/${id}/`));

  it("R39: a job of a living process keeps its files; another process is told whose it is", async () => {
    const worker = start("a", 1);
    assert.equal(await worker.line(), "running");
    assert.equal((await service().cleanupJob("a", false)).deletedFiles, 0);
    await using mine = jobs();
    const job = await mine.startJob("a", "subtitles");
    assert.equal(job.tracked, false);
    assert.match(job.problem ?? "", new RegExp(`another process is at work on it \\(process ${worker.child.pid} is running\\)`));
    root.write("output/jobs/a/subtitles/mine.srt");
    await job.addFile("output/jobs/a/subtitles/mine.srt");
    assert.equal((await job.complete()).deletedFiles, 0);
    assert.equal(temporary("a").length, 2);
    worker.child.stdin!.write("complete\n");
    assert.equal((JSON.parse(await worker.line()) as { deletedFiles: number }).deletedFiles, 2, "the job is the worker's");
  });

  it("S2.1 R39 R37: a killed job keeps its files until its lease is over, then it has failed", async () => {
    const worker = start("a", 3000);
    assert.equal(await worker.line(), "running");
    await kill(worker);
    assert.equal((await service().cleanupJob("a", false)).deletedFiles, 0, "its lease is not over");
    assert.equal(temporary("a").length, 1);
    const until = Date.now() + 30_000;
    let result = await service().cleanupJob("a", true);
    while (result.deletedFiles === 0 && Date.now() < until && !heard.text().includes("abandoned"))
      result = await service().cleanupJob("a", true);
    assert.match(heard.text(), /job a failed .*abandoned/);
    assert.equal(temporary("a").length, 1, "a failed job keeps everything");
    assert.equal((await service().cleanupJob("a", false)).deletedFiles, 1, heard.text());
  });

  it("S2.1: a process that starts again takes its killed job over at once, and goes on with it", async () => {
    const worker = start("a", 60_000);
    assert.equal(await worker.line(), "running");
    await kill(worker);
    await using mine = jobs();
    assert.equal((await mine.getJobContext("a"))?.state, "running");
    const job = await mine.startJob("a", "subtitles", { resume: true });
    assert.equal(job.tracked, true, heard.text());
    const second = start("a", 1000);
    assert.match(await second.line(), new RegExp(`another process is at work on it \\(process ${process.pid} is running\\)`));
    await kill(second);
    assert.equal((await job.complete()).deletedFiles, 2, heard.text());
    assert.deepEqual(temporary("a"), []);
  });

  it("R39: nobody ends a job that another living process is at work on: by its id, by a context of it, or by one of an earlier run", async () => {
    await using mine = jobs();
    const old = await mine.startJob("a", "subtitles");
    root.write("output/jobs/a/subtitles/mine.srt");
    assert.equal((await old.complete()).deletedFiles, 1, heard.text());
    const worker = start("a", 1);
    assert.equal(await worker.line(), "running");
    const context = await mine.getJobContext("a");
    assert.ok(context);
    assert.equal(context.tracked, false);
    assert.match(context.problem ?? "", /another process is at work on it/);
    for (const end of [
      async () => context.complete(),
      async () => context.fail(),
      async () => old.complete(),
      async () => old.fail(),
      async () => mine.completeJob("a", true),
      async () => mine.completeJob("a", false),
    ]) {
      const result = await end();
      assert.deepEqual([result.deletedFiles, result.errors.length], [0, 1]);
      assert.match(result.errors[0]?.message ?? "", /another (process is at work on it|run of it began)/);
      assert.equal(temporary("a").length, 1);
    }
    assert.equal(context.state, "running");
    worker.child.stdin!.write("complete\n");
    assert.equal((JSON.parse(await worker.line()) as { deletedFiles: number }).deletedFiles, 1, "the job is the worker's");
  });

  it("S2.1: a job whose process was killed is completed by its id, with the final that the process had asked the path of", async () => {
    const worker = start("a", 60_000, "long_form");
    assert.equal(await worker.line(), "running");
    await kill(worker);
    await using mine = jobs();
    const result = await mine.completeJob("a", true);
    assert.deepEqual([result.deletedFiles, result.errors], [1, []], heard.text());
    assert.ok(root.files().includes("output/long_form/a.mp4"));
  });

  it("R41 S2.7: six processes that end their jobs in the same moment all clean up after themselves", async () => {
    const workers = Array.from({ length: 6 }, (_, i) => start(`w${i}`, 1000));
    for (const worker of workers) assert.equal(await worker.line(), "running");
    for (const { child } of workers) child.stdin!.write("complete\n");
    for (const worker of workers) {
      const result = JSON.parse(await worker.line()) as { deletedFiles: number; errors: unknown[] };
      assert.deepEqual([result.deletedFiles, result.errors], [1, []]);
    }
    assert.deepEqual(
      root.files().filter((file) => file.startsWith("output/jobs/")),
      workers.map((_, i) => `output/jobs/w${i}_completed`),
    );
  });
});
