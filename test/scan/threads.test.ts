import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import type { Worker } from "node:worker_threads";
import { walkStores } from "../../core/scan/walk.ts";
import { plant, storeAt, walk, withTree } from "./collect.ts";

/** Runs `body` and returns the worker threads that were started meanwhile; `meet` sees each before it runs. */
async function watchThreads(body: () => Promise<void>, meet?: (worker: Worker, nth: number) => void): Promise<readonly Worker[]> {
  const started: Worker[] = [];
  const see = (worker: Worker) => {
    started.push(worker);
    meet?.(worker, started.length);
  };
  process.on("worker", see);
  try {
    await body();
  } finally {
    process.off("worker", see);
  }
  return started;
}

/** A thread that has ended has no number any more. */
function running(workers: readonly Worker[]): number {
  return workers.filter((worker) => worker.threadId !== -1).length;
}

function manyDirectories(root: string, directories = 600): number {
  const paths = Array.from({ length: directories }, (_, i) => [`out/p${i}/a.mp4`, `out/p${i}/b.mp4`, `out/p${i}/deep/c.mp4`]).flat();
  plant(root, ...paths);
  return paths.length;
}

describe("walkStores and its threads", function () {
  this.timeout(60_000);

  it("starts none for a small tree", () =>
    withTree(async (root) => {
      manyDirectories(root);
      const threads = await watchThreads(async () => void (await walk([storeAt(root, "s", "out/")])));
      assert.equal(threads.length, 0);
    }));

  it("starts one or two for a large tree, finds everything, and leaves none behind", function () {
    return withTree(async (root) => {
      plant(root, "clips/");
      const count = 90_000;
      execFileSync("sh", ["-c", `seq -f 'e%.0f.mp4' ${count} | xargs touch`], { cwd: `${root}/clips` });
      const threads = await watchThreads(async () => {
        const { found } = await walk([storeAt(root, "clips", "clips/{event}.mp4", "clip")]);
        assert.equal(new Set(found).size, count);
        assert.equal(found.length, count);
      });
      assert.ok(threads.length >= 1 && threads.length <= 2, `${threads.length} threads`);
      assert.equal(running(threads), 0);
    });
  });

  for (const workers of [0, 2]) {
    it(`rejects with the signal's reason when it is aborted halfway, and leaves no thread (${workers} workers)`, () =>
      withTree(async (root) => {
        const count = manyDirectories(root, 4_000);
        const controller = new AbortController();
        const reason = new Error("the user had enough");
        let seen = 0;
        let abortedAt = 0;
        const threads = await watchThreads(async () => {
          const walking = (async () => {
            for await (const batch of walkStores([storeAt(root, "s", "out/")], { signal: controller.signal, workers })) {
              seen += batch.files.length;
              abortedAt ||= performance.now();
              controller.abort(reason);
            }
          })();
          await assert.rejects(walking, (error) => error === reason);
        });
        assert.ok(performance.now() - abortedAt < 2_000);
        assert.ok(seen > 0 && seen < count, `${seen} of ${count} seen`);
        assert.equal(threads.length, workers);
        assert.equal(running(threads), 0);
      }));
  }

  it("touches nothing when the signal is aborted already", async () => {
    const threads = await watchThreads(async () => {
      await assert.rejects(walk([storeAt("/nowhere", "s", "out/")], { signal: AbortSignal.abort(), workers: 2 }), { name: "AbortError" });
    });
    assert.equal(threads.length, 0);
  });

  it("aborts while it waits for its workers", () =>
    withTree(async (root) => {
      plant(root, "out/p1/a.mp4");
      const controller = new AbortController();
      const threads = await watchThreads(
        () => assert.rejects(walk([storeAt(root, "s", "out/")], { signal: controller.signal, workers: 1 }), { name: "AbortError" }),
        // The worker has the only task by now, and cannot have answered: it does not run yet.
        () => controller.abort(),
      );
      assert.equal(threads.length, 1);
      assert.equal(running(threads), 0);
    }));

  it("ends its threads when the consumer stops early", () =>
    withTree(async (root) => {
      manyDirectories(root);
      const threads = await watchThreads(async () => {
        for await (const batch of walkStores([storeAt(root, "s", "out/")], { workers: 2 })) if (batch.files.length > 0) break;
      });
      assert.equal(threads.length, 2);
      assert.equal(running(threads), 0);
    }));

  it("does a dead worker's part itself: everything is found, once", () =>
    withTree(async (root) => {
      const count = manyDirectories(root);
      const body = async () => {
        const { found, problems } = await walk([storeAt(root, "s", "out/")], { workers: 2 });
        assert.equal(found.length, count);
        assert.equal(new Set(found).size, count);
        assert.deepEqual(
          problems.map((problem) => problem.severity),
          ["info"],
        );
      };
      await watchThreads(body, (worker, nth) => {
        if (nth === 1) void worker.terminate();
      });
    }));
});
