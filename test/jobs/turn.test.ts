import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { lockManifests, readManifest, updateManifest } from "../../core/jobs/manifests.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { Child, entry, makeRoot, sample, until } from "./samples.ts";

async function holder(jobs: string): Promise<Child> {
  const child = new Child("hold", jobs);
  await until("the lock to be held", () => child.lines[0] === "held");
  return child;
}

describe("turn", function () {
  this.timeout(60_000);

  for (const count of [2, 4])
    it(`R41 R68: of ${count} processes that change one manifest at once nothing is lost`, async () => {
      using place = makeRoot();
      const EACH = 50;
      const children = Array.from({ length: count }, (_, i) => new Child("add", place.jobs, "j1", `p${i}`, EACH));
      await Promise.all(children.map((child) => child.ended));
      for (const child of children) assert.deepEqual([child.lines, child.process.exitCode], [["added"], 0]);
      const manifest = readManifest(place.jobs, "j1")?.manifest;
      assert.ok(manifest?.sequence === count * EACH);
      for (let i = 0; i < count; i++) {
        const own: string[] = manifest.files.map((file) => file.path).filter((name) => name.startsWith(`p${i}/`));
        assert.deepEqual(
          own,
          Array.from({ length: EACH }, (_, n) => `p${i}/${n}`),
        );
      }
      assert.deepEqual(fs.readdirSync(path.join(place.jobs, "locks")), []);
    });

  it("R68: changes of one process at once come one after the other, in the order of asking", async () => {
    using place = makeRoot();
    await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        updateManifest(place.jobs, "j1", (old) => ({ ...(old ?? sample("j1")), files: [...(old?.files ?? []), entry(`${n}`)] })),
      ),
    );
    assert.deepEqual(
      readManifest(place.jobs, "j1")?.manifest?.files.map((file) => file.path),
      Array.from({ length: 100 }, (_, n) => `output/${n}`),
    );
  });

  it("R41: who holds the lock too long is named, standing still or not, in another process or in this one; then it goes on", async () => {
    using place = makeRoot();
    using inside = makeRoot();
    using child = await holder(place.jobs);
    child.process.kill("SIGSTOP");
    const own = await lockManifests(inside.jobs, ["j1"]);
    const since = performance.now();
    const refused = (pid: number) => (error: Error) =>
      error instanceof Refusal &&
      error.message.startsWith(`process ${pid} has been changing `) &&
      !error.message.includes("another machine");
    await Promise.all([
      assert.rejects(
        updateManifest(place.jobs, "j1", () => sample("j1")),
        refused(child.pid),
      ),
      assert.rejects(
        updateManifest(inside.jobs, "j1", () => sample("j1")),
        refused(process.pid),
      ),
    ]);
    assert.ok(performance.now() - since > 4900);
    assert.equal(readManifest(place.jobs, "j1"), undefined);
    own[Symbol.dispose]();
    await updateManifest(inside.jobs, "j1", () => sample("j1"));
    await child.kill();
    await updateManifest(place.jobs, "j1", () => sample("j1"));
    for (const { jobs } of [place, inside]) assert.deepEqual(fs.readdirSync(path.join(jobs, "locks")), []);
  });

  it("R41: whoever waits goes on when the holder is killed", async () => {
    using place = makeRoot();
    using child = await holder(place.jobs);
    let done = false;
    const waiting = updateManifest(place.jobs, "j1", () => sample("j1")).then(() => (done = true));
    await until("it to wait", () => fs.readdirSync(path.join(place.jobs, "locks")).length === 2);
    assert.equal(done, false);
    await child.kill();
    await waiting;
    assert.equal(readManifest(place.jobs, "j1")?.manifest?.sequence, 1);
  });

  it("R41: what a process of another machine or container left is not removed, but named", async () => {
    using place = makeRoot();
    using child = await holder(place.jobs);
    const locks = path.join(place.jobs, "locks");
    const [name = ""] = fs.readdirSync(locks);
    const parts = name.split("~");
    const foreign = [...parts.slice(0, 4), "elsewhere", parts[5]].join("~");
    fs.writeFileSync(path.join(locks, foreign), "");
    await child.kill();
    await assert.rejects(
      lockManifests(place.jobs, ["j1"]),
      (error: Error) => error instanceof Refusal && error.message.endsWith(`if that is gone for good, remove ${path.join(locks, foreign)}`),
    );
    assert.deepEqual(fs.readdirSync(locks), [foreign]);
    // From an earlier boot, or of a pid that is used again: gone.
    fs.rmSync(path.join(locks, foreign));
    if (process.platform !== "linux") return;
    for (const [at, value] of [
      [2, "1"],
      [3, "boot"],
    ] as const) {
      fs.writeFileSync(path.join(locks, parts.with(1, String(process.pid)).with(at, value).join("~")), "");
      using turn = await lockManifests(place.jobs, ["j1"]);
      assert.ok(turn);
      assert.equal(fs.readdirSync(locks).length, 1);
    }
  });

  it("R41: waiting can be cancelled, in line and for another process", async () => {
    using place = makeRoot();
    using child = await holder(place.jobs);
    const first = new AbortController();
    const second = new AbortController();
    const waiting = [first, second].map((controller) => lockManifests(place.jobs, ["j1"], controller.signal));
    await until("it to wait", () => fs.readdirSync(path.join(place.jobs, "locks")).length === 2);
    second.abort(new Error("second"));
    await assert.rejects(waiting[1]!, /second/);
    first.abort(new Error("first"));
    await assert.rejects(waiting[0]!, /first/);
    await assert.rejects(lockManifests(place.jobs, ["j1"], AbortSignal.abort(new Error("at once"))), /at once/);
    assert.equal(fs.readdirSync(path.join(place.jobs, "locks")).length, 1);
    await child.kill();
    using turn = await lockManifests(place.jobs, ["j1", "j2"]);
    assert.ok(turn);
  });

  it("R6: a lock for nothing costs nothing, and one for what is no id is refused", async () => {
    using place = makeRoot();
    using turn = await lockManifests(place.jobs, []);
    assert.ok(turn);
    await assert.rejects(lockManifests(place.jobs, ["j1", "../j2"]), Refusal);
    assert.deepEqual(fs.readdirSync(place.root), []);
  });

  it("R76: a directory that cannot be made is told in words", async () => {
    using place = makeRoot();
    fs.writeFileSync(path.join(place.root, "file"), "");
    for (const directory of [path.join(place.root, "file/jobs"), path.join(place.root, "gone/.offcut/jobs")])
      await assert.rejects(lockManifests(directory, ["j1"]), Refusal);
    assert.ok(!fs.existsSync(path.join(place.root, "gone")));
  });
});
