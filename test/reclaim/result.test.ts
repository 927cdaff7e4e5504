import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { cleanUp } from "../../core/cleanUp.ts";
import { loadConfig } from "../../core/config/load.ts";
import type { CleanResult } from "../../core/model.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { createRetry } from "../../core/reclaim/retry.ts";
import { listRuns, purge, readRun, undo } from "../../core/runs.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import {
  ageFinals,
  AUDIO,
  canChattr,
  canMount,
  clean,
  environment,
  makeReady,
  planFor,
  sameStates,
  takenOf,
  withImmutable,
  withMount,
} from "./world.ts";

describe("result of a run", function () {
  this.timeout(20_000);
  let workspace: Workspace;

  beforeEach(() => {
    workspace = makeReady();
  });
  afterEach(() => workspace.dispose());

  it("S0.13 S0.12: what a run takes it holds, and an undo brings back bytes, modes and times", async () => {
    fs.chmodSync(workspace.path(AUDIO), 0o640);
    fs.chmodSync(workspace.path(".cache/audio/p1"), 0o751);
    const before = workspace.snapshot();
    const { plan } = await planFor(workspace);
    const result = await clean(workspace);
    assert.deepEqual(
      { deletedFiles: result.deletedFiles, freedSpace: result.freedSpace, heldSpace: result.heldSpace, errors: result.errors },
      { deletedFiles: plan.totals.reclaim.files, freedSpace: 0, heldSpace: plan.totals.reclaim.bytes, errors: [] },
    );
    for (const file of takenOf(plan)) assert.ok(!fs.existsSync(workspace.path(file)), file);
    const undone = await undo(loadConfig(workspace.root), undefined);
    assert.equal(undone.restoredFiles, result.deletedFiles);
    sameStates(before, workspace.snapshot());
    assert.equal(fs.statSync(workspace.path(".cache/audio/p1")).mode & 0o7777, 0o751);
    assert.equal(listRuns(workspace.root)[0]?.state, "undone");
  });

  it("S0.16 S0.15: of a ten-scene video only the final and its thumbnail remain, verified before and whole after", async () => {
    const own = makeWorkspace();
    try {
      addProject(own, "video", { scenes: 10, sceneBytes: 50_000 });
      const finals = [".cache/output/video/final.mp4", ".cache/output/video/final-thumb.jpg"];
      const before = own.snapshot();
      const now = () => Date.now() + 2 * 3_600_000;
      const result = await clean(own, { undoMs: 0, now });
      assert.deepEqual(own.files(), [...finals, "offcut.json"].sort());
      for (const file of finals) assert.deepEqual(own.snapshot().get(file), before.get(file));
      assert.equal(result.deletedFiles, 41);
      assert.ok(result.freedSpace >= 40 * 50_000);
      assert.deepEqual(result.errors, []);
    } finally {
      own.dispose();
    }
  });

  it("S0.14: one run cleans all finished projects", async () => {
    addProject(workspace, "p3");
    addProject(workspace, "p4", { status: "failed" });
    ageFinals(workspace);
    await clean(workspace);
    assert.deepEqual(listRuns(workspace.root)[0]?.owners, ["p1", "p3"]);
    assert.ok(workspace.files().some((file) => file.includes("/p4/")) && workspace.files().some((file) => file.includes("/p2/")));
  });

  it("R10 R84: a file with another hard link frees nothing and says so", async () => {
    const link = workspace.path("elsewhere.mp3");
    fs.linkSync(workspace.path(AUDIO), link);
    const { plan } = await planFor(workspace);
    assert.ok(plan.items.find((item) => item.path === AUDIO)?.evidence.some((fact) => fact.startsWith("2 hard links")));
    const size = fs.statSync(link).blocks * 512;
    await clean(workspace);
    const [result] = await purge(workspace.root);
    assert.equal(result?.linkedFiles, 1);
    const all = readRun(workspace.root, result?.run ?? "")?.files ?? [];
    assert.equal(all.find((file) => file.path === AUDIO)?.freed, 0);
    assert.equal(result?.freedSpace, all.reduce((sum, file) => sum + file.allocated, 0) - size);
    assert.equal(fs.readFileSync(link).length, 1000);
  });

  it("R22 S0.9: one file that cannot be removed is named, and the others go", async function () {
    if (!canChattr(workspace)) this.skip(); // Needs root and a filesystem with an immutable flag.
    const { plan } = await planFor(workspace);
    await withImmutable(workspace.path(AUDIO), async () => {
      const result = await clean(workspace);
      assert.deepEqual(result.errors, [{ path: AUDIO, message: "not permitted (check the owner, the mode and the immutable flag)" }]);
      assert.equal(result.deletedFiles, takenOf(plan).length - 1);
      assert.ok(fs.existsSync(workspace.path(AUDIO)) && !fs.existsSync(workspace.path(".cache/audio/p1/scene-2.mp3")));
      assert.equal(readRun(workspace.root, result.run)?.files.find((file) => file.path === AUDIO)?.state, "failed");
    });
  });

  it("R22 R25: a held file that cannot be deleted stays held, and goes when it can", async function () {
    if (!canChattr(workspace)) this.skip(); // Needs root and a filesystem with an immutable flag.
    const { run } = await clean(workspace);
    const held = workspace.path(`.offcut/holds/${run}/${AUDIO}`);
    await withImmutable(held, async () => {
      const [result] = await purge(workspace.root);
      assert.deepEqual(
        result?.errors.map((error) => error.path),
        [AUDIO],
      );
      assert.equal(listRuns(workspace.root)[0]?.heldFiles, 1);
    });
    const [result] = await purge(workspace.root);
    assert.deepEqual([result?.deletedFiles, result?.errors], [1, []]);
    assert.equal(listRuns(workspace.root)[0]?.state, "purged");
  });

  it("R24: a busy file is tried at most three times, and all waiting is bounded", async function () {
    const tries: number[] = [];
    const retry = createRetry(300);
    const started = Date.now();
    for (let n = 0; n < 30; n++) {
      tries[n] = 0;
      await assert.rejects(
        retry(() => {
          tries[n]! += 1;
          throw Object.assign(new Error("busy"), { code: "EBUSY" });
        }),
      );
    }
    assert.ok(Math.max(...tries) === 3 && Date.now() - started < 2000, `${tries.join()} in ${Date.now() - started} ms`);
    let once = 0;
    await assert.rejects(
      retry(() => {
        once++;
        throw Object.assign(new Error("broken"), { code: "EIO" });
      }),
    );
    assert.equal(once, 1, "an error that does not pass by itself is not waited for");
  });

  it("R24: a mount point among the files is reported as busy, and the others go", async function () {
    if (!canMount()) this.skip(); // Mounting needs root with CAP_SYS_ADMIN.
    const file = workspace.path(AUDIO);
    const { config, plan } = await planFor(workspace);
    await withMount(["--bind", file], file, async () => {
      const started = Date.now();
      const result = await cleanUp(config, plan, { environment });
      assert.ok(Date.now() - started < 3000);
      assert.deepEqual(result.errors, [{ path: AUDIO, message: "in use by the system (a mount point?)" }]);
      assert.equal(result.deletedFiles, takenOf(plan).length - 1);
    });
  });

  it("R44: a held file that somebody removed is gone: 0 bytes, no error", async () => {
    const { run } = await clean(workspace);
    fs.rmSync(workspace.path(`.offcut/holds/${run}/${AUDIO}`));
    const [result] = await purge(workspace.root);
    assert.deepEqual(result?.errors, []);
    assert.equal(readRun(workspace.root, run)?.files.find((file) => file.path === AUDIO)?.state, "gone");
    assert.equal(listRuns(workspace.root)[0]?.state, "purged");
  });

  it("R3: what changed in the hold is not purged, and undo brings it back", async () => {
    const { run } = await clean(workspace);
    fs.appendFileSync(workspace.path(`.offcut/holds/${run}/${AUDIO}`), "a late writer");
    const [result] = await purge(workspace.root);
    assert.deepEqual(
      result?.errors.map((error) => error.path),
      [AUDIO],
    );
    await undo(loadConfig(workspace.root), run);
    assert.match(fs.readFileSync(workspace.path(AUDIO), "utf8"), /a late writer$/);
  });

  it("R83: freed is what the blocks of the unlinked files were, also of a file with holes", async () => {
    const sparse = workspace.path(AUDIO);
    fs.truncateSync(sparse, 10 * 1024 ** 2);
    const { plan } = await planFor(workspace);
    const blocks = takenOf(plan).reduce((sum, file) => sum + fs.lstatSync(workspace.path(file)).blocks * 512, 0);
    const disk = Number(execFileSync("du", ["-s", "--block-size=1", sparse], { encoding: "utf8" }).split("\t")[0]);
    assert.ok(disk < 100_000);
    const result = await clean(workspace, { undoMs: 0 });
    assert.equal(result.freedSpace, blocks);
    assert.equal(listRuns(workspace.root)[0]?.freedSpace, blocks);
  });

  it("R83 R57: on a small filesystem freed is what the filesystem says, and a full one refuses or frees with nothing lost", async function () {
    if (!canMount()) this.skip(); // Mounting needs root with CAP_SYS_ADMIN.
    const mount = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-small-"));
    const temporary = process.env["TMPDIR"];
    try {
      await withMount(["-t", "tmpfs", "-o", "size=8m", "none"], mount, async () => {
        process.env["TMPDIR"] = mount;
        const small = makeReady({ sceneBytes: 300_000 });
        const free = () => fs.statfsSync(mount).bfree * fs.statfsSync(mount).bsize;
        const before = free();
        const result = await clean(small, { undoMs: 0 });
        assert.ok(Math.abs(free() - before - result.freedSpace) < 100_000, `${free() - before} and ${result.freedSpace}`);

        addProject(small, "p5", { sceneBytes: 100_000 });
        ageFinals(small);
        const { config, plan } = await planFor(small);
        fs.writeFileSync(small.path("filler"), Buffer.alloc(Math.max(0, free() - 8192)));
        for (let full = false; !full;) {
          try {
            fs.appendFileSync(small.path("filler2"), Buffer.alloc(512));
          } catch {
            full = true;
          }
        }
        const files = small.snapshot();
        const undone = await cleanUp(config, plan, { environment, undoMs: 0 }).catch((error: unknown) => error);
        if (undone instanceof Error) {
          assert.ok(undone instanceof Refusal, String(undone));
          assert.match(undone.message, /no space left/);
          sameStates(files, small.snapshot());
          fs.rmSync(small.path("filler2"));
          fs.truncateSync(small.path("filler"), 0);
          assert.equal((await clean(small, { undoMs: 0 })).deletedFiles, takenOf(plan).length);
        } else assert.ok((undone as CleanResult).freedSpace > 0);
        small.dispose();
      });
    } finally {
      if (temporary === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = temporary;
      fs.rmdirSync(mount);
    }
  });

  it("R85 S0.5: directories that the run emptied go bottom-up, below the store's own", async () => {
    workspace.write(".cache/assembly/p1/deep/er/part.mp4");
    workspace.write(".cache/videos/p1/notes.txt");
    const result = await clean(workspace);
    for (const directory of [".cache/assembly/p1/deep", ".cache/assembly/p1", ".cache/audio/p1"])
      assert.ok(!fs.existsSync(workspace.path(directory)), directory);
    for (const directory of [".cache/assembly", ".cache/audio", ".cache/videos/p1/notes.txt"])
      assert.ok(fs.existsSync(workspace.path(directory)), directory);
    assert.equal(result.removedDirectories, 4);
  });

  it("R85: a store's own directory stays when it is empty", async () => {
    fs.rmSync(workspace.path(".cache/assembly/p2"), { recursive: true });
    await clean(workspace);
    assert.deepEqual(fs.readdirSync(workspace.path(".cache/assembly")), []);
  });

  it("R57: without an undo window a run deletes at once, and nothing is held", async () => {
    const result = await clean(workspace, { undoMs: 0 });
    assert.ok(result.deletedFiles > 0 && result.freedSpace > 0 && result.heldSpace === 0 && result.undoUntil === undefined);
    assert.deepEqual(fs.readdirSync(workspace.path(".offcut/holds")), []);
    assert.equal(listRuns(workspace.root)[0]?.state, "purged");
    await assert.rejects(undo(loadConfig(workspace.root), result.run), /its space was freed/);
  });

  it("R65: a run is due when its window ends, not before", async () => {
    const minute = 60_000;
    const { run } = await clean(workspace, { undoMs: 40 * minute });
    assert.deepEqual(await purge(workspace.root, { expiredAt: Date.now() + 30 * minute }), []);
    assert.equal(listRuns(workspace.root)[0]?.run, run);
    assert.deepEqual(
      await purge(workspace.root, { expiredAt: Date.now() + 25 * 60 * minute }),
      [],
      "R48: a clock that was set tells nothing",
    );
    const [due] = await purge(workspace.root, { expiredAt: Date.now() + 50 * minute });
    assert.equal(due?.run, run);
  });

  it("R22: a cancelled run says what it did, and the rest is untouched", async () => {
    const large = makeReady({ scenes: 100 });
    workspace.dispose();
    workspace = large;
    const before = workspace.snapshot();
    const stop = new AbortController();
    const { config, plan } = await planFor(workspace);
    const result = await cleanUp(config, plan, { environment, signal: stop.signal, onRunProgress: () => stop.abort() });
    assert.deepEqual([result.cancelled, result.deletedFiles, result.errors], [true, 256, []]);
    assert.equal(takenOf(plan).filter((file) => fs.existsSync(workspace.path(file))).length, 45);
    await undo(config, undefined);
    sameStates(before, workspace.snapshot());
  });
});
