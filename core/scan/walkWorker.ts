/** A worker thread of the walk. It gets directories, looks at them, and answers each message with exactly one {@link Reply}. */
import { parentPort, workerData } from "node:worker_threads";
import { startPacking } from "./batch.ts";
import type { PackedFiles } from "./batch.ts";
import { walkDirectory } from "./directory.ts";
import type { Findings, Scope, Task } from "./directory.ts";
import type { Trouble } from "./trouble.ts";

/** One worker's answer. What it did not get to comes back as tasks, so that any thread can go on with it. */
export interface Reply {
  readonly files: PackedFiles;
  readonly troubles: readonly Trouble[];
  readonly tasks: readonly Task[];
  readonly directories: number;
  readonly names: number;
}

/** A message ends after about this many names: some ten milliseconds. */
const ENOUGH = 4096;

const scope = workerData as Scope;
const packing = startPacking();

parentPort?.on("message", (tasks: Task[]) => {
  const findings: Findings = { addFile: packing.add, troubles: [], tasks, directories: 0, names: 0 };
  while (findings.names < ENOUGH) {
    const task = tasks.pop();
    if (!task) break;
    walkDirectory(scope, task, findings);
  }
  const reply: Reply = {
    files: packing.take(),
    troubles: findings.troubles,
    tasks,
    directories: findings.directories,
    names: findings.names,
  };
  parentPort?.postMessage(reply, [reply.files.numbers.buffer]);
});
