import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../../core/config/load.ts";
import type { CleanResult } from "../../core/model.ts";
import { thisProcess } from "../../core/process.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { acquireLocks, lockHolder } from "../../core/reclaim/lock.ts";
import { listRuns, recoverRuns, undo } from "../../core/runs.ts";
import type { Workspace } from "../workspace.ts";
import { assertPartition, clean, makeReady, planFor, sameStates, takenOf } from "./world.ts";

describe("lock", function () {
  this.timeout(60_000);
  let workspace: Workspace;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    workspace = makeReady();
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    workspace.dispose();
  });

  const serve = async (): Promise<ChildProcess> => {
    const child = fork(fileURLToPath(new URL("./child.ts", import.meta.url)), ["serve", workspace.root]);
    children.push(child);
    await once(child, "message");
    return child;
  };
  const ask = async <T>(child: ChildProcess, wanted: string): Promise<T> => {
    const reply = once(child, "message");
    child.send(wanted);
    return ((await reply) as [T])[0];
  };

  it("R41: of two processes that clean one root at once exactly one takes each file, over 60 rounds", async () => {
    const pair = [await serve(), await serve()];
    const before = workspace.snapshot();
    const taken = takenOf((await planFor(workspace)).plan);
    const seen = { refused: 0, serialised: 0 };
    for (let round = 0; round < 60; round++) {
      await Promise.all(pair.map((child) => ask(child, "plan")));
      const results = await Promise.all(pair.map((child) => ask<CleanResult & { refused?: string }>(child, "clean")));
      const refusals = results.filter((result) => result.refused !== undefined);
      for (const refusal of refusals) assert.match(refusal.refused ?? "", /process \d+ is cleaning/);
      if (refusals.length === 2) {
        // Neither won: then nothing was touched.
        sameStates(before, workspace.snapshot());
        continue;
      }
      const done = results.filter((result) => result.refused === undefined);
      for (const result of done) assert.deepEqual([result.errors, result.skipped.filter((one) => one.reason !== "gone")], [[], []]);
      assert.equal(
        done.reduce((sum, result) => sum + result.deletedFiles, 0),
        taken.length,
      );
      assertPartition(workspace, before, workspace.snapshot(), taken);
      seen[refusals.length > 0 ? "refused" : "serialised"]++;
      await undo(loadConfig(workspace.root), undefined);
      sameStates(before, workspace.snapshot());
    }
    assert.ok(seen.refused + seen.serialised > 50, JSON.stringify(seen));
    assert.deepEqual(fs.readdirSync(workspace.path(".offcut/locks")), []);
  });

  it("R41: who holds the lock is named, and nothing is touched", async () => {
    const holder = await serve();
    await ask(holder, "lock");
    const before = workspace.snapshot();
    await assert.rejects(
      clean(workspace),
      (error: Error) => error instanceof Refusal && error.message.startsWith(`process ${holder.pid} is cleaning ${workspace.root}`),
    );
    assert.equal(lockHolder(workspace.root), `process ${holder.pid}`);
    sameStates(before, workspace.snapshot());
  });

  it("R41: a holder that was killed does not block", async () => {
    const holder = await serve();
    await ask(holder, "lock");
    const exited = once(holder, "exit");
    holder.kill("SIGKILL");
    await exited;
    assert.ok((await clean(workspace)).deletedFiles > 0);
    assert.deepEqual(fs.readdirSync(workspace.path(".offcut/locks")), []);
  });

  it("R41 R39: a lock whose pid another process has now does not block, one of the living does", async () => {
    if (process.platform !== "linux") return; // Elsewhere a pid has no start time to compare.
    const holder = await serve();
    await ask(holder, "lock");
    const [name = ""] = fs.readdirSync(workspace.path(".offcut/locks"));
    const file = workspace.path(`.offcut/locks/${name}`);
    const written = JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, unknown>;
    for (const change of [{ started: "1" }, { boot: "another" }]) {
      fs.writeFileSync(file, JSON.stringify({ ...written, ...change }));
      using lock = await acquireLocks([workspace.root]);
      assert.ok(lock);
      assert.ok(!fs.existsSync(file), JSON.stringify(change));
    }
    for (const change of [{ host: "another" }, { namespace: "pid:[1]" }, {}]) {
      fs.writeFileSync(file, JSON.stringify({ ...written, ...change }));
      await assert.rejects(acquireLocks([workspace.root]), Refusal, JSON.stringify(change));
    }
    fs.writeFileSync(file, '{"pid":');
    await assert.rejects(acquireLocks([workspace.root]), Refusal, "half written by a living process");
    fs.renameSync(file, workspace.path(".offcut/locks/4194303-torn.json"));
    using lock = await acquireLocks([workspace.root]);
    assert.ok(lock);
  });

  const lockAs = (name: string, text: string, ageMs = 0): string => {
    const file = workspace.write(`.offcut/locks/${name}`, Buffer.from(text), ageMs);
    assert.ok(fs.existsSync(file));
    return file;
  };
  const refusalOf = async (): Promise<string> => {
    try {
      using _lock = await acquireLocks([workspace.root]);
    } catch (error) {
      assert.ok(error instanceof Refusal, String(error));
      return error.message;
    }
    return "";
  };

  it("R41 R39: a lock of another machine or container stays, whatever its age, and the refusal names the file and what to do", async () => {
    const at = "2020-01-01T00:00:00.000Z";
    for (const [change, words] of [
      [{ host: "old-machine", boot: "another" }, "process 7 on old-machine"],
      [{ namespace: "pid:[1]" }, "process 7 in another container"],
    ] as const) {
      const file = lockAs("7-x.json", JSON.stringify({ ...thisProcess(), pid: 7, ...change, at }), 365 * 24 * 3_600_000);
      const mend = `if that machine or container is gone for good, remove ${file}`;
      assert.equal(await refusalOf(), `${words} is cleaning ${workspace.root} (since ${at}); try again when it is done; ${mend}`);
      assert.equal(lockHolder(workspace.root), `${words} (${mend})`);
      fs.rmSync(file);
      assert.equal(await refusalOf(), "", "what the refusal says helps");
    }
  });

  it("R41: a torn lock whose pid is in use again blocks for a minute at most", async () => {
    for (const text of ["", '{"pid":', "null", "{}", "[]", JSON.stringify({ ...thisProcess() })]) {
      const fresh = lockAs(`${process.pid}-torn.json`, text);
      assert.match(await refusalOf(), new RegExp(`^process ${process.pid} is cleaning .*since just now`), text);
      assert.ok(fs.existsSync(fresh), "it may be at it still");
      for (const age of [61_000, -61_000]) {
        const file = lockAs(`${process.pid}-torn.json`, text, age);
        assert.equal(lockHolder(workspace.root), undefined);
        assert.ok(fs.existsSync(file), "looking removes nothing");
        assert.equal(await refusalOf(), "", text);
        assert.ok(!fs.existsSync(file));
      }
    }
  });

  it("R41: a lock that was taken for a torn one while it was written is announced anew", async () => {
    const { existsSync } = fs;
    const gone: string[] = [];
    // Another process removes the file between the look at the others and the look at one's own.
    fs.existsSync = (file) => {
      if (/locks.\d+-[^/]+\.json$/.test(String(file)) && gone.length === 0) {
        gone.push(String(file));
        fs.rmSync(file);
      }
      return existsSync(file);
    };
    try {
      using _lock = await acquireLocks([workspace.root]);
      assert.equal(gone.length, 1);
      assert.equal(fs.readdirSync(workspace.path(".offcut/locks")).length, 1, "what is held has a file that others see");
    } finally {
      fs.existsSync = existsSync;
    }
  });

  it("R41: several roots are locked in one order, and a root that is refused leaves no lock behind", async () => {
    await assert.rejects(acquireLocks([workspace.root, workspace.path("not-there")]), Refusal);
    assert.deepEqual(fs.readdirSync(workspace.path(".offcut/locks")), []);
    assert.ok(!fs.existsSync(workspace.path("not-there")));
  });

  it("R41 R23: a run at work is not taken for one that crashed", async () => {
    const holder = await serve();
    await clean(workspace);
    const [run] = listRuns(workspace.root);
    const journal = workspace.path(`.offcut/runs/${run?.run}.jsonl`);
    const lines = fs.readFileSync(journal, "utf8").trimEnd().split("\n");
    fs.writeFileSync(journal, `${lines.slice(0, -1).join("\n")}\n`);
    await ask(holder, "lock");
    await assert.rejects(recoverRuns(workspace.root), Refusal);
    assert.equal(fs.readFileSync(journal, "utf8").trimEnd().split("\n").length, lines.length - 1);
  });
});
