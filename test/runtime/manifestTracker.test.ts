import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { ManifestTracker } from "../../runtime/index.ts";
import { installRuntime } from "./package.ts";
import { type Listener, makeListener, makeRoot, type Root } from "./world.ts";

describe("ManifestTracker", () => {
  let root: Root;
  let heard: Listener;
  let tracker: ManifestTracker;
  beforeEach(() => {
    root = makeRoot();
    heard = makeListener();
    tracker = new ManifestTracker({ root: root.root, logger: heard.logger });
  });
  afterEach(() => root[Symbol.dispose]());

  it("S2.2: makes a manifest, notes files and directories, takes them out, and reads it as JSON from the disk", async () => {
    await tracker.createManifest("ep1", "long_form");
    await tracker.addFile("ep1", root.path("work/a.png"), "slides");
    await tracker.addFile("ep1", "films/a.mp4", "long_form", "final");
    await tracker.addDirectory("ep1", "work/frames", "frames");
    const manifest = await tracker.getManifest("ep1");
    assert.deepEqual(
      [...(manifest?.files ?? []), ...(manifest?.directories ?? [])].map(({ path, kind, role }) => [path, kind, role]),
      [
        ["work/a.png", "slides", "temp"],
        ["films/a.mp4", "long_form", "final"],
        ["work/frames", "frames", "temp"],
      ],
      heard.text(),
    );
    assert.deepEqual([manifest?.job.id, manifest?.job.type, manifest?.job.state], ["ep1", "long_form", "running"]);
    const onDisk = JSON.parse(fs.readFileSync(root.path(".offcut/jobs/ep1.json"), "utf8")) as { schema: number; checksum: string };
    assert.equal(onDisk.schema, 1);
    assert.match(onDisk.checksum, /^[0-9a-f]{64}$/);
    assert.equal(await tracker.removeFromManifest("ep1", "work/a.png"), true);
    assert.equal(await tracker.removeFromManifest("ep1", "work/a.png"), false);
    assert.equal((await tracker.getManifest("ep1"))?.files.length, 1);
    assert.deepEqual(heard.lines, []);
  });

  it("S2.2: a damaged manifest is read from its backup, and says so; without a backup there is none", async () => {
    await tracker.createManifest("ep1", "long_form");
    await tracker.addFile("ep1", "work/a.png");
    fs.writeFileSync(root.path(".offcut/jobs/ep1.json"), "{ torn");
    assert.ok(await tracker.getManifest("ep1"));
    assert.match(heard.text(), /warn Job ep1: .*its backup/);
    fs.writeFileSync(root.path(".offcut/jobs/ep1.json.bak"), "{ torn");
    assert.equal(await tracker.getManifest("ep1"), undefined);
    assert.match(heard.text(), /backup is damaged, too/);
  });

  it("R28: a final does not become temporary by the way", async () => {
    await tracker.createManifest("ep1", "long_form");
    await tracker.addFile("ep1", "films/a.mp4", "long_form", "final");
    await tracker.addFile("ep1", "films/a.mp4", "videos", "temp");
    assert.equal((await tracker.getManifest("ep1"))?.files[0]?.role, "final");
    assert.match(heard.text(), /error Job ep1: films\/a\.mp4 is a final/);
  });

  it("R8 R88: one bad path is told, and takes no other one with it", async () => {
    await tracker.createManifest("ep1", "long_form");
    const bad = ["../x", "/etc/hosts", "", "work/${HOME}/x", "work/\ud800"];
    await Promise.all([...bad, "work/good.png"].map((file) => tracker.addFile("ep1", file)));
    assert.deepEqual(
      (await tracker.getManifest("ep1"))?.files.map((file) => file.path),
      ["work/good.png"],
    );
    assert.equal(heard.of("error").length, bad.length, heard.text());
  });

  it("R88: a job without a manifest is told and stops nothing; an id that is none is a TypeError", async () => {
    await tracker.addFile("nobody", "work/a.png");
    assert.equal(await tracker.removeFromManifest("nobody", "work/a.png"), false);
    assert.equal(await tracker.getManifest("nobody"), undefined);
    assert.equal(heard.of("error").length, 2, heard.text());
    await assert.rejects(tracker.addFile("../x", "a"), TypeError);
    await assert.rejects(tracker.getManifest(""), TypeError);
    await assert.rejects(tracker.createManifest("a b", "full"), TypeError);
  });

  it("the manifests lie where offcut.json says, or where the caller says", async () => {
    root.write("offcut.json", '{ "preset": "job-manifests", "jobs": { "directory": "state/jobs" } }');
    await new ManifestTracker({ root: root.root }).createManifest("ep1", "full");
    await new ManifestTracker({ root: root.root, directory: "elsewhere" }).createManifest("ep2", "full");
    assert.ok(fs.existsSync(root.path("state/jobs/ep1.json")));
    assert.ok(fs.existsSync(root.path("elsewhere/ep2.json")));
  });

  it("follows offcut.json when that changes, and notes nothing while it cannot be read", async () => {
    root.write("offcut.json", '{ "preset": "job-manifests", "jobs": { "directory": "state/jobs" } }');
    assert.ok(await tracker.createManifest("ep1", "full"));
    root.write("offcut.json", '{ "preset": "job-manifests", "jobs": ');
    assert.equal(await tracker.createManifest("ep2", "full"), undefined);
    assert.match(heard.text(), /error Job ep2: offcut\.json:1/);
    root.write("offcut.json", '{ "preset": "job-manifests", "jobs": { "directory": "state/other" } }');
    assert.ok(await tracker.createManifest("ep3", "full"));
    assert.deepEqual(
      ["state/jobs/ep1.json", "state/other/ep3.json", ".offcut/jobs"].map((file) => fs.existsSync(root.path(file))),
      [true, true, false],
    );
  });

  it("R88: an engine that cannot be loaded rejects nothing, and is loaded when it can be", async () => {
    const engine = path.join(await installRuntime(root.root), "runtimeEngine.cjs");
    fs.renameSync(engine, `${engine}.away`);
    root.write(
      "program.mjs",
      `import fs from "node:fs";
      import { JobManager, ManifestTracker } from "offcut";
      const lines = [];
      const note = (message) => void lines.push(message);
      const options = { root: import.meta.dirname, logger: { info: note, warn: note, error: note } };
      const tracker = new ManifestTracker(options);
      const first = await tracker.createManifest("ep1", "subtitles");
      const job = await new JobManager(options).startJob("ep2", "subtitles");
      const wasTracked = job.tracked;
      fs.renameSync(${JSON.stringify(`${engine}.away`)}, ${JSON.stringify(engine)});
      const second = await tracker.createManifest("ep1", "subtitles");
      await job.addFile("output/jobs/ep2/subtitles/a.srt");
      console.log(JSON.stringify({ first: first === undefined, told: lines.length > 0, wasTracked, second: second?.job.id, tracked: job.tracked }));
      process.exit();`,
    );
    const out = execFileSync(process.execPath, ["program.mjs"], { cwd: root.root, encoding: "utf8" });
    assert.deepEqual(JSON.parse(out), { first: true, told: true, wasTracked: false, second: "ep1", tracked: true });
  }).timeout(60_000);
});
