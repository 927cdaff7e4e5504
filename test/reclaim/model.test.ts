/** The whole loop against a simple model of it: any order of plans, cleanups, undos, purges, crashes and what people do meanwhile. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fs from "node:fs";
import fc from "fast-check";
import { cleanUp } from "../../core/cleanUp.ts";
import { loadConfig } from "../../core/config/load.ts";
import type { CleanResult } from "../../core/model.ts";
import { holdOf } from "../../core/reclaim/home.ts";
import { addPin } from "../../core/reclaim/records.ts";
import { listRuns, purge, readRun, recoverRuns, undo } from "../../core/runs.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { ageFinals, environment, planFor, takenOf } from "./world.ts";

const RUNS = 200;

interface Known {
  path: string;
  readonly sha: string;
  place: "original" | "held" | "deleted";
  run?: string;
}

/** What should be true. Every content is there once, so a file is known by what is in it. */
class Model {
  readonly files: Known[] = [];
  readonly status = new Map<string, string>();
  readonly pins = new Set<string>();
  made = 0;

  at(path: string): Known | undefined {
    return this.files.find((file) => file.place === "original" && file.path === path);
  }

  /** The files that a plan has to take, by a rule that is simpler than the engine's. */
  reclaimable(): string[] {
    return this.files
      .filter((file) => file.place === "original" && /^\.cache\/(audio|videos|assembly)\//.test(file.path))
      .filter((file) => this.status.get(projectOf(file.path)) === "complete" && this.at(`.cache/output/${projectOf(file.path)}/final.mp4`))
      .filter((file) => !this.pins.has(file.path) && !this.pins.has(projectOf(file.path)))
      .map((file) => file.path)
      .sort();
  }

  heldRuns(): string[] {
    return [...new Set(this.files.flatMap((file) => (file.place === "held" && file.run !== undefined ? [file.run] : [])))].sort();
  }
}

type Step = fc.AsyncCommand<Model, Workspace>;

describe("loop", function () {
  this.timeout(180_000);

  it(`R15 R26 R60 R63: over ${RUNS} sequences every file is where the model says, and protected ones never move`, async () => {
    const project = fc.constantFrom("a", "b", "c");
    const steps: fc.Arbitrary<Step>[] = [
      fc
        .record({ id: project, status: fc.constantFrom("complete", "complete", "rendering", "failed") })
        .map(({ id, status }) => step(`add project ${id} ${status}`, async (model, real) => addOne(model, real, id, status))),
      fc
        .record({
          id: project,
          name: fc.constantFrom("audio/#/scene-1.mp3", "assembly/#/late/part.bin", "videos/#/scene-9-x.mp4", "output/#/notes.txt"),
        })
        .map(({ id, name }) => step(`add ${id} ${name}`, async (model, real) => addFile(model, real, `.cache/${name.replace("#", id)}`))),
      fc
        .record({ id: project, status: fc.constantFrom("complete", "rendering", "failed", "archived") })
        .map(({ id, status }) => step(`status ${id} ${status}`, async (model, real) => setStatus(model, real, id, status))),
      fc.nat().map((n) => step(`touch ${n}`, async (model, real) => void touch(model, real, n))),
      fc.constantFrom(undefined, 0).map((undoMs) => step(`clean ${undoMs ?? ""}`, (model, real) => cleanAll(model, real, undoMs))),
      fc.nat().map((n) => step(`clean after a change of ${n}`, (model, real) => cleanStale(model, real, n))),
      fc.constant(step("clean, cancelled", cleanCancelled)),
      fc.nat().map((n) => step(`undo ${n}`, (model, real) => undoOne(model, real, n))),
      fc.nat().map((n) => step(`purge ${n}`, (model, real) => purgeOne(model, real, n))),
      fc
        .record({ n: fc.nat(), whole: fc.boolean() })
        .map(({ n, whole }) => step(`pin ${n} ${whole}`, async (model, real) => pinOne(model, real, n, whole))),
      fc.nat().map((n) => step(`crash ${n}`, (model, real) => crash(model, real, n))),
    ];
    const counts = { steps: 0, runs: 0 };
    await fc.assert(
      fc.asyncProperty(fc.commands(steps, { size: "max", maxCommands: 24 }), async (commands) => {
        const real = makeWorkspace();
        const model = new Model();
        try {
          addOne(model, real, "a", "complete");
          await fc.asyncModelRun(() => ({ model, real }), commands);
          counts.steps += [...commands].length;
          counts.runs += listRuns(real.root).length;
        } finally {
          real.dispose();
        }
      }),
      { numRuns: RUNS },
    );
    assert.ok(counts.steps > RUNS * 5 && counts.runs > RUNS / 2, JSON.stringify(counts));
  });
});

const mediaCache = new Map();

function step(name: string, run: (model: Model, real: Workspace) => Promise<void>): Step {
  return {
    check: () => true,
    run: async (model, real) => {
      await run(model, real);
      assertAgrees(model, real);
    },
    toString: () => name,
  };
}

function assertAgrees(model: Model, real: Workspace): void {
  const expected = new Map(model.files.filter((file) => file.place === "original").map((file) => [file.path, file.sha]));
  const found = new Map(real.files().map((path) => [path, hashOf(real.path(path))]));
  found.delete("offcut.json");
  assert.deepEqual(found, expected);
  const held = model.files.filter((file) => file.place === "held").map((file) => `${file.run} ${file.path} ${file.sha}`);
  const recorded = listRuns(real.root).flatMap((run) =>
    (readRun(real.root, run.run)?.files ?? [])
      .filter((file) => file.state === "held")
      .map((file) => `${run.run} ${file.path} ${hashOf(`${holdOf(real.root, run.run)}/${file.path}`)}`),
  );
  assert.deepEqual(recorded.sort(), held.sort());
}

function hashOf(file: string): string {
  return createHash("sha256").update(fs.readFileSync(file)).digest("hex");
}

function projectOf(path: string): string {
  return path.split("/")[2] ?? "";
}

/** Takes up what is new on the disk. */
function learn(model: Model, real: Workspace): void {
  for (const path of real.files())
    if (path !== "offcut.json" && !model.at(path)) model.files.push({ path, sha: hashOf(real.path(path)), place: "original" });
}

function addOne(model: Model, real: Workspace, id: string, status: string): void {
  // A project is added once, and not where files of its name came back or lie about.
  if (model.status.has(id) || model.files.some((file) => file.path.includes(`/${id}/`))) return;
  addProject(real, id, { status, scenes: 1, sceneBytes: 40, thumbnail: false });
  ageFinals(real);
  model.status.set(id, status);
  learn(model, real);
}

function addFile(model: Model, real: Workspace, path: string): void {
  if (model.at(path)) return;
  real.write(path, Buffer.from(`made as number ${model.made++}`));
  learn(model, real);
}

function setStatus(model: Model, real: Workspace, id: string, status: string): void {
  if (!model.status.has(id)) return;
  real.sql(`UPDATE projects SET status = '${status}' WHERE id = '${id}'`);
  model.status.set(id, status);
}

function pick<T>(list: readonly T[], n: number): T | undefined {
  return list[n % Math.max(1, list.length)];
}

function touch(model: Model, real: Workspace, n: number): string | undefined {
  const file = pick(
    model.files.filter((one) => one.place === "original" && !one.path.includes("/output/")),
    n,
  );
  if (file) fs.utimesSync(real.path(file.path), new Date(), new Date(Date.now() - 1000 - (n % 1000)));
  return file?.path;
}

async function cleanAll(model: Model, real: Workspace, undoMs: number | undefined): Promise<void> {
  const { config, plan } = await planFor(real, { mediaCache });
  assert.deepEqual(takenOf(plan).sort(), model.reclaimable());
  const result = await cleanUp(config, plan, { environment, mediaCache, ...(undoMs !== undefined && { undoMs }) });
  assert.deepEqual([result.errors, result.skipped], [[], []]);
  moved(model, result, takenOf(plan), undoMs === 0);
}

function moved(model: Model, result: CleanResult, paths: readonly string[], deleted: boolean): void {
  assert.equal(result.deletedFiles, paths.length);
  for (const path of paths) {
    const file = model.at(path);
    assert.ok(file);
    file.place = deleted ? "deleted" : "held";
    file.run = result.run;
  }
}

async function cleanStale(model: Model, real: Workspace, n: number): Promise<void> {
  const { config, plan } = await planFor(real, { mediaCache });
  const touched = touch(model, real, n);
  addFile(model, real, ".cache/audio/a/scene-77.mp3");
  const result = await cleanUp(config, plan, { environment, mediaCache });
  moved(
    model,
    result,
    takenOf(plan).filter((path) => path !== touched),
    false,
  );
}

async function cleanCancelled(_model: Model, real: Workspace): Promise<void> {
  const { config, plan } = await planFor(real, { mediaCache });
  const signal = AbortSignal.abort();
  await assert.rejects(async () => {
    const result = await cleanUp(config, plan, { environment, mediaCache, signal });
    assert.equal(result.deletedFiles, 0);
    throw signal.reason; // Nothing to take is no error.
  });
}

async function undoOne(model: Model, real: Workspace, n: number): Promise<void> {
  const run = pick(model.heldRuns(), n);
  if (run === undefined) return;
  const held = model.files.filter((one) => one.place === "held" && one.run === run);
  const taken = held.filter((file) => model.at(file.path)).map((file) => file.path);
  const result = await undo(loadConfig(real.root), run);
  assert.deepEqual(result.errors, []);
  const renamed = new Map(result.renamed.map(({ path, to }) => [path, to]));
  assert.deepEqual([...renamed.keys()].sort(), taken.sort());
  for (const file of held) {
    file.path = renamed.get(file.path) ?? file.path;
    file.place = "original";
  }
}

async function purgeOne(model: Model, real: Workspace, n: number): Promise<void> {
  const run = pick(model.heldRuns(), n);
  if (run === undefined) return;
  const held = model.files.filter((file) => file.place === "held" && file.run === run);
  const [result] = await purge(real.root, { run });
  assert.deepEqual([result?.deletedFiles, result?.errors], [held.length, []]);
  for (const file of held) file.place = "deleted";
}

function pinOne(model: Model, real: Workspace, n: number, whole: boolean): void {
  const file = pick(model.files, n);
  if (!file) return;
  const value = whole ? projectOf(file.path) : file.path;
  addPin(real.root, { kind: whole ? "project" : "file", value, added: new Date().toISOString() });
  model.pins.add(value);
}

/** The newest journal loses what a crash in the run could have lost, if nothing was done with the run since. */
async function crash(_model: Model, real: Workspace, n: number): Promise<void> {
  const newest = listRuns(real.root)[0];
  if (newest?.state !== "held") return;
  const journal = real.path(`.offcut/runs/${newest.run}.jsonl`);
  const bytes = fs.readFileSync(journal);
  const first = bytes.lastIndexOf(10, bytes.indexOf('"t":"held"')) + 1;
  fs.truncateSync(journal, first + (n % (bytes.length - first)));
  await recoverRuns(real.root);
  assert.deepEqual(await recoverRuns(real.root), []);
}
