/** Jobs that are killed at any moment, with a cleaner at work beside them that may take what a failed job left. */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { readManifest, readManifests } from "../../core/jobs/manifests.ts";
import { uptimeMs } from "../../core/process.ts";
import { Child, inPairs, until } from "../jobs/samples.ts";
import { makeLayout } from "../layout.ts";
import type { Told } from "./cleanerChild.ts";
import { createRandom, withSeed } from "./random.ts";
import { Worker } from "./worker.ts";

const KILLS = 300;
const LEASE_MS = 300;

const settings = {
  stores: {
    slides: { path: "output/jobs/{job}/slides/", role: "temp" },
    final: { path: "output/long_form/{job}.mp4", role: "final" },
  },
  policy: { grace: "0s", undo: "0s", preserveOnFailure: false, brake: { share: 1, files: 100_000 } },
};

describe("a cleaner and jobs that die", function () {
  this.timeout(300_000);

  it(`R39, R37: of ${KILLS} jobs that are killed none loses a file before its lease ended, and all do then`, () =>
    withSeed(async (seed) => {
      const random = createRandom(seed + 3);
      using layout = makeLayout(settings);
      const jobs = layout.path(".offcut/jobs");
      // Where nothing at all would be left a round stops and asks (R20).
      layout.write("output/long_form/kept.mp4");
      const filesOf = (id: string): string[] => {
        const directory = layout.path(`output/jobs/${id}/slides`);
        return fs.existsSync(directory) ? fs.readdirSync(directory) : [];
      };
      await using cleaner = new Worker("cleanerChild.ts", layout.root);
      // It looks itself whether its files are still there, with each one that it writes.
      using neighbour = new Child("work", layout.root, "living", LEASE_MS);
      await until("the neighbour to start", () => neighbour.lines.includes("started"));
      await cleaner.ask({ verb: "loop" });
      const seen = { files: 0, killedEarly: 0 };
      await inPairs(
        Array.from({ length: KILLS }, (_, i) => `job-${i}`),
        async (id, round) => {
          using child = new Child("work", layout.root, id, LEASE_MS);
          const wanted = round % 6;
          if (wanted > 0) await until(`the work of ${id}`, () => child.lines.length >= wanted || child.process.exitCode !== null);
          for (let turns = random.below(40); turns > 0; turns--) await new Promise(setImmediate);
          assert.equal(child.process.exitCode, null, `${id} ended by itself: ${child.lines.at(-1)}`);
          await child.kill();
          const found = readManifest(jobs, id);
          const left = filesOf(id);
          if (!found) {
            seen.killedEarly++;
            return;
          }
          seen.files += left.length;
          const wrote = child.lines.flatMap((line) => (line.startsWith("wrote ") ? [path.basename(line)] : []));
          const sign = found.heartbeat?.uptimeMs ?? 0;
          if (uptimeMs() - sign <= LEASE_MS)
            for (const file of wrote) assert.ok(left.includes(file), `${file} of ${id} went while its lease ran`);
          await until(
            `the cleaning of ${id}`,
            () => {
              const gone = filesOf(id).length < left.length;
              const age = uptimeMs() - sign;
              assert.ok(!gone || age > LEASE_MS, `a file of ${id} went ${age} ms after its last sign of life`);
              return filesOf(id).length === 0;
            },
            { every: 20, limit: 60_000 },
          );
        },
        8,
      );
      assert.equal(neighbour.process.exitCode, null, "the living job lost nothing");
      assert.deepEqual(
        neighbour.lines.filter((line) => line.startsWith("lost")),
        [],
      );
      assert.ok(filesOf("living").length > 10);
      const told = await cleaner.ask<Told[]>({ verb: "stop" });
      assert.deepEqual(
        told.flatMap((one) => one.errors),
        [],
      );
      const moved = told.reduce((sum, one) => sum + one.moved, 0);
      assert.equal(moved, seen.files);
      assert.ok(seen.files > KILLS && seen.killedEarly < KILLS / 3, JSON.stringify(seen));

      await neighbour.kill();
      await until(
        "the end of the neighbour's lease",
        () => uptimeMs() - (readManifest(jobs, "living")?.heartbeat?.uptimeMs ?? 0) > LEASE_MS,
      );
      const last = await cleaner.ask<Told>({ verb: "enforce" });
      assert.deepEqual(layout.files(), ["output/long_form/kept.mp4"], last.message);
      assert.deepEqual(
        readManifests(jobs).map((found) => found.id),
        [],
        "the manifests went, too",
      );
      if (process.env["OFFCUT_SHOW"]) console.log(seen, told.length);
    }));
});
