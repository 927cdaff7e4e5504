import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import { readSchedule } from "../../core/schedule.ts";
import { json, offcut } from "../cli/offcut.ts";
import { isRound, startWatcher, type WatchEvent } from "../cli/watcher.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { clockFrom, clockOff, findFaketime } from "./faketime.ts";

const HOUR = 3_600_000;

describe("offcut watch under a clock that is wrong", function () {
  this.timeout(120_000);
  let library: string;
  let ws: Workspace;

  before(function () {
    const found = findFaketime();
    if (found.library === undefined) {
      console.log(`      skipped: ${found.why}`);
      return this.skip();
    }
    library = found.library;
  });

  beforeEach(async () => {
    ws = makeWorkspace();
    configure({ retention: "0s" });
    addProject(ws, "held");
    assert.equal((await offcut(["clean", "--yes", "--project", "held"], ws)).code, 0);
    configure({});
    addProject(ws, "done");
    addProject(ws, "failed", { status: "failed" });
    addProject(ws, "busy", { status: "rendering" });
    addClips(0, 4);
  });
  afterEach(() => ws.dispose());

  /** Everything that has an age: a retention, an undo window, clips that may become an hour old. */
  const configure = (policy: object): void =>
    void ws.write(
      "offcut.json",
      Buffer.from(
        JSON.stringify({
          preset: "video-generator",
          policy: { grace: "1h", retention: "24h", undo: "24h", ...policy },
          stores: {
            clips: { path: "clips/{event}.mp4", role: "clip", retention: "0s", maxAge: "1h", maxBytes: "50KB", targetBytes: "40KB" },
          },
        }),
      ),
    );
  const addClips = (from: number, to: number): void => {
    for (let n = from; n < to; n++) ws.write(`clips/e${n}.mp4`, 10 * 1024, (20 - n) * 60_000);
  };
  const clips = (): string[] => ws.files().filter((file) => file.startsWith("clips/"));
  const once = async (offset?: string): Promise<WatchEvent & { readonly code: number | null }> => {
    const { code, stdout, stderr } = await offcut(["watch", "--once", "--json"], {
      ...ws,
      ...(offset && { env: clockOff(library, offset) }),
    });
    assert.equal(stderr, "");
    return { ...(JSON.parse(stdout) as WatchEvent), code };
  };
  const clockWarnings = (round: WatchEvent): string[] =>
    (round.problems ?? []).filter((problem) => problem.source === "clock").map((problem) => problem.message);
  const undoable = async (): Promise<number> =>
    json<{ runs: { heldFiles: number }[] }>(await offcut(["history", "--json"], ws)).runs.reduce((sum, run) => sum + run.heldFiles, 0);

  for (const [offset, words] of [
    [
      "+30d",
      /^the clock was set (29|30) d forward since the last cleanup\. Rules about age pause until the time has been steady for an hour\.$/,
    ],
    ["-30d", /^the clock is (29|30) d behind the last cleanup\. Rules about age pause until the time has been steady for an hour\.$/],
  ] as const)
    it(`R48: 30 days off (${offset}): age rules pause with a warning, nothing is lost, and all is well when the clock is`, async () => {
      const normal = await once();
      assert.deepEqual([normal.outcome, clockWarnings(normal)], ["nothing", []]);
      const before = ws.snapshot();
      const held = await undoable();
      assert.ok(held > 0);
      for (let n = 0; n < 2; n++) {
        const wrong = await once(offset);
        assert.ok(Math.abs(Date.parse(wrong.at) - Date.now()) > 29 * 24 * HOUR, "the clock is not wrong at all");
        assert.deepEqual([wrong.code, wrong.outcome, wrong.purged], [0, "nothing", []]);
        assert.equal(clockWarnings(wrong).length, 1);
        assert.match(clockWarnings(wrong)[0] ?? "", words);
        assert.deepEqual(ws.snapshot(), before);
        assert.equal(await undoable(), held, "what can be undone stays so");
      }
      for (const args of [
        ["purge", "--expired"],
        ["clean", "--auto", "--yes"],
      ]) {
        await offcut(args, { ...ws, env: clockOff(library, offset) });
        assert.equal(await undoable(), held, args.join(" "));
        assert.deepEqual(ws.snapshot(), before, args.join(" "));
      }
      const right = await once();
      assert.deepEqual([right.outcome, clockWarnings(right)], ["nothing", []]);
      assert.equal((await offcut(["undo"], ws)).code, 0);
      assert.ok(ws.files().includes(".cache/audio/held/scene-1.mp3"));
      configure({ retention: "0s" });
      assert.equal((await once()).outcome, "clean", "and rules about age hold again");
      assert.ok(!ws.files().some((file) => file.startsWith(".cache/audio/done/")));
    });

  it("R48 R51: 30 days ahead a store that is too full is relieved all the same, the oldest first and no further than its target", async () => {
    await once();
    addClips(4, 8);
    const wrong = await once("+30d");
    assert.deepEqual([wrong.code, wrong.outcome, clockWarnings(wrong).length], [0, "clean", 1], wrong.message);
    assert.deepEqual(clips(), ["clips/e4.mp4", "clips/e5.mp4", "clips/e6.mp4", "clips/e7.mp4"]);
    assert.ok(ws.files().some((file) => file.startsWith(".cache/audio/done/")));
    assert.equal((await once("+30d")).outcome, "nothing");
  });

  it("R48: 30 days back files have time stamps in the future: they stay, and are named as what blocks the target", async () => {
    await once();
    addClips(4, 8);
    const wrong = await once("-30d");
    assert.equal(wrong.code, 0);
    assert.equal(clips().length, 8);
    const [pressure] = wrong.pressures ?? [];
    assert.deepEqual([pressure?.over, pressure?.blocked.map((one) => one.reason)], [true, ["clock"]]);
    assert.equal((await once()).outcome, "clean");
    assert.equal(clips().length, 4);
  });

  it("R48: a file from the future has no age, whatever the rule; its neighbours go on", async () => {
    configure({ retention: "1ms" });
    const future = new Date(Date.now() + 48 * HOUR);
    fs.utimesSync(ws.path(".cache/audio/done/scene-1.mp3"), future, future);
    fs.utimesSync(ws.path("clips/e0.mp4"), future, future);
    const round = await once();
    assert.equal(round.outcome, "clean", round.message);
    assert.deepEqual(
      ws.files().filter((file) => file.startsWith(".cache/audio/done/")),
      [".cache/audio/done/scene-1.mp3"],
    );
    assert.equal(clips().length, 4);
  });

  it("S4.5 R48: a clock that is set while it runs neither stops the rounds nor piles them up", async () => {
    const file = ws.path("clock");
    const set = (offset: string): void => fs.writeFileSync(file, `${offset}\n`);
    set("+0");
    await using watcher = startWatcher(["--every", "1s", "--json"], { ...ws, env: clockFrom(library, file) });
    const began = os.uptime();
    await watcher.until(isRound);
    const before = ws.snapshot();
    const held = await undoable();
    for (const offset of ["+30d", "-30d", "+2h", "+30d", "+0"]) {
      set(offset);
      // The round that is at work has read either clock; the two after it have read this one.
      for (let n = 0; n < 3; n++) {
        const from = watcher.events.length;
        const round = await watcher.until(isRound, from);
        assert.equal(round.outcome, "nothing", round.message);
        if (n > 0) assert.equal(clockWarnings(round).length, offset === "+0" ? 0 : 1, offset);
      }
      const { running, next } = readSchedule(ws.root);
      assert.equal(running?.process.pid, watcher.pid);
      assert.ok(next === undefined || Math.abs(Date.parse(next) - Date.now()) < 5000, "told by the clock of whoever looks");
    }
    const rounds = watcher.events.filter(isRound).length;
    assert.ok(rounds <= os.uptime() - began + 2, `${rounds} rounds in ${os.uptime() - began} s`);
    watcher.kill("SIGTERM");
    assert.equal((await watcher.ended).code, 0);
    const after = ws.snapshot();
    for (const snapshot of [before, after]) snapshot.delete("clock");
    assert.deepEqual(after, before);
    assert.equal(await undoable(), held);
  });
});
