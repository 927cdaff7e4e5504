/** Two worker threads render, each its own job, over one root: `node main.mjs <directory>`; README.md says where it finds the library. */
import { once } from "node:events";
import path from "node:path";
import { Worker } from "node:worker_threads";

const root = path.resolve(process.argv[2] ?? "demo-worker");

await Promise.all(
  ["first", "second"].map(async (id) => {
    await once(new Worker(new URL("worker.mjs", import.meta.url), { workerData: { root, id } }), "exit");
  }),
);
