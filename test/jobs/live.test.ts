/** The campaign of R39: jobs that are killed at any moment, beside one that lives. */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { parseManifest } from "../../core/jobs/manifest.ts";
import { readManifest, readManifests } from "../../core/jobs/manifests.ts";
import { type JobFacts, readJobs, stateOfJob } from "../../core/jobs/owners.ts";
import { uptimeMs } from "../../core/process.ts";
import { Child, configOf, inPairs, makeRoot, until } from "./samples.ts";

const ROUNDS = 300;
const LEASE_MS = 200;

describe("jobs that die", function () {
  this.timeout(180_000);

  it(`R39 R68 R69: of ${ROUNDS} jobs that are killed at some moment each has a whole manifest, runs until its lease ends, and is abandoned then`, async () => {
    using place = makeRoot();
    const config = configOf(place.root);
    const now = () => ({ wallMs: Date.now(), uptimeMs: uptimeMs() });
    /** As a plan sees them all. */
    const lookAtAll = (): JobFacts => {
      const facts = readJobs(config, now());
      assert.deepEqual([facts.unavailable, facts.problems], [undefined, []]);
      assert.equal(facts.owners.find((owner) => owner.id === "living")?.state, "running");
      return facts;
    };
    /** One of them, beside the neighbour: reading hundreds of manifests every moment would leave no time for dying. */
    const lookAt = (id: string): ReturnType<typeof stateOfJob> => {
      const [neighbour, own] = ["living", id].map((one) => {
        const { manifest, heartbeat, from, problem } = readManifest(place.jobs, one)!;
        assert.deepEqual([from, problem], ["file", undefined]);
        return stateOfJob({ manifest: manifest!, ...(heartbeat && { heartbeat }) }, now());
      });
      assert.equal(neighbour?.state, "running");
      return own!;
    };
    using warm = new Child("update", path.join(place.root, "other"), "j1", 1);
    await warm.ended; // So that the others start fast.
    using neighbour = new Child("work", place.root, "living", LEASE_MS);
    await until("the neighbour to start", () => neighbour.lines.includes("started"));
    let sequence = readManifest(place.jobs, "living")?.manifest?.sequence ?? 0;

    const seen = { before: 0, early: 0, late: 0, looks: 0 };
    await inPairs(
      Array.from({ length: ROUNDS }, (_, i) => `job-${i}`),
      async (id, round) => {
        using child = new Child("work", place.root, id, LEASE_MS);
        // From before it has done anything until it has written some files, and then at any moment.
        const wanted = round % 10;
        if (wanted > 0) await until(`the work of ${id}`, () => child.lines.length >= wanted || child.process.exitCode !== null);
        for (let turns = Math.floor(Math.random() * 40); turns > 0; turns--) await new Promise(setImmediate);
        assert.equal(child.process.exitCode, null, "it does not end by itself");
        await child.kill();

        const found = readManifest(place.jobs, id);
        const manifest = found?.manifest;
        if (!found || !manifest) {
          assert.equal(found, undefined);
          assert.ok(!child.lines.includes("started"));
          seen.before++;
          return;
        }
        assert.deepEqual([found.from, found.problem], ["file", undefined]);
        assert.equal(manifest.job.state, "running");
        const listed = new Set(manifest.files.map((file) => file.path));
        const wrote = child.lines.filter((line) => line.startsWith("wrote ")).map((line) => line.slice(6));
        for (const file of wrote) assert.ok(listed.has(file), `${file} was written and is not listed`);
        const slides = path.join(place.root, "output/jobs", id, "slides");
        for (const file of fs.existsSync(slides) ? fs.readdirSync(slides) : [])
          assert.ok(listed.has(`output/jobs/${id}/slides/${file}`), `${file} lies there and is not listed`);
        seen[wrote.length > 3 ? "late" : "early"]++;

        const sign = found.heartbeat;
        assert.ok(sign?.uptimeMs !== undefined);
        const at = (ms: number) =>
          stateOfJob({ manifest, heartbeat: sign }, { wallMs: Date.parse(sign.at) + ms, uptimeMs: sign.uptimeMs! + ms });
        assert.equal(at(LEASE_MS).state, "running");
        assert.deepEqual([at(LEASE_MS + 1).state, at(LEASE_MS + 1).status], ["failed", "abandoned"]);
        const ended = await until(
          `the end of the lease of ${id}`,
          () => {
            const job = lookAt(id);
            seen.looks++;
            const age = uptimeMs() - sign.uptimeMs!;
            assert.ok(job.state === "running" || age > LEASE_MS, `${job.state} after ${age} ms`);
            return job.state !== "running" && job;
          },
          { every: 10 },
        );
        if (round % 10 === 5) assert.equal(lookAtAll().owners.find((owner) => owner.id === id)?.status, "abandoned");
        assert.deepEqual([ended.state, ended.status], ["failed", "abandoned"]);
        assert.ok(Math.abs((ended.endedMs ?? 0) - Date.parse(sign.at)) < 1000);
      },
      6,
    );

    // Dead contenders for the lock hinder nobody: the neighbour went on all the time, and lost nothing.
    assert.equal(neighbour.process.exitCode, null);
    assert.deepEqual(
      neighbour.lines.filter((line) => line.startsWith("lost")),
      [],
    );
    const grown = readManifest(place.jobs, "living")?.manifest?.sequence ?? 0;
    assert.ok(grown > sequence + ROUNDS, `${grown - sequence} changes`);
    sequence = grown;
    await until("another change", () => (readManifest(place.jobs, "living")?.manifest?.sequence ?? 0) > sequence);
    assert.ok(seen.before > 0 && seen.early > 50 && seen.late > 50 && seen.looks > ROUNDS * 2, JSON.stringify(seen));
    assert.equal(readManifests(place.jobs).length, ROUNDS + 1 - seen.before);
    assert.equal(lookAtAll().owners.filter((owner) => owner.status === "abandoned").length, ROUNDS - seen.before);
    for (const name of fs.readdirSync(place.jobs))
      if (name.endsWith(".bak")) assert.ok("manifest" in parseManifest(fs.readFileSync(path.join(place.jobs, name))), name);

    await neighbour.kill();
    // One that died between its first sign of life and its manifest has no lease that could end.
    const left = new Set(["abandoned", "started, not noted"]);
    await until("the end of the neighbour's lease", () => readJobs(config, now()).owners.every((owner) => left.has(owner.status)));
  });

  it("R39 R37: a job that was killed and starts again runs, ends as succeeded, and its files stay listed", async () => {
    using place = makeRoot();
    const config = configOf(place.root);
    const state = () => readJobs(config, { wallMs: Date.now(), uptimeMs: uptimeMs() }).owners[0]?.state;
    using first = new Child("work", place.root, "j1", LEASE_MS);
    await until("some files", () => first.lines.length > 3);
    await first.kill();
    await until("the end of the lease", () => state() === "failed");
    const listed = readManifest(place.jobs, "j1")?.manifest?.files.map((file) => file.path) ?? [];
    using second = new Child("work", place.root, "j1", LEASE_MS, 2);
    await until("the second start", () => second.lines.includes("started"));
    assert.notEqual(state(), "failed");
    await second.ended;
    assert.equal(second.lines.at(-1), "succeeded");
    assert.equal(state(), "succeeded");
    const files = readManifest(place.jobs, "j1")?.manifest?.files ?? [];
    for (const file of listed)
      assert.ok(
        files.some((one) => one.path === file),
        file,
      );
    assert.deepEqual(
      files.filter((file) => file.role === "final").map((file) => [file.path, file.bytes]),
      [["output/long_form/j1.mp4", 5000]],
    );
  });
});
