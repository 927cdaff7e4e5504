import assert from "node:assert/strict";
import fs from "node:fs";
import { readSchedule } from "../../core/schedule.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { json, offcut } from "./offcut.ts";
import { heldFiles, isRound, poll, startWatcher } from "./watcher.ts";

interface Runs {
  readonly runs: readonly { readonly run: string; readonly state: string; readonly files: number; readonly heldFiles: number }[];
}

describe("offcut watch beside others, stopped and killed", function () {
  this.timeout(60_000);
  let ws: Workspace;

  beforeEach(() => {
    ws = makeWorkspace();
    configure({});
    addProject(ws, "busy", { status: "rendering" });
  });
  afterEach(() => ws.dispose());

  const configure = (policy: object, more: object = {}): void =>
    void ws.write("offcut.json", Buffer.from(JSON.stringify({ preset: "video-generator", policy: { grace: "0s", ...policy }, ...more })));
  const runs = async (): Promise<Runs["runs"]> => json<Runs>(await offcut(["history", "--json"], ws)).runs;
  /** What automatic cleaning may take of a project: neither its final nor what it downloaded (R33). */
  const filesOf = (id: string): string[] => ws.files().filter((file) => file.includes(`/${id}/`) && !file.includes("/final"));

  it("R41: of several that start at once exactly one stays", async () => {
    for (let attempt = 0; attempt < 3; attempt++) {
      await using a = startWatcher(["--every", "1h", "--json"], ws);
      await using b = startWatcher(["--every", "1h", "--json"], ws);
      await using c = startWatcher(["--every", "1h", "--json"], ws);
      const all = [a, b, c];
      const ended = new Set<number>();
      for (const one of all) void one.ended.then(() => ended.add(one.pid));
      await poll(() => ended.size === 2);
      const winner = all.find((one) => !ended.has(one.pid))!;
      assert.notEqual((await winner.until(isRound)).outcome, "refused");
      for (const loser of all) {
        if (loser === winner) continue;
        const { code, stderr } = await loser.ended;
        assert.equal(code, 4, stderr);
        assert.match(stderr, /enforces the policy/);
      }
    }
  });

  describe("is stopped or killed in the middle of a round", () => {
    /** A project whose cleanup takes many batches. */
    const addHuge = (): void => {
      configure({ brake: { share: 1 } });
      addProject(ws, "huge", { scenes: 1 });
      for (let i = 0; i < 1500; i++) ws.write(`.cache/assembly/huge/part-${i}.mp4`, 1);
    };
    /** What an undo put back is left alone for a day. */
    const endTheDay = (): void => fs.rmSync(ws.path(".offcut/undone.json"));
    const heldNow = (): number => heldFiles(ws.root).length;

    it("S4.5: SIGINT and SIGTERM stop between two files at any moment, with 0; nothing is lost, undo brings all back", async () => {
      addHuge();
      const before = ws.snapshot();
      const all = ws.files();
      let cancelled = 0;
      for (const [i, share] of [0.001, 0.1, 0.3, 0.6, 0.9].entries()) {
        await using watcher = startWatcher(["--json"], ws);
        await poll(() => heldNow() > share * 1500);
        watcher.kill(i % 2 === 0 ? "SIGTERM" : "SIGINT");
        const { code, stderr } = await watcher.ended;
        assert.equal(code, 0, stderr);
        assert.deepEqual([...ws.files(), ...heldFiles(ws.root)].sort(), all);
        assert.equal(readSchedule(ws.root).words, "not running");
        const { outcome } = watcher.events.find(isRound) ?? {};
        assert.ok(outcome === "cancelled" || outcome === "clean", outcome);
        if (outcome === "cancelled") cancelled++;
        assert.equal((await offcut(["undo"], ws)).code, 0);
        assert.deepEqual(ws.snapshot(), before);
        endTheDay();
      }
      assert.ok(cancelled > 0, "some of them came in the middle");
    });

    it("S4.5: a second signal ends it at once, with 130; the next start finishes what it left", async () => {
      addHuge();
      const all = ws.files();
      await using watcher = startWatcher(["--json"], ws);
      await poll(() => heldNow() > 0);
      watcher.kill("SIGTERM");
      watcher.kill("SIGINT");
      assert.ok([0, 130].includes((await watcher.ended).code ?? -1));
      assert.deepEqual([...ws.files(), ...heldFiles(ws.root)].sort(), all);
      await using again = startWatcher(["--json"], ws);
      assert.match((await again.until(isRound)).outcome ?? "", /^(clean|nothing)$/);
      assert.deepEqual(filesOf("huge"), []);
    });

    it("R23 R60: after kill -9 the next start recovers and goes on; the state of the dead one says that it does not run", async () => {
      addHuge();
      const before = ws.snapshot();
      const all = ws.files();
      for (const share of [0.001, 0.3, 0.7]) {
        await using watcher = startWatcher(["--json"], ws);
        await poll(() => heldNow() > share * 1500);
        watcher.kill("SIGKILL");
        assert.equal((await watcher.ended).signal, "SIGKILL");
        assert.equal(readSchedule(ws.root).words, `not running: process ${watcher.pid} is gone`);
        assert.deepEqual([...ws.files(), ...heldFiles(ws.root)].sort(), all);
        await using again = startWatcher(["--json"], ws);
        await again.until(isRound);
        assert.deepEqual(filesOf("huge"), []);
        assert.deepEqual([...ws.files(), ...heldFiles(ws.root)].sort(), all);
        again.kill("SIGTERM");
        assert.equal((await again.ended).code, 0);
        for (const run of await runs()) if (run.heldFiles > 0) assert.equal((await offcut(["undo", run.run], ws)).code, 0);
        assert.deepEqual(ws.snapshot(), before);
        endTheDay();
      }
    });
  });

  it("R41: watch and a cleanup by hand at once, and both get on: nothing is lost, nothing is counted twice", async () => {
    await using watcher = startWatcher(["--every", "1h", "--json"], ws);
    await watcher.until(isRound);
    const expected = new Set<string>();
    for (let n = 0; n < 5; n++) {
      addProject(ws, `p${n}`, { scenes: 8 });
      for (const file of filesOf(`p${n}`)) expected.add(file);
      const [round, ...byHand] = await Promise.all([
        watcher.round(),
        offcut(["clean", "--auto", "--yes"], ws),
        offcut(["watch", "--once"], ws),
      ]);
      assert.ok(["clean", "nothing", "refused"].includes(round.outcome ?? ""), round.message);
      for (const { code, stderr } of byHand)
        assert.ok(code === 0 || (code === 4 && /refused|is cleaning|changed/.test(stderr)), `${code}: ${stderr}`);
    }
    const last = await watcher.round();
    assert.ok(["clean", "nothing"].includes(last.outcome ?? ""), last.message);
    assert.deepEqual(heldFiles(ws.root), [...expected].sort());
    assert.equal(
      (await runs()).reduce((sum, run) => sum + run.files, 0),
      expected.size,
    );
    watcher.kill("SIGTERM");
    assert.equal((await watcher.ended).code, 0);
  });
});
