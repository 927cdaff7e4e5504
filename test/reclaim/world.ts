/** What the tests of the deletion half share: a workspace that is ready to be cleaned, and the questions asked of it afterwards. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { cleanUp, type CleanOptions } from "../../core/cleanUp.ts";
import type { Config } from "../../core/config/config.ts";
import { loadConfig } from "../../core/config/load.ts";
import { makePlan, type PlanOptions } from "../../core/makePlan.ts";
import type { CleanResult, Plan } from "../../core/model.ts";
import { holdOf } from "../../core/reclaim/home.ts";
import { readRuns } from "../../core/reclaim/recover.ts";
import { addProject, type FileState, makeWorkspace, type ProjectOptions, type Workspace } from "../workspace.ts";

export const environment = {};

/** One finished project `p1` whose files can go, and one in work, `p2`, whose files stay. */
export function makeReady(options: ProjectOptions = {}): Workspace {
  const workspace = makeWorkspace();
  addProject(workspace, "p1", options);
  addProject(workspace, "p2", { status: "rendering" });
  ageFinals(workspace);
  return workspace;
}

/** A final that was written just now is looked at twice with a pause, which only costs time here. */
export function ageFinals(workspace: Workspace): void {
  const then = new Date(Date.now() - 60_000);
  for (const file of workspace.files()) if (file.startsWith(".cache/output/")) fs.lutimesSync(workspace.path(file), then, then);
}

export async function planFor(
  workspace: Pick<Workspace, "root">,
  options: Partial<PlanOptions> = {},
): Promise<{ readonly config: Config; readonly plan: Plan }> {
  const config = loadConfig(workspace.root);
  return { config, plan: await makePlan(config, { environment, ...options }) };
}

/** Plans and cleans, as a shell does. */
export async function clean(workspace: Pick<Workspace, "root">, options: Partial<CleanOptions> = {}): Promise<CleanResult> {
  const { config, plan } = await planFor(workspace, options);
  return cleanUp(config, plan, { environment, ...options });
}

export function takenOf(plan: Plan): string[] {
  return plan.items.filter((item) => item.verdict === "reclaim").map((item) => item.path);
}

export const AUDIO = ".cache/audio/p1/scene-1.mp3";

/** Bytes, mode and mtime of each file; what a file must have again when it comes back. */
export function sameStates(before: ReadonlyMap<string, FileState>, after: ReadonlyMap<string, FileState>): void {
  assert.deepEqual([...after.keys()], [...before.keys()]);
  for (const [file, state] of before) assert.deepEqual(after.get(file), state, file);
}

/**
 * (I1, I2) Every file that there was is in exactly one of: its place; held, with a record; deleted, with a record. Only files of
 * `mayMove` are anywhere else than at their place. Returns how many are where.
 */
export function assertPartition(
  workspace: Pick<Workspace, "root">,
  before: ReadonlyMap<string, FileState>,
  now: ReadonlyMap<string, FileState>,
  mayMove: readonly string[],
): { readonly original: number; readonly held: number; readonly deleted: number } {
  const allowed = new Set(mayMove);
  const count = { original: 0, held: 0, deleted: 0 };
  const runs = readRuns(workspace.root);
  for (const [file, state] of before) {
    const places: string[] = [];
    if (now.has(file)) {
      assert.deepEqual(now.get(file), state, `${file} is not what it was`);
      places.push("original");
    }
    for (const run of runs) {
      const record = run.files.findLast((one) => one.path === file);
      const hold = path.join(holdOf(workspace.root, run.run), file);
      const there = fs.existsSync(hold);
      if (there) {
        assert.equal(record?.state, "held", `${file} lies in the hold of ${run.run}, and the journal says "${record?.state}"`);
        assert.equal(fs.statSync(hold).size, state.bytes);
        assert.equal(fs.statSync(hold, { bigint: true }).mtimeNs, state.mtimeNs);
        places.push("held");
      } else assert.notEqual(record?.state, "held", `the journal says that ${file} is held, and it is not there`);
      if (record?.state === "purged" && !now.has(file)) places.push("deleted");
    }
    assert.equal(places.length, 1, `${file} is in ${places.join(" and ") || "no place"}`);
    if (places[0] !== "original") assert.ok(allowed.has(file), `${file} was touched, and was not in the plan`);
    count[places[0] as keyof typeof count]++;
  }
  return count;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Whether this user may mount here; a container's root often may not. */
export function canMount(): boolean {
  if (!isRoot()) return false;
  mountable ??= spawnSync("unshare", ["-m", "true"]).status === 0;
  return mountable;
}
let mountable: boolean | undefined;

/** Mounts, works, and unmounts whatever happens. */
export async function withMount<T>(args: readonly string[], target: string, work: () => T | Promise<T>): Promise<T> {
  execFileSync("mount", [...args, target]);
  try {
    return await work();
  } finally {
    execFileSync("umount", ["-l", target]);
  }
}

/** Makes a file that cannot be removed or renamed, works, and frees it again. Undefined where the filesystem has no such flag. */
export async function withImmutable<T>(file: string, work: () => T | Promise<T>): Promise<T> {
  execFileSync("chattr", ["+i", file]);
  try {
    return await work();
  } finally {
    execFileSync("chattr", ["-i", file]);
  }
}

export function canChattr(workspace: Pick<Workspace, "write">): boolean {
  if (!isRoot()) return false;
  const file = workspace.write("probe", 1);
  try {
    execFileSync("chattr", ["+i", file], { stdio: "ignore" });
    execFileSync("chattr", ["-i", file]);
    return true;
  } catch {
    return false; // This filesystem has no such flag.
  } finally {
    fs.rmSync(file);
  }
}
