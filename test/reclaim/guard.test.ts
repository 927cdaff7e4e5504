import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { cleanUp } from "../../core/cleanUp.ts";
import { loadConfig } from "../../core/config/load.ts";
import type { Plan, PlanItem } from "../../core/model.ts";
import { checkRoot, createGuard } from "../../core/reclaim/guard.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { pinDirectory } from "../../core/reclaim/pinned.ts";
import { purge } from "../../core/runs.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { AUDIO, canMount, clean, environment, makeReady, planFor, takenOf, withMount } from "./world.ts";

describe("guard", () => {
  let workspace: Workspace;
  let outside: string;

  beforeEach(() => {
    workspace = makeReady();
    outside = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-outside-"));
  });
  afterEach(() => {
    workspace.dispose();
    fs.rmSync(outside, { recursive: true, force: true });
  });

  /** Plans, lets something happen, runs. */
  const cleanAfter = async (change: () => void) => {
    const { config, plan } = await planFor(workspace);
    change();
    return { plan, result: await cleanUp(config, plan, { environment }) };
  };
  const reasonOf = (result: { readonly skipped: readonly { readonly path: string; readonly reason: string }[] }, file: string) =>
    result.skipped.find((one) => one.path === file)?.reason;

  for (const component of [".cache", ".cache/audio", ".cache/audio/p1"]) {
    it(`R1: a link that takes the place of ${component} between plan and run is not followed`, async () => {
      const { result } = await cleanAfter(() => {
        fs.renameSync(workspace.path(component), path.join(outside, "real"));
        fs.symlinkSync(path.join(outside, "real"), workspace.path(component));
      });
      assert.match(reasonOf(result, AUDIO) ?? "", /is a symbolic link$/);
      assert.equal(fs.readdirSync(path.join(outside, "real")).length > 0, true);
      const left = path.join(outside, "real", path.posix.relative(component, AUDIO));
      assert.equal(fs.readFileSync(left, "utf8").length, 1000);
    });
  }

  it("R1: a link that takes the place of the file itself stays, and what it points to", async () => {
    const target = path.join(outside, "precious.mp3");
    fs.writeFileSync(target, "precious");
    const { result } = await cleanAfter(() => {
      fs.rmSync(workspace.path(AUDIO));
      fs.symlinkSync(target, workspace.path(AUDIO));
    });
    assert.match(reasonOf(result, AUDIO) ?? "", /symbolic link/);
    assert.equal(fs.readlinkSync(workspace.path(AUDIO)), target);
    assert.equal(fs.readFileSync(target, "utf8"), "precious");
  });

  it("R1: a directory that is held open stays the one that was looked at", function () {
    if (process.platform !== "linux") this.skip(); // Only Linux gives paths through descriptors.
    const link = workspace.path(".cache/audio/p1");
    using pinned = pinDirectory(workspace.root, ".cache/audio/p1");
    fs.renameSync(link, `${link}.away`);
    fs.symlinkSync(outside, link);
    fs.writeFileSync(path.join(outside, "scene-1.mp3"), "precious");
    fs.unlinkSync(pinned.entry("scene-1.mp3"));
    assert.equal(fs.readFileSync(path.join(outside, "scene-1.mp3"), "utf8"), "precious");
    assert.ok(!fs.existsSync(`${link}.away/scene-1.mp3`));
    assert.throws(() => pinDirectory(workspace.root, ".cache/audio/p1"), Refusal);
    assert.throws(() => pinDirectory(workspace.root, "../outside"), Refusal);
  });

  it("R2: a root that is a link is refused before anything is made in it", async () => {
    const link = path.join(outside, "link");
    fs.symlinkSync(workspace.root, link);
    assert.throws(() => checkRoot(link), /is a symbolic link; use its real path/);
    const { config, plan } = await planFor(workspace);
    const moved = { ...plan, root: link, items: plan.items.map((item) => Object.assign({}, item, { root: link })) };
    await assert.rejects(cleanUp({ ...config, root: link }, moved, { environment }), Refusal);
    assert.ok(!fs.existsSync(workspace.path(".offcut")));
  });

  it("R3: a file that was replaced by one of the same name and size is kept", async () => {
    const { result } = await cleanAfter(() => {
      const old = fs.statSync(workspace.path(AUDIO));
      fs.renameSync(workspace.path(AUDIO), path.join(outside, "old"));
      fs.writeFileSync(workspace.path(AUDIO), Buffer.alloc(1000, "new"));
      fs.utimesSync(workspace.path(AUDIO), old.atime, old.mtime);
    });
    assert.equal(reasonOf(result, AUDIO), "changed");
    assert.equal(fs.readFileSync(workspace.path(AUDIO), "utf8").slice(0, 3), "new");
  });

  it("R3: a file that was touched or written is kept", async () => {
    const second = ".cache/audio/p1/scene-2.mp3";
    const { result } = await cleanAfter(() => {
      fs.utimesSync(workspace.path(AUDIO), new Date(), new Date(Date.now() - 5000));
      fs.appendFileSync(workspace.path(second), "more");
    });
    assert.equal(reasonOf(result, AUDIO), "changed");
    assert.equal(reasonOf(result, second), "changed");
    assert.ok(fs.existsSync(workspace.path(AUDIO)) && fs.existsSync(workspace.path(second)));
  });

  it("R4: what lies on a bind mount or another filesystem stays", async function () {
    if (!canMount()) this.skip(); // Mounting needs root with CAP_SYS_ADMIN.
    const audio = workspace.path(".cache/audio/p1");
    fs.writeFileSync(path.join(outside, "scene-1.mp3"), "precious");
    await withMount(["--bind", outside], audio, async () => {
      const { plan } = await planFor(workspace);
      assert.ok(!takenOf(plan).includes(AUDIO));
    });
    // Mounted between plan and run, with the very file behind it: the identity agrees, and only the rename can tell.
    const { config, plan } = await planFor(workspace);
    await withMount(["--bind", audio], audio, async () => {
      const result = await cleanUp(config, plan, { environment });
      assert.match(result.errors.find((one) => one.path === AUDIO)?.message ?? "", /on another filesystem than its root/);
      assert.ok(fs.existsSync(workspace.path(AUDIO)));
    });
    await withMount(["-t", "tmpfs", "none"], audio, async () => {
      fs.writeFileSync(workspace.path(AUDIO), "precious");
      const again = await clean(workspace);
      assert.ok(!again.skipped.some((one) => one.path === AUDIO));
      assert.equal(fs.readFileSync(workspace.path(AUDIO), "utf8"), "precious");
    });
    await withMount(["-t", "tmpfs", "none"], audio, async () => {
      fs.writeFileSync(workspace.path(AUDIO), "precious");
      const guard = createGuard({ workspace: workspace.root, stores: config.stores, protectedPaths: [], protectedInodes: [] });
      assert.equal(guard.refuse(itemAt(plan, AUDIO)), "it is on another device");
    });
    assert.equal(fs.readFileSync(path.join(outside, "scene-1.mp3"), "utf8"), "precious");
  });

  it("R5: a FIFO, a socket, a directory at a file's place is never touched", async () => {
    const [fifo, socket, directory] = [".cache/audio/p1/scene-1.mp3", ".cache/audio/p1/scene-2.mp3", ".cache/assembly/p1/scene-1.mp4"];
    const server = net.createServer();
    const { config, plan } = await planFor(workspace);
    for (const file of [fifo, socket, directory]) fs.rmSync(workspace.path(file));
    execFileSync("mkfifo", [workspace.path(fifo)]);
    await new Promise<void>((resolve) => server.listen(workspace.path(socket), resolve));
    fs.mkdirSync(workspace.path(`${directory}/inside`), { recursive: true });
    try {
      const result = await cleanUp(config, plan, { environment });
      for (const file of [fifo, socket, directory]) assert.match(reasonOf(result, file) ?? "", /not a regular file/, file);
      assert.ok(
        fs.lstatSync(workspace.path(fifo)).isFIFO() &&
          fs.lstatSync(workspace.path(socket)).isSocket() &&
          fs.existsSync(workspace.path(`${directory}/inside`)),
      );
      assert.ok(!takenOf((await planFor(workspace)).plan).some((file) => [fifo, socket].includes(file)));
    } finally {
      server.close();
    }
  });

  it("R6: no path that a plan could name leads out of its store", async () => {
    const { config, plan } = await planFor(workspace);
    const guard = createGuard({ workspace: workspace.root, stores: config.stores, protectedPaths: [], protectedInodes: [] });
    const item = itemAt(plan, AUDIO);
    const part = fc.constantFrom("..", ".", "", "scene-1.mp3", "p1", ".cache", "audio", "\0", "a\\b", "~", "${HOME}", "-rf", ".hidden");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), fc.boolean(), (parts, below) => {
        const named = (below ? [".cache", "audio", ...parts] : parts).join("/");
        if (named === AUDIO) return;
        assert.notEqual(guard.refuse({ ...item, path: named }), undefined, named);
      }),
      { numRuns: 500 },
    );
    assert.equal(guard.refuse(item), undefined);
    assert.match(guard.refuse({ ...item, root: outside }) ?? "", /template/);
    assert.match(guard.refuse({ ...item, store: "nothing" }) ?? "", /template/);
  });

  it("R7: a repository that appears in the store between plan and run keeps its directory", async () => {
    const { result } = await cleanAfter(() => fs.mkdirSync(workspace.path(".cache/audio/p1/.git")));
    assert.match(reasonOf(result, AUDIO) ?? "", /holds a repository \(\.git\)/);
    assert.ok(fs.existsSync(workspace.path(AUDIO)));
    assert.ok(result.deletedFiles > 0, "the other directories are cleaned");
  });

  it("R7: the filesystem's root and the home directory are never cleaned, and nothing is made in them", async () => {
    assert.throws(() => checkRoot("/"), /root of a filesystem/);
    const home = process.env["HOME"];
    process.env["HOME"] = workspace.root;
    try {
      await assert.rejects(clean(workspace), /is your home directory/);
    } finally {
      if (home === undefined) delete process.env["HOME"];
      else process.env["HOME"] = home;
    }
    assert.ok(!fs.existsSync(workspace.path(".offcut")));
  });

  it("R7: a store that holds the workspace is refused by the sink", async () => {
    const inner = workspace.path(".cache/audio/p1");
    const config = loadConfig(workspace.root);
    const { plan } = await planFor(workspace);
    const guard = createGuard({ workspace: inner, stores: config.stores, protectedPaths: [], protectedInodes: [] });
    assert.equal(guard.refuse(itemAt(plan, AUDIO)), "its store holds the workspace");
  });

  it("R9: a file is never truncated: who has it open still reads it after it was deleted", async () => {
    const content = fs.readFileSync(workspace.path(AUDIO));
    const { run } = await clean(workspace);
    const held = workspace.path(`.offcut/holds/${run}/${AUDIO}`);
    const handle = fs.openSync(held, "r");
    try {
      const [result] = await purge(workspace.root);
      assert.ok(result && result.deletedFiles > 0 && !fs.existsSync(held));
      assert.deepEqual(fs.readFileSync(handle), content);
    } finally {
      fs.closeSync(handle);
    }
  });

  it("R28: the final under the name of an intermediate is kept, by inode", async () => {
    const final = ".cache/output/p1/final.mp4";
    fs.rmSync(workspace.path(AUDIO));
    fs.linkSync(workspace.path(final), workspace.path(AUDIO));
    const { config, plan } = await planFor(workspace);
    assert.ok(!takenOf(plan).includes(AUDIO));
    // A plan that asks for it all the same meets the sink.
    const forged = forge(itemAt(plan, AUDIO));
    const guard = createGuard({
      workspace: workspace.root,
      stores: config.stores,
      protectedPaths: plan.protectedPaths,
      protectedInodes: plan.protectedInodes,
    });
    assert.equal(guard.refuse(forged), "it is a final output under another name");
    const result = await cleanUp(config, { ...plan, items: [forged] }, { environment });
    assert.equal(result.deletedFiles, 0);
    assert.ok(fs.existsSync(workspace.path(AUDIO)) && fs.existsSync(workspace.path(final)));
  });

  it("R28: an intermediate that the database names as an output is kept, and a final even when a plan asks for it", async () => {
    workspace.sql(`INSERT INTO rendered_videos VALUES ('extra', 'p1', '${AUDIO}', NULL, 1)`);
    const { config, plan } = await planFor(workspace);
    assert.equal(itemAt(plan, AUDIO).reason, "final-output");
    const final = itemAt(plan, ".cache/output/p1/final.mp4");
    const forged = [AUDIO, final.path].map((file) => forge(itemAt(plan, file)));
    const result = await cleanUp(config, { ...plan, items: forged }, { environment });
    assert.equal(result.deletedFiles, 0);
    assert.deepEqual(result.skipped.map((one) => one.path).sort(), forged.map((item) => item.path).sort());
    assert.ok(fs.existsSync(workspace.path(AUDIO)) && fs.existsSync(workspace.path(final.path)));
  });

  it("R85: another store's own directory is not removed as an empty directory of an outer one", async () => {
    const inner = makeWorkspace();
    try {
      addProject(inner, "p1");
      inner.write(
        "offcut.json",
        Buffer.from(
          JSON.stringify({
            preset: "video-generator",
            stores: { all: { path: ".cache/temp/", role: "temp" }, deep: { path: ".cache/temp/deep/{project}/", role: "temp" } },
          }),
        ),
      );
      const guard = createGuard({ workspace: inner.root, stores: loadConfig(inner.root).stores, protectedPaths: [], protectedInodes: [] });
      assert.equal(guard.mayRemoveDirectory(inner.root, ".cache/temp/deep"), false);
      assert.equal(guard.mayRemoveDirectory(inner.root, ".cache/temp/deep/p1"), true);
      assert.equal(guard.mayRemoveDirectory(inner.root, ".cache/temp"), false);
      assert.equal(guard.mayRemoveDirectory(inner.root, ".cache"), false);
    } finally {
      inner.dispose();
    }
  });
});

/** What a plan would say that took the file as it is now. */
function forge(item: PlanItem): PlanItem {
  const stat = fs.statSync(path.join(item.root, item.path), { bigint: true });
  return {
    ...item,
    verdict: "reclaim",
    identity: { dev: String(stat.dev), ino: String(stat.ino), bytes: Number(stat.size), mtimeNs: String(stat.mtimeNs) },
  };
}

function itemAt(plan: Plan, file: string): PlanItem {
  const item = plan.items.find((one) => one.path === file);
  assert.ok(item, `the plan does not show ${file}`);
  return item;
}
