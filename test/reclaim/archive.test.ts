/** Journals from which nothing can come back leave the directory that every cleanup reads, and stay in the history (R66). */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { enforce } from "../../core/enforce.ts";
import { archiveRuns } from "../../core/reclaim/archive.ts";
import { holdOf } from "../../core/reclaim/home.ts";
import { openJournal, readJournal } from "../../core/reclaim/journal.ts";
import { listRecent, listRuns, purge, readRun, undo } from "../../core/runs.ts";
import { loadConfig } from "../../core/config/load.ts";
import { type Layout, makeLayout } from "../layout.ts";

const environment = {};
const HOUR = 3_600_000;

function store(undo: string): object {
  return { stores: { clips: { path: "data/clips/{event}.mp4", role: "clip", maxAge: "1h", undo } } };
}

/** So many runs of one file each. Returns their names, the oldest first. */
async function cleanOften(layout: Layout, runs: number): Promise<string[]> {
  const names: string[] = [];
  for (let n = 0; n < runs; n++) {
    layout.write(`data/clips/e${names.length}-${n}.mp4`, 100 + n);
    const done = await enforce(layout.root, { environment, now: () => Date.now() + 2 * HOUR });
    assert.equal(done.outcome, "clean", done.message);
    names.push(done.result?.run ?? "");
  }
  return names;
}

function makeLarge(layout: Layout, run: string): void {
  const file = layout.path(`.offcut/runs/${run}.jsonl`);
  using journal = openJournal(file, readJournal(file).end);
  for (let i = 0; i < 20; i++) journal.append({ t: "rmdir", root: layout.root, path: "x".repeat(60_000), mode: 0o755 });
}

const journals = (layout: Layout): string[] => fs.readdirSync(layout.path(".offcut/runs")).filter((name) => name.endsWith(".jsonl"));
const archives = (layout: Layout): string[] => {
  const directory = layout.path(".offcut/runs/archive");
  return fs.existsSync(directory)
    ? fs
        .readdirSync(directory)
        .sort()
        .map((name) => path.join(directory, name))
    : [];
};
/** The state of every run, file by file. */
const tell = (layout: Layout): object[] => listRuns(layout.root).map((one) => ({ one, run: readRun(layout.root, one.run) }));

