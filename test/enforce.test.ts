import assert from "node:assert/strict";
import fs from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { cleanUp } from "../core/cleanUp.ts";
import { loadConfig } from "../core/config/load.ts";
import { enforce, type Enforcement } from "../core/enforce.ts";
import { makePlan } from "../core/makePlan.ts";
import { addPin } from "../core/reclaim/records.ts";
import { listRuns, undo } from "../core/runs.ts";
import { type Layout, makeLayout } from "./layout.ts";

const HOUR = 3_600_000;
const clips = { path: "data/clips/{event}.mp4", role: "clip" };
const environment = {};

/** File times cannot be set back as a whole (ctime), so the round is in the future. */
function later(layout: Layout, ms: number, more: object = {}): Promise<Enforcement> {
  return enforce(layout.root, { environment, now: () => Date.now() + ms, ...more });
}

describe("enforce", () => {
  it("S4.2, R50: clips older than maxAge go at once, the others stay", async () => {
    using layout = makeLayout({ stores: { clips: { ...clips, maxAge: "1h" } } });
    for (const n of [1, 2, 3]) layout.write(`data/clips/e${n}.mp4`);
    assert.equal((await later(layout, HOUR / 2)).outcome, "nothing");
    const done = await later(layout, HOUR + 5000);
    assert.equal(done.outcome, "clean");
    assert.equal(done.result?.deletedFiles, 3);
    assert.ok((done.result?.freedSpace ?? 0) > 0);
    assert.equal(done.result?.heldSpace, 0);
    assert.deepEqual(layout.files(), []);
    assert.equal(listRuns(layout.root)[0]?.state, "purged");
  });

  it("S4.3, R51, R53: over the limit the oldest go until the target is met, whatever their age, and the warning names the size", async () => {
    using layout = makeLayout({ stores: { clips: { ...clips, maxAge: "10h", maxBytes: "10KB", targetBytes: "9KB" } } });
    for (const n of [1, 2, 3, 4, 5, 6]) layout.write(`data/clips/e${n}.mp4`, 2048, (10 - n) * 60_000);
    const done = await later(layout, 1000);
    assert.equal(done.result?.deletedFiles, 2);
    assert.match(
      done.problems.map((problem) => problem.message).join(),
      /storage pressure: the store "clips" has 12\.0 KB and may have 10\.0 KB/,
    );
    assert.equal(layout.files().length, 4);
    assert.equal((await later(layout, 2000)).outcome, "nothing");
  });

  it("R58: the oldest hold is freed first under pressure, and that is said", async () => {
    using layout = makeLayout({ stores: { clips: { ...clips, maxAge: "1h", undo: "24h", maxBytes: "10KB", targetBytes: "9KB" } } });
    for (const n of [1, 2, 3, 4]) layout.write(`data/clips/old${n}.mp4`, 2048);
    const first = await later(layout, 2 * HOUR);
    assert.equal(first.result?.heldSpace, 4 * 2048);
    for (const n of [1, 2, 3]) layout.write(`data/clips/new${n}.mp4`, 2048);
    const second = await later(layout, 2 * HOUR + 1000, { now: () => Date.now() + 1000 });
    assert.equal(second.purged.length, 1);
    assert.match(second.message, /of earlier cleanups: Cleanup: Deleted 4 files/);
    assert.equal(layout.files().length, 3, "the files themselves did not have to go");
  });

  it("R56: a file that no store matches counts, stays, and is named as what blocks", async () => {
    using layout = makeLayout({ stores: { clips: { ...clips, maxBytes: "10KB", targetBytes: "9KB" } } });
    layout.write("data/clips/movie.mkv", 20_000);
    for (const n of [1, 2]) layout.write(`data/clips/e${n}.mp4`, 100);
    const done = await later(layout, 1000);
    assert.equal(layout.files().length, 3, "the store's own files could all go in vain");
    assert.match(
      done.problems.map((problem) => problem.message).join(),
      /out of reach: not-managed 19\.5 KB \(1 file: data\/clips\/movie\.mkv\)/,
    );
    fs.truncateSync(layout.path("data/clips/movie.mkv"), 7000);
    layout.write("data/clips/e3.mp4", 2000);
    layout.write("data/clips/e4.mp4", 1300);
    await later(layout, 1000);
    assert.deepEqual(layout.files(), ["data/clips/e4.mp4", "data/clips/movie.mkv"], "it counts");
  });

  it("R29, R26: a pin beats age and pressure", async () => {
    using layout = makeLayout({ stores: { clips: { ...clips, maxAge: "1h", maxBytes: "3KB", targetBytes: "1KB" } } });
    for (const n of [1, 2, 3]) layout.write(`data/clips/e${n}.mp4`, 2048);
    addPin(layout.root, { kind: "file", value: "data/clips/e2.mp4", added: "" });
    await later(layout, 2 * HOUR);
    assert.deepEqual(layout.files(), ["data/clips/e2.mp4"]);
  });

  it("S0.10, P6: off by the environment, by the settings and by debug mode", async () => {
    using layout = makeLayout({ stores: { clips: { ...clips, maxAge: "1h" } } });
    layout.write("data/clips/e1.mp4");
    const off = await later(layout, 2 * HOUR, { environment: { AUTO_CLEANUP_ENABLED: "false" } });
    assert.equal(off.outcome, "off");
    assert.equal((await later(layout, 2 * HOUR, { environment: { DEBUG: "1" } })).outcome, "off");
    layout.settings({ stores: { clips: { ...clips, maxAge: "1h" } }, policy: { enabled: false } });
    const settings = await later(layout, 2 * HOUR);
    assert.equal(settings.outcome, "off");
    assert.match(settings.message, /policy\.enabled/);
    assert.equal(fs.existsSync(layout.path(".offcut")), false, "a round that is off writes nothing");
    assert.equal((await later(layout, 2 * HOUR, { environment: { AUTO_CLEANUP_ENABLED: "true" } })).outcome, "clean");
  });

  it("P6: only the stores of policy.fileTypes", async () => {
    using layout = makeLayout({
      stores: { clips: { ...clips, maxAge: "1h" }, other: { path: "data/other/{event}.mp4", role: "clip", maxAge: "1h" } },
      policy: { fileTypes: ["other"] },
    });
    layout.write("data/clips/e1.mp4");
    layout.write("data/other/e1.mp4");
    await later(layout, 2 * HOUR);
    assert.deepEqual(layout.files(), ["data/clips/e1.mp4"]);
  });

  it("R20: the brake stops a round that takes more than usual; the plan that it names can be confirmed by hand", async () => {
    using layout = makeLayout({ stores: { clips: { ...clips, maxAge: "1h" } }, policy: { brake: { files: 2 } } });
    for (const n of [1, 2, 3]) layout.write(`data/clips/e${n}.mp4`);
    const done = await later(layout, 2 * HOUR);
    assert.equal(done.outcome, "braked");
    assert.match(done.message, /3 files are more than 2/);
    assert.equal(layout.files().length, 3);
  });

  it("R48: after a jump of the clock age rules pause, pressure does not, and a clock that came back is right again", async () => {
    using layout = makeLayout({ stores: { clips: { ...clips, maxAge: "1h", maxBytes: "10KB", targetBytes: "9KB" } } });
    for (const n of [1, 2, 3, 4]) layout.write(`data/clips/e${n}.mp4`, 2048);
    await later(layout, 0);
    for (const days of [30, 60]) {
      const jumped = await later(layout, days * 24 * HOUR);
      assert.equal(jumped.outcome, "nothing", jumped.message);
      assert.match(jumped.problems.map((problem) => problem.message).join(), /the clock was set/);
    }
    for (const n of [5, 6]) layout.write(`data/clips/e${n}.mp4`, 2048);
    assert.equal((await later(layout, 60 * 24 * HOUR)).result?.deletedFiles, 2);
    const back = await later(layout, 1000);
    assert.deepEqual(back.problems, []);
    assert.equal(layout.files().length, 4);
  });

  it("a store with a limit of age takes files that nobody owns, one without keeps them (R30)", async () => {
    using layout = makeLayout({
      stores: {
        temp: { path: "tmp/{project}/x-{n}.bin", role: "temp", maxAge: "2h" },
        kept: { path: "kept/{project}/x.bin", role: "temp" },
      },
    });
    layout.write("tmp/p1/x-1.bin");
    layout.write("kept/p1/x.bin");
    const soon = await makePlan(loadConfig(layout.root), { environment, mode: "automatic", now: () => Date.now() + HOUR + 5000 });
    assert.equal(soon.totals.reclaim.files, 0);
    await later(layout, 2 * HOUR + 5000);
    assert.deepEqual(layout.files(), ["kept/p1/x.bin"]);
  });

  it("by hand what a store would delete at once can be undone", async () => {
    using layout = makeLayout({ stores: { clips: { ...clips, maxAge: "1h" } } });
    layout.write("data/clips/e1.mp4");
    const config = loadConfig(layout.root);
    const options = { environment, now: () => Date.now() + 2 * HOUR };
    const result = await cleanUp(config, await makePlan(config, options), options);
    assert.equal(result.heldSpace, 1000);
    assert.equal(result.freedSpace, 0);
  });

  it("R51, P6, P9: pressure takes nobody's file only where neither retention nor the file types keep it", async () => {
    const temp = { path: "tmp/{name}.bin", role: "temp", maxBytes: "3KB", targetBytes: "1KB", grace: "0s" };
    for (const [stores, policy] of [
      [{ temp: { ...temp, retention: "7d" } }, {}],
      [{ temp: { ...temp, retention: "7d", maxAge: "1h" } }, {}],
      [{ temp, other: { path: "o/{x}.bin", role: "temp" } }, { fileTypes: ["other"] }],
    ]) {
      using layout = makeLayout({ stores, policy });
      for (const n of [1, 2, 3, 4]) layout.write(`tmp/${n}.bin`, 1024);
      await later(layout, 5 * HOUR);
      assert.equal(layout.files().length, 4, JSON.stringify([stores, policy]));
    }
    using layout = makeLayout({ stores: { temp } });
    for (const n of [1, 2, 3, 4]) layout.write(`tmp/${n}.bin`, 1024);
    await later(layout, 5000);
    assert.equal(layout.files().length, 1);
  });

  it("R58: only this store's files lose their undo under pressure, and none where age alone is enough", async () => {
    using layout = makeLayout({
      stores: {
        clips: { ...clips, maxAge: "1h", undo: "24h", maxBytes: "10KB", targetBytes: "9KB" },
        audio: { path: "audio/{name}.wav", role: "temp", maxAge: "1h" },
      },
    });
    for (const n of [1, 2, 3, 4]) layout.write(`data/clips/old${n}.mp4`, 2048);
    layout.write("audio/a.wav", 5000);
    layout.write("audio/kept.wav");
    addPin(layout.root, { kind: "file", value: "audio/kept.wav", added: "" });
    assert.equal((await later(layout, 2 * HOUR)).result?.heldSpace, 4 * 2048 + 5000);
    for (const n of [1, 2, 3]) layout.write(`data/clips/new${n}.mp4`, 2048);
    await later(layout, 1000);
    const [, first] = listRuns(layout.root).length > 1 ? listRuns(layout.root) : [undefined, listRuns(layout.root)[0]];
    assert.equal(first?.heldSpace, 5000, "the sound can still be undone");
  });

  it("R33, P6, R58: what a store that automatic cleaning leaves alone holds can still be undone, and nothing is freed before the brake", async () => {
    const audio = { path: "audio/{name}.wav", role: "clip", maxBytes: "10KB", targetBytes: "9KB", undo: "24h" };
    for (const [stores, policy, outcome] of [
      [{ clips, audio }, { fileTypes: ["clips"] }, "nothing"],
      [{ clips, audio: { ...audio, automatic: false } }, {}, "nothing"],
      [{ clips, audio, tmp: { path: "tmp/{name}.bin", role: "temp", maxAge: "1m" } }, { brake: { files: 60 } }, "braked"],
    ] as const) {
      using layout = makeLayout({ stores, policy });
      for (let n = 0; n < 12; n++) layout.write(`audio/${n}.wav`, 1024, n * 1000);
      layout.write("data/clips/e1.mp4");
      if ("tmp" in stores) for (let n = 0; n < 80; n++) layout.write(`tmp/${n}.bin`);
      const config = loadConfig(layout.root);
      const byHand = { environment, now: () => Date.now() + 2000 };
      const held = await cleanUp(config, await makePlan(config, byHand), byHand);
      assert.ok(held.heldSpace > 0);
      assert.deepEqual(
        held.notes?.length,
        outcome === "braked" ? 1 : undefined,
        "a promise that may be broken is told, and only such a one",
      );
      for (let n = 20; n < 24; n++) layout.write(`audio/${n}.wav`, 1024);
      const done = await later(layout, HOUR);
      assert.equal(done.outcome, outcome, done.message);
      assert.equal(listRuns(layout.root)[0]?.heldSpace, held.heldSpace, "nothing of it was freed");
    }
  });

  it("R20: a limit of age brakes where it takes nearly everything of a store that a database knows, such as after that was emptied", async () => {
    const stores = { parts: { path: "parts/{project}/{n}.bin", role: "temp", maxAge: "1h" } };
    using alone = makeLayout({ stores });
    alone.write("parts/p/0.bin");
    assert.equal((await later(alone, 2 * HOUR)).result?.deletedFiles, 1, "without a catalog age is all that there is");
    const database = { path: "a.db", owners: "SELECT id, status FROM projects", states: { succeeded: ["done"] } };
    using layout = makeLayout({ stores, database });
    const opened = new DatabaseSync(layout.path("a.db"));
    opened.exec("CREATE TABLE projects (id, status); INSERT INTO projects VALUES ('other', 'done')");
    opened.close();
    for (let n = 0; n < 80; n++) layout.write(`parts/p/${n}.bin`);
    addPin(layout.root, { kind: "file", value: "parts/p/0.bin", added: "" });
    const done = await later(layout, 2 * HOUR);
    assert.deepEqual([done.outcome, layout.files().length], ["braked", 81], done.message);
    assert.match(done.message, /79 of 80 files of the store "parts"/);
  });

  it("R48: cleaning by hand notes the time, too, so that a doubt about the clock ends, but makes nothing where nothing is", async () => {
    using layout = makeLayout({ stores: { clips: { ...clips, maxAge: "1h" } } });
    const config = loadConfig(layout.root);
    const byHand = async (ms: number): Promise<string> => {
      const options = { environment, now: () => Date.now() + ms };
      await cleanUp(config, await makePlan(config, options), options);
      return (await makePlan(config, options)).problems.map((problem) => problem.message).join();
    };
    await byHand(0);
    assert.equal(fs.existsSync(layout.path(".offcut")), false);
    await later(layout, 0);
    assert.match(await byHand(30 * 24 * HOUR), /the clock was set/);
    const records = layout.path(".offcut/records.json");
    const noted = JSON.parse(fs.readFileSync(records, "utf8")) as { doubt: { since: { uptimeMs: number } } };
    noted.doubt.since.uptimeMs -= 2 * HOUR;
    fs.writeFileSync(records, JSON.stringify(noted));
    await byHand(30 * 24 * HOUR);
    assert.equal(await byHand(30 * 24 * HOUR), "", "the time has been steady for two hours");
  });

  it("R46, R51, R65: an undo makes nothing newer than it was, and what came back without limits is left alone for a day", async () => {
    using layout = makeLayout({
      stores: {
        clips: { ...clips, maxBytes: "4KB", targetBytes: "3KB" },
        tmp: { path: "tmp/{project}/{n}.bin", role: "temp", maxAge: "10m", grace: "0s" },
      },
    });
    for (let n = 0; n < 6; n++) {
      const file = layout.write(`data/clips/e${n}.mp4`, 1000);
      fs.utimesSync(file, new Date(Date.now() - (6 - n) * HOUR), new Date(Date.now() - (6 - n) * HOUR));
    }
    const config = loadConfig(layout.root);
    const byHand = { environment, now: () => Date.now() + 2000 };
    const cleaned = await cleanUp(config, await makePlan(config, byHand), byHand);
    assert.equal(cleaned.deletedFiles, 3);
    const undone = await undo(config, undefined);
    assert.match(undone.notes?.join() ?? "", /the limits of the store "clips" hold for what came back, too/);
    for (let n = 6; n < 8; n++) layout.write(`data/clips/e${n}.mp4`, 500);
    await later(layout, 1000);
    assert.ok(layout.files().includes("data/clips/e7.mp4") && layout.files().includes("data/clips/e4.mp4"), layout.files().join());
    assert.ok(!layout.files().includes("data/clips/e0.mp4"), "what came back was the oldest, and is");

    layout.write("tmp/p/1.bin");
    layout.write("tmp/p/2.bin");
    addPin(layout.root, { kind: "file", value: "tmp/p/2.bin", added: "" });
    assert.equal((await later(layout, HOUR / 4)).result?.deletedFiles, 1);
    assert.deepEqual((await undo(config, undefined)).notes?.length, 1);
    const again = await later(layout, HOUR / 2);
    assert.equal(again.outcome, "nothing", again.message);
    assert.match(again.plan?.items.find((item) => item.path === "tmp/p/1.bin")?.evidence.join() ?? "", /an undo put it back .* ago/);
    fs.rmSync(layout.path(".offcut/records.json")); // Else the clock would seem to have been set.
    assert.equal((await later(layout, 25 * HOUR)).result?.deletedFiles, 1, "a day later it goes");
  });

  it("R58: what somebody removed from the hold by hand presses nobody, and stops nothing", async () => {
    using layout = makeLayout({ stores: { clips: { ...clips, maxAge: "1h", undo: "24h", maxBytes: "10KB", targetBytes: "9KB" } } });
    for (const n of [1, 2, 3, 4, 5, 6]) layout.write(`data/clips/old${n}.mp4`, 2048);
    await later(layout, 2 * HOUR);
    fs.rmSync(layout.path(".offcut/holds"), { recursive: true });
    layout.write("data/clips/new.mp4", 1000);
    const done = await later(layout, 1000);
    assert.equal(done.outcome, "nothing", done.message);
    assert.deepEqual(layout.files(), ["data/clips/new.mp4"]);
  });

  it("R52: cleaning by hand again and again stops at the target, although what was held still can be undone", async () => {
    using layout = makeLayout({ stores: { clips: { ...clips, maxBytes: "10KB", targetBytes: "9KB" } } });
    for (let n = 0; n < 12; n++) layout.write(`data/clips/e${n}.mp4`, 1024, n * 1000);
    for (let round = 0; round < 3; round++) {
      const config = loadConfig(layout.root);
      await cleanUp(config, await makePlan(config, { environment }), { environment });
    }
    assert.equal(layout.files().length, 9);
  });

  it("S0.10, R78: off between plan and run, and not to be known, are off", async () => {
    const database = { path: "app.db", autoCleanup: "SELECT enabled FROM preferences" };
    using layout = makeLayout({ database, stores: { clips: { ...clips, maxAge: "1h" } } });
    const write = (sql: string): void => {
      const opened = new DatabaseSync(layout.path("app.db"));
      opened.exec(sql);
      opened.close();
    };
    write("CREATE TABLE preferences (enabled); INSERT INTO preferences VALUES (1)");
    layout.write("data/clips/e1.mp4");
    const config = loadConfig(layout.root);
    const options = { environment, mode: "automatic", now: () => Date.now() + 2 * HOUR } as const;
    const made = await makePlan(config, options);
    write("UPDATE preferences SET enabled = 0");
    await assert.rejects(cleanUp(config, await makePlan(config, options), options), /automatic cleanup is off/);
    assert.equal(made.autoCleanup.enabled, true);
    fs.writeFileSync(layout.path("app.db"), "this is no database");
    const done = await later(layout, 2 * HOUR);
    assert.equal(done.outcome, "off");
    assert.match(done.message, /app\.db/);
    assert.equal(layout.files().includes("data/clips/e1.mp4"), true);
  });

  it("R17: a database that changes all the time does not stop the loop; each file is asked about again", async () => {
    const database = {
      path: "app.db",
      owners: "SELECT id, status FROM projects",
      states: { succeeded: ["done"] },
      references: { clips: "SELECT owner, path FROM used" },
    };
    using layout = makeLayout({ database, stores: { clips: { ...clips, maxAge: "1h" } } });
    const opened = new DatabaseSync(layout.path("app.db"));
    opened.exec("CREATE TABLE projects (id, status); CREATE TABLE used (owner, path); INSERT INTO projects VALUES ('p', 'running')");
    for (const n of [1, 2]) layout.write(`data/clips/e${n}.mp4`);
    const config = loadConfig(layout.root);
    const options = { environment, mode: "automatic", now: () => Date.now() + 2 * HOUR } as const;
    const made = await makePlan(config, options);
    opened.exec("INSERT INTO used VALUES ('p', 'data/clips/e2.mp4')");
    const result = await cleanUp(config, made, options);
    opened.close();
    assert.equal(result.deletedFiles, 1);
    assert.ok(layout.files().includes("data/clips/e2.mp4"));
  });

  it("R75: a database that was emptied beside a full one keeps everything", async () => {
    const queries = {
      owners: "SELECT id, status FROM projects",
      states: { succeeded: ["done"] },
      references: { cache: "SELECT owner, path FROM used" },
    };
    using layout = makeLayout({
      database: [
        { path: "a.db", ...queries },
        { path: "b.db", ...queries },
      ],
      stores: { cache: { path: "cache/{x}.mp4", role: "shared", maxAge: "1h" } },
    });
    for (const [name, rows] of [
      ["a", "INSERT INTO projects VALUES ('p', 'done')"],
      ["b", ""],
    ]) {
      const opened = new DatabaseSync(layout.path(`${name}.db`));
      opened.exec(`CREATE TABLE projects (id, status); CREATE TABLE used (owner, path); ${rows}`);
      opened.close();
    }
    layout.write("cache/x.mp4");
    const done = await later(layout, 2 * HOUR);
    assert.equal(done.outcome, "failed");
    assert.match(done.message, /b\.db lists no projects/);
  });

  it("R76: while a root is away no manifest is retired, and the message says so", async () => {
    using drive = makeLayout({});
    fs.mkdirSync(drive.path("drive/clips"), { recursive: true });
    drive.write("drive/clips/e1.mp4");
    using layout = makeLayout({ stores: { clips: { path: "clips/{event}.mp4", role: "clip", maxAge: "1h", root: drive.path("drive") } } });
    await later(layout, 0);
    fs.rmSync(drive.path("drive/clips"), { recursive: true });
    const done = await later(layout, 1000);
    assert.equal(done.outcome, "failed");
    assert.match(done.message, /unreachable/);
  });
});
