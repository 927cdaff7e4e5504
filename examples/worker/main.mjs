/** Two worker threads render, each its own job, over one root: `node main.mjs <directory>`, after `npm install offcut`. */
import path from "node:path";
import { Worker } from "node:worker_threads";

const root = path.resolve(process.argv[2] ?? "demo-worker");

const results = ["first", "second"].map(
  (id) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL("worker.mjs", import.meta.url), { workerData: { root, id } });
      worker.once("message", resolve);
      worker.once("error", reject);
    }),
);
for (const line of await Promise.all(results)) console.log(line);
