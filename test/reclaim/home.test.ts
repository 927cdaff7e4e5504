/** A workspace in which Offcut cannot make its own directory says so, and nothing happens to any file. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { loadConfig } from "../../core/config/load.ts";
import { enforce } from "../../core/enforce.ts";
import { ensureHome, Refusal } from "../../core/reclaim/home.ts";
import { addPin, noteTime } from "../../core/reclaim/records.ts";
import { cleanUp } from "../../core/cleanUp.ts";
import { type Layout, makeLayout } from "../layout.ts";
import { canChattr, canMount, environment, planFor, withImmutable, withMount } from "./world.ts";

describe("home", function () {
  this.timeout(20_000);

  const clips = { path: "data/clips/{event}.mp4", role: "clip", maxAge: "1h" };
  const now = (): number => Date.now() + 2 * 3_600_000;
  /** Whatever writes there refuses in these words. */
  const assertRefused = async (root: string, words: RegExp): Promise<void> => {
    const isRefused = (error: Error): boolean => {
      assert.ok(error instanceof Refusal, String(error.stack));
      assert.match(error.message, words);
      return true;
    };
    assert.throws(() => ensureHome(root), isRefused);
    assert.throws(() => addPin(root, { kind: "file", value: "a", added: "" }), isRefused);
    await assert.rejects(noteTime(root, [root], now()), isRefused);
    const { plan } = await planFor({ root }, { now });
    assert.equal(plan.totals.reclaim.files, 1);
    await assert.rejects(cleanUp(loadConfig(root), plan, { environment, now }), isRefused);
    const round = await enforce(root, { environment, now });
    assert.equal(round.outcome, "refused");
    assert.match(round.message, words);
  };
  const makeClips = (): Layout => {
    const layout = makeLayout({ stores: { clips } });
    layout.write("data/clips/e1.mp4");
    return layout;
  };

  it("R62: where nothing can be made", async function () {
    using layout = makeClips();
    const words = /\.offcut cannot be made: not permitted .*; nothing was touched/;
    if (process.getuid?.() === 0) {
      if (!canChattr(layout)) this.skip(); // This filesystem has no immutable files.
      await withImmutable(layout.root, () => assertRefused(layout.root, words));
    } else {
      fs.chmodSync(layout.root, 0o555);
      try {
        await assertRefused(layout.root, words);
      } finally {
        fs.chmodSync(layout.root, 0o755);
      }
    }
    assert.deepEqual(layout.files(), ["data/clips/e1.mp4"]);
  });

  it("R62: on a filesystem that is read-only", async function () {
    if (!canMount()) this.skip(); // Mounting needs root with CAP_SYS_ADMIN.
    const mount = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "offcut-test-")));
    try {
      await withMount(["-t", "tmpfs", "none"], mount, async () => {
        const root = path.join(mount, "workspace");
        fs.mkdirSync(path.join(root, "data/clips"), { recursive: true });
        fs.writeFileSync(path.join(root, "offcut.json"), JSON.stringify({ stores: { clips } }));
        fs.writeFileSync(path.join(root, "data/clips/e1.mp4"), "clip");
        execFileSync("mount", ["-o", "remount,ro", mount]);
        await assertRefused(root, /\.offcut cannot be made: the filesystem is read-only; nothing was touched/);
        assert.deepEqual(fs.readdirSync(path.join(root, "data/clips")), ["e1.mp4"]);
      });
    } finally {
      fs.rmdirSync(mount);
    }
  });

  it("R62: where the time cannot be noted", async function () {
    using layout = makeClips();
    ensureHome(layout.root);
    await noteTime(layout.root, [layout.root], Date.now());
    if (process.getuid?.() !== 0 || !canChattr(layout)) this.skip(); // Needs immutable files.
    await withImmutable(layout.path(".offcut/records.json"), () =>
      assert.rejects(noteTime(layout.root, [layout.root], Date.now()), /records\.json cannot be written: not permitted/),
    );
  });
});
