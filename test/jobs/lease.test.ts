import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { threadId } from "node:worker_threads";
import { heartbeat, type Lease, myLease, readHeartbeat, startHeartbeat, stateOfLease } from "../../core/jobs/lease.ts";
import type { Manifest } from "../../core/jobs/manifest.ts";
import { updateManifest } from "../../core/jobs/manifests.ts";
import { readJobs, refuseManifestTree } from "../../core/jobs/owners.ts";
import { CHILD, Child, configOf, entry, makeRoot, sample, STARTED, until } from "./samples.ts";

const START = Date.parse(STARTED);
const SIGN = { at: STARTED, uptimeMs: 1_000_000 };
/** So long after the sign of life, by both clocks. */
const after = (ms: number) => ({ wallMs: START + ms, uptimeMs: 1_000_000 + ms });
const stateAfter = (lease: Lease, ms: number) => stateOfLease(lease, SIGN, after(ms)).state;

async function leaseOf(child: Child): Promise<Lease> {
  return JSON.parse(await until("the lease", () => child.lines[0])) as Lease;
}

describe("lease", function () {
  this.timeout(60_000);

  it("R39: a process that runs holds its lease, however old its last sign of life is, and when it stands still", async () => {
    using child = new Child("lease");
    const lease = await leaseOf(child);
    assert.equal(lease.pid, child.pid);
    for (const ms of [0, 200, 201, 365 * 86_400_000]) assert.equal(stateAfter(lease, ms), "live");
    assert.equal(stateOfLease(lease, undefined, after(1e9)).state, "live");
    child.process.kill("SIGSTOP");
    await until(
      "the process to stand still",
      () => process.platform !== "linux" || / T /.test(fs.readFileSync(`/proc/${child.pid}/stat`, "utf8")),
    );
    assert.deepEqual(stateOfLease(lease, SIGN, after(1e9)), { state: "live", words: `process ${child.pid} is running` });
  });

  it("R39 R50: of a process that was killed the lease ends after its time, not exactly at it", async () => {
    using child = new Child("lease");
    const lease = await leaseOf(child);
    await child.kill();
    assert.deepEqual(
      [0, 199, 200].map((ms) => stateAfter(lease, ms)),
      ["live", "live", "live"],
    );
    assert.deepEqual(stateOfLease(lease, SIGN, after(201)), {
      state: "ended",
      words: `process ${child.pid} is gone: last sign of life ${STARTED}`,
    });
    assert.equal(stateOfLease(lease, undefined, after(0)).state, "ended");
  });

  it("R39: a process that ended and was not waited for is gone", async function () {
    if (process.platform !== "linux") this.skip(); // Elsewhere it cannot be told from one that runs.
    // The shell becomes `tail`, which never asks what became of its child.
    const shell = spawn("sh", ["-c", '"$0" "$1" lease & exec tail -f /dev/null', process.execPath, CHILD], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      let text = "";
      shell.stdout.setEncoding("utf8").on("data", (more: string) => (text += more));
      const lease = JSON.parse(await until("the lease", () => text.endsWith("\n") && text)) as Lease;
      const alive = stateAfter(lease, 1e9);
      process.kill(lease.pid, "SIGKILL"); // Before anything can fail: nobody else ends it.
      assert.equal(alive, "live");
      await until("the end of it", () => / Z /.test(fs.readFileSync(`/proc/${lease.pid}/stat`, "utf8")));
      await until("the end of its other threads", () => fs.readdirSync(`/proc/${lease.pid}/task`).length === 1);
      assert.equal(process.kill(lease.pid, 0), true);
      assert.deepEqual([stateAfter(lease, 200), stateAfter(lease, 201)], ["live", "ended"]);
    } finally {
      shell.kill("SIGKILL");
    }
  });

  it("R39: a pid that another process has now, and one from before the last boot, are gone", function () {
    if (process.platform !== "linux") this.skip(); // Elsewhere a pid has neither start time nor boot to compare.
    const lease = myLease(200);
    assert.equal(stateAfter(lease, 1e9), "live");
    for (const other of [
      { ...lease, started: "1" },
      { ...lease, boot: "another" },
      { ...lease, pid: 4_194_303 },
    ])
      assert.deepEqual([stateAfter(other, 200), stateAfter(other, 201)], ["live", "ended"], JSON.stringify(other));
  });

  it("R39: a process that cannot be seen from here is not called dead", () => {
    const lease = myLease(200);
    const elsewhere = { ...lease, host: "another", boot: "another" };
    for (const other of [elsewhere, { ...lease, namespace: "pid:[1]" }]) {
      assert.deepEqual([stateAfter(other, 200), stateAfter(other, 201), stateAfter(other, 1e12)], ["live", "unknown", "unknown"]);
      assert.match(
        stateOfLease(other, SIGN, after(201)).words,
        new RegExp(`process ${process.pid}.* cannot be seen from here: last sign of life ${STARTED}`),
      );
    }
    assert.match(stateOfLease(elsewhere, SIGN, after(0)).words, /process \d+ on another: last sign of life .*, lease of /);
  });

  it("R39 R48: within one boot the clock that nobody sets counts, else the wall clock, which may be wrong", function () {
    if (process.platform !== "linux") this.skip(); // Elsewhere boots cannot be told apart.
    const dead = { ...myLease(200), pid: 4_194_303 };
    const year = 365 * 86_400_000;
    for (const jump of [-year, year]) {
      assert.equal(stateOfLease(dead, SIGN, { wallMs: START + jump, uptimeMs: 1_000_150 }).state, "live");
      assert.equal(stateOfLease(dead, SIGN, { wallMs: START + jump, uptimeMs: 1_000_201 }).state, "ended");
    }
    const before = { ...dead, boot: "another" };
    assert.equal(stateOfLease(before, SIGN, { wallMs: START + 150, uptimeMs: 5 }).state, "live");
    assert.equal(stateOfLease(before, SIGN, { wallMs: START + 201, uptimeMs: 1_000_000 }).state, "ended");
    const future = stateOfLease(before, SIGN, { wallMs: START - year, uptimeMs: 5 });
    assert.equal(future.state, "unknown");
    assert.match(future.words, /which is in the future/);
  });

  it("R39: signs of life come by themselves; what fails is told and tried again; of one that cannot be read the time of its file counts", async () => {
    using place = makeRoot();
    const errors: unknown[] = [];
    {
      using _heart = startHeartbeat(place.jobs, "j1", 5, { onError: (error) => errors.push(error) });
      await until("two failures", () => errors.length >= 2);
      assert.match(String(errors[0]), /ENOENT/);
      fs.mkdirSync(place.jobs, { recursive: true });
      const first = await until("a sign of life", () => readHeartbeat(place.jobs, "j1"));
      assert.ok(Math.abs(Date.parse(first.at) - Date.now()) < 60_000 && Math.abs((first.uptimeMs ?? 0) - os.uptime() * 1000) < 60_000);
      await until("another", () => readHeartbeat(place.jobs, "j1")?.at !== first.at);
    }
    assert.deepEqual(fs.readdirSync(place.jobs), ["j1.lease"]);
    for (const text of ["", "{", "null", "{}", '{"at":"soon"}', '{"at":1}']) {
      fs.writeFileSync(path.join(place.jobs, "j1.lease"), text);
      fs.utimesSync(path.join(place.jobs, "j1.lease"), START / 1000, START / 1000);
      assert.deepEqual(readHeartbeat(place.jobs, "j1"), { at: STARTED }, text);
    }
    fs.writeFileSync(path.join(place.jobs, "j1.lease"), JSON.stringify({ at: STARTED, uptimeMs: "x" }));
    assert.deepEqual(readHeartbeat(place.jobs, "j1"), { at: STARTED });
    assert.throws(() => heartbeat(path.join(place.root, "not-there"), "j1"), /ENOENT/);
  });
});

