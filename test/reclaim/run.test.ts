import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { cleanUp } from "../../core/cleanUp.ts";
import { loadConfig } from "../../core/config/load.ts";
import type { CleanResult } from "../../core/model.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { createRetry } from "../../core/reclaim/retry.ts";
import { listRuns, purge, readRun, undo } from "../../core/runs.ts";
import { addProject, makeWorkspace, openWriter, type Workspace } from "../workspace.ts";
import { ageFinals, AUDIO, canChattr, canMount, clean, environment, makeReady, planFor, sameStates, takenOf, withImmutable, withMount } from "./world.ts";

const FINAL = ".cache/output/p1/final.mp4";

describe("run", function () {
  this.timeout(20_000);
  let workspace: Workspace;
  const writers: { close(): void }[] = [];

  beforeEach(() => {
    workspace = makeReady();
  });
  afterEach(() => {
    for (const writer of writers.splice(0)) writer.close();
    workspace.dispose();
  });

  const reasonOf = (result: CleanResult, file: string) => result.skipped.find((one) => one.path === file)?.reason;

  /** Something happens after the first 256 of 301 files; the result, and which files were still to come. */
  const cleanWith = async (change: (coming: readonly string[]) => void) => {
    const large = makeReady({ scenes: 100 });
    workspace.dispose();
    workspace = large;
    const { config, plan } = await planFor(workspace);
    const taken = takenOf(plan);
    assert.equal(taken.length, 301);
    const coming = taken.slice(256);
    let changed = false;
    const result = await cleanUp(config, plan, {
      environment,
      onRunProgress: () => {
        if (!changed) change(coming);
        changed = true;
      },
    });
    return { result, coming };
  };

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

  it("R13: a plan writes nothing, whether the database has a log or not", async () => {
    for (const hot of [false, true]) {
      const writer = hot ? openWriter(workspace) : undefined;
      writer?.exec("UPDATE projects SET name = 'x' WHERE id = 'p1'");
      const before = workspace.snapshot({ everything: true });
      const { plan } = await planFor(workspace, { orphans: true });
      assert.ok(takenOf(plan).length > 0);
      assert.deepEqual(listRuns(workspace.root), []);
      sameStates(before, workspace.snapshot({ everything: true }));
      writer?.close();
    }
  });

  it("R15: what is new stays, what vanished is gone, what changed is kept", async () => {
    const { config, plan } = await planFor(workspace);
    const [fresh, gone, changed] = [".cache/audio/p1/scene-3.mp3", AUDIO, ".cache/audio/p1/scene-2.mp3"];
    workspace.write(fresh);
    fs.rmSync(workspace.path(gone));
    fs.appendFileSync(workspace.path(changed), "more");
    const result = await cleanUp(config, plan, { environment });
    assert.ok(fs.existsSync(workspace.path(fresh)) && fs.existsSync(workspace.path(changed)));
    assert.deepEqual(result.skipped, [{ path: gone, reason: "gone" }, { path: changed, reason: "changed" }]);
    assert.equal(result.deletedFiles, takenOf(plan).length - 2);
    assert.deepEqual(result.errors, []);
  });

  const refused = async (change: () => void, reason: RegExp, now?: () => number): Promise<void> => {
    const { plan } = await planFor(workspace);
    change();
    const before = workspace.snapshot();
    await assert.rejects(cleanUp(loadConfig(workspace.root), plan, { environment, ...(now && { now }) }), (error: Error) => error instanceof Refusal && reason.test(error.message));
    sameStates(before, workspace.snapshot());
    assert.deepEqual(listRuns(workspace.root), []);
  };

  it("R16: a plan that expired is refused and nothing is touched", () => refused(() => {}, /expired/, () => Date.now() + 601_000));
  it("R16: so is one whose configuration changed", () =>
    refused(() => workspace.write("offcut.json", Buffer.from(JSON.stringify({ preset: "video-generator", policy: { retention: "5d" } }))), /configuration changed/));
  it("R16: so is one whose database changed", () => refused(() => workspace.sql("INSERT INTO projects (id, name) VALUES ('p9', 'new')"), /database changed/));
  it("R16: so is one whose database went", () => refused(() => fs.renameSync(workspace.path("data/app.db"), workspace.path("data/old.db")), /database changed/));
  it("R82: so is one of a workspace that is not trusted", async () => {
    const { config, plan } = await planFor(workspace);
    await assert.rejects(cleanUp(config, plan, { environment, trusted: false }), Refusal);
    assert.ok(!fs.existsSync(workspace.path(".offcut")));
  });

  for (const mode of ["WAL", "DELETE"] as const) {
    /** The connection stays open until the test ends, so that what it writes stays in the log. */
    const write = (sql: string): void => {
      if (mode === "WAL") {
        const writer = openWriter(workspace);
        writers.push(writer);
        return writer.exec(sql);
      }
      const database = new DatabaseSync(workspace.path("data/app.db"));
      writers.push(database);
      database.exec(`PRAGMA journal_mode = DELETE; ${sql}`);
    };

    it(`R17: a reference that appears during the run keeps its file (journal mode ${mode})`, async () => {
      let named = "";
      const { result, coming } = await cleanWith((files) => {
        named = files[7] ?? "";
        write(`INSERT INTO visual_suggestions VALUES ('new', 'p2-s1', 'x', 'y', '${named}')`);
      });
      assert.match(reasonOf(result, named) ?? "", /project p2 refers to it/);
      assert.deepEqual(coming.filter((file) => fs.existsSync(workspace.path(file))), [named]);
    });

    it(`R17: a project that is taken up again during the run keeps the rest of its files (journal mode ${mode})`, async () => {
      const { result, coming } = await cleanWith(() => write("UPDATE projects SET status = 'rendering' WHERE id = 'p1'"));
      for (const file of coming) assert.match(reasonOf(result, file) ?? "", /project p1 is not finished/, file);
      assert.ok(coming.every((file) => fs.existsSync(workspace.path(file))));
    });
  }

  it("R17 R29: a pin that is set during the run holds", async () => {
    const { result, coming } = await cleanWith((files) => {
      fs.writeFileSync(workspace.path(".offcut/pins.json"), JSON.stringify({ schema: 1, pins: [{ kind: "file", value: files[3], added: "" }] }));
    });
    assert.match(reasonOf(result, coming[3] ?? "") ?? "", /pinned/);
    assert.ok(fs.existsSync(workspace.path(coming[3] ?? "")));
  });

  it("R17 R75: a database that goes during the run keeps the rest", async () => {
    const { result, coming } = await cleanWith(() => fs.renameSync(workspace.path("data/app.db"), workspace.path("data/away.db")));
    for (const file of coming) assert.match(reasonOf(result, file) ?? "", /is not there/, file);
    assert.ok(coming.every((file) => fs.existsSync(workspace.path(file))));
  });

  for (const [what, change] of [
    ["truncated", (file: string) => fs.truncateSync(file, 3000)],
    ["removed", (file: string) => fs.rmSync(file)],
    ["emptied", (file: string) => fs.truncateSync(file, 0)],
    ["replaced by a link", (file: string) => (fs.renameSync(file, `${file}.real`), fs.symlinkSync(`${file}.real`, file))],
  ] as const) {
    it(`R34: a final that is ${what} between plan and run keeps every file of its project`, async () => {
      const { config, plan } = await planFor(workspace);
      change(workspace.path(FINAL));
      const result = await cleanUp(config, plan, { environment });
      assert.equal(result.deletedFiles, 0);
      assert.ok(takenOf(plan).every((file) => fs.existsSync(workspace.path(file))));
    });
  }

  it("R34: a final that goes during the run keeps the rest", async () => {
    const { result, coming } = await cleanWith(() => fs.truncateSync(workspace.path(FINAL), 3000));
    for (const file of coming) assert.match(reasonOf(result, file) ?? "", /final\.mp4 of project p1 is not verified/, file);
  });

  it("R34 R27: a shared file stays when the final of any project that uses it goes during the run", async () => {
    const clip = "assets/cache/zz/zz.mp4";
    const large = makeReady({ scenes: 100, clips: ["zz/zz"] });
    workspace.dispose();
    workspace = large;
    addProject(workspace, "p3", { scenes: 100, clips: ["zz/zz"] });
    ageFinals(workspace);
    const now = () => Date.now() + 2 * 3_600_000;
    const { config, plan } = await planFor(workspace, { now });
    const owner = plan.items.find((item) => item.path === clip)?.owner;
    const other = owner === "p1" ? "p3" : "p1";
    // None of the other project's own files comes first, which would bring its final to mind.
    const own = plan.items.filter((item) => item.verdict === "reclaim" && item.owner === owner && item.path !== clip);
    const taken = [...own, ...plan.items.filter((item) => item.path === clip)];
    assert.ok(own.length >= 256 && taken.at(-1)?.verdict === "reclaim");
    let changed = false;
    const result = await cleanUp(config, { ...plan, items: taken }, {
      environment,
      now,
      onRunProgress: () => {
        if (!changed) fs.truncateSync(workspace.path(`.cache/output/${other}/final.mp4`), 3000);
        changed = true;
      },
    });
    assert.match(reasonOf(result, clip) ?? "", new RegExp(`final\\.mp4 of project ${other} is not verified`));
    assert.ok(fs.existsSync(workspace.path(clip)));
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
      assert.deepEqual(result?.errors.map((error) => error.path), [AUDIO]);
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
      await assert.rejects(retry(() => {
        tries[n]! += 1;
        throw Object.assign(new Error("busy"), { code: "EBUSY" });
      }));
    }
    assert.ok(Math.max(...tries) === 3 && Date.now() - started < 2000, `${tries.join()} in ${Date.now() - started} ms`);
    let once = 0;
    await assert.rejects(retry(() => {
      once++;
      throw Object.assign(new Error("broken"), { code: "EIO" });
    }));
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

  it("R43: a file that another process has open is skipped", async function () {
    if (process.platform !== "linux") this.skip(); // Only Linux tells without a program of its own.
    const handle = fs.openSync(workspace.path(AUDIO), "r");
    const child = spawn("sleep", ["60"], { stdio: [handle, "ignore", "ignore"] });
    fs.closeSync(handle);
    try {
      await new Promise<void>((resolve) => child.once("spawn", resolve));
      const result = await clean(workspace);
      assert.deepEqual(result.skipped, [{ path: AUDIO, reason: "open in another program" }]);
      assert.ok(fs.existsSync(workspace.path(AUDIO)));
    } finally {
      child.kill();
    }
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
    assert.deepEqual(result?.errors.map((error) => error.path), [AUDIO]);
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
        for (let full = false; !full; ) {
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
    for (const directory of [".cache/assembly/p1/deep", ".cache/assembly/p1", ".cache/audio/p1"]) assert.ok(!fs.existsSync(workspace.path(directory)), directory);
    for (const directory of [".cache/assembly", ".cache/audio", ".cache/videos/p1/notes.txt"]) assert.ok(fs.existsSync(workspace.path(directory)), directory);
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
    const { run } = await clean(workspace);
    assert.deepEqual(await purge(workspace.root, { expiredAt: Date.now() }), []);
    assert.equal(listRuns(workspace.root)[0]?.run, run);
    const [due] = await purge(workspace.root, { expiredAt: Date.now() + 25 * 3_600_000 });
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
