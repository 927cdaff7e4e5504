import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { cleanUp } from "../../core/cleanUp.ts";
import { loadConfig } from "../../core/config/load.ts";
import type { CleanResult } from "../../core/model.ts";
import { createGuard } from "../../core/reclaim/guard.ts";
import { holdOf, Refusal } from "../../core/reclaim/home.ts";
import { runCleanup } from "../../core/reclaim/run.ts";
import { listRuns, readRun } from "../../core/runs.ts";
import { addProject, openWriter, type Workspace } from "../workspace.ts";
import { ageFinals, AUDIO, environment, clean, makeReady, planFor, sameStates, takenOf } from "./world.ts";

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
    assert.deepEqual(result.skipped, [
      { path: gone, reason: "gone" },
      { path: changed, reason: "changed" },
    ]);
    assert.equal(result.deletedFiles, takenOf(plan).length - 2);
    assert.deepEqual(result.errors, []);
  });

  const refused = async (change: () => void, reason: RegExp, now?: () => number): Promise<void> => {
    const { plan } = await planFor(workspace);
    change();
    const before = workspace.snapshot();
    await assert.rejects(
      cleanUp(loadConfig(workspace.root), plan, { environment, ...(now && { now }) }),
      (error: Error) => error instanceof Refusal && reason.test(error.message),
    );
    sameStates(before, workspace.snapshot());
    assert.deepEqual(listRuns(workspace.root), []);
  };

  it("R16: a plan that expired is refused and nothing is touched", () =>
    refused(
      () => {},
      /expired/,
      () => Date.now() + 601_000,
    ));

  it("R16: so is one whose configuration changed", () =>
    refused(
      () => workspace.write("offcut.json", Buffer.from(JSON.stringify({ preset: "video-generator", policy: { retention: "5d" } }))),
      /configuration changed/,
    ));

  it("R16: so is one whose database changed", () =>
    refused(() => workspace.sql("INSERT INTO projects (id, name) VALUES ('p9', 'new')"), /a database or a job changed/));

  it("R16: so is one whose database went", () =>
    refused(() => fs.renameSync(workspace.path("data/app.db"), workspace.path("data/old.db")), /a database or a job changed/));

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
      assert.deepEqual(
        coming.filter((file) => fs.existsSync(workspace.path(file))),
        [named],
      );
    });

    it(`R17: a project that is taken up again during the run keeps the rest of its files (journal mode ${mode})`, async () => {
      const { result, coming } = await cleanWith(() => write("UPDATE projects SET status = 'rendering' WHERE id = 'p1'"));
      for (const file of coming) assert.match(reasonOf(result, file) ?? "", /project p1 is not finished/, file);
      assert.ok(coming.every((file) => fs.existsSync(workspace.path(file))));
    });
  }

  it("R17 R29: a pin that is set during the run holds", async () => {
    const { result, coming } = await cleanWith((files) => {
      fs.writeFileSync(
        workspace.path(".offcut/pins.json"),
        JSON.stringify({ schema: 1, pins: [{ kind: "file", value: files[3], added: "" }] }),
      );
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
    const result = await cleanUp(
      config,
      { ...plan, items: taken },
      {
        environment,
        now,
        onRunProgress: () => {
          if (!changed) fs.truncateSync(workspace.path(`.cache/output/${other}/final.mp4`), 3000);
          changed = true;
        },
      },
    );
    assert.match(reasonOf(result, clip) ?? "", new RegExp(`final\\.mp4 of project ${other} is not verified`));
    assert.ok(fs.existsSync(workspace.path(clip)));
  });

  it("R3: what somebody who had it open writes between its move and its unlink is put back, and nothing else stays", async () => {
    const { config, plan } = await planFor(workspace);
    const items = plan.items.filter((item) => item.verdict === "reclaim");
    let written: string | undefined;
    const result = await runCleanup({
      workspace: workspace.root,
      digest: plan.digest,
      items,
      undoMs: 0,
      guard: createGuard({ workspace: workspace.root, stores: config.stores, protectedPaths: [], protectedInodes: [] }),
      // Asked right before the second file moves: the first one waits for its turn to be deleted.
      recheck: () => {
        const [run = ""] = fs.readdirSync(workspace.path(".offcut/holds"));
        const moved = items.find((item) => fs.existsSync(path.join(holdOf(workspace.root, run), item.path)));
        if (moved && written === undefined) fs.appendFileSync(path.join(holdOf(workspace.root, run), (written = moved.path)), "late");
        return undefined;
      },
      now: Date.now,
    });
    assert.ok(written !== undefined);
    assert.deepEqual([result.skipped, result.errors], [[{ path: written, reason: "changed" }], []]);
    assert.equal(result.deletedFiles, items.length - 1);
    assert.match(fs.readFileSync(workspace.path(written), "latin1"), /late$/);
    assert.deepEqual(
      items.filter((item) => fs.existsSync(workspace.path(item.path))).map((item) => item.path),
      [written],
    );
    assert.deepEqual(fs.readdirSync(workspace.path(".offcut/holds")), []);
    assert.equal(readRun(workspace.root, result.run)?.files.find((file) => file.path === written)?.state, "kept");
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
});
