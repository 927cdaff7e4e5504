import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { abandonJob, whyUnseen } from "../../core/jobs/abandon.ts";
import { type Lease, type Moment, myLease, readHeartbeat } from "../../core/jobs/lease.ts";
import { manifestFile, readManifest, updateManifest } from "../../core/jobs/manifests.ts";
import { readJobs } from "../../core/jobs/owners.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { configOf, entry, makeRoot, sample, STARTED } from "./samples.ts";

const START = Date.parse(STARTED);
const AWAY: Lease = { ...myLease(200), host: "another", namespace: "pid:[1]", boot: "another" };
const iso = (ms: number): string => new Date(ms).toISOString();

describe("a job that nobody can see", () => {
  const later: Moment = { wallMs: START + 3_600_000, uptimeMs: 0 };
  let place: ReturnType<typeof makeRoot>;

  beforeEach(() => {
    place = makeRoot();
  });
  afterEach(() => place[Symbol.dispose]());

  const ownerAt = (now: Moment) => readJobs(configOf(place.root), now).owners[0];
  const beat = (ms: number): void => fs.writeFileSync(path.join(place.jobs, "j1.lease"), JSON.stringify({ at: iso(ms) }));
  const abandon = (now = later) => abandonJob(place.jobs, "j1", () => now);

  it("R37 R39: failed at its last sign of life, with its files; its next sign makes it unknown again", async () => {
    await updateManifest(place.jobs, "j1", () => sample("j1", { lease: AWAY, files: [{ ...entry("a.png"), added: iso(START + 10) }] }));
    beat(START + 5000);
    assert.equal(ownerAt(later)?.state, "unknown");
    assert.match(whyUnseen(place.jobs, "j1", later) ?? "", /on another cannot be seen from here/);
    const { job, files, directories } = await abandon();
    assert.deepEqual([job.state, job.ended, files.length, directories.length], ["failed", iso(START + 5000), 1, 1]);
    assert.match(job.error ?? "", /^abandoned; process \d+ on another /);
    assert.deepEqual([ownerAt(later)?.state, ownerAt(later)?.endedMs], ["failed", START + 5000]);
    beat(START + 5001);
    assert.equal(ownerAt(later)?.state, "unknown", "it lives after all");
  });

  it("R48: a sign of life from the future is that of a wrong clock", async () => {
    await updateManifest(place.jobs, "j1", () => sample("j1", { lease: AWAY }));
    beat(later.wallMs + 7_200_000);
    assert.equal(ownerAt(later)?.state, "unknown");
    assert.equal((await abandon()).job.ended, iso(later.wallMs));
    assert.equal(readHeartbeat(place.jobs, "j1"), undefined);
    assert.equal(ownerAt(later)?.state, "failed");
  });

  it("R17 R39: refuses one that is live, one that ended, one that is damaged, and one that came back while somebody was asked", async () => {
    await assert.rejects(abandon(), Refusal);
    await updateManifest(place.jobs, "j1", () => sample("j1", { lease: AWAY }));
    assert.equal(whyUnseen(place.jobs, "j1", { ...later, wallMs: START + 200 }), undefined, "its lease lasts");
    beat(later.wallMs - 100);
    await assert.rejects(abandon(), Refusal);
    fs.rmSync(path.join(place.jobs, "j1.lease"));
    const ended = { ...sample("j1").job, state: "succeeded", ended: iso(START + 1000) } as const;
    for (const change of [{ lease: myLease(200) }, { job: ended }]) {
      await updateManifest(place.jobs, "j1", () => sample("j1", { lease: AWAY, ...change }));
      assert.equal(whyUnseen(place.jobs, "j1", later), undefined);
      await assert.rejects(abandon(), Refusal);
    }
    const before = fs.readFileSync(manifestFile(place.jobs, "j1"));
    assert.equal(readManifest(place.jobs, "j1")?.manifest?.job.state, "succeeded");
    assert.deepEqual(fs.readFileSync(manifestFile(place.jobs, "j1")), before);
    for (const suffix of ["", ".bak"]) fs.writeFileSync(`${manifestFile(place.jobs, "j1")}${suffix}`, "{");
    assert.equal(whyUnseen(place.jobs, "j1", later), undefined);
    await assert.rejects(abandon(), Refusal);
  });
});
