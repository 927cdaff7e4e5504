/** Cleaners at work all the time beside jobs that start, write, share files, end well or badly, and start again. */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { loadConfig } from "../../core/config/load.ts";
import { readManifests } from "../../core/jobs/manifests.ts";
import { listRuns, readRun } from "../../core/runs.ts";
import { makeLayout } from "../layout.ts";
import { videoBytes } from "../workspace.ts";
import type { Told } from "./cleanerChild.ts";
import type { JobDone, JobTask } from "./jobChild.ts";
import { createRandom, withSeed } from "./random.ts";
import { Worker } from "./worker.ts";

const ROUNDS = 200;
const SHARED = 8;

const settings = {
  stores: {
    slides: { path: "output/jobs/{job}/slides/", role: "temp" },
    parts: { path: "output/jobs/{job}/parts/", role: "temp" },
    cache: { path: "cache/{video}.mp4", role: "shared", automatic: true },
    final: { path: "output/final/{job}.mp4", role: "final" },
  },
  policy: { grace: "0s", undo: "0s", preserveOnFailure: false, brake: { share: 1, files: 1000 } },
};

describe("a cleaner and jobs on one root", function () {
  this.timeout(240_000);

  it(`R26, R39, R17: in ${ROUNDS} rounds no file of a live job goes, no final ever, and at the end everything else is gone`, () =>
    withSeed(async (seed) => {
      const random = createRandom(seed + 1);
      using layout = makeLayout(settings);
      const source = layout.write("library/final.bin", videoBytes());
      await using cleaner = new Worker("cleanerChild.ts", layout.root);
      await using other = new Worker("cleanerChild.ts", layout.root);
      await using first = new Worker("jobChild.ts", layout.root, source);
      await using second = new Worker("jobChild.ts", layout.root, source);
      const finals = new Set<string>();
      const seen = { succeeded: 0, failed: 0, again: 0, looks: 0 };
      await cleaner.ask({ verb: "loop" });
      await other.ask({ verb: "loop" });
      let left = ROUNDS;
      const ids: string[] = [];
      /** Each process runs its jobs one after the other; the same job never twice at once. */
      const run = async (worker: Worker, name: string): Promise<void> => {
        while (left > 0) {
          const round = left--;
          const mine = ids.filter((id) => id.startsWith(name));
          const again = mine.length > 0 && random.chance(0.4);
          const id = again ? mine[random.below(mine.length)]! : `${name}${round}`;
          if (again) seen.again++;
          else ids.push(id);
          const done = await worker.ask<JobDone>({ id, seed: seed + round, shared: SHARED } satisfies JobTask);
          seen[done.state]++;
          seen.looks += done.looks;
          if (done.final !== undefined) finals.add(done.final);
          for (const final of finals) assert.equal(fs.statSync(layout.path(final)).size, videoBytes().length, final);
        }
      };
      await Promise.all([run(first, "a"), run(second, "b")]);
      const told = [...(await cleaner.ask<Told[]>({ verb: "stop" })), ...(await other.ask<Told[]>({ verb: "stop" }))];
      const unexpected = told.filter((one) => one.errors.some((error) => !/is cleaning|has been changing/.test(error)));
      assert.deepEqual(unexpected, []);
      for (const { message } of told.filter((one) => one.outcome === "refused"))
        assert.match(message, /process \d+ is cleaning|changed since the preview/);

      for (let round = 0; round < 3; round++) told.push(await cleaner.ask<Told>({ verb: "enforce" }));
      assert.deepEqual(
        layout.files().filter((file) => file !== "library/final.bin"),
        [...finals].sort(),
        "what may go is gone, and finals are not",
      );
      assert.deepEqual(
        readManifests(loadConfig(layout.root).jobs.directory).map((found) => found.id),
        [],
        "manifests went last",
      );
      // Whatever the cleaners said they took is what the journals have, once.
      const records = listRuns(layout.root).flatMap(({ run: name }) => readRun(layout.root, name)?.files ?? []);
      const purged = records.filter((file) => file.state === "purged");
      const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
      assert.equal(sum(told.map((one) => one.moved)), purged.length);
      assert.equal(sum(told.map((one) => one.freed)), sum(purged.map((file) => file.freed)));
      assert.equal(new Set(purged.map((file) => `${file.path} ${file.identity.ino} ${file.identity.mtimeNs}`)).size, purged.length);
      assert.ok(purged.every((file) => !file.path.startsWith("output/final")));
      assert.ok(seen.succeeded > 50 && seen.failed > 20 && seen.again > 20 && purged.length > ROUNDS, JSON.stringify(seen));
      if (process.env["OFFCUT_SHOW"]) console.log(seen, purged.length, told.length, path.basename(layout.root));
    }));
});
