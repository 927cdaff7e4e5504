import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { readSchedule } from "../../core/schedule.ts";
import {
  type EnforceAnswer,
  type EnforcedParams,
  type HistoryAnswer,
  type PlanSummary,
  refused,
  type Schedule,
  type ScheduleParams,
} from "../../server/protocol.ts";
import { poll } from "../editor/poll.ts";
import { type Layout, makeLayout } from "../layout.ts";
import { type Client, type ClientOptions, failureOf, startClient } from "./client.ts";

const HOUR = 3_600_000;
const clips = { path: "data/clips/{event}.mp4", role: "clip", maxAge: "1h", every: "1s" };

/** Everything that was written before the client started is two hours old for it: a ctime cannot be set back. */
const later = (): number => Date.now() + 2 * HOUR;

interface Watching {
  readonly client: Client;
  readonly enforced: EnforcedParams[];
  readonly schedules: Schedule[];
}

describe("server: policy in the background", () => {
  let layout: Layout;
  const open: Client[] = [];

  beforeEach(() => {
    layout = makeLayout({ stores: { clips } });
    for (let n = 1; n <= 3; n++) layout.write(`data/clips/event-${n}.mp4`);
  });

  afterEach(async () => {
    for (const client of open.splice(0)) await client.stop();
    layout[Symbol.dispose]();
  });

  async function watch(options: ClientOptions = {}): Promise<Watching> {
    const client = await startClient(layout.root, { now: later, background: { firstMs: 0, againMs: 100 }, ...options });
    open.push(client);
    const enforced: EnforcedParams[] = [];
    const schedules: Schedule[] = [];
    client.connection.onNotification("offcut/enforced", (params: EnforcedParams) => void enforced.push(params));
    client.connection.onNotification("offcut/schedule", (params: ScheduleParams) => void schedules.push(params.schedule));
    return { client, enforced, schedules };
  }

  const enable = ({ client }: Watching, enabled = true) =>
    client.connection.sendNotification("offcut/background", { folder: client.folder, enabled });
  const lastAt = () => readSchedule(layout.root).last?.at;
  /** So many rounds, each noted. */
  async function rounds(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const before = lastAt();
      await poll("a round", () => lastAt() !== before);
    }
  }

  it("S4: cleans what became too old, tells the list, the history and the schedule", async () => {
    const window = await watch();
    await enable(window);
    await poll("the clips to go", () => layout.files().length === 0);
    await poll("the list", () => window.client.changed.includes(window.client.folder));
    const [run] = await window.client.request<HistoryAnswer>("offcut/history");
    assert.deepEqual([run?.files, run?.state], [3, "purged"]);
    await rounds(1);
    const { schedule } = await window.client.request<PlanSummary>("offcut/plan");
    assert.deepEqual(schedule.running, { by: "editor", pid: process.pid, here: true });
    assert.deepEqual([schedule.everyMs, schedule.last?.outcome], [1000, "nothing"]);
    await poll("the next round to be told", () => window.schedules.some((one) => one.next !== undefined && one.last?.outcome === "clean"));
    assert.deepEqual(window.enforced, []);
    assert.equal((await window.client.request<HistoryAnswer>("offcut/history")).length, 1);
  });

  it("R54: keeps a store below its limit while it is filled", async () => {
    layout.settings({ stores: { clips: { ...clips, maxAge: "10h", maxBytes: "10KB", targetBytes: "5KB" } } });
    const window = await watch();
    await enable(window);
    await rounds(1);
    assert.equal(layout.files().length, 3);
    for (let n = 4; n <= 20; n++) layout.write(`data/clips/event-${n}.mp4`);
    const { pressures } = await window.client.request<PlanSummary>("offcut/plan");
    assert.deepEqual(
      pressures.map(({ store, usedBytes, maxBytes, targetBytes, over }) => [store, usedBytes, maxBytes, targetBytes, over]),
      [["clips", 20_000, 10 * 1024, 5 * 1024, true]],
    );
    await poll("the store to be at its target", () => layout.files().length === 5);
    assert.equal((await window.client.request<PlanSummary>("offcut/plan")).pressures[0]?.over, false);
  });

  it("does nothing before it is wanted, and nothing more when it is not any more", async () => {
    const window = await watch();
    await window.client.request("offcut/plan");
    assert.equal(fs.existsSync(layout.path(".offcut")), false);
    await enable(window);
    await rounds(2);
    await enable(window, false);
    await poll("the claim to be given up", () => readSchedule(layout.root).running === undefined);
    layout.write("data/clips/late.mp4");
    const before = lastAt();
    assert.deepEqual((await window.client.request<PlanSummary>("offcut/plan")).schedule.running, undefined);
    assert.equal(lastAt(), before);
    await enable(window);
    await poll("the clip to go", () => layout.files().length === 0);
  });

  it("S0.10: obeys AUTO_CLEANUP_ENABLED", async () => {
    layout.write(".env", "AUTO_CLEANUP_ENABLED=false\n");
    const window = await watch();
    await enable(window);
    await rounds(2);
    assert.equal(readSchedule(layout.root).last?.outcome, "off");
    assert.equal(layout.files().filter((file) => file.endsWith(".mp4")).length, 3);
    assert.deepEqual(window.enforced, []);
    layout.write(".env", "AUTO_CLEANUP_ENABLED=true\n");
    await poll("the clips to go", () => layout.files().every((file) => !file.endsWith(".mp4")));
  });

  it("R20: what is more than usual is asked about once, and nothing goes", async () => {
    layout.settings({ stores: { clips }, policy: { brake: { files: 2 } } });
    const window = await watch();
    await enable(window);
    await rounds(3);
    assert.equal(layout.files().length, 3);
    assert.deepEqual(
      window.enforced.map(({ outcome, result }) => [outcome, result]),
      [["braked", undefined]],
    );
    assert.match(window.enforced[0]?.message ?? "", /^Automatic cleanup stopped, because this is more than usual: 3 files are more than 2/);
    // Over, and again: that is another matter.
    layout.settings({ stores: { clips } });
    await poll("the clips to go", () => layout.files().length === 0);
    for (let n = 1; n <= 3; n++) layout.write(`data/clips/more-${n}.mp4`);
    layout.settings({ stores: { clips }, policy: { brake: { files: 2 } } });
    await poll("the second question", () => window.enforced.length === 2);
  });

  it("tells once that the configuration cannot be used, and goes on when it can", async () => {
    const window = await watch();
    layout.settings({ stores: { clips: { ...clips, maxAge: "10h" } } });
    await enable(window);
    await rounds(1);
    layout.write("offcut.json", '{ "stores": { "clips": { "paht": 1 } } }');
    await rounds(3);
    assert.deepEqual(
      window.enforced.map(({ outcome, message }) => [outcome, message.startsWith("The policy cannot be enforced: offcut.json:1: ")]),
      [["failed", true]],
    );
    layout.settings({ stores: { clips } });
    await poll("the clips to go", () => layout.files().length === 0);
  });

  it("tells that the configuration cannot be used, also when it was so before the window was opened", async () => {
    layout.write("offcut.json", '{ "stores": { "clips": { "paht": 1 } } }');
    const window = await watch();
    await enable(window);
    let looks = 0;
    window.client.connection.onNotification("window/logMessage", ({ message }: { message: string }) => {
      if (message.includes("configuration: offcut.json:1")) looks += 1;
    });
    await poll("three looks", () => looks >= 3);
    assert.deepEqual(
      window.enforced.map(({ outcome, message }) => [outcome, message.startsWith("The policy cannot be enforced: offcut.json:1: ")]),
      [["failed", true]],
    );
    layout.settings({ stores: { clips } });
    await poll("the clips to go", () => layout.files().length === 0);
  });

  it("R32: tells each manifest that stops everything once", async () => {
    layout.settings({ stores: { clips: { ...clips, maxAge: "10h" } } });
    const window = await watch();
    await enable(window);
    await rounds(1);
    layout.write(".offcut/jobs/first.json", "{ torn");
    await rounds(3);
    const told = () =>
      window.enforced.map(({ outcome, message }) => [outcome, message.slice(0, "Nothing can be cleaned up: first.json".length)]);
    assert.deepEqual(told(), [["failed", "Nothing can be cleaned up: first.json"]]);
    assert.ok(!(window.enforced[0]?.message ?? "").includes(layout.root), window.enforced[0]?.message);
    fs.rmSync(layout.path(".offcut/jobs/first.json"));
    layout.write(".offcut/jobs/other.json", "{ torn");
    await rounds(3);
    assert.deepEqual(told().at(-1), ["failed", "Nothing can be cleaned up: other.json"]);
    assert.equal(window.enforced.length, 2);
    const { schedule } = await window.client.request<PlanSummary>("offcut/plan");
    assert.equal(schedule.last?.outcome, "failed");
    assert.ok(!JSON.stringify(schedule).includes(layout.root), JSON.stringify(schedule));
  });

  it("R82: without trust nothing comes of it, and with trust it begins", async () => {
    const window = await watch({ options: { trusted: false } });
    await enable(window);
    await window.client.request("offcut/plan");
    const error = await failureOf(window.client.request("offcut/enforce"));
    assert.deepEqual([error.code, /not trusted/.test(error.message)], [refused, true]);
    assert.equal(fs.existsSync(layout.path(".offcut")), false);
    await window.client.connection.sendNotification("offcut/trusted");
    await poll("the clips to go", () => layout.files().length === 0);
  });

  it("R41: leaves it to another process that does it, and goes on when that ends", async () => {
    const other = await startOther(layout.root);
    try {
      const window = await watch();
      let refusals = 0;
      window.client.connection.onNotification("window/logMessage", ({ message }: { message: string }) => {
        if (message.includes("already")) refusals += 1;
      });
      await enable(window);
      const { schedule } = await window.client.request<PlanSummary>("offcut/plan");
      assert.deepEqual(schedule.running, { by: "watch", pid: other.pid, here: false });
      await poll("three looks whether its turn has come", () => refusals >= 3);
      assert.equal(layout.files().length, 3);
      const exited = once(other.process, "exit");
      other.process.kill("SIGKILL");
      await exited;
      await poll("the clips to go", () => layout.files().length === 0);
      await poll("the schedule", () => window.schedules.at(-1)?.running?.here === true);
    } finally {
      other.process.kill("SIGKILL");
    }
  });

  it("R48: a window that is opened anew goes on where the last one was", async () => {
    layout.settings({ stores: { clips: { ...clips, maxAge: "10h", every: "6h" } }, policy: { every: "6h" } });
    const first = await watch();
    await enable(first);
    await rounds(1);
    await poll("the next round", () => readSchedule(layout.root).next !== undefined);
    await open.shift()?.stop();
    const before = lastAt();
    const second = await watch();
    await enable(second);
    const { next } = await poll("the next round", () => {
      const schedule = readSchedule(layout.root);
      return schedule.running && schedule.next !== undefined && schedule;
    });
    assert.equal(lastAt(), before);
    const wait = Date.parse(next ?? "") - Date.now();
    assert.ok(wait > 5.9 * HOUR && wait <= 6 * HOUR, String(wait));
  });

  it("enforces the policy on request, by the same rules", async () => {
    const { client } = await watch();
    const enforce = () => client.request<EnforceAnswer>("offcut/enforce");
    layout.write(".env", "AUTO_CLEANUP_ENABLED=no\n");
    const off = await enforce();
    assert.deepEqual([off.outcome, off.message], ["off", "Automatic cleanup is off (.env:1), so nothing was cleaned up."]);
    fs.rmSync(layout.path(".env"));
    layout.settings({ stores: { clips: { ...clips, undo: "1h" } }, policy: { brake: { files: 2 } } });
    assert.equal((await enforce()).outcome, "braked");
    layout.settings({ stores: { clips: { ...clips, undo: "1h" } } });
    const done = await enforce();
    assert.equal(done.outcome, "clean");
    assert.match(done.message, /^Cleanup: Deleted 3 files, freed 0\.00 MB \(0\.00 MB held for undo until /);
    assert.equal(done.result?.deletedFiles, 3);
    const nothing = await enforce();
    assert.deepEqual([nothing.outcome, nothing.result], ["nothing", undefined]);
    assert.deepEqual((await client.request<PlanSummary>("offcut/plan")).schedule.last?.outcome, "nothing");
    await client.request("offcut/undo", { run: done.result?.run });
    assert.equal(layout.files().length, 3);
  });
});

interface Other {
  readonly process: ChildProcess;
  readonly pid: number;
}

/** A process that says that it enforces the policy of a root. */
async function startOther(root: string): Promise<Other> {
  const schedule = path.resolve(import.meta.dirname, "../../core/schedule.ts");
  const program = `
    import { claimRounds } from ${JSON.stringify(schedule)};
    await claimRounds(${JSON.stringify(root)}, { by: "watch", everyMs: 1000, signal: new AbortController().signal });
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "ignore", "inherit"] });
  const running = await poll("the other process", () => readSchedule(root).running);
  return { process: child, pid: running.process.pid };
}
