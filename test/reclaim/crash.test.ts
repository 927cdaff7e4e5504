/**
 * The fault campaign: a process that cleans is killed, or one of its system calls fails, at points all over the run. Whatever
 * happens, every file is afterwards in exactly one place that is recorded, and everything that was not deleted comes back.
 */
import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loadConfig } from "../../core/config/load.ts";
import { listRuns, purge, recoverRuns, undo } from "../../core/runs.ts";
import type { FileState, Workspace } from "../workspace.ts";
import { assertPartition, clean, makeReady, planFor, sameStates, takenOf } from "./world.ts";

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url));
const CALLS = ["rename", "link", "unlink", "mkdir", "rmdir", "fsync", "pwrite64", "ftruncate"] as const;
type Call = (typeof CALLS)[number];
type Verb = "clean" | "delete" | "mixed" | "undo" | "purge";

interface Scene {
  readonly workspace: Workspace;
  readonly before: ReadonlyMap<string, FileState>;
  readonly taken: readonly string[];
}

/** A workspace just before the verb: for undo and purge already cleaned. */
async function prepare(verb: Verb, scenes = 8): Promise<Scene> {
  const workspace = makeReady({ scenes });
  const before = workspace.snapshot();
  const taken = takenOf((await planFor(workspace)).plan);
  if (verb === "undo" || verb === "purge") await clean(workspace);
  return { workspace, before, taken };
}

function commandOf(verb: Verb, root: string): string[] {
  return verb === "delete" ? [CHILD, "clean", root, "0"] : [CHILD, verb, root];
}

interface Ended {
  readonly killed: boolean;
  readonly output: string;
  readonly log: string;
}

async function trace(verb: Verb, scene: Scene, expressions: readonly string[]): Promise<Ended> {
  const log = path.join(os.tmpdir(), `offcut-strace-${process.pid}-${Math.random().toString(36).slice(2)}`);
  const args = [
    "-f",
    "-qq",
    "-o",
    log,
    ...expressions.flatMap((one) => ["-e", one]),
    process.execPath,
    ...commandOf(verb, scene.workspace.root),
  ];
  try {
    const { stdout } = await promisify(execFile)("strace", args, { env: { ...process.env, UV_THREADPOOL_SIZE: "1" } });
    return { killed: false, output: stdout, log: fs.readFileSync(log, "utf8") };
  } catch (error) {
    const { signal, code, stderr } = error as { signal?: string; code?: number; stderr?: string };
    assert.ok(signal === "SIGKILL" || code === 137, `the child ended with ${code ?? signal}: ${stderr}`);
    return { killed: true, output: "", log: "" };
  } finally {
    fs.rmSync(log, { force: true });
  }
}

/** What has to hold whatever happened (I1–I4, I6). */
async function check(verb: Verb, { workspace, before, taken }: Scene, where: string): Promise<void> {
  try {
    await recoverRuns(workspace.root);
    const once = workspace.snapshot({ everything: true });
    const count = assertPartition(workspace, before, workspace.snapshot(), taken);
    assert.deepEqual(await recoverRuns(workspace.root), [], "recovering twice equals once");
    sameStates(once, workspace.snapshot({ everything: true }));
    if (verb === "clean" || verb === "undo") assert.equal(count.deleted, 0);
    const own = [...before.keys()].filter((file) => verb !== "mixed" || !file.startsWith(".cache/assembly/p1/"));
    if (count.held > 0) {
      assert.equal(
        listRuns(workspace.root).reduce((sum, run) => sum + run.heldFiles, 0),
        count.held,
      );
      const result = await undo(loadConfig(workspace.root), undefined);
      assert.deepEqual([result.errors, result.renamed], [[], []]);
    }
    const after = workspace.snapshot();
    assert.equal(after.size, before.size - count.deleted);
    if (verb === "mixed") for (const file of own) assert.ok(after.has(file), `${file} was to be held, and is deleted`);
    for (const [file, state] of after) assert.deepEqual(state, before.get(file), file);
  } catch (error) {
    (error as Error).message = `${verb}, ${where}: ${(error as Error).message}`;
    throw error;
  }
}

/** Some, spread from the first to the last. */
function spread(last: number, count: number): number[] {
  return [...new Set(Array.from({ length: Math.min(count, last) }, (_, i) => 1 + Math.round((i * (last - 1)) / Math.max(1, count - 1))))];
}

