import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { cleanUp } from "../../core/cleanUp.ts";
import { loadConfig } from "../../core/config/load.ts";
import { makePlan } from "../../core/makePlan.ts";
import { Refusal, replaceFile } from "../../core/reclaim/home.ts";
import { type JournalRecord, openJournal, readJournal } from "../../core/reclaim/journal.ts";
import { addPin, readPins } from "../../core/reclaim/records.ts";
import { listRuns, purge, readRun, recoverRuns, undo } from "../../core/runs.ts";
import type { FileState, Workspace } from "../workspace.ts";
import { assertPartition, AUDIO, clean, environment, makeReady, planFor, sameStates, takenOf } from "./world.ts";

describe("journal", function () {
  this.timeout(60_000);
  let workspace: Workspace;
  let before: Map<string, FileState>;
  let taken: string[];

  beforeEach(async () => {
    workspace = makeReady();
    before = workspace.snapshot();
    taken = takenOf((await planFor(workspace)).plan);
  });
  afterEach(() => workspace.dispose());

  const journalPath = (run: string): string => workspace.path(`.offcut/runs/${run}.jsonl`);

  /** The same run on the disk as it is now, with another journal; what recovery makes of it, and whether all can come back. */
  const recoverWith = async (run: string, bytes: Uint8Array): Promise<void> => {
    fs.writeFileSync(journalPath(run), bytes);
    await recoverRuns(workspace.root);
    const settled = fs.readFileSync(journalPath(run));
    assert.deepEqual(await recoverRuns(workspace.root), []);
    assert.deepEqual(fs.readFileSync(journalPath(run)), settled);
  };

  it("R69: a journal that is cut at any byte is brought to an end, and nothing is lost", async () => {
    const { run } = await clean(workspace);
    const whole = fs.readFileSync(journalPath(run));
    const start = whole.indexOf(10) + 1;
    for (let length = start; length < whole.length; length++) {
      fs.writeFileSync(journalPath(run), whole.subarray(0, length));
      const cut = readJournal(journalPath(run));
      assert.ok(cut.end.bytes <= length && cut.fault !== "damaged");
      assert.equal(cut.fault === undefined, cut.end.bytes === length);
    }
    // All intents are fsynced before the first file moves: from there on every cut is one that a crash can leave.
    const moved = whole.indexOf('"t":"held"');
    const first = whole.lastIndexOf(10, moved) + 1;
    for (let length = first; length < whole.length; length += whole[length] === 10 || whole[length - 1] === 10 ? 1 : 6) {
      await recoverWith(run, whole.subarray(0, length));
      assert.deepEqual(assertPartition(workspace, before, workspace.snapshot(), taken), {
        original: before.size - taken.length,
        held: taken.length,
        deleted: 0,
      });
    }
    await undo(loadConfig(workspace.root), run);
    sameStates(before, workspace.snapshot());
  });

  /** Deletes what lies in the assembly directory at once and holds the rest. */
  const cleanMixed = async () => {
    const written = loadConfig(workspace.root);
    const config = { ...written, policy: { ...written.policy, undoMs: 3_000_000 } };
    const plan = await makePlan(config, { environment, mode: "automatic" });
    const items = plan.items.map((item) => (item.store === "assembly" ? Object.assign({}, item, { undoMs: 0 }) : item));
    const atOnce = taken.filter((file) => file.startsWith(".cache/assembly/"));
    assert.ok(atOnce.length > 0 && atOnce.length < taken.length);
    return { result: await cleanUp(config, { ...plan, items }, { environment, mode: "automatic" }), atOnce };
  };

  it("R60 R83: a run that deletes some files at once and holds others says so, and an undo brings back the others", async () => {
    const blocks = new Map(taken.map((file) => [file, fs.lstatSync(workspace.path(file)).blocks * 512]));
    const { result, atOnce } = await cleanMixed();
    const held = taken.filter((file) => !atOnce.includes(file));
    const sum = (files: readonly string[], sizes: (file: string) => number) => files.reduce((total, file) => total + sizes(file), 0);
    assert.deepEqual(
      [result.deletedFiles, result.freedSpace, result.heldSpace, result.errors, result.skipped],
      [taken.length, sum(atOnce, (file) => blocks.get(file) ?? 0), sum(held, (file) => before.get(file)?.bytes ?? 0), [], []],
    );
    assert.ok(result.undoUntil !== undefined);
    assert.deepEqual(assertPartition(workspace, before, workspace.snapshot(), taken), {
      original: before.size - taken.length,
      held: held.length,
      deleted: atOnce.length,
    });
    assert.deepEqual(
      listRuns(workspace.root).map((run) => [run.state, run.files, run.heldFiles, run.freedSpace]),
      [["held", taken.length, held.length, result.freedSpace]],
    );
    assert.equal((await undo(loadConfig(workspace.root), undefined)).restoredFiles, held.length);
    sameStates(new Map([...before].filter(([file]) => !atOnce.includes(file))), workspace.snapshot());
  });

  it("R60 R69: so does its journal when it is cut at any byte", async () => {
    const { result, atOnce } = await cleanMixed();
    const whole = fs.readFileSync(journalPath(result.run));
    const first = whole.lastIndexOf(10, whole.toString("latin1").search(/"t":"(held|purged)"/)) + 1;
    for (let length = first; length < whole.length; length += whole[length] === 10 || whole[length - 1] === 10 ? 1 : 6) {
      await recoverWith(result.run, whole.subarray(0, length));
      const count = assertPartition(workspace, before, workspace.snapshot(), taken);
      assert.deepEqual([count.held, count.deleted], [taken.length - atOnce.length, atOnce.length]);
    }
  });

  it("R65: of a run that holds its files for different times those are due whose time is over", async () => {
    const written = loadConfig(workspace.root);
    const config = { ...written, policy: { ...written.policy, undoMs: 3_000_000 } };
    const plan = await makePlan(config, { environment, mode: "automatic" });
    const items = plan.items.map((item) => (item.store === "assembly" ? Object.assign({}, item, { undoMs: 1_800_000 }) : item));
    const { run, undoUntil } = await cleanUp(config, { ...plan, items }, { environment, mode: "automatic" });
    const short = taken.filter((file) => file.startsWith(".cache/assembly/"));
    assert.ok(Date.parse(undoUntil ?? "") > Date.now() + 2_800_000, "the longest counts");
    assert.deepEqual(await purge(workspace.root, { expiredAt: Date.now() + 1_700_000 }), []);
    const [early] = await purge(workspace.root, { expiredAt: Date.now() + 1_900_000 });
    assert.equal(early?.deletedFiles, short.length);
    assert.deepEqual(
      readRun(workspace.root, run)?.files.flatMap((file) => (file.state === "purged" ? [file.path] : [])),
      short,
    );
    const [late] = await purge(workspace.root, { expiredAt: Date.now() + 3_100_000 });
    assert.equal(late?.deletedFiles, taken.length - short.length);
  });

  it("R69: a journal that is damaged anywhere keeps a copy, takes up what lies in the hold, and all comes back", async () => {
    const { run } = await clean(workspace);
    const whole = fs.readFileSync(journalPath(run));
    const held = workspace.snapshot({ everything: true });
    const damage = fc.record({
      at: fc.nat(whole.length - 1),
      length: fc.integer({ min: 1, max: 200 }),
      byte: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ at, length, byte }) => {
        const bytes = Buffer.from(whole);
        for (let i = at; i < Math.min(at + length, bytes.length); i++) bytes[i]! ^= byte;
        fs.rmSync(`${journalPath(run)}.damaged`, { force: true });
        await recoverWith(run, bytes);
        const count = assertPartition(workspace, before, workspace.snapshot(), taken);
        assert.deepEqual([count.held, count.deleted], [taken.length, 0]);
        assert.equal(
          listRuns(workspace.root)[0]?.heldSpace,
          taken.reduce((sum, file) => sum + (before.get(file)?.bytes ?? 0), 0),
        );
      }),
      { numRuns: 150 },
    );
    assert.deepEqual(
      [...workspace.snapshot({ everything: true }).keys()].filter((file) => !file.includes(".damaged")),
      [...held.keys()],
    );
    await undo(loadConfig(workspace.root), run);
    sameStates(before, workspace.snapshot());
  });

  it("R69: a damaged first record is no reason to forget what is held", async () => {
    const { run } = await clean(workspace);
    const bytes = fs.readFileSync(journalPath(run));
    bytes[40]! ^= 1;
    fs.writeFileSync(journalPath(run), bytes);
    const [recovered] = await recoverRuns(workspace.root);
    assert.deepEqual([recovered?.damaged, recovered?.held], [true, taken.length]);
    assert.deepEqual(fs.readFileSync(`${journalPath(run)}.damaged`), bytes);
    assert.equal(
      readRun(workspace.root, run)?.files.find((file) => file.path === AUDIO)?.owner,
      "p1",
      "good records after the bad one still say whose file it is",
    );
    await undo(loadConfig(workspace.root), run);
    sameStates(before, workspace.snapshot());
  });

  it("R69: a journal of nothing but zeros is rebuilt from the hold", async () => {
    const { run } = await clean(workspace);
    fs.writeFileSync(journalPath(run), Buffer.alloc(fs.statSync(journalPath(run)).size));
    await recoverRuns(workspace.root);
    assert.equal(listRuns(workspace.root)[0]?.heldFiles, taken.length);
    await undo(loadConfig(workspace.root), run);
    sameStates(before, workspace.snapshot());
  });

  it("R69: a torn first record with nothing in the hold is a run that never began", async () => {
    workspace.write(".offcut/runs/20260101-000000-abcdef.jsonl", Buffer.from('0 99 abc {"t":"sta'));
    assert.deepEqual(await recoverRuns(workspace.root), []);
    assert.deepEqual(fs.readdirSync(workspace.path(".offcut/runs")), []);
  });

  it("R69: what a damaged journal says to be held, and is back or deleted, is not said to be held afterwards", async () => {
    const { run } = await clean(workspace);
    await undo(loadConfig(workspace.root), run, { paths: [AUDIO] });
    const whole = fs.readFileSync(journalPath(run));
    await purge(workspace.root);
    const purged = fs.readFileSync(journalPath(run));
    // As if the pages that say so had been lost: what is left ends in rubbish.
    for (const bytes of [whole.subarray(0, whole.indexOf('"t":"undo"') - 8), purged.subarray(0, whole.length)]) {
      fs.writeFileSync(journalPath(run), Buffer.concat([bytes, Buffer.from("rubbish\n")]));
      await recoverRuns(workspace.root);
      const states = new Map(readRun(workspace.root, run)?.files.map((file) => [file.path, file.state]));
      assert.equal(states.get(AUDIO), "restored");
      assert.ok([...states].every(([file, state]) => file === AUDIO || state === "gone"));
    }
  });

  it("R69: a record says its sequence, length and checksum, and any change of one byte is noticed", () => {
    const file = workspace.path("journal.jsonl");
    const records: JournalRecord[] = [
      { t: "held", n: 0 },
      { t: "skip", n: 1, why: 'ä\n"quoted" 漢字' },
      { t: "fail", n: 2, message: "" },
    ];
    {
      using journal = openJournal(file);
      journal.append(...records);
      journal.sync();
    }
    assert.deepEqual(readJournal(file).records, records);
    const whole = fs.readFileSync(file);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, byte) => {
        const bytes = Buffer.from(whole);
        bytes[at]! ^= byte;
        fs.writeFileSync(file, bytes);
        const { records: read, fault } = readJournal(file);
        assert.ok(fault !== undefined);
        assert.deepEqual(read, records.slice(0, read.length));
      }),
      { numRuns: 300 },
    );
  });

  it("R68: a file is replaced as a whole, and a failure leaves the old one and no rest", () => {
    const file = workspace.path("state.json");
    replaceFile(file, "old");
    replaceFile(file, "new");
    assert.equal(fs.readFileSync(file, "utf8"), "new");
    fs.rmSync(file);
    fs.mkdirSync(`${file}/not-empty`, { recursive: true });
    assert.throws(() => replaceFile(file, "newer"));
    assert.deepEqual(
      fs.readdirSync(workspace.root).filter((name) => name.startsWith("state.json")),
      ["state.json"],
    );
  });

  it("R71: a journal of a newer version is neither recovered, undone, purged nor repaired", async () => {
    const { run } = await clean(workspace);
    const contents = readJournal(journalPath(run));
    const newer = contents.records
      .map((record) => (record.t === "start" ? Object.assign({}, record, { schema: 99 }) : record))
      .slice(0, -1);
    fs.rmSync(journalPath(run));
    {
      using journal = openJournal(journalPath(run));
      journal.append(...newer);
      journal.append({
        t: "status",
        changes: [
          {
            database: workspace.path("data/app.db"),
            owner: "p1",
            before: { status: null, completedAt: null },
            after: { status: "complete", completedAt: null },
          },
        ],
      });
    }
    const bytes = fs.readFileSync(journalPath(run));
    assert.deepEqual(await recoverRuns(workspace.root), []);
    await assert.rejects(undo(loadConfig(workspace.root), run), /made by a newer version of Offcut/);
    await assert.rejects(purge(workspace.root, { run }), /made by a newer version of Offcut/);
    assert.deepEqual(
      (await purge(workspace.root)).map((one) => [one.deletedFiles, one.errors.length]),
      [[0, 1]],
    );
    workspace.write(
      "offcut.json",
      Buffer.from(JSON.stringify({ preset: "video-generator", database: { path: "data/app.db", trackStatus: true } })),
    );
    workspace.write(AUDIO);
    const again = await clean(workspace);
    assert.equal(again.deletedFiles, 1, "the others go on");
    assert.deepEqual(fs.readFileSync(journalPath(run)), bytes);
  });

  it("R71: records and pins of a newer version are read and not written", async () => {
    await clean(workspace);
    const records = workspace.path(".offcut/records.json");
    const pins = workspace.path(".offcut/pins.json");
    for (const file of [records, pins]) {
      const value =
        file === records ? (JSON.parse(fs.readFileSync(records, "utf8")) as object) : { pins: [{ kind: "file", value: AUDIO, added: "" }] };
      fs.writeFileSync(file, JSON.stringify({ ...value, schema: 99 }));
    }
    const bytes = [records, pins].map((file) => fs.readFileSync(file));
    assert.throws(() => addPin(workspace.root, { kind: "project", value: "p1", added: "" }), Refusal);
    assert.equal(readPins(workspace.root).list.length, 1);
    workspace.write(AUDIO);
    workspace.write(".cache/audio/p1/scene-2.mp3");
    const result = await clean(workspace);
    // The files are moved by then, so it is no refusal.
    assert.deepEqual([result.deletedFiles, result.errors.map((error) => error.path)], [1, [".offcut/records.json"]]);
    assert.ok(fs.existsSync(workspace.path(AUDIO)), "a pin that a newer version wrote holds");
    assert.deepEqual(
      [records, pins].map((file) => fs.readFileSync(file)),
      bytes,
    );
  });

  it("R71 R19: pins that cannot be understood stop everything", async () => {
    workspace.write(".offcut/pins.json", Buffer.from("{ not json"));
    await assert.rejects(planFor(workspace), /pins\.json is damaged/);
  });

  it("R66: the history keeps every path with size, reason and run, whatever became of it", async () => {
    fs.appendFileSync(workspace.path(".cache/audio/p1/scene-2.mp3"), "x");
    const { config, plan } = await planFor(workspace);
    fs.rmSync(workspace.path(AUDIO));
    const { run } = await cleanUp(config, plan, { environment });
    await undo(config, run, { paths: [".cache/audio/p1/scene-2.mp3"] });
    await purge(workspace.root);
    const files = readRun(workspace.root, run)?.files ?? [];
    assert.deepEqual(
      files.map((file) => [file.path, file.bytes, file.reason, file.owner]),
      plan.items.filter((item) => item.verdict === "reclaim").map((item) => [item.path, item.bytes, item.reason, item.owner]),
    );
    const states = new Map(files.map((file) => [file.path, file.note ?? file.state]));
    assert.equal(states.get(AUDIO), "gone");
    assert.equal(states.get(".cache/audio/p1/scene-2.mp3"), "restored");
    assert.equal([...states.values()].filter((state) => state === "purged").length, files.length - 2);
    assert.deepEqual(
      listRuns(workspace.root).map((one) => [one.run, one.files, one.heldFiles, one.state]),
      [[run, files.length - 1, 0, "partly-undone"]],
    );
  });

  it("R66 R60: a run of many files is taken as they lie on the disk; history and undo have them as the plan had", async () => {
    const large = makeReady({ scenes: 1500, sceneBytes: 10 });
    workspace.dispose();
    workspace = large;
    const all = workspace.snapshot();
    const { config, plan } = await planFor(workspace);
    const planned = plan.items.filter((item) => item.verdict === "reclaim");
    assert.ok(planned.length > 4096);
    const { run } = await cleanUp(config, plan, { environment });
    const intended = readJournal(journalPath(run)).records.flatMap((record) =>
      record.t === "intend" ? record.files.map(([, , , ino]) => ({ directory: record.directory, ino: Number(ino) })) : [],
    );
    assert.equal(intended.length, planned.length);
    assert.ok(intended.every((file, i) => i === 0 || file.directory !== intended[i - 1]?.directory || file.ino > intended[i - 1]!.ino));
    assert.deepEqual(
      readRun(workspace.root, run)?.files.map((file) => [file.path, file.bytes, file.identity]),
      planned.map((item) => [item.path, item.bytes, item.identity]),
    );
    assert.equal((await undo(config, run)).restoredFiles, planned.length);
    sameStates(all, workspace.snapshot());
  });

  it("R65: holds are listed with size and expiry, the newest first, and never scanned again", async () => {
    const first = await clean(workspace);
    workspace.write(AUDIO, 77);
    const second = await clean(workspace);
    assert.deepEqual(
      listRuns(workspace.root).map((run) => [run.run, run.heldFiles, run.heldSpace, run.undoUntil]),
      [
        [second.run, 1, 77, second.undoUntil],
        [first.run, taken.length, first.heldSpace, first.undoUntil],
      ],
    );
    assert.ok((await planFor(workspace, { orphans: true })).plan.items.every((item) => !item.path.startsWith(".offcut")));
    assert.equal(path.basename(fs.readFileSync(workspace.path(".offcut/.gitignore"), "utf8").trim()), "*");
  });
});
