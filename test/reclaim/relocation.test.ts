/** Workspaces that were moved or copied: each acts on what lies in itself, and on nobody else's hold. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { loadConfig } from "../../core/config/load.ts";
import { enforce } from "../../core/enforce.ts";
import { makePlan } from "../../core/makePlan.ts";
import { archiveRuns } from "../../core/reclaim/archive.ts";
import { Refusal, STATE_SCHEMA } from "../../core/reclaim/home.ts";
import { openJournal, readJournal } from "../../core/reclaim/journal.ts";
import { relocationOf } from "../../core/reclaim/relocation.ts";
import { listRuns, purge, readRun, recoverRuns, undo } from "../../core/runs.ts";
import { type FileState, makeWorkspace, type Workspace } from "../workspace.ts";
import { makeLayout } from "../layout.ts";
import { AUDIO, clean, environment, makeReady, sameStates } from "./world.ts";

describe("a workspace that was moved or copied", function () {
  this.timeout(20_000);
  let workspace: Workspace;
  let before: Map<string, FileState>;
  let place: string;
  /** Where it is moved or copied to. */
  let other: string;

  beforeEach(() => {
    workspace = makeReady();
    before = workspace.snapshot();
    place = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "offcut-place-")));
    other = path.join(place, "other");
  });
  afterEach(() => {
    workspace.dispose();
    fs.rmSync(place, { recursive: true, force: true });
  });

  const copy = (from = workspace.root, to = other): void => void execFileSync("cp", ["-a", from, to]);
  const move = (): void => fs.renameSync(workspace.root, other);
  const back = (root: string, run?: string) => undo(loadConfig(root), run);
  const stayNotes = ({ notes = [] }: Awaited<ReturnType<typeof back>>): string[] => notes.filter((note) => note.includes("outside"));
  const all = (): Map<string, FileState> => workspace.snapshot({ everything: true });
  /** What the files of the workspace are elsewhere. */
  const there = (root = other): Map<string, FileState> =>
    new Map(
      [...before.keys()].filter((name) => fs.existsSync(path.join(root, name))).map((name) => [name, stateOf(path.join(root, name))]),
    );
  const heldIn = (root: string): string[] =>
    fs
      .readdirSync(path.join(root, ".offcut/holds"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name);
  const journalIn = (root: string, run: string): string => path.join(root, ".offcut/runs", `${run}.jsonl`);
  /** As a crash leaves it that came between the moves and their outcomes. */
  const crash = (root: string, run: string): void => {
    const lines = fs.readFileSync(journalIn(root, run), "utf8").split("\n");
    fs.writeFileSync(journalIn(root, run), `${lines.filter((line) => !/"t":"(held|rmdir|end)"/.test(line)).join("\n")}\n`);
  };

  describe("copied", () => {
    it("R63, R64: an undo in the copy brings back the copy's files and touches nothing of the original, and the other way round", async () => {
      const { run, deletedFiles } = await clean(workspace);
      copy();
      const original = all();
      assert.equal((await back(other)).restoredFiles, deletedFiles);
      sameStates(before, there());
      sameStates(original, all());
      assert.equal(listRuns(workspace.root)[0]?.heldFiles, deletedFiles);
      assert.equal((await back(workspace.root, run)).restoredFiles, deletedFiles);
      sameStates(before, workspace.snapshot());
    });

    it("R64: space that is freed in the copy is the copy's", async () => {
      const { run, deletedFiles, heldSpace } = await clean(workspace);
      copy();
      const original = all();
      assert.equal(listRuns(other)[0]?.heldSpace, heldSpace);
      const [freed] = await purge(other, { run });
      assert.deepEqual([freed?.deletedFiles, freed?.errors], [deletedFiles, []]);
      assert.deepEqual(heldIn(other), []);
      sameStates(original, all());
      await back(workspace.root);
      sameStates(before, workspace.snapshot());
    });

    it("R64: a file that somebody changed in the copy's hold is left alone there, and comes back", async () => {
      const { run, deletedFiles } = await clean(workspace);
      copy();
      fs.writeFileSync(path.join(other, ".offcut/holds", run, AUDIO), "another");
      const [freed] = await purge(other, { run });
      assert.equal(freed?.deletedFiles, deletedFiles - 1);
      assert.deepEqual(
        freed?.errors.map((error) => error.path),
        [AUDIO],
      );
      await back(other);
      assert.equal(fs.readFileSync(path.join(other, AUDIO), "utf8"), "another");
    });

    it("R58, R64: a store of the copy that is too large is relieved of the copy's own holds, not of the original's", async () => {
      const clips = { path: "data/clips/{event}.mp4", role: "clip", maxBytes: "10KB", targetBytes: "9KB" };
      using layout = makeLayout({ stores: { clips }, policy: { undo: "24h" } });
      for (const n of [1, 2, 3, 4, 5, 6]) layout.write(`data/clips/old${n}.mp4`, 2048, (20 - n) * 60_000);
      const { heldSpace } = await clean(layout);
      assert.ok(heldSpace > 0);
      copy(layout.root);
      const held = heldIn(layout.root);
      assert.deepEqual(heldIn(other), held);
      for (const n of [1, 2]) fs.writeFileSync(path.join(other, `data/clips/new${n}.mp4`), Buffer.alloc(2048, n));
      const [pressure] = (await makePlan(loadConfig(other), { environment, mode: "automatic" })).pressures;
      assert.equal(pressure?.heldBytes, heldSpace);
      await enforce(other, { environment });
      assert.deepEqual([heldIn(other), heldIn(layout.root)], [[], held]);
      assert.equal((await back(layout.root)).restoredFiles, held.length);
      assert.equal(layout.files().length, 6);
    });

    it("R60: what a crash left is brought to an end in each of them by itself", async () => {
      const { run, deletedFiles } = await clean(workspace);
      crash(workspace.root, run);
      copy();
      const original = all();
      const [recovered] = await recoverRuns(other);
      assert.deepEqual([recovered?.held, recovered?.left, recovered?.gone], [deletedFiles, 0, 0]);
      assert.deepEqual(await recoverRuns(other), []);
      sameStates(original, all());
      await back(other);
      sameStates(before, there());
      sameStates(original, all());
      assert.equal((await recoverRuns(workspace.root))[0]?.held, deletedFiles);
      await back(workspace.root);
      sameStates(before, workspace.snapshot());
    });

    it("R69: a copy whose journal has lost its first record rebuilds its own and leaves the original alone", async () => {
      const { run, deletedFiles } = await clean(workspace);
      copy();
      const original = all();
      const bytes = fs.readFileSync(journalIn(other, run));
      bytes[3] = 0;
      fs.writeFileSync(journalIn(other, run), bytes);
      const [recovered] = await recoverRuns(other);
      assert.deepEqual([recovered?.damaged, recovered?.left], [true, 0]);
      assert.equal((await purge(other, { run }))[0]?.deletedFiles, deletedFiles);
      sameStates(original, all());
    });

    it("S0.11, R77: statuses come back in the copy's database only", async () => {
      const settings = { preset: "video-generator", database: { path: "data/app.db", trackStatus: true } };
      workspace.write("offcut.json", Buffer.from(JSON.stringify(settings)));
      workspace.sql("ALTER TABLE projects ADD COLUMN cleanup_status TEXT; ALTER TABLE projects ADD COLUMN cleanup_completed_at TEXT");
      workspace.sql("UPDATE projects SET cleanup_status = 'failed'");
      await clean(workspace);
      copy();
      const original = all();
      assert.deepEqual((await back(other)).errors, []);
      assert.equal(statusIn(path.join(other, "data/app.db")), "failed");
      sameStates(original, all());
      assert.equal(statusIn(workspace.path("data/app.db")), "complete");
      // What the copy noted is found again where it is moved to next.
      const third = path.join(place, "third");
      fs.renameSync(other, third);
      assert.deepEqual(
        readRun(third, listRuns(third)[0]?.run ?? "")?.statuses.flatMap(({ changes, done }) =>
          changes.map(({ database }) => [database, done]),
        ),
        [1, 2].map(() => [path.join(third, "data/app.db"), true]),
      );
    });
  });

  it("S0.11, R77: the rows of a database outside are the original's, as long as there is one", async () => {
    const database = path.join(place, "shared.db");
    fs.renameSync(workspace.path("data/app.db"), database);
    const settings = { preset: "video-generator", database: { path: database, trackStatus: true } };
    workspace.write("offcut.json", Buffer.from(JSON.stringify(settings)));
    const shared = new DatabaseSync(database);
    shared.exec("ALTER TABLE projects ADD COLUMN cleanup_status TEXT; ALTER TABLE projects ADD COLUMN cleanup_completed_at TEXT");
    shared.exec("UPDATE projects SET cleanup_status = 'failed'");
    shared.close();
    const { run } = await clean(workspace);
    copy();
    const third = path.join(place, "third");
    copy(workspace.root, third);
    assert.deepEqual((await back(other)).errors, []);
    assert.equal(statusIn(database), "complete");
    assert.deepEqual((await back(workspace.root, run)).errors, []);
    assert.equal(statusIn(database), "failed");
    fs.rmSync(workspace.root, { recursive: true });
    fs.rmSync(other, { recursive: true });
    const again = new DatabaseSync(database);
    again.exec("UPDATE projects SET cleanup_status = 'complete'");
    again.close();
    assert.deepEqual((await back(third)).errors, []);
    assert.equal(statusIn(database), "failed", "what moved has its rows still");
  });

  describe("moved", () => {
    it("R63, R64: an undo finds its own hold", async () => {
      const { deletedFiles } = await clean(workspace);
      move();
      assert.deepEqual(
        listRuns(other).map((run) => [run.state, run.heldFiles]),
        [["held", deletedFiles]],
      );
      const result = await back(other);
      assert.deepEqual([result.restoredFiles, result.errors], [deletedFiles, []]);
      sameStates(before, there());
      assert.ok(!fs.existsSync(workspace.root), "something was made where the workspace was");
    });

    it("R64: a purge frees it, and an undo finds it, when the way there kept whole seconds only", async () => {
      for (const act of ["purge", "undo"] as const) {
        const { run } = await clean(workspace);
        const moved = `${other}-${act}`;
        copy(workspace.root, moved);
        const holds = path.join(moved, ".offcut/holds");
        for (const entry of fs.readdirSync(holds, { recursive: true, withFileTypes: true })) {
          const file = path.join(entry.parentPath, entry.name);
          const seconds = Math.floor(fs.statSync(file).mtimeMs / 1000);
          if (entry.isFile()) fs.utimesSync(file, seconds, seconds);
        }
        const held = heldIn(moved).length;
        assert.ok(held > 0);
        if (act === "purge") {
          const [freed] = await purge(moved, { run });
          assert.deepEqual([freed?.deletedFiles, freed?.errors], [held, []]);
        } else assert.deepEqual([(await back(moved, run)).restoredFiles, heldIn(workspace.root).length], [held, held]);
        await back(workspace.root, run);
      }
    });

    it("R64: a purge frees it, also in part before and in part after another move", async () => {
      const { run, deletedFiles } = await clean(workspace);
      move();
      await undo(loadConfig(other), run, { paths: [AUDIO] });
      fs.renameSync(other, workspace.root);
      assert.deepEqual(workspace.snapshot().get(AUDIO), before.get(AUDIO));
      const [freed] = await purge(workspace.root);
      assert.deepEqual([freed?.deletedFiles, freed?.errors], [deletedFiles - 1, []]);
      assert.deepEqual(heldIn(workspace.root), []);
      assert.equal(listRuns(workspace.root)[0]?.state, "partly-undone");
    });

    it("R58: what it holds counts, and the automatic loop frees it first where its store is too large", async () => {
      const clips = { path: "data/clips/{event}.mp4", role: "clip", maxBytes: "10KB", targetBytes: "9KB" };
      using layout = makeLayout({ stores: { clips }, policy: { undo: "24h" } });
      for (const n of [1, 2, 3, 4, 5, 6]) layout.write(`data/clips/e${n}.mp4`, 2048, (20 - n) * 60_000);
      const { heldSpace } = await clean(layout);
      fs.renameSync(layout.root, other);
      for (const n of [1, 2]) fs.writeFileSync(path.join(other, `data/clips/new${n}.mp4`), Buffer.alloc(1024, n));
      assert.equal((await makePlan(loadConfig(other), { environment })).pressures[0]?.heldBytes, heldSpace);
      const { purged } = await enforce(other, { environment });
      assert.ok((purged[0]?.freedSpace ?? 0) >= heldSpace);
      assert.deepEqual(heldIn(other), []);
      assert.equal((await makePlan(loadConfig(other), { environment })).pressures[0]?.heldBytes, 0);
    });

    it("R60: what a crash left is brought to an end at the new place, also after a way across filesystems", async () => {
      const { run, deletedFiles } = await clean(workspace);
      crash(workspace.root, run);
      copy(); // Other inodes, as on another filesystem.
      fs.rmSync(workspace.root, { recursive: true });
      const [recovered] = await recoverRuns(other);
      assert.deepEqual([recovered?.held, recovered?.left, recovered?.gone], [deletedFiles, 0, 0]);
      assert.deepEqual(await recoverRuns(other), []);
      await back(other);
      sameStates(before, there());
    });

    it("R60: an undo that a crash cut short is known by size and time where inodes are others", async () => {
      const { run } = await clean(workspace);
      const { files } = readRun(workspace.root, run) ?? { files: [] };
      const audio = files.find((file) => file.path === AUDIO);
      assert.ok(audio);
      {
        using journal = openJournal(journalIn(workspace.root, run), readJournal(journalIn(workspace.root, run)).end);
        journal.append({ t: "undo", ns: [audio.n] });
      }
      fs.mkdirSync(path.dirname(workspace.path(AUDIO)), { recursive: true });
      fs.renameSync(workspace.path(`.offcut/holds/${run}/${AUDIO}`), workspace.path(AUDIO));
      copy();
      fs.rmSync(workspace.root, { recursive: true });
      await recoverRuns(other);
      assert.equal(readRun(other, run)?.files.find((file) => file.path === AUDIO)?.state, "restored");
      assert.equal((await back(other)).restoredFiles, files.length - 1);
      sameStates(before, there());
    });

    it("R69: a journal that has lost its first record finds the hold at the new place", async () => {
      const { run, deletedFiles } = await clean(workspace);
      const bytes = fs.readFileSync(journalIn(workspace.root, run));
      bytes[3] = 0;
      fs.writeFileSync(journalIn(workspace.root, run), bytes);
      move();
      const [recovered] = await recoverRuns(other);
      assert.deepEqual([recovered?.damaged, recovered?.left], [true, 0]);
      assert.deepEqual(await recoverRuns(other), []);
      assert.equal((await back(other, run)).restoredFiles, deletedFiles);
      sameStates(before, there());
    });

    it("R1: a way to the workspace through a link is no move", async () => {
      const { run, deletedFiles } = await clean(workspace);
      fs.symlinkSync(path.dirname(workspace.root), other);
      const linked = path.join(other, path.basename(workspace.root));
      assert.equal(listRuns(linked)[0]?.heldFiles, deletedFiles);
      assert.equal((await undo(loadConfig(linked), run, { paths: [AUDIO] })).restoredFiles, 1);
      assert.equal((await back(workspace.root, run)).restoredFiles, deletedFiles - 1);
      sameStates(before, workspace.snapshot());
    });
  });

  it("R64: a volume that is mounted into the original and into its copy is held by the original", async () => {
    const { run } = await clean(workspace);
    fs.mkdirSync(workspace.path("media"));
    copy();
    fs.rmdirSync(path.join(other, "media"));
    fs.symlinkSync(workspace.path("media"), path.join(other, "media")); // As a mount, it is the same directory by two paths.
    const here = relocationOf(other, run, workspace.root);
    assert.match(here(workspace.path("media")).foreign ?? "", /of which it is a copy/);
    assert.deepEqual(here(workspace.root), { path: other });
    assert.deepEqual(here(workspace.path("data")), { path: path.join(other, "data") });
  });

  describe("with files on a drive of their own", () => {
    let drive: Workspace;
    let files: Map<string, FileState>;
    let run: string;
    const TAKES = ["takes/p1/one.bin", "takes/p1/two.bin"];

    beforeEach(async () => {
      drive = makeWorkspace({ schema: false });
      fs.rmSync(drive.path("offcut.json"));
      const extra = { path: "takes/{project}/", role: "temp", root: drive.root };
      const settings = { preset: "video-generator", database: { path: "data/app.db" }, stores: { extra } };
      workspace.write("offcut.json", Buffer.from(JSON.stringify(settings)));
      for (const take of TAKES) drive.write(take, 500);
      before = workspace.snapshot();
      files = drive.snapshot();
      ({ run } = await clean(workspace));
      assert.deepEqual([...drive.snapshot().keys()], []);
    });
    afterEach(() => drive.dispose());

    const onDrive = (): string[] => heldIn(drive.root).sort();

    it("R63, R64: the copy brings back its own files, says whose the others are, and leaves them to the original", async () => {
      copy();
      const original = all();
      const result = await back(other);
      assert.deepEqual(result.errors, []);
      assert.equal(
        stayNotes(result).join(),
        `2 files stay held: what lies outside of this workspace belongs to ${workspace.root}, of which it is a copy`,
      );
      sameStates(before, there());
      sameStates(original, all());
      assert.deepEqual(onDrive(), ["one.bin", "two.bin"]);
      await assert.rejects(back(other), /nothing to undo: what lies outside of this workspace belongs to/);
      await assert.rejects(back(other, run), /cannot be undone: what lies outside/);
      await assert.rejects(purge(other, { run }), /holds no files: what lies outside/);
      assert.deepEqual(
        readRun(other, run)
          ?.files.filter((file) => file.foreign)
          .map((file) => [file.path, file.state]),
        TAKES.map((take) => [take, "kept"]),
      );
      await back(workspace.root);
      sameStates(files, drive.snapshot());
    });

    it("R64: a purge in the copy frees nothing of the original's", async () => {
      copy();
      const [freed] = await purge(other);
      assert.deepEqual(freed?.errors, []);
      assert.deepEqual([heldIn(other), onDrive()], [[], ["one.bin", "two.bin"]]);
      await back(workspace.root);
      sameStates(files, drive.snapshot());
    });

    it("R60: recovery in the copy of a crashed run leaves the drive to the original", async () => {
      crash(workspace.root, run);
      copy();
      const [recovered] = await recoverRuns(other);
      assert.equal(recovered?.left, 0);
      assert.deepEqual(await recoverRuns(other), []);
      assert.deepEqual(onDrive(), ["one.bin", "two.bin"]);
      await purge(other);
      assert.deepEqual(onDrive(), ["one.bin", "two.bin"]);
      assert.equal((await recoverRuns(workspace.root))[0]?.left, 0);
      await back(workspace.root);
      sameStates(files, drive.snapshot());
    });

    it("R64: also when the original has no more to do with that run and archived it", async () => {
      copy();
      await back(workspace.root);
      const archive = workspace.path(".offcut/runs/archive");
      fs.mkdirSync(archive);
      fs.renameSync(journalIn(workspace.root, run), path.join(archive, "000001.jsonl"));
      assert.match(readRun(other, run)?.foreign ?? "", /of which it is a copy/);
      assert.equal(listRuns(other)[0]?.state, "held", "the files in the copy itself are there");
    });

    it("R64: what moved has its drive still, and a copy inherits it when the original is gone", async () => {
      copy();
      fs.rmSync(workspace.root, { recursive: true });
      const result = await back(other);
      assert.deepEqual([result.errors, stayNotes(result)], [[], []]);
      sameStates(before, there());
      sameStates(files, drive.snapshot());
    });

    it("R64: a journal that may still be inherited is not archived", async () => {
      copy();
      await back(other);
      const at = new Date().toISOString();
      const names = Array.from({ length: 40 }, (_, i) => `settled-${i}`);
      for (const name of names) {
        using journal = openJournal(journalIn(other, name));
        const facts = { at, root: other, digest: "", undoMs: 0, files: 0, bytes: 0, pid: 1 };
        journal.append({ t: "start", schema: STATE_SCHEMA, run: name, ...facts }, { t: "end", at, cancelled: false });
      }
      archiveRuns(other);
      assert.deepEqual(
        [run, ...names].map((name) => fs.existsSync(journalIn(other, name))),
        [true, ...names.map(() => false)],
      );
      fs.rmSync(workspace.root, { recursive: true });
      assert.equal((await back(other, run)).restoredFiles, 2);
      sameStates(files, drive.snapshot());
    });

    it("R64: while the drive of the original is away nobody knows whether it is gone, and nothing outside is touched", async () => {
      const records = workspace.path(".offcut/records.json");
      const value = JSON.parse(fs.readFileSync(records, "utf8")) as { roots: Record<string, object> };
      value.roots[workspace.root] = { mount: path.join(place, "drive") };
      fs.writeFileSync(records, JSON.stringify(value));
      move();
      const result = await back(other);
      assert.match(
        stayNotes(result).join(),
        /2 files stay held: .* out of reach now \(if it moved here for good, move .*records\.json away\)/,
      );
      assert.deepEqual(onDrive(), ["one.bin", "two.bin"]);
      fs.rmSync(path.join(other, ".offcut/records.json"));
      assert.equal((await back(other, run)).restoredFiles, 2);
      sameStates(files, drive.snapshot());
    });

    it("R64: a way through a link leads to the same drive", async () => {
      fs.symlinkSync(path.dirname(workspace.root), other);
      const result = await back(path.join(other, path.basename(workspace.root)));
      assert.deepEqual([result.errors, stayNotes(result)], [[], []]);
      sameStates(files, drive.snapshot());
    });
  });

  it("R64: a directory beside the workspace that came along has its own hold", async () => {
    const from = path.join(place, "from");
    fs.mkdirSync(path.join(from, "workspace/data"), { recursive: true });
    fs.mkdirSync(path.join(from, "takes/raw"), { recursive: true });
    const stores = { raw: { path: "raw/{take}.bin", role: "temp", root: "../takes" } };
    fs.writeFileSync(path.join(from, "workspace/offcut.json"), JSON.stringify({ stores }));
    fs.writeFileSync(path.join(from, "takes/raw/one.bin"), "one");
    const root = path.join(from, "workspace");
    await clean({ root }, { orphans: true, now: () => Date.now() + 2 * 3_600_000 });
    assert.deepEqual(heldIn(path.join(from, "takes")), ["one.bin"]);
    copy(from, path.join(place, "to"));
    const [freed] = await purge(path.join(place, "to/workspace"));
    assert.deepEqual([freed?.deletedFiles, freed?.errors], [1, []]);
    assert.deepEqual([heldIn(path.join(place, "to/takes")), heldIn(path.join(from, "takes"))], [[], ["one.bin"]]);
    const moved = path.join(place, "moved");
    fs.renameSync(from, moved);
    assert.equal((await back(path.join(moved, "workspace"))).restoredFiles, 1);
    assert.equal(fs.readFileSync(path.join(moved, "takes/raw/one.bin"), "utf8"), "one");
  });

  it("R76: a workspace that is not there is refused, wherever its journals say that it was", async () => {
    const { run } = await clean(workspace);
    move();
    await assert.rejects(purge(workspace.root, { run }), Refusal);
    assert.ok(!fs.existsSync(workspace.root));
  });
});

function stateOf(file: string): FileState {
  const stat = fs.lstatSync(file, { bigint: true });
  const sha256 = createHash("sha256").update(fs.readFileSync(file)).digest("hex");
  return { bytes: Number(stat.size), mode: Number(stat.mode), mtimeNs: stat.mtimeNs, sha256 };
}

function statusIn(file: string): unknown {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return database.prepare("SELECT cleanup_status AS status FROM projects WHERE id = 'p1'").get()?.["status"];
  } finally {
    database.close();
  }
}