describe("owners", () => {
  const dead: Lease = { ...myLease(200), started: "1", boot: "another" };
  const ended = { id: "j", type: "long", started: STARTED, ended: "2025-01-31T13:00:00.000Z" };

  async function factsOf(manifests: readonly Manifest[], ms: number): Promise<ReturnType<typeof readJobs>> {
    using place = makeRoot();
    for (const manifest of manifests) await updateManifest(place.jobs, manifest.job.id, () => manifest);
    const facts = readJobs(configOf(place.root), after(ms));
    const relative = <T extends { readonly path: string }>(use: T): T => ({ ...use, path: path.relative(place.root, use.path) });
    return { ...facts, references: facts.references.map(relative), outputs: facts.outputs.map(relative) };
  }

  it("R39 R37: a job is what its lease and its manifest say", async () => {
    const lease = process.platform === "linux" ? dead : { ...dead, pid: 99_999_999 };
    const { owners, unavailable, problems } = await factsOf(
      [
        sample("alive"),
        sample("dead", { lease, files: [{ ...entry("a"), added: "2025-01-31T12:00:00.150Z" }] }),
        sample("away", { lease: { ...lease, host: "another" } }),
        sample("good", { lease, job: { ...ended, id: "good", state: "succeeded" } }),
        sample("bad", { lease, job: { ...ended, id: "bad", state: "failed", error: "no voice" }, makesFinal: false }),
      ],
      201,
    );
    assert.deepEqual([unavailable, problems], [undefined, []]);
    const common = { source: "job manifest", kind: "job", type: "long", startedMs: START };
    assert.deepEqual(
      owners.map(({ lease, run: _run, ...owner }) => [owner, lease?.replace(/\d+/, "N")]),
      [
        [{ ...common, id: "alive", state: "running", status: "running" }, "process N is running"],
        [
          { ...common, id: "away", state: "unknown", status: "running" },
          `process N on another cannot be seen from here: last sign of life ${STARTED}`,
        ],
        [{ ...common, id: "bad", state: "failed", status: "failed", endedMs: START + 3_600_000, makesNoFinal: true }, undefined],
        [
          { ...common, id: "dead", state: "failed", status: "abandoned", endedMs: START + 150 },
          `process N is gone: last sign of life ${STARTED}`,
        ],
        [{ ...common, id: "good", state: "succeeded", status: "succeeded", endedMs: START + 3_600_000 }, undefined],
      ],
    );
    const earlier = await factsOf([sample("dead", { lease })], 200);
    assert.equal(earlier.owners[0]?.state, "running");
  });

  it("R39: the heartbeat of an earlier process does not count for a job that started again", async () => {
    using place = makeRoot();
    const started = new Date().toISOString();
    await updateManifest(place.jobs, "j1", () =>
      sample("j1", { lease: { ...dead, durationMs: 60_000 }, job: { ...sample("j1").job, started } }),
    );
    fs.writeFileSync(path.join(place.jobs, "j1.lease"), JSON.stringify(SIGN));
    const stateAt = (wallMs: number) => readJobs(configOf(place.root), { wallMs, uptimeMs: 1e12 }).owners[0]?.state;
    assert.equal(stateAt(Date.parse(started) + 60_000), "running");
    assert.equal(stateAt(Date.parse(started) + 60_001), process.platform === "linux" ? "failed" : "running");
  });

  it("R17 R39: a job that ended and gives signs of life since runs again, by whatever clock, and nobody knows what is new", async () => {
    using place = makeRoot();
    const job = { ...ended, id: "j1", state: "succeeded" } as const;
    await updateManifest(place.jobs, "j1", () => sample("j1", { job }));
    const file = path.join(place.jobs, "j1.lease");
    const stateWith = (sign: object | string): string | undefined => {
      fs.writeFileSync(file, typeof sign === "string" ? sign : JSON.stringify(sign));
      const { owners, hash } = readJobs(configOf(place.root), after(0));
      assert.equal(owners.length, 1);
      hashes.add(hash);
      return `${owners[0]?.state} ${owners[0]?.status}`;
    };
    const hashes = new Set<string>();
    assert.equal(stateWith({ at: job.ended }), "succeeded succeeded", "as late as its end");
    assert.equal(stateWith({ at: "2025-01-31T13:00:00.001Z" }), "unknown started again, not noted");
    assert.equal(stateWith({ at: STARTED, notNotedSince: STARTED }), "unknown started again, not noted", "the clock was set back");
    assert.equal(stateWith(""), "unknown started again, not noted", "an empty file, made now on a full disk");
    assert.equal(hashes.size, 2, "a plan from before is overtaken (R16)");
  });

  it("R17: signs of life without a manifest are a job of which nothing is known", () => {
    using place = makeRoot();
    fs.mkdirSync(place.jobs, { recursive: true });
    heartbeat(place.jobs, "j1", STARTED);
    heartbeat(place.jobs, "j2");
    fs.writeFileSync(path.join(place.jobs, "j 3.lease"), "");
    const { owners, unavailable, problems } = readJobs(configOf(place.root), after(0));
    const common = { state: "unknown", status: "started, not noted", source: "job manifest", kind: "job" };
    assert.deepEqual(owners, [
      { ...common, id: "j1", startedMs: START },
      { ...common, id: "j2", startedMs: Date.parse(readHeartbeat(place.jobs, "j2")?.at ?? "") },
    ]);
    assert.deepEqual([unavailable, problems], [undefined, []]);
  });

  it("R39: where no new file can be made the old one is written, and its time is a sign", () => {
    using place = makeRoot();
    fs.mkdirSync(path.join(place.jobs, `j1.lease.${process.pid}-${threadId}.tmp`), { recursive: true }); // In the way.
    fs.writeFileSync(path.join(place.jobs, "j1.lease"), "");
    heartbeat(place.jobs, "j1", STARTED);
    assert.equal(readHeartbeat(place.jobs, "j1")?.notNotedSince, STARTED);
  });

  it("R26: a directory of a succeeded job is not its for ever; what is held stays held", async () => {
    const { references } = await factsOf(
      [
        sample("bad", { job: { ...ended, id: "bad", state: "failed" } }),
        sample("good", { job: { ...ended, id: "good", state: "succeeded" } }),
        sample("run"),
      ],
      0,
    );
    assert.deepEqual(
      references.filter((use) => use.untilMs !== undefined).map(({ owner, path: used, untilMs }) => [owner, used, untilMs]),
      [["good", "output/parts", Date.parse(ended.ended) + 1]],
    );
  });

  it("R37: each run of a job is another one", async () => {
    using place = makeRoot();
    const runs: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      await updateManifest(place.jobs, "j1", (old) => ({ ...(old ?? sample("j1")), lease: { ...dead, pid: 5 + i } }));
      runs.push(readJobs(configOf(place.root), after(1000)).owners[0]?.run);
    }
    assert.equal(new Set(runs).size, 2);
  });

  it("R6 R32: a file whose name is no id is no manifest: it is passed over, and named", async () => {
    using place = makeRoot();
    await updateManifest(place.jobs, "j1", () => sample("j1"));
    for (const suffix of [".json", ".json.bak"]) fs.writeFileSync(path.join(place.jobs, `j 1 (copy)${suffix}`), "{}");
    const { owners, unavailable, problems } = readJobs(configOf(place.root), after(0));
    assert.deepEqual([owners.map((owner) => owner.id), unavailable], [["j1"], undefined]);
    assert.deepEqual(
      problems.map(({ severity, source }) => `${severity} ${path.basename(source)}`),
      ["warning j 1 (copy).json", "warning j 1 (copy).json.bak"],
    );
  });

  it("R26 R28: a job uses all that it lists, and its finals are outputs", async () => {
    const { references, outputs } = await factsOf([sample("j1", { directories: [entry("parts"), entry("films", "final")] })], 0);
    assert.deepEqual(
      references.map((use) => use.path),
      ["output/slide-1.png", "output/film.mp4", "output/parts", "output/films"],
    );
    assert.deepEqual(
      new Set(references.map(({ owner, source, eventMs }) => `${owner} ${source} ${eventMs}`)),
      new Set([`j1 job manifest ${START}`]),
    );
    assert.deepEqual(outputs, [
      { owner: "j1", path: "output/film.mp4", source: "job manifest", bytes: 4096 },
      { owner: "j1", path: "output/films", source: "job manifest", directory: true },
    ]);
  });

  it("R16: the hash changes with a manifest and with the state of a job, and with nothing else", async () => {
    using place = makeRoot();
    const hashAt = (ms: number) => readJobs(configOf(place.root), after(ms)).hash;
    const empty = hashAt(0);
    await updateManifest(place.jobs, "j1", () => sample("j1", { lease: dead }));
    const live = hashAt(0);
    assert.equal(hashAt(150), live);
    const over = process.platform === "linux" ? hashAt(201) : "as long as it lives";
    await updateManifest(place.jobs, "j1", (old) => ({ ...old!, files: [] }));
    assert.equal(new Set([empty, live, over, hashAt(0)]).size, 4);
  });

  it("R70: a job that lists the directory of the manifests, or one of them, is not cleaned", async () => {
    using place = makeRoot();
    const config = configOf(place.root);
    for (const bad of [".offcut", ".offcut/jobs", ".offcut/jobs/j1.json"]) {
      assert.match(refuseManifestTree(config, bad) ?? "", /job manifests/);
      await updateManifest(place.jobs, "j1", () =>
        sample("j1", { job: { ...ended, id: "j1", state: "succeeded" }, directories: [{ ...entry("x"), path: bad }] }),
      );
      const { owners, problems } = readJobs(config, after(0));
      assert.deepEqual([owners[0]?.state, problems.length], ["unknown", 1], bad);
      assert.ok(problems[0]?.message.startsWith(`${bad} holds the job manifests`));
    }
    for (const good of ["output", ".offcut-jobs", ".offcut/jobs2"]) assert.equal(refuseManifestTree(config, good), undefined);
    assert.notEqual(refuseManifestTree({ root: place.root, jobs: { directory: place.root, leaseMs: 1 } }, "output"), undefined);
  });

  it("R32 R19: a directory of manifests that cannot be read leaves nothing to decide", () => {
    using place = makeRoot();
    fs.mkdirSync(path.join(place.root, ".offcut"));
    fs.writeFileSync(place.jobs, "");
    const facts = readJobs(configOf(place.root), after(0));
    assert.match(facts.unavailable ?? "", /the job manifests in .*jobs cannot be read.*Nothing is cleaned/);
    assert.deepEqual(
      facts.problems.map((problem) => problem.message),
      [facts.unavailable],
    );
  });
});
