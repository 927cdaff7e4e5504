import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { getEventListeners } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import v8 from "node:v8";
import vm from "node:vm";
import fc from "fast-check";
import { enforce } from "../core/enforce.ts";
import { thisProcess, uptimeMs } from "../core/process.ts";
import { Refusal } from "../core/reclaim/home.ts";
import { acquireLocks } from "../core/reclaim/lock.ts";
import { nextRoundAt, roundIntervalMs, type RoundsOptions, startRounds, waitFor } from "../core/rounds.ts";
import { claimRounds, noteRound, readSchedule, SIGN_OF_LIFE_MS } from "../core/schedule.ts";
import { parseConfig } from "../core/config/load.ts";
import { addProject, makeWorkspace } from "./workspace.ts";

const HOUR = 3_600_000;
const NOTE = { at: "2025-01-31T12:00:00.000Z", outcome: "clean", message: "Cleanup: Deleted 2 files, freed 0.00 MB" } as const;

describe("the rhythm of the automatic loop", () => {
  it("S4.5: it looks as often as the most impatient store asks, every 15 minutes by default", () => {
    const interval = (settings: object): number => roundIntervalMs(parseConfig("/w", JSON.stringify(settings)));
    const store = { path: "a/{n}.mp4", role: "clip", maxAge: "1h" };
    assert.equal(interval({ stores: {} }), HOUR / 4);
    assert.equal(interval({ policy: { every: "2h" }, stores: { a: store } }), 2 * HOUR);
    assert.equal(
      interval({ policy: { every: "2h" }, stores: { a: { ...store, every: "5m" }, b: { ...store, path: "b/{n}.mp4", every: "1h" } } }),
      HOUR / 12,
    );
    assert.equal(interval({ policy: { every: "1m" }, stores: { a: { ...store, every: "5m" } } }), HOUR / 60);
  });

  it("S4.5 R48: a round is never skipped, never early, and what was missed is not made up for", () => {
    fc.assert(
      fc.property(fc.nat(1e9), fc.nat(1e8), fc.integer({ min: 1000, max: 1e8 }), (startedMs, took, everyMs) => {
        const dueMs = nextRoundAt({ startedMs, endedMs: startedMs + took, everyMs });
        assert.ok(dueMs >= startedMs + everyMs);
        assert.ok(dueMs <= startedMs + took + everyMs);
        // After a sleep of any length it is due at once, and the one after it a whole interval later.
        const woken = dueMs + 50 * everyMs;
        assert.equal(waitFor(dueMs, woken, everyMs), 0);
        assert.equal(nextRoundAt({ startedMs: woken, endedMs: woken, everyMs }), woken + everyMs);
        // Not even a clock that starts again makes it wait longer than an interval.
        assert.ok(waitFor(dueMs, 0, everyMs) <= everyMs);
      }),
      { numRuns: 200 },
    );
  });

  /** A clock that only the test moves; timers run at once. */
  function fakeLoop(options: Partial<RoundsOptions> & { readonly everyMs: number; readonly took?: number }) {
    const stop = new AbortController();
    const clock = { now: 1_000_000 };
    const rounds: number[] = [];
    const planned: number[] = [];
    const loop = startRounds({
      round: () => {
        rounds.push(clock.now);
        clock.now += options.took ?? 0;
        return Promise.resolve(options.everyMs);
      },
      onPlanned: (dueMs) => planned.push(dueMs),
      signal: stop.signal,
      clock: () => clock.now,
      sliceMs: 1,
      ...options,
    });
    return { loop, stop, clock, rounds, planned };
  }

  const turns = async (enough: () => boolean): Promise<void> => {
    while (!enough()) await new Promise((resolve) => setImmediate(resolve));
  };

  it("S4.5 R48: a machine that slept for hours has one round at once, not ten", async () => {
    let ticks = 0;
    const { loop, stop, clock, rounds, planned } = fakeLoop({ everyMs: HOUR / 4, onTick: () => ticks++ });
    await turns(() => planned.length === 1);
    assert.deepEqual([rounds, planned], [[1_000_000], [1_000_000 + HOUR / 4]]);
    const woken = (clock.now += 10 * HOUR);
    await turns(() => planned.length === 2);
    assert.deepEqual(rounds, [1_000_000, woken]);
    const before = ticks;
    await turns(() => ticks >= before + 20);
    assert.deepEqual(rounds, [1_000_000, woken], "and the next one is due a quarter of an hour later");
    stop.abort();
    await loop.ended;
  });

  it("S4.5: a round that is asked for comes now, or right after the one at work; stopping ends the wait", async () => {
    let release: (() => void) | undefined;
    let begun = 0;
    const stop = new AbortController();
    const loop = startRounds({
      round: () => new Promise((resolve) => (begun++, (release = () => resolve(HOUR)))),
      signal: stop.signal,
    });
    await turns(() => begun === 1);
    loop.ask();
    loop.ask();
    release?.();
    await turns(() => begun === 2);
    release?.();
    await turns(() => getEventListeners(stop.signal, "abort").length === 1);
    loop.ask();
    await turns(() => begun === 3);
    release?.();
    stop.abort();
    await loop.ended;
    assert.equal(begun, 3);
    assert.equal(getEventListeners(stop.signal, "abort").length, 0);
  });

  it("a round that takes longer than its interval leaves the machine time for other things", async () => {
    const { loop, stop, clock, rounds, planned } = fakeLoop({ everyMs: 1000, took: 5000 });
    await turns(() => planned.length === 1);
    assert.equal(planned[0], rounds[0]! + 6000);
    clock.now = planned[0]!;
    await turns(() => rounds.length === 2);
    stop.abort();
    await loop.ended;
  });

  it("what a round throws ends the loop", async () => {
    const loop = startRounds({ round: () => Promise.reject(new Error("no")), signal: new AbortController().signal });
    await assert.rejects(loop.ended, /no/);
  });

  it("S4.5: memory stays flat over hundreds of rounds, and nothing goes on listening", async function () {
    this.timeout(120_000);
    const ws = makeWorkspace();
    try {
      addProject(ws, "busy", { status: "rendering", scenes: 40 });
      v8.setFlagsFromString("--expose-gc");
      const collect = vm.runInNewContext("gc") as () => void;
      const used = (): number => (collect(), process.memoryUsage().heapUsed);
      const stop = new AbortController();
      const heaps: number[] = [];
      let round = 0;
      const loop = startRounds({
        signal: stop.signal,
        round: async () => {
          await enforce(ws.root, { environment: {}, signal: stop.signal });
          if (++round % 100 === 0) heaps.push(used());
          if (round === 400) stop.abort();
          else loop.ask();
          return HOUR;
        },
      });
      await loop.ended;
      const [, first = 0, , last = 0] = heaps;
      assert.ok(last - first < 300_000, `${heaps.join(", ")} bytes after 100, 200, 300 and 400 rounds`);
      assert.ok(getEventListeners(stop.signal, "abort").length <= 1);
    } finally {
      ws.dispose();
    }
  });
});

