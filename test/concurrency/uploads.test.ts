/**
 * Cleaners at work beside processes that upload. The remote storage is a directory here, so that every lie can be told and every
 * byte compared; the real ones are asked in `test/remote`.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { listRuns, readRun } from "../../core/runs.ts";
import { makeLayout } from "../layout.ts";
import type { Told } from "./cleanerChild.ts";
import { createRandom, withSeed } from "./random.ts";
import { BUCKET } from "./remote.ts";
import type { UploadsDone, UploadTask } from "./uploadChild.ts";
import { Worker } from "./worker.ts";

const ROUNDS = 200;

const settings = {
  stores: { videos: { path: "videos/{name}.mp4", role: "upload", upload: `${BUCKET}{path}`, undo: "0s", retention: "0s" } },
  policy: { undo: "0s", grace: "0s", brake: { share: 1, files: 10_000 } },
};

describe("a cleaner and uploads on one root", function () {
  this.timeout(240_000);

  it(`R35, R36, S1.6: in ${ROUNDS} rounds no local file goes whose remote copy is missing or differs, and the others do`, () =>
    withSeed(async (seed) => {
      const random = createRandom(seed + 2);
      const remote = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-remote-"));
      using _remote = { [Symbol.dispose]: () => fs.rmSync(remote, { recursive: true }) };
      using layout = makeLayout(settings);
      await using cleaner = new Worker("cleanerChild.ts", layout.root, remote);
      await using other = new Worker("cleanerChild.ts", layout.root, remote);
      await using first = new Worker("uploadChild.ts", layout.root, remote);
      await using second = new Worker("uploadChild.ts", layout.root, remote);
      for (const worker of [cleaner, other]) await worker.ask({ verb: "loop" });
      let left = ROUNDS;
      /** A file belongs to one process; some are made, uploaded and perhaps taken again and again. */
      const run = async (worker: Worker, name: string): Promise<void> => {
        while (left > 0) {
          const round = left--;
          await worker.ask({ name: `${name}${random.below(80)}.mp4`, seed: seed + round } satisfies UploadTask);
        }
      };
      await Promise.all([run(first, "a"), run(second, "b")]);
      const told = (await Promise.all([cleaner, other].map((worker) => worker.ask<Told[]>({ verb: "stop" })))).flat();
      for (let round = 0; round < 2; round++) told.push(await cleaner.ask<Told>({ verb: "enforce" }));
      for (const { errors, outcome, message } of told) {
        for (const error of errors) assert.match(error, /is cleaning/);
        if (outcome === "refused") assert.match(message, /process \d+ is cleaning|changed since the preview/);
      }
      const done = await Promise.all([first, second].map((worker) => worker.ask<UploadsDone>({ verb: "finish" })));
      assert.deepEqual(
        done.flatMap((one) => one.proven),
        [],
        "what is proven is gone",
      );
      assert.deepEqual(layout.files(), done.flatMap((one) => one.unproven).sort());

      const records = listRuns(layout.root).flatMap(({ run: name }) => readRun(layout.root, name)?.files ?? []);
      const purged = records.filter((file) => file.state === "purged");
      const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
      assert.equal(sum(told.map((one) => one.moved)), purged.length);
      assert.equal(sum(told.map((one) => one.freed)), sum(purged.map((file) => file.freed)));
      assert.ok(purged.every((file) => file.reason === "upload-verified"));
      const gone = sum(done.map((one) => one.gone));
      assert.ok(
        purged.length >= gone && gone > 15 && purged.length > 40 && layout.files().length > 5,
        JSON.stringify({ purged: purged.length, gone }),
      );
      if (process.env["OFFCUT_SHOW"]) console.log(purged.length, gone, layout.files().length, told.length);
      assert.deepEqual(fs.readdirSync(layout.path(".offcut/holds")), []);
    }));
});
