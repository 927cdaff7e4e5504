import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import { heartbeat, type Lease, myLease } from "../../core/jobs/lease.ts";
import type { Manifest } from "../../core/jobs/manifest.ts";
import { updateManifest } from "../../core/jobs/manifests.ts";
import { addProject, makeWorkspace, videoBytes, type Workspace } from "../workspace.ts";
import { json, offcut } from "./offcut.ts";

const HOUR = 3_600_000;

interface JobJson {
  readonly id: string;
  readonly kind: string;
  readonly type?: string;
  readonly state: string;
  readonly held: boolean;
  readonly unnoted: boolean;
  readonly unseen: boolean;
  readonly detail?: string;
  readonly left: { readonly files: number; readonly bytes: number };
  readonly reclaimable: { readonly files: number; readonly bytes: number };
  readonly finals?: { readonly named: number; readonly there: number };
}

describe("offcut jobs", function () {
  this.timeout(60_000);
  let ws: Workspace;
  let manifests: string;

  beforeEach(() => {
    ws = makeWorkspace({ schema: false });
    manifests = ws.path(".offcut/jobs");
    configure({ preset: "job-manifests" });
  });
  afterEach(() => ws.dispose());

  const configure = (settings: object): void =>
    void ws.write("offcut.json", Buffer.from(JSON.stringify({ ...settings, policy: { grace: "0s", retention: "0s" } })));
  const list = async (): Promise<ReadonlyMap<string, JobJson>> => {
    const outcome = await offcut(["jobs", "--json"], ws);
    assert.equal(outcome.code, 0, outcome.stderr);
    return new Map(json<{ jobs: JobJson[] }>(outcome).jobs.map((job) => [job.id, job]));
  };
  const left = (id: string): string[] => ws.files().filter((file) => file.startsWith(`output/jobs/${id}/`));

  /** A job with two temporary files, and a final when it succeeded. */
  async function addJob(id: string, state: Manifest["job"]["state"], lease: Lease = myLease(60_000)): Promise<void> {
    const added = new Date(Date.now() - 3 * HOUR).toISOString();
    const ended = state === "running" ? {} : { ended: new Date(Date.now() - 2 * HOUR).toISOString() };
    const final = { path: `output/long_form/${id}.mp4`, kind: "film", role: "final", added } as const;
    for (const kind of ["slides", "videos"]) ws.write(`output/jobs/${id}/${kind}/1.bin`, 1000);
    if (state === "succeeded") ws.write(final.path, videoBytes());
    await updateManifest(manifests, id, () => ({
      schema: 1,
      sequence: 0,
      job: { id, type: "long", state, started: added, ...ended, ...(state === "failed" && { error: "ffmpeg exited with 1" }) },
      lease,
      makesFinal: true,
      files: state === "succeeded" ? [{ ...final, bytes: videoBytes().length }] : [],
      directories: [{ path: `output/jobs/${id}`, kind: "work", role: "temp", added }],
    }));
  }

  /** The lease of a process that ran and is gone. */
  async function deadLease(): Promise<Lease> {
    const child = spawn(process.execPath, ["-e", ""]);
    await new Promise((resolve) => child.once("exit", resolve));
    return { ...myLease(1000), pid: child.pid ?? 0 };
  }

  it("R37 R39: lists jobs with their state, lease, what is left and what is made; looking writes nothing", async () => {
    await addJob("live", "running");
    await addJob("gone", "running", await deadLease());
    await addJob("bad", "failed");
    await addJob("good", "succeeded");
    const before = ws.snapshot({ everything: true });
    const jobs = await list();
    assert.deepEqual(
      [...jobs].map(([id, job]) => [id, job.type, job.state, job.held, job.left.files, job.reclaimable.files, job.finals]),
      [
        ["bad", "long", "failed", true, 2, 0, undefined],
        ["gone", "long", "abandoned", true, 2, 0, undefined],
        ["good", "long", "succeeded", false, 2, 2, { named: 1, there: 1 }],
        ["live", "long", "running", false, 2, 0, undefined],
      ],
    );
    assert.equal(jobs.get("bad")?.detail, "ffmpeg exited with 1");
    assert.match(jobs.get("gone")?.detail ?? "", /^process \d+ is gone: last sign of life /);
    assert.equal(jobs.get("live")?.detail, `process ${process.pid} is running`);
    const { stdout } = await offcut(["jobs"], ws);
    assert.match(stdout, /^bad +long +failed, held for debugging +2 h +2 +2\.0 KB +- +ffmpeg exited with 1$/m);
    assert.match(stdout, /^good +long +succeeded +2 h +2 +2\.0 KB +1$/m);
    assert.match(stdout, /^Held for debugging: 3\.9 KB\. Let go: offcut jobs release ID$/m);
    assert.deepEqual(ws.snapshot({ everything: true }), before);
  });

  it("P2 P3 S2.8: watch takes what succeeded, keeps its final, and leaves the running and the failed alone", async () => {
    for (const [id, state] of [
      ["live", "running"],
      ["bad", "failed"],
      ["good", "succeeded"],
    ] as const)
      await addJob(id, state);
    assert.equal((await offcut(["watch", "--once"], ws)).code, 0);
    assert.deepEqual([left("good").length, left("bad").length, left("live").length], [0, 2, 2]);
    assert.ok(ws.files().includes("output/long_form/good.mp4"));
    assert.equal((await list()).get("good")?.left.files, 0);
  });

  it("R37: release lets a failed job go, hold takes that back, and only failed ones are held", async () => {
    await addJob("bad", "failed");
    await addJob("gone", "running", await deadLease());
    await addJob("live", "running");
    const released = await offcut(["jobs", "release", "bad"], ws);
    assert.equal(released.code, 0, released.stderr);
    assert.match(
      released.stdout,
      /^Released bad: 2 files \(2\.0 KB\) can go now\..*\nClean: offcut clean --job bad   Take it back: offcut jobs hold bad\n$/,
    );
    assert.equal((await list()).get("bad")?.state, "released");
    assert.equal((await offcut(["jobs", "hold", "bad"], ws)).code, 0);
    assert.equal((await list()).get("bad")?.held, true);
    assert.equal((await offcut(["jobs", "hold", "bad"], ws)).code, 2);
    assert.equal((await offcut(["watch", "--once"], ws)).code, 0);
    assert.equal(left("bad").length, 2);
    for (const id of ["bad", "gone"]) assert.equal((await offcut(["jobs", "release", id], ws)).code, 0);
    assert.equal((await offcut(["clean", "--yes", "--job", "bad"], ws)).code, 0);
    assert.deepEqual([left("bad").length, left("gone").length], [0, 2], "--job chooses one");
    assert.equal((await offcut(["watch", "--once"], ws)).code, 0);
    assert.deepEqual([left("gone").length, left("live").length], [0, 2]);
    const refused = await offcut(["jobs", "release", "live"], ws);
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, /live did not fail \(running\)/);
    const unknown = await offcut(["jobs", "release", "nobody"], ws);
    assert.equal(unknown.code, 2);
    for (const args of [["release"], ["release", "a", "b"], ["free", "bad"]]) assert.equal((await offcut(["jobs", ...args], ws)).code, 2);
  });

  it("R37: a project of a database that failed is released in the same way", async () => {
    ws.dispose();
    ws = makeWorkspace();
    manifests = ws.path(".offcut/jobs");
    configure({ preset: "video-generator" });
    addProject(ws, "broken", { status: "failed" });
    addProject(ws, "busy", { status: "rendering" });
    const { kind, state, detail, left: rest } = (await list()).get("broken")!;
    assert.deepEqual([kind, state, detail], ["project", "failed", "projects.status = failed"]);
    assert.ok(rest.files > 0);
    assert.ok(!(await list()).has("busy"));
    assert.equal((await offcut(["jobs", "release", "broken"], ws)).code, 0);
    assert.equal((await offcut(["clean", "--yes", "--job", "broken"], ws)).code, 0);
    assert.equal((await list()).get("broken")?.left.files, 0);
  });

  it("R69: doctor restores a manifest from its backup and tells of leases that ended", async () => {
    await addJob("gone", "running", await deadLease());
    await addJob("good", "succeeded");
    const whole = fs.readFileSync(`${manifests}/good.json`);
    fs.writeFileSync(`${manifests}/good.json`, whole.subarray(0, 100));
    const doctor = await offcut(["doctor"], ws);
    assert.equal(doctor.code, 0, doctor.stdout);
    assert.match(doctor.stdout, /✓ jobs: restored the manifest of good from its backup/);
    assert.match(doctor.stdout, /✓ jobs: gone was abandoned: process \d+ is gone: .*; its files are held like those of a failed job/);
    assert.match(doctor.stdout, /✓ jobs: 0 running, 1 succeeded, 1 failed, 0 unknown/);
    assert.match(doctor.stdout, /✓ automatic loop: nobody enforces the policy here/);
    assert.equal((await list()).get("good")?.state, "succeeded");
    assert.doesNotMatch((await offcut(["doctor"], ws)).stdout, /restored/);
    assert.equal((await offcut(["watch", "--once"], ws)).code, 0);
    const after = (await offcut(["doctor"], ws)).stdout;
    assert.match(after, /✓ automatic loop: not running; last round .*: Cleanup: Deleted 2 files/);
    assert.match(after, /✓ reserve: \d+\.\d KB, so that a cleanup works on a full disk/);
  });

  it("R32: a manifest that nobody can read stops all cleaning until it is restored or set aside by hand", async () => {
    await addJob("good", "succeeded");
    await addJob("bad", "failed");
    for (const file of ["bad.json", "bad.json.bak"]) fs.writeFileSync(`${manifests}/${file}`, "nonsense");
    const jobs = await list();
    assert.deepEqual([jobs.get("bad")?.state, jobs.get("good")?.reclaimable.files], ["unreadable", 0]);
    assert.match((await offcut(["jobs"], ws)).stdout, /set it aside: offcut jobs forget bad$/m);
    assert.equal((await offcut(["doctor"], ws)).code, 3);
    assert.equal((await offcut(["watch", "--once"], ws)).code, 3);
    assert.deepEqual([left("good").length, left("bad").length], [2, 2]);
    assert.equal((await offcut(["jobs", "forget", "bad"], ws)).code, 2, "nobody is there to confirm");
    assert.equal((await offcut(["jobs", "forget", "nobody", "--yes"], ws)).code, 2);
    const healthy = await offcut(["jobs", "forget", "good", "--yes"], ws);
    assert.equal(healthy.code, 4);
    assert.match(healthy.stderr, /the manifest of good can be read/);
    const forgotten = await offcut(["jobs", "forget", "bad", "--yes"], ws);
    assert.equal(forgotten.code, 0, forgotten.stderr);
    assert.equal(forgotten.stdout, "The manifest of bad is now .offcut/jobs/damaged/bad.json; nothing reads it there.\n");
    assert.equal((await offcut(["watch", "--once"], ws)).code, 0);
    assert.deepEqual([left("good").length, left("bad").length], [0, 2], "R30: what is nobody's is taken by hand only");
    assert.ok(!(await list()).has("bad"));
  });

  it("R39: a start that nobody could note keeps everything until somebody forgets it, but not while there are signs of life", async () => {
    await addJob("good", "succeeded");
    for (const id of ["good", "lone"]) heartbeat(manifests, id, new Date().toISOString());
    ws.write("output/jobs/lone/slides/1.png", 100);
    const seen = await list();
    assert.deepEqual(
      [seen.get("good"), seen.get("lone")].map((row) => [row?.state, row?.unnoted, row?.reclaimable.files]),
      [
        ["unknown", true, 0],
        ["unknown", true, 0],
      ],
    );
    assert.match(seen.get("good")?.detail ?? "", /^started again, not noted; last sign of life 20/);
    const early = await offcut(["jobs", "forget", "good", "--yes"], ws);
    assert.deepEqual([early.code, early.stderr.includes("somebody is at work on good: its last sign of life is from 20")], [4, true]);
    for (const id of ["good", "lone"]) {
      const sign = JSON.parse(fs.readFileSync(`${manifests}/${id}.lease`, "utf8")) as { at: string };
      fs.writeFileSync(`${manifests}/${id}.lease`, JSON.stringify({ ...sign, at: new Date(Date.now() - 3_600_000).toISOString() }));
    }
    assert.match((await offcut(["jobs"], ws)).stdout, /once nobody is at work on it: offcut jobs forget good$/m);
    assert.equal((await offcut(["jobs", "forget", "good"], ws)).code, 2, "nobody is there to confirm");
    for (const id of ["good", "lone"])
      assert.equal((await offcut(["jobs", "forget", id, "--yes"], ws)).stdout, `The start of ${id} is forgotten.\n`);
    assert.equal((await offcut(["jobs", "forget", "lone", "--yes"], ws)).code, 2);
    const after = await list();
    assert.deepEqual([after.get("good")?.state, after.get("good")?.reclaimable.files, after.has("lone")], ["succeeded", 2, false]);
    assert.equal((await offcut(["watch", "--once"], ws)).code, 0);
    assert.deepEqual(left("lone"), ["output/jobs/lone/slides/1.png"], "R30: what is nobody's is taken by hand only");
  });

  it("R39 R37: a job whose process nobody can see counts as failed once somebody says that it is over; one that is live does not", async () => {
    const lease = { ...myLease(1000), host: "a-container-that-is-gone", namespace: "pid:[1]", boot: "another" };
    await addJob("lost", "running", lease);
    await addJob("live", "running");
    await addJob("fresh", "running", { ...lease, durationMs: 24 * HOUR });
    const mend = "Once nobody is at work on it: offcut jobs forget lost";
    const before = await list();
    assert.deepEqual([before.get("lost")?.state, before.get("lost")?.unseen, before.get("live")?.unseen], ["unknown", true, false]);
    assert.ok((await offcut(["jobs"], ws)).stdout.includes(mend));
    const early = await offcut(["jobs", "release", "lost"], ws);
    assert.deepEqual([early.code, early.stderr.includes(mend)], [4, true], early.stderr);
    const kept = await offcut(["clean", "--yes", "--job", "lost"], ws);
    assert.deepEqual([kept.code, kept.stdout.includes(mend)], [0, true], kept.stdout);
    for (const id of ["live", "fresh"]) {
      const refused = await offcut(["jobs", "forget", id, "--yes"], ws);
      assert.deepEqual([refused.code, refused.stderr.includes(`somebody is at work on ${id}: process `)], [4, true], refused.stderr);
    }
    const asked = await offcut(["jobs", "forget", "lost"], ws);
    assert.equal(asked.code, 2, "nobody is there to confirm");
    assert.match(asked.stderr, /add --yes: lost says that it is running: process \d+ on a-container-that-is-gone cannot be seen from here/);
    assert.match((await offcut(["doctor"], ws)).stdout, /whether lost runs: .*; its files are kept\. Once .*: offcut jobs forget lost$/m);
    assert.equal((await list()).get("lost")?.state, "unknown");
    const forgotten = await offcut(["jobs", "forget", "lost", "--yes"], ws);
    assert.equal(forgotten.code, 0, forgotten.stderr);
    assert.match(forgotten.stdout, /^lost counts as failed now\.\nLet go what it left: offcut jobs release lost\n$/);
    const failed = (await list()).get("lost");
    assert.deepEqual([failed?.state, failed?.held, failed?.left.files, failed?.reclaimable.files], ["failed", true, 2, 0]);
    assert.match(failed?.detail ?? "", /^abandoned; process \d+ on a-container-that-is-gone /);
    assert.equal((await offcut(["jobs", "release", "lost"], ws)).code, 0);
    assert.equal((await offcut(["clean", "--yes", "--job", "lost"], ws)).code, 0);
    assert.deepEqual([left("lost").length, left("live").length, left("fresh").length], [0, 2, 2]);
  });

  it("R71: a manifest of a newer version is neither read nor set aside", async () => {
    await addJob("new", "succeeded");
    const text = fs.readFileSync(`${manifests}/new.json`, "utf8");
    const { createHash } = await import("node:crypto");
    const rest = text.split("\n").slice(3).join("\n");
    const head = '{\n  "schema": 2,\n';
    const checksum = createHash("sha256").update(head).update(rest).digest("hex");
    fs.writeFileSync(`${manifests}/new.json`, `${head}  "checksum": "${checksum}",\n${rest}`);
    assert.equal((await list()).get("new")?.state, "unreadable");
    const refused = await offcut(["jobs", "forget", "new", "--yes"], ws);
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, /newer version/);
    assert.ok(fs.existsSync(`${manifests}/new.json`));
  });

  it("R51: plan shows stores with a limit, and JSON has what blocks them", async () => {
    configure({ stores: { clips: { path: "clips/{event}.mp4", role: "clip", maxBytes: "30KB", targetBytes: "20KB" } } });
    for (let n = 0; n < 4; n++) ws.write(`clips/e${n}.mp4`, 10 * 1024, (4 - n) * 60_000);
    ws.write("clips/notes.txt", 1024);
    const plan = await offcut(["plan"], ws);
    assert.match(plan.stdout, /^clips +41\.0 KB +30\.0 KB +30\.0 KB +20\.0 KB +1\.0 KB not managed$/m);
    assert.match(plan.stderr, /storage pressure: the store "clips" has 41\.0 KB and may have 30\.0 KB/);
    const { pressures } = json<{ pressures: { store: string; over: boolean; freeBytes: number }[] }>(await offcut(["plan", "--json"], ws));
    assert.deepEqual(
      pressures.map(({ store, over, freeBytes }) => [store, over, freeBytes]),
      [["clips", true, 30 * 1024]],
    );
  });

  it("R56: plan --why names the largest files that are in the way of the target, by reason", async () => {
    configure({ stores: { clips: { path: "clips/{event}.mp4", role: "clip", maxBytes: "30KB", targetBytes: "20KB" } } });
    ws.write("clips/e1.mp4", 1024);
    for (const [name, kilobytes] of [
      ["a.txt", 40],
      ["b.txt", 30],
      ["c.txt", 2],
      ["d.txt", 1],
    ] as const)
      ws.write(`clips/${name}`, kilobytes * 1024);
    const why = (await offcut(["plan", "--why"], ws)).stdout;
    assert.match(
      why,
      /in the way: not-managed: 73\.0 KB in 4 files\n +clips\/a\.txt  40\.0 KB\n +clips\/b\.txt  30\.0 KB\n +clips\/c\.txt  2\.0 KB\n +and 1 file more/,
    );
    assert.doesNotMatch((await offcut(["plan"], ws)).stdout, /in the way/);
  });

  it("tables call jobs jobs", async () => {
    await addJob("good", "succeeded");
    assert.match((await offcut(["plan"], ws)).stdout, /^JOB +KIND/m);
    assert.match((await offcut(["clean", "--yes"], ws)).stdout, /^JOB +KIND/m);
    assert.match((await offcut(["history"], ws)).stdout, /PROJECTS\/JOBS\n.* good$/m);
  });

  it("R58: what somebody should know of a cleanup and of an undo is told after it, in text and JSON", async () => {
    const clips = { path: "clips/{event}.mp4", role: "clip", maxBytes: "30KB", targetBytes: "20KB" };
    for (const flags of [[], ["--json"]]) {
      configure({ stores: { clips } });
      for (let n = 0; n < 4; n++) ws.write(`clips/e${n}.mp4`, 10 * 1024, (4 - n) * 60_000);
      const cleaned = await offcut(["clean", "--yes", ...flags], ws);
      assert.equal(cleaned.code, 0, cleaned.stderr);
      const words = flags.length === 0 ? cleaned.stdout : (json<{ notes: string[] }>(cleaned).notes[0] ?? "");
      assert.match(words, /with what is held the store "clips" is above its limit, so automatic cleaning frees it first/);
      const undone = await offcut(["undo", ...flags], ws);
      assert.equal(undone.code, 0, undone.stderr);
      const after = flags.length === 0 ? undone.stdout : (json<{ notes: string[] }>(undone).notes[0] ?? "");
      assert.match(after, /the limits of the store "clips" hold for what came back, too/);
    }
  });
});