describe("archive", function () {
  this.timeout(60_000);

  it("R66: many settled runs go into few files, and the history has every path, size, reason and run as before", async () => {
    using layout = makeLayout(store("0s"));
    const names = await cleanOften(layout, 40);
    assert.ok(journals(layout).length <= 33, `${journals(layout).length} journals`);
    assert.equal(archives(layout).length, 1);
    assert.deepEqual(
      listRuns(layout.root)
        .map((one) => one.run)
        .reverse(),
      names,
    );
    for (const [n, name] of names.entries()) {
      const [file] = readRun(layout.root, name)?.files ?? [];
      assert.deepEqual([file?.path, file?.bytes, file?.reason, file?.state], [`data/clips/e${n}-${n}.mp4`, 100 + n, "max-age", "purged"]);
    }
    assert.ok(listRecent(layout.root).length < 33);
    await assert.rejects(undo(loadConfig(layout.root), names[0]), /cannot be undone: its space was freed/);
    await assert.rejects(purge(layout.root, { run: names[0]! }), /holds no files/);
    await assert.rejects(undo(loadConfig(layout.root), "nothing-like-it"), /there is no cleanup/);
  });

  it("R60: what is held stays where an undo finds it, and goes into the archive once it is back or freed", async () => {
    using layout = makeLayout(store("1h"));
    const names = await cleanOften(layout, 36);
    archiveRuns(layout.root);
    assert.equal(journals(layout).length, 36);
    assert.deepEqual(archives(layout), []);
    for (const name of names.slice(1)) await purge(layout.root, { run: name });
    const before = tell(layout);
    archiveRuns(layout.root);
    assert.equal(journals(layout).length, 1);
    assert.deepEqual(tell(layout), before);
    assert.equal((await undo(loadConfig(layout.root), undefined)).run, names[0]);
    assert.deepEqual(layout.files(), ["data/clips/e0-0.mp4"]);
  });

  it("R22, R41: what another process undoes and archives while space is freed is no error", async () => {
    using layout = makeLayout(store("1h"));
    const [, second = ""] = await cleanOften(layout, 2);
    const [runs, before, after] = [layout.path(".offcut/runs"), layout.path("before"), layout.path("after")];
    const [place, held] = [layout.path("data/clips/e1-1.mp4"), path.join(holdOf(layout.root, second), "data/clips/e1-1.mp4")];
    fs.cpSync(runs, before, { recursive: true });
    await undo(loadConfig(layout.root), second);
    makeLarge(layout, second);
    archiveRuns(layout.root);
    assert.deepEqual(journals(layout).length, 1);
    // Back to the moment before, which comes once more while the older run is being freed.
    fs.renameSync(runs, after);
    fs.renameSync(before, runs);
    fs.mkdirSync(path.dirname(held), { recursive: true });
    fs.renameSync(place, held);
    const again = (): void => {
      if (fs.existsSync(place)) return;
      fs.renameSync(held, place);
      fs.rmSync(path.join(runs, `${second}.jsonl`));
      fs.cpSync(path.join(after, "archive"), path.join(runs, "archive"), { recursive: true });
    };
    const freed = await purge(layout.root, {}, { onProgress: again });
    assert.deepEqual(
      freed.map((one) => [one.deletedFiles, one.errors]),
      [[1, []]],
    );
    assert.deepEqual(
      readRun(layout.root, second)?.files.map((file) => file.state),
      ["restored"],
    );
    assert.ok(fs.existsSync(place));
  });

  it("a large journal goes at once, a full file of the archive is not added to", async () => {
    using layout = makeLayout(store("0s"));
    for (let round = 0; round < 6; round++) {
      const [name] = await cleanOften(layout, 1);
      makeLarge(layout, name ?? "");
    }
    archiveRuns(layout.root);
    assert.deepEqual(journals(layout), []);
    assert.equal(archives(layout).length, 2);
    assert.equal(listRuns(layout.root).length, 6);
  });

  it("R69: a crash between copy and removal, a torn end and a damaged middle lose no other run, and nothing is told twice", async () => {
    using layout = makeLayout(store("0s"));
    await cleanOften(layout, 33);
    const before = tell(layout);
    const copies = new Map(journals(layout).map((name) => [name, fs.readFileSync(layout.path(`.offcut/runs/${name}`))]));
    archiveRuns(layout.root);
    assert.deepEqual(journals(layout), []);
    assert.deepEqual(tell(layout), before);
    // The journals are still there, and the end of their copies is not.
    const [file = ""] = archives(layout);
    const whole = fs.readFileSync(file);
    fs.truncateSync(file, whole.length - 70);
    for (const [name, bytes] of copies) fs.writeFileSync(layout.path(`.offcut/runs/${name}`), bytes);
    assert.deepEqual(tell(layout), before);
    archiveRuns(layout.root);
    assert.equal(archives(layout).length, 2, "nothing is written behind a torn record");
    assert.deepEqual(tell(layout), before);
    for (const name of archives(layout).slice(0, -1)) fs.rmSync(name);
    const [last = ""] = archives(layout);
    fs.writeFileSync(last, whole);
    whole[Math.floor(whole.length / 2)]! ^= 0xff;
    fs.writeFileSync(last, whole);
    const states = new Map(listRuns(layout.root).map((one) => [one.run, one]));
    assert.ok(states.size >= 32);
    assert.ok([...states.values()].every((one) => one.heldFiles === 0));
  });

  it("what cannot be archived stays, and the cleanup goes on", async () => {
    using layout = makeLayout(store("0s"));
    await cleanOften(layout, 32);
    fs.writeFileSync(layout.path(".offcut/runs/archive"), "");
    await cleanOften(layout, 3);
    assert.equal(listRuns(layout.root).length, 35);
    assert.equal(journals(layout).length, 35);
  });
});
