import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { cleanUp } from "../../core/cleanUp.ts";
import { loadConfig } from "../../core/config/load.ts";
import { enforce } from "../../core/enforce.ts";
import { myLease } from "../../core/jobs/lease.ts";
import { MANIFEST_SCHEMA, type Manifest, type ManifestEntry } from "../../core/jobs/manifest.ts";
import { lockManifests, manifestFile, readManifest, updateManifest } from "../../core/jobs/manifests.ts";
import { releaseOwner, unreleaseOwner } from "../../core/jobs/release.ts";
import { makePlan } from "../../core/makePlan.ts";
import type { Plan } from "../../core/model.ts";
import { purge, undo } from "../../core/runs.ts";
import { type Layout, makeLayout } from "../layout.ts";
import { videoBytes } from "../workspace.ts";

const environment = {};
const settings = {
  stores: {
    slides: { path: "output/jobs/{job}/slides/", role: "temp" },
    videos: { path: "output/jobs/{job}/videos/", role: "temp" },
    cache: { path: "cache/{video}.mp4", role: "shared", automatic: true },
    long: { path: "output/long_form/{file}.mp4", role: "final" },
  },
  policy: { grace: "0s" },
};

interface JobOptions {
  readonly state?: Manifest["job"]["state"];
  readonly final?: "whole" | "none" | "truncated" | "makes-none";
  readonly uses?: readonly string[];
  /** The process that holds the lease is gone. */
  readonly dead?: boolean;
  readonly ended?: string;
  /** Another directory that it lists. */
  readonly directory?: string;
}

async function addJob(layout: Layout, id: string, options: JobOptions = {}): Promise<void> {
  const { state = "succeeded", final = "whole", uses = [], dead = false, directory } = options;
  const at = new Date(Date.now() - 60_000).toISOString();
  const entry = (file: string, kind: string, role: ManifestEntry["role"] = "temp"): ManifestEntry => ({
    path: file,
    kind,
    role,
    added: at,
  });
  const temporary = [`output/jobs/${id}/slides/1.png`, `output/jobs/${id}/videos/cut/2.mp4`];
  for (const file of temporary) layout.write(file);
  for (const file of uses) if (!fs.existsSync(layout.path(file))) layout.write(file);
  const film = `output/long_form/${id}.mp4`;
  const makes = final === "whole" || final === "truncated";
  if (makes) layout.write(film, final === "whole" ? videoBytes() : videoBytes().subarray(0, 3000), 60_000);
  const lease = myLease(50);
  await updateManifest(loadConfig(layout.root).jobs.directory, id, () => ({
    schema: MANIFEST_SCHEMA,
    sequence: 0,
    job: { id, type: "long_form", state, started: at, ...(state !== "running" && { ended: options.ended ?? new Date().toISOString() }) },
    lease: dead ? { ...lease, pid: deadPid(), started: "1" } : lease,
    makesFinal: final !== "makes-none",
    files: [
      entry(temporary[0]!, "slides"),
      ...uses.map((file) => entry(file, "cache")),
      ...(makes ? [{ ...entry(film, "long_form", "final"), bytes: fs.statSync(layout.path(film)).size }] : []),
    ],
    directories: [entry(`output/jobs/${id}/videos`, "videos"), ...(directory === undefined ? [] : [entry(directory, "temp")])],
  }));
}

function deadPid(): number {
  return Number(execFileSync(process.execPath, ["-p", "process.pid"], { encoding: "utf8" }));
}

function plan(layout: Layout, more: object = {}): Promise<Plan> {
  return makePlan(loadConfig(layout.root), { environment, ...more });
}

async function clean(layout: Layout, more: object = {}) {
  return cleanUp(loadConfig(layout.root), await plan(layout, more), { environment, ...more });
}

const reasonsOf = (made: Plan, id: string): string[] => [
  ...new Set(made.items.filter((item) => item.owner === id && item.role !== "final").map((item) => `${item.verdict} ${item.reason}`)),
];

