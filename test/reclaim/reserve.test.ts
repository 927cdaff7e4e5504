/** A disk on which nothing can be written any more, real and small: what is to make room must not need any (R57). */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { cleanUp } from "../../core/cleanUp.ts";
import { loadConfig } from "../../core/config/load.ts";
import { enforce } from "../../core/enforce.ts";
import { makePlan } from "../../core/makePlan.ts";
import type { CleanResult } from "../../core/model.ts";
import { homeOf, Refusal } from "../../core/reclaim/home.ts";
import { noteTime } from "../../core/reclaim/records.ts";
import { needsRecovery } from "../../core/reclaim/recover.ts";
import { makeReserve, withRoom } from "../../core/reclaim/reserve.ts";
import { listRuns, purge, readRun, undo } from "../../core/runs.ts";
import { canMount, environment, withMount } from "./world.ts";

const CLIPS = "data/clips";
const WHOLE = 16;

describe("reserve", function () {
  this.timeout(60_000);

  /** Clips are old by now, in the clock of a run. */
  const now = (): number => Date.now() + 2 * 3_600_000;

  /** A workspace of clips that fills a filesystem of its own. */
  const onDisk = async (options: string, work: (root: string) => Promise<void>): Promise<void> => {
    const mount = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-full-"));
    try {
      await withMount(["-t", "tmpfs", "-o", options, "none"], mount, async () => {
        const root = path.join(fs.realpathSync(mount), "workspace");
        fs.mkdirSync(path.join(root, CLIPS), { recursive: true });
        const clips = { path: `${CLIPS}/{camera}/{event}.mp4`, role: "clip", maxAge: "1h" };
        fs.writeFileSync(
          path.join(root, "offcut.json"),
          JSON.stringify({ stores: { clips }, policy: { brake: { files: 9999, share: 1 } } }),
        );
        await work(root);
      });
    } finally {
      fs.rmdirSync(mount);
    }
  };
  const addClips = (root: string, count: number, bytes: number, cameras = 1): void => {
    for (let i = 0; i < count; i++) {
      const directory = path.join(root, CLIPS, `camera-${i % cameras}`);
      fs.mkdirSync(directory, { recursive: true });
      fs.writeFileSync(path.join(directory, `event-${i}.mp4`), Buffer.alloc(bytes, i));
    }
  };
  const clean = async (root: string, undoMs: number): Promise<CleanResult> => {
    const options = { environment, now };
    return cleanUp(loadConfig(root), await makePlan(loadConfig(root), options), { ...options, undoMs });
  };
  const clipsOf = (root: string): string[] =>
    fs
      .readdirSync(path.join(root, CLIPS), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".mp4"))
      .sort();
  const reserveOf = (root: string): string[] => {
    const directory = path.join(root, ".offcut/reserve");
    return fs.existsSync(directory) ? fs.readdirSync(directory) : [];
  };
  /** Until neither a byte nor a name more can be written. */
  const fill = (root: string): void => {
    const filler = path.join(root, "filler");
    untilFull(() => fs.appendFileSync(filler, Buffer.alloc(65_536)));
    untilFull(() => fs.appendFileSync(filler, Buffer.alloc(1)));
    assert.throws(() => fs.writeFileSync(path.join(root, "one-more"), "x"), /ENOSPC/);
    fs.rmSync(path.join(root, "one-more"), { force: true });
  };
  const fillNames = (root: string): void => {
    let n = 0;
    untilFull(() => fs.writeFileSync(path.join(root, `filler-${n++}`), ""));
  };
  /** A first run, which makes the reserve. */
  const begin = async (root: string): Promise<void> => {
    addClips(root, 1, 1000);
    assert.equal((await clean(root, 0)).deletedFiles, 1);
    assert.equal(reserveOf(root).length, WHOLE);
  };

  for (const [what, options, exhaust] of [
    ["no byte", "size=8m", fill],
    ["no inode", "size=8m,nr_inodes=300", fillNames],
  ] as const) {
    describe(`with ${what} left`, () => {
      before(function () {
        if (!canMount()) this.skip(); // Mounting needs root with CAP_SYS_ADMIN.
      });

      it("R57: a run that deletes at once frees everything, and the reserve is there again", () =>
        onDisk(options, async (root) => {
          await begin(root);
          addClips(root, 100, 8192, 20);
          exhaust(root);
          const result = await clean(root, 0);
          assert.deepEqual([result.errors, result.skipped, result.deletedFiles, clipsOf(root)], [[], [], 100, []]);
          assert.equal(result.freedSpace, 100 * 8192);
          assert.deepEqual(needsRecovery(root), []);
          assert.equal(reserveOf(root).length, WHOLE);
        }));

      it("R57 R58: what is held is freed", () =>
        onDisk(options, async (root) => {
          await begin(root);
          addClips(root, 100, 8192, 5);
          assert.equal((await clean(root, 3_600_000)).heldSpace, 100 * 8192);
          exhaust(root);
          const [result] = await purge(root);
          assert.deepEqual([result?.errors, result?.deletedFiles, result?.freedSpace], [[], 100, 100 * 8192]);
          assert.equal(reserveOf(root).length, WHOLE);
        }));

      it("R57: a run that holds ends in words: what it cannot hold stays, and all of it comes back", () =>
        onDisk(options, async (root) => {
          await begin(root);
          addClips(root, 100, 4096, 50);
          const before = clipsOf(root);
          exhaust(root);
          const result = await clean(root, 3_600_000);
          assert.equal(result.freedSpace, 0);
          for (const error of result.errors) assert.match(error.message, /no space left on the device/);
          assert.deepEqual([result.skipped, result.deletedFiles + result.errors.length], [[], 100]);
          assert.deepEqual(needsRecovery(root), []);
          const left = clipsOf(root);
          assert.deepEqual(
            left,
            result.errors.map((error) => path.posix.relative(CLIPS, error.path)).sort(),
            "what stays is what the result names",
          );
          for (const name of fs.readdirSync(root)) if (name.startsWith("filler")) fs.rmSync(path.join(root, name));
          if (result.deletedFiles > 0) await undo(loadConfig(root), undefined);
          assert.deepEqual(clipsOf(root), before);
        }));

      it("R57: the automatic loop frees", () =>
        onDisk(options, async (root) => {
          await begin(root);
          addClips(root, 100, 8192, 10);
          exhaust(root);
          const round = await enforce(root, { environment, now });
          assert.deepEqual([round.outcome, round.result?.deletedFiles, round.result?.errors], ["clean", 100, []], round.message);
          assert.deepEqual(clipsOf(root), []);
        }));

      it("R57: the automatic loop frees on a disk that filled up before it ever had to clean", () =>
        onDisk(options, async (root) => {
          assert.equal((await enforce(root, { environment, now })).outcome, "nothing");
          assert.equal(reserveOf(root).length, WHOLE);
          addClips(root, 100, 8192, 10);
          exhaust(root);
          const round = await enforce(root, { environment, now });
          assert.deepEqual([round.outcome, round.result?.deletedFiles, round.result?.errors], ["clean", 100, []], round.message);
          assert.deepEqual(clipsOf(root), []);
        }));

      it("R57: a first run, which has no reserve yet, refuses in words and touches nothing", () =>
        onDisk(options, async (root) => {
          addClips(root, 20, 8192, 2);
          const before = clipsOf(root);
          exhaust(root);
          await assert.rejects(
            clean(root, 0),
            (error: Error) => error instanceof Refusal && /no space left on the device/.test(error.message),
          );
          assert.deepEqual([clipsOf(root), listRuns(root)], [before, []]);
          for (const name of fs.readdirSync(root)) if (name.startsWith("filler")) fs.rmSync(path.join(root, name));
          assert.equal((await clean(root, 0)).deletedFiles, 20);
        }));
    });
  }

  it("R57 R60: a run whose journal finds no room for the next files stops before them and is brought to its end", async function () {
    if (!canMount()) this.skip(); // Mounting needs root with CAP_SYS_ADMIN.
    await onDisk("size=24m", async (root) => {
      await begin(root);
      addClips(root, 4000, 0);
      fill(root);
      const result = await clean(root, 3_600_000);
      assert.ok(result.deletedFiles >= 256 && result.deletedFiles < 4000, String(result.deletedFiles));
      assert.equal(result.errors.length, 4000 - result.deletedFiles);
      assert.match(result.errors[0]?.message ?? "", /no space left on the device/);
      assert.deepEqual([needsRecovery(root), listRuns(root)[0]?.state], [[], "held"]);
      assert.equal(clipsOf(root).length, result.errors.length);
      assert.equal(readRun(root, result.run)?.files.length, result.deletedFiles);
      fs.rmSync(path.join(root, "filler"));
      assert.equal((await undo(loadConfig(root), undefined)).restoredFiles, result.deletedFiles);
      assert.equal(clipsOf(root).length, 4000);
    });
  });

  it("R57: a reserve is made where there is room for it only, and is a small part of a small disk", async function () {
    if (!canMount()) this.skip(); // Mounting needs root with CAP_SYS_ADMIN.
    await onDisk("size=8m", async (root) => {
      const home = homeOf(root);
      fs.mkdirSync(home);
      fs.writeFileSync(path.join(root, "filler"), Buffer.alloc(8 * 2 ** 20 - 150_000));
      makeReserve(home);
      assert.deepEqual(reserveOf(root), []);
      fs.rmSync(path.join(root, "filler"));
      makeReserve(home);
      const sizes = reserveOf(root).map((name) => fs.statSync(path.join(home, "reserve", name)).size);
      assert.deepEqual([sizes.length, Math.max(...sizes), Math.min(...sizes)], [WHOLE, 4096, 4096]);
    });
  });

  it("R57, R76: whoever notes the time makes the reserve, and nothing in a root where nothing of it is", async () => {
    const [root, drive] = [1, 2].map(() => fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "offcut-test-")))) as [string, string];
    try {
      await noteTime(root, [root, drive], Date.now());
      assert.equal(reserveOf(root).length, WHOLE);
      assert.deepEqual(fs.readdirSync(drive), []);
      fs.mkdirSync(homeOf(drive));
      await noteTime(root, [root, drive], Date.now());
      assert.equal(reserveOf(drive).length, WHOLE);
    } finally {
      for (const one of [root, drive]) fs.rmSync(one, { recursive: true });
    }
  });

  it("R13: a look makes no reserve", async () => {
    const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "offcut-test-")));
    try {
      fs.writeFileSync(path.join(root, "offcut.json"), JSON.stringify({ preset: "clip-store" }));
      fs.mkdirSync(path.join(root, CLIPS), { recursive: true });
      fs.writeFileSync(path.join(root, CLIPS, "event.mp4"), "old");
      assert.equal((await makePlan(loadConfig(root), { environment, now })).totals.reclaim.files, 1);
      assert.ok(!fs.existsSync(path.join(root, ".offcut")));
    } finally {
      fs.rmSync(root, { recursive: true });
    }
  });

  it("R5: what stands in the reserve's place and is none is left alone", () => {
    const home = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-test-"));
    try {
      const precious = path.join(home, "precious");
      fs.mkdirSync(precious);
      for (let n = 0; n < WHOLE; n++) fs.writeFileSync(path.join(precious, String(n)), "precious");
      fs.symlinkSync(precious, path.join(home, "reserve"));
      makeReserve(home);
      const full = (): never => {
        throw Object.assign(new Error("full"), { code: "ENOSPC" });
      };
      assert.throws(() => withRoom(home, full), /full/);
      for (const name of fs.readdirSync(precious)) assert.equal(fs.readFileSync(path.join(precious, name), "utf8"), "precious");
      assert.equal(fs.readdirSync(precious).length, WHOLE);
      fs.unlinkSync(path.join(home, "reserve"));
      fs.mkdirSync(path.join(home, "reserve"));
      fs.symlinkSync(path.join(precious, "3"), path.join(home, "reserve/3"));
      makeReserve(home);
      assert.equal(fs.readFileSync(path.join(precious, "3"), "utf8"), "precious");
    } finally {
      fs.rmSync(home, { recursive: true });
    }
  });
});

function untilFull(act: () => void): void {
  for (;;) {
    try {
      act();
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
      return;
    }
  }
}
