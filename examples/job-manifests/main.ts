/**
 * Makes a workspace to try Offcut on: `node examples/job-manifests/main.ts [directory]`. Three workers, a process each, run a job: one
 * succeeds, one fails, one is killed.
 */
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readConfig, writeMissing } from "../settings.ts";
import { type Episode, runJob } from "./pipeline.ts";

const EPISODES: readonly Episode[] = [
  { id: "pilot", expressions: ["break the ice", "call it a day", "on second thought"] },
  { id: "reunion", expressions: ["long time no see", "bite your tongue"], failAt: 2 },
  { id: "heist", expressions: ["the coast is clear", "cut corners"], killAt: 2 },
];

const { values, positionals } = parseArgs({ allowPositionals: true, options: { job: { type: "string" } } });
const root = resolve(positionals[0] ?? "demo-jobs");

try {
  if (values.job === undefined) await makeDemo();
  else await work(values.job);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function makeDemo(): Promise<void> {
  writeMissing(root, { "offcut.yaml": readConfig(new URL("offcut.yaml", import.meta.url), root), ".gitignore": ".offcut/\noutput/\n" });
  for (const { id } of EPISODES) console.log(`${id}: ${await startWorker(id)}`);
  console.log(`Workspace: ${root}`);
}

/** How the worker of a job ended. */
async function startWorker(id: string): Promise<string> {
  const worker = spawn(process.execPath, [fileURLToPath(import.meta.url), root, "--job", id], { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("close", (code, signal) => resolve(signal === null ? (code === 0 ? "done" : "failed") : `killed by ${signal}`));
  });
}

async function work(id: string): Promise<void> {
  const episode = EPISODES.find((one) => one.id === id);
  if (episode === undefined) throw new Error(`no job "${id}": choose from ${EPISODES.map((one) => one.id).join(", ")}`);
  await runJob(root, episode, (message) => console.log(`${id}: ${message}`));
}