describe("jobs as owners", () => {
  it("P2, P3, R37, R39: a succeeded job loses its temporary files, a failed and a live one keep theirs, a dead one counts as failed", async () => {
    using layout = makeLayout(settings);
    await addJob(layout, "done");
    await addJob(layout, "failed", { state: "failed" });
    await addJob(layout, "live", { state: "running" });
    await addJob(layout, "dead", { state: "running", dead: true });
    const made = await plan(layout);
    assert.deepEqual(reasonsOf(made, "done"), ["reclaim owner-succeeded"]);
    assert.deepEqual(reasonsOf(made, "failed"), ["keep failed-held"]);
    assert.deepEqual(reasonsOf(made, "live"), ["keep owner-running"]);
    assert.deepEqual(reasonsOf(made, "dead"), ["keep failed-held"]);
    assert.equal(made.owners.find((owner) => owner.id === "dead")?.status, "abandoned");
    await clean(layout);
    assert.deepEqual(
      layout.files().filter((file) => file.includes("done")),
      ["output/long_form/done.mp4"],
    );
    for (const id of ["failed", "live", "dead"]) assert.equal(layout.files().filter((file) => file.includes(`/${id}/`)).length, 2, id);
  });

  it("R34: a job whose final is cut short, or that has none and did not say so, keeps everything", async () => {
    using layout = makeLayout(settings);
    await addJob(layout, "short", { final: "truncated" });
    await addJob(layout, "none", { final: "none" });
    await addJob(layout, "text", { final: "makes-none" });
    const made = await plan(layout);
    assert.deepEqual(reasonsOf(made, "short"), ["keep final-unverified"]);
    assert.deepEqual(reasonsOf(made, "none"), ["keep final-unverified"]);
    assert.deepEqual(reasonsOf(made, "text"), ["reclaim owner-succeeded"]);
  });

  it("R34: a final that has another size than when its job ended is a doubt", async () => {
    using layout = makeLayout(settings);
    await addJob(layout, "j1");
    layout.write("output/long_form/j1.mp4", Buffer.concat([videoBytes(), Buffer.from("\0\0\0\u0008free")]), 60_000);
    const made = await plan(layout);
    assert.deepEqual(reasonsOf(made, "j1"), ["keep final-unverified"]);
    assert.match(made.items.find((item) => item.owner === "j1" && item.role === "temp")?.evidence[0] ?? "", /had \d+ when its job ended/);
  });

  it("R26, R27: a shared file that a live job lists stays, also in the directory of another job", async () => {
    using layout = makeLayout(settings);
    await addJob(layout, "a", { uses: ["cache/x.mp4", "cache/y.mp4"] });
    await addJob(layout, "b", { state: "running", uses: ["cache/x.mp4", "output/jobs/a/slides/1.png"] });
    await clean(layout);
    const left = layout.files();
    assert.ok(left.includes("cache/x.mp4"));
    assert.ok(!left.includes("cache/y.mp4"));
    assert.ok(left.includes("output/jobs/a/slides/1.png"));
    assert.ok(!left.includes("output/jobs/a/videos/cut/2.mp4"));
  });

  it("R32: a manifest that is damaged together with its backup widens nothing: everything is kept, and the problem names it", async () => {
    using layout = makeLayout(settings);
    await addJob(layout, "a", { uses: ["cache/x.mp4"] });
    await addJob(layout, "b", { state: "running", uses: ["cache/x.mp4"] });
    const before = new Set((await plan(layout)).items.filter((item) => item.verdict === "reclaim").map((item) => item.path));
    const { directory } = loadConfig(layout.root).jobs;
    for (const suffix of ["", ".bak"]) {
      const file = manifestFile(directory, "b") + suffix;
      if (fs.existsSync(file)) fs.writeFileSync(file, '{ "schema": 1, "chec');
    }
    const made = await plan(layout);
    const after = made.items.filter((item) => item.verdict === "reclaim").map((item) => item.path);
    assert.ok(after.every((file) => before.has(file)));
    assert.deepEqual(after, []);
    assert.match(made.problems.map((problem) => problem.message).join(), /b\.json is damaged .*offcut jobs forget b/);
  });

  it("R15, R17: a job that starts again between preview and cleaning keeps its files", async () => {
    using layout = makeLayout(settings);
    await addJob(layout, "a");
    const made = await plan(layout);
    await addJob(layout, "a", { state: "running" });
    await assert.rejects(cleanUp(loadConfig(layout.root), made, { environment }), /a database or a job changed since the preview/);
    assert.equal(layout.files().length, 3);
  });

  it("R17, R39: while somebody changes the manifests the files of their jobs stay where they are", async () => {
    using layout = makeLayout(settings);
    await addJob(layout, "a");
    const made = await plan(layout);
    using _held = await lockManifests(loadConfig(layout.root).jobs.directory, ["a"]);
    const result = await cleanUp(loadConfig(layout.root), made, { environment });
    assert.equal(result.deletedFiles, 0);
    assert.match(result.skipped[0]?.reason ?? "", /has been changing/);
    assert.equal(layout.files().length, 3);
  }).timeout(15_000);

  it("R70, P5: the manifest is kept until nothing can come back, and goes last", async () => {
    using layout = makeLayout(settings);
    await addJob(layout, "a");
    const { directory } = loadConfig(layout.root).jobs;
    await clean(layout);
    assert.ok(readManifest(directory, "a"), "an undo needs to know whose the files are");
    await undo(loadConfig(layout.root), undefined);
    assert.equal(layout.files().length, 3);
    assert.deepEqual(reasonsOf(await plan(layout), "a"), ["reclaim owner-succeeded"]);
    await clean(layout);
    await purge(layout.root);
    await enforce(layout.root, { environment });
    assert.equal(readManifest(directory, "a"), undefined);
    assert.deepEqual(layout.files(), ["output/long_form/a.mp4"]);
  });

  it("R70, R28: a manifest that is what protects a final stays, marked as cleaned", async () => {
    using layout = makeLayout({ ...settings, stores: { ...settings.stores, long: false } });
    layout.settings({ stores: { slides: settings.stores.slides, videos: settings.stores.videos }, policy: { undo: "0h" } });
    await addJob(layout, "a");
    await clean(layout);
    assert.ok(readManifest(loadConfig(layout.root).jobs.directory, "a")?.manifest?.cleaned);
    assert.deepEqual(layout.files(), ["output/long_form/a.mp4"]);
  });

  it("R70: manifests inside of a store are a mistake of the settings", () => {
    using layout = makeLayout({ ...settings, jobs: { directory: "cache/jobs" } });
    layout.settings({ stores: { all: { path: "cache/", role: "temp" } }, jobs: { directory: "cache/jobs" } });
    assert.throws(() => loadConfig(layout.root), /jobs\.directory: lies in the store "all"/);
  });

  it("R37: what a failed job holds goes once somebody releases it, also of a project of a database; a release can be taken back", async () => {
    using layout = makeLayout(settings);
    await addJob(layout, "f", { state: "failed" });
    const owner = (await plan(layout)).owners.find((one) => one.id === "f");
    assert.ok(owner);
    releaseOwner(layout.root, owner, Date.now());
    const made = await plan(layout);
    assert.deepEqual(reasonsOf(made, "f"), ["reclaim owner-failed"]);
    assert.match(made.items.find((item) => item.owner === "f" && item.role === "temp")?.evidence[0] ?? "", /released by hand/);
    unreleaseOwner(layout.root, "f");
    assert.deepEqual(reasonsOf(await plan(layout), "f"), ["keep failed-held"]);
    releaseOwner(layout.root, owner, Date.now());
    const result = await clean(layout);
    assert.equal(result.deletedFiles, 2);
    await addJob(layout, "f", { state: "failed" });
    assert.deepEqual(reasonsOf(await plan(layout), "f"), ["keep failed-held"], "the next failure is held again");
  });

  it("R30, R31: what others write into a directory of a job after its end is not the job's", async () => {
    using layout = makeLayout({ ...settings, stores: { ...settings.stores, loose: { path: "tmp/{x}.bin", role: "temp" } } });
    layout.write("tmp/own.bin");
    const endedMs = Date.now() + 1;
    await addJob(layout, "a", { ended: new Date(endedMs).toISOString(), directory: "tmp" });
    while (Date.now() < endedMs + 20) await turn();
    layout.write("tmp/others.bin");
    const verdicts = new Map((await plan(layout)).items.map((item) => [item.path, `${item.verdict} ${item.reason}`]));
    assert.equal(verdicts.get("tmp/own.bin"), "reclaim owner-succeeded");
    assert.equal(verdicts.get("tmp/others.bin"), "keep orphan");
  });

  it("R13: looking at jobs writes nothing", async () => {
    using layout = makeLayout(settings);
    await addJob(layout, "a");
    const look = (): string[] =>
      fs.readdirSync(path.join(layout.root, ".offcut"), { recursive: true, encoding: "utf8" }).map((name) => {
        const stat = fs.lstatSync(path.join(layout.root, ".offcut", name));
        return `${name} ${stat.mtimeMs} ${stat.size}`;
      });
    const before = look();
    await plan(layout, { mode: "automatic" });
    assert.deepEqual(look(), before);
  });
});