/** Two at a time: the machines that run tests have two cores. */
async function inPairs<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) await work(items[i]!);
  };
  await Promise.all([worker(), worker()]);
}

const canTrace =
  process.platform === "linux" &&
  spawnSync("strace", ["-f", "-qq", "-o", "/dev/null", "-e", "inject=link:error=EIO:when=1", "true"]).status === 0;

describe("crash", function () {
  this.timeout(180_000);

  const PLACES: Readonly<Record<Verb, Partial<Record<Call, number>>>> = {
    clean: { rename: 5, fsync: 5, pwrite64: 6, mkdir: 3, rmdir: 2 },
    delete: { unlink: 5, pwrite64: 4, fsync: 3, rmdir: 3 },
    mixed: { rename: 4, unlink: 4, pwrite64: 3, fsync: 2, rmdir: 2 },
    undo: { link: 4, unlink: 5, pwrite64: 4, fsync: 4, mkdir: 2, rmdir: 2 },
    purge: { unlink: 4, pwrite64: 4, fsync: 3, rmdir: 2 },
  };
  const counts = new Map<Verb, Map<string, number>>();

  before(async function () {
    if (!canTrace) this.skip(); // Faults are injected by strace, which is not installed or may not trace here.
    await inPairs(Object.keys(PLACES) as Verb[], async (verb) => {
      const scene = await prepare(verb);
      const { log } = await trace(verb, scene, [`trace=${CALLS.join()}`]);
      const found = new Map<string, number>();
      for (const call of log.matchAll(/^\d+ +(\w+)\(/gm)) found.set(call[1] ?? "", (found.get(call[1] ?? "") ?? 0) + 1);
      counts.set(verb, found);
      scene.workspace.dispose();
    });
  });

  for (const verb of Object.keys(PLACES) as Verb[]) {
    it(`R60 R23: ${verb}, killed at any system call, loses nothing and can be undone`, async () => {
      const points = Object.entries(PLACES[verb]).flatMap(([call, some]) =>
        spread(counts.get(verb)?.get(call) ?? 0, some).map((when) => ({ call, when })),
      );
      assert.ok(points.length >= 10, `only ${points.length} points: ${JSON.stringify([...(counts.get(verb) ?? [])])}`);
      let killed = 0;
      await inPairs(points, async ({ call, when }) => {
        const scene = await prepare(verb);
        const ended = await trace(verb, scene, [`trace=${call}`, `inject=${call}:signal=KILL:when=${when}`]);
        if (ended.killed) killed++;
        await check(verb, scene, `killed at ${call} ${when}`);
        scene.workspace.dispose();
      });
      assert.ok(killed >= points.length - 2, `${killed} of ${points.length} were killed`);
    });
  }

  for (const verb of Object.keys(PLACES) as Verb[]) {
    it(`R60 R22 R61 R62: ${verb}, with system calls that fail, ends in words and loses nothing`, async () => {
      const calls: readonly Call[] =
        verb === "clean" || verb === "mixed"
          ? ["rename", "fsync", "pwrite64", ...(verb === "mixed" ? (["unlink"] as const) : [])]
          : verb === "undo"
            ? ["link", "fsync", "pwrite64", "unlink"]
            : ["unlink", "fsync", "pwrite64"];
      const faults: Readonly<Record<string, readonly string[]>> = {
        rename: ["EIO:when=2", "ENOSPC:when=3", "EACCES:when=4+", "EBUSY:when=2..3", "EBUSY:when=5+", "EXDEV:when=1+"],
        link: ["EIO:when=2", "EACCES:when=3", "EPERM:when=1+", "EBUSY:when=2+", "EXDEV:when=1+", "ENOSPC:when=4+"],
        unlink: ["EIO:when=3", "EACCES:when=2+", "EBUSY:when=3..4"],
        fsync: ["EIO:when=1", "EIO:when=3", "ENOSPC:when=4+", "EIO:when=5"],
        pwrite64: ["EIO:when=1", "EIO:when=2", "ENOSPC:when=1+", "ENOSPC:when=2+"],
      };
      const points = calls.flatMap((call) => (faults[call] ?? []).map((fault) => ({ call, fault })));
      await inPairs(points, async ({ call, fault }) => {
        const scene = await prepare(verb);
        const { output } = await trace(verb, scene, [`trace=${call}`, `inject=${call}:error=${fault}`]);
        const result = JSON.parse(output) as {
          refused?: string;
          errors?: readonly { path: string; message: string }[];
          deletedFiles?: number;
        };
        if (call === "pwrite64") assert.match(output, /the journal .* cannot be written/, fault);
        for (const { message } of result.errors ?? []) assert.doesNotMatch(message, /\/proc\//);
        if (fault === "EXDEV:when=1+" && call === "rename") {
          // R61, R62: what cannot be held is neither copied nor deleted.
          assert.equal(result.deletedFiles, 0);
          assert.deepEqual(
            [...new Set(result.errors?.map((error) => error.message))],
            ["on another filesystem than its root, so it cannot be held for undo"],
          );
        }
        await check(verb, scene, `${call} fails with ${fault}`);
        scene.workspace.dispose();
      });
    });
  }

  for (const verb of Object.keys(PLACES) as Verb[]) {
    it(`R57: ${verb}, when the disk is full for a moment, gives up a part of the reserve and makes it again`, async () => {
      const scene = await prepare(verb);
      const { output, log } = await trace(verb, scene, ["trace=pwrite64,unlink", "inject=pwrite64:error=ENOSPC:when=2..4"]);
      const result = JSON.parse(output) as { refused?: string; errors?: readonly unknown[] };
      assert.deepEqual([result.refused, (result.errors ?? []).length], [undefined, 0], output);
      assert.equal([...log.matchAll(/unlink\("[^"]*\/\.offcut\/reserve\/\d+"\)/g)].length, 3);
      assert.equal(fs.readdirSync(scene.workspace.path(".offcut/reserve")).length, 16);
      await check(verb, scene, "full for a moment");
      scene.workspace.dispose();
    });
  }

  it("R60: killed at any moment of 300 files, nothing is lost", async () => {
    const verbs: readonly Verb[] = ["clean", "delete", "mixed", "undo", "purge", "mixed", "clean"];
    await inPairs(verbs, async (verb) => {
      const scene = await prepare(verb, 100);
      const child = spawn(process.execPath, commandOf(verb, scene.workspace.root), { stdio: "ignore" });
      const exited = once(child, "exit");
      const holds = scene.workspace.path(".offcut/holds");
      // Once it is at work, after a while of its own.
      const started = (): boolean =>
        fs.existsSync(holds) &&
        (verb === "undo" || verb === "purge"
          ? fs.readdirSync(scene.workspace.path(".offcut/locks")).length > 0
          : fs.readdirSync(holds).length > 0);
      while (!started() && child.exitCode === null) await new Promise(setImmediate);
      for (let turns = Math.floor(Math.random() * 60); turns > 0; turns--) await new Promise(setImmediate);
      child.kill("SIGKILL");
      await exited;
      await check(verb, scene, "killed at some moment");
      scene.workspace.dispose();
    });
  });

  it("R58: a run without a window that was killed before it deleted is due at once", async () => {
    const scene = await prepare("delete");
    await trace("delete", scene, ["trace=unlink", "inject=unlink:signal=KILL:when=1"]);
    const [run] = listRuns(scene.workspace.root);
    if (run?.state !== "interrupted") assert.equal(run?.undoUntil, undefined);
    const results = await purge(scene.workspace.root, { expiredAt: Date.now() + 2 * 3_600_000 });
    assert.equal(results[0]?.deletedFiles, scene.taken.length);
    scene.workspace.dispose();
  });

  it("R24: a busy file is renamed three times, no more", async () => {
    const scene = await prepare("clean", 1);
    const { log, output } = await trace("clean", scene, ["trace=rename", "inject=rename:error=EBUSY:when=1+"]);
    const tries = new Map<string, number>();
    for (const [, name = ""] of log.matchAll(/rename\("\/proc\/self\/fd\/\d+\/([^"]+)"/g)) tries.set(name, (tries.get(name) ?? 0) + 1);
    assert.ok(tries.size >= 2 && [...tries.values()].every((count) => count <= 6), JSON.stringify([...tries]));
    assert.equal((JSON.parse(output) as { deletedFiles: number }).deletedFiles, 0);
    await check("clean", scene, "every rename busy");
    scene.workspace.dispose();
  });
});