describe("who runs the automatic loop (.offcut/watch.json)", () => {
  let root: string;
  const stop = new AbortController();
  const claim = (everyMs = HOUR) => claimRounds(root, { by: "watch", everyMs, signal: stop.signal });
  const file = (): string => path.join(root, ".offcut/watch.json");
  const change = (edit: (state: Record<string, unknown>) => void): void => {
    const state = JSON.parse(fs.readFileSync(file(), "utf8")) as Record<string, unknown>;
    edit(state);
    fs.writeFileSync(file(), JSON.stringify(state));
  };

  beforeEach(() => {
    root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "offcut-schedule-")));
  });
  afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

  it("R13: to look writes nothing, and says that nobody does", () => {
    assert.deepEqual(readSchedule(root), { words: "nobody enforces the policy here" });
    noteRound(root, NOTE);
    assert.deepEqual(fs.readdirSync(root), []);
  });

  it("tells who, how often, the last round and the next", async () => {
    {
      using own = await claim();
      const started = readSchedule(root);
      assert.deepEqual(started.running?.process, thisProcess());
      assert.deepEqual([started.running?.by, started.running?.here, started.running?.everyMs], ["watch", true, HOUR]);
      assert.deepEqual([started.last, started.next], [undefined, undefined]);
      assert.equal(own.note({ everyMs: 2 * HOUR, last: NOTE }), undefined);
      own.note({ nextUptimeMs: uptimeMs() + 60_000 });
      const { running, last, next } = readSchedule(root);
      assert.deepEqual([running?.everyMs, last], [2 * HOUR, NOTE]);
      assert.ok(Math.abs(Date.parse(next ?? "") - Date.now() - 60_000) < 5000);
      noteRound(root, { ...NOTE, message: "by cron" });
      assert.deepEqual(readSchedule(root).last, NOTE, "who runs the loop notes its own rounds");
    }
    assert.deepEqual(readSchedule(root), { words: "not running", last: NOTE });
    noteRound(root, { ...NOTE, message: "by cron" });
    assert.equal(readSchedule(root).last?.message, "by cron");
  });

  it("R48: the next round is told by the clock of this moment, whatever the clock was when it was planned", async () => {
    using own = await claim();
    own.note({ nextUptimeMs: uptimeMs() + 60_000 });
    change((state) => (state["next"] = "2001-01-01T00:00:00.000Z"));
    assert.ok(Math.abs(Date.parse(readSchedule(root).next ?? "") - Date.now() - 60_000) < 5000);
  });

  it("R41: one at a time; one that is gone is no hindrance, and its state says so", async () => {
    const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "ignore"] });
    try {
      const { started } = thisProcess();
      using _own = await claim();
      change((state) => Object.assign(state["holder"] as object, { pid: child.pid, started: "" }));
      assert.match(readSchedule(root).words, new RegExp(`process ${child.pid}\\b`));
      await assert.rejects(claim(), (error) => error instanceof Refusal && error.message.includes(`process ${child.pid} `));
      change((state) => Object.assign(state["holder"] as object, { pid: child.pid, started: `${started}9` }));
      assert.equal(readSchedule(root).running, undefined, "its pid was given to another process");
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
      change((state) => Object.assign(state["holder"] as object, { started: "" }));
      assert.equal(readSchedule(root).words, `not running: process ${child.pid} is gone`);
      using again = await claim();
      assert.equal(again.note({ last: NOTE }), undefined);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("R41: a process of another container counts for as long as it gives signs of life", async () => {
    using _own = await claim();
    change((state) => Object.assign(state["holder"] as object, { host: "elsewhere", namespace: "pid:[1]" }));
    assert.match(readSchedule(root).words, /offcut watch \(process \d+ on elsewhere\) enforces the policy/);
    await assert.rejects(claim(), /elsewhere/);
    const before = new Date(Date.now() - SIGN_OF_LIFE_MS - 5000);
    fs.utimesSync(file(), before, before);
    assert.match(readSchedule(root).words, /not running/);
    using own = await claim();
    fs.utimesSync(file(), before, before);
    own.keepAlive();
    assert.ok(Date.now() - fs.statSync(file()).mtimeMs < 5000);
  });

  it("R41: who lost its place notices it, and takes nobody else's state away", async () => {
    const own = await claim();
    fs.rmSync(path.join(root, ".offcut"), { recursive: true });
    assert.equal(own.note({ last: NOTE }), undefined);
    assert.deepEqual(fs.readdirSync(root), [], "R76: where it went, a drive may be away");
    const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "ignore"] });
    try {
      using _other = await claim();
      change((state) => Object.assign(state["holder"] as object, { pid: child.pid, started: "" }));
      assert.throws(() => own.note({ last: NOTE }), Refusal);
      own[Symbol.dispose]();
      assert.equal(readSchedule(root).running?.process.pid, child.pid);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("R71: a damaged state is written anew, one of a newer version is left alone", async () => {
    fs.mkdirSync(path.join(root, ".offcut"));
    fs.writeFileSync(file(), "{");
    assert.match(readSchedule(root).words, /damaged/);
    (await claim())[Symbol.dispose]();
    fs.writeFileSync(file(), '{ "schema": 99 }');
    await assert.rejects(claim(), /newer version/);
    noteRound(root, NOTE);
    assert.equal(fs.readFileSync(file(), "utf8"), '{ "schema": 99 }');
  });

  it("R41: it waits for a cleanup that is at work, and stops waiting when it is told to", async () => {
    const child = spawn(process.execPath, [
      "--input-type=module-typescript",
      "-e",
      `import { acquireLocks } from ${JSON.stringify(new URL("../core/reclaim/lock.ts", import.meta.url).href)};
       const lock = await acquireLocks([${JSON.stringify(root)}]); console.log("locked");
       process.stdin.once("data", () => { lock[Symbol.dispose](); process.exit(); });`,
    ]);
    try {
      await new Promise((resolve) => child.stdout.once("data", resolve));
      const waits: string[] = [];
      const impatient = new AbortController();
      const onWait = (who: string): void => {
        waits.push(who);
        impatient.abort();
      };
      await assert.rejects(claimRounds(root, { by: "watch", everyMs: HOUR, signal: impatient.signal, onWait }), { name: "AbortError" });
      assert.deepEqual(waits, [`process ${child.pid}`]);
      const patient = claimRounds(root, { by: "watch", everyMs: HOUR, signal: stop.signal, onWait: () => child.stdin.write("go\n") });
      using _own = await patient;
      assert.equal(readSchedule(root).running?.here, true);
    } finally {
      child.kill("SIGKILL");
    }
    using _free = await acquireLocks([root]);
  });
});
