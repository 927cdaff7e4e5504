import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { cleanUp } from "../../core/cleanUp.ts";
import { loadConfig } from "../../core/config/load.ts";
import { makePlan } from "../../core/makePlan.ts";
import { addPin } from "../../core/reclaim/records.ts";
import { clipConfig } from "../../runtime/configOf.ts";
import { ClipStore, type ClipStoreOptions } from "../../runtime/index.ts";
import { type Listener, makeListener, makeRoot, type Root } from "./world.ts";

const HOUR = 3_600_000;

describe("ClipStore", () => {
  let root: Root;
  let heard: Listener;
  let nowMs: number;
  beforeEach(() => {
    root = makeRoot();
    heard = makeListener();
    nowMs = Date.now() + 100 * HOUR;
  });
  afterEach(() => root[Symbol.dispose]());

  const open = (options: Partial<ClipStoreOptions> = {}): Promise<ClipStore> =>
    ClipStore.open({
      directory: root.path("clips"),
      root: root.root,
      logger: heard.logger,
      environment: {},
      everyMinutes: 0,
      now: () => nowMs,
      ...options,
    });
  /** A clip is as old as its inode says, which nobody can set: so the clock of the store is set instead, relative to now. */
  const atAge = (hours: number): void => void (nowMs = Date.now() + hours * HOUR);
  const clips = (): string[] => root.files().filter((file) => file.startsWith("clips/"));

  it("S4.1: cleanupClip deletes the clip of one event, young as it is: true, then false", async () => {
    atAge(0);
    await using store = await open();
    root.write("clips/e1.mp4");
    root.write("clips/e2.mp4");
    assert.equal(await store.cleanupClip("e1"), true, heard.text());
    assert.equal(await store.cleanupClip("e1"), false);
    assert.deepEqual(clips(), ["clips/e2.mp4"]);
    assert.deepEqual(fs.readdirSync(root.path(".offcut/holds")), [], "clips are deleted at once");
  });

  it("S4.1 R6: an id that is none is a TypeError, and nothing is touched", async () => {
    await using store = await open();
    const outside = root.write("outside.mp4");
    for (const id of ["", ".", "..", "../outside", "a/b", "*", "e1.mp4\0", "-e", "x".repeat(129), undefined])
      await assert.rejects(store.cleanupClip(id as string), TypeError, String(id));
    assert.ok(fs.existsSync(outside));
  });

  it("S4.1: many clips at once, some of them twice: each is deleted by one call", async () => {
    atAge(0);
    await using store = await open();
    const ids = Array.from({ length: 100 }, (_, i) => `e${i}`);
    for (const id of ids) root.write(`clips/${id}.mp4`);
    const results = await Promise.all([...ids, ...ids].map((id) => store.cleanupClip(id)));
    assert.equal(results.filter(Boolean).length, 100, heard.text());
    assert.deepEqual(clips(), []);
    assert.ok(fs.readdirSync(root.path(".offcut/runs")).length <= 3, "they go together");
  });

  it("S4.1 R1 R29: a link and a pinned clip stay, with a reason", async () => {
    atAge(0);
    await using store = await open();
    const { addPin } = await import("../../core/reclaim/records.ts");
    const film = root.write("film.mp4");
    fs.symlinkSync(film, root.path("clips/link.mp4"));
    root.write("clips/kept.mp4");
    addPin(root.root, { kind: "file", value: "clips/kept.mp4", added: new Date().toISOString() });
    assert.equal(await store.cleanupClip("link"), false);
    assert.equal(await store.cleanupClip("kept"), false);
    assert.deepEqual(clips(), ["clips/kept.mp4", "clips/link.mp4"]);
    assert.match(heard.text(), /kept clips\/link\.mp4: a symbolic link/);
    assert.match(heard.text(), /kept clips\/kept\.mp4: pinned/);
  });

  it("S4.2 R50: cleanupOldClips deletes what is older than an hour, and counts", async () => {
    atAge(0);
    await using store = await open();
    for (let i = 0; i < 5; i++) root.write(`clips/e${i}.mp4`);
    root.write("clips/notes.txt");
    assert.equal(await store.cleanupOldClips(), 0);
    atAge(0.99);
    assert.equal(await store.cleanupOldClips(), 0);
    assert.equal(clips().length, 6);
  });

  it("S4.2: what is older goes, and nothing else in the directory", async () => {
    await using store = await open();
    for (let i = 0; i < 5; i++) root.write(`clips/e${i}.mp4`);
    root.write("clips/notes.txt");
    root.write("clips/below/e9.mp4");
    assert.equal(await store.cleanupOldClips(), 5, heard.text());
    assert.deepEqual(clips(), ["clips/below/e9.mp4", "clips/notes.txt"]);
    assert.match(heard.text(), /info Cleanup: Deleted 5 files, freed/);
  });

  it("S4.3 R51 R52: over its limit the oldest go until the target is met, with a warning that names the size", async () => {
    atAge(0);
    await using store = await open({ maxBytes: 10_000, targetBytes: 6000 });
    const then = Date.now();
    for (let i = 0; i < 12; i++) {
      const file = root.write(`clips/e${String(i).padStart(2, "0")}.mp4`, Buffer.alloc(1000));
      fs.utimesSync(file, new Date(then), new Date(then));
    }
    atAge(0.01);
    assert.equal(await store.cleanupOldClips(), 6, heard.text());
    assert.equal(clips().length, 6);
    assert.match(heard.text(), /warn .*storage pressure: the store "clips" has 11\.7 KB and may have 9\.8 KB/);
    heard.lines.length = 0;
    assert.equal(await store.cleanupOldClips(), 0);
    assert.deepEqual(heard.of("warn"), []);
  });

  it("S4.3 R58 R52: what a cleanup by hand holds goes first, and counts against no clip after that", async () => {
    atAge(0);
    const settings = { stores: { clips: { path: "clips/{clip}.mp4", role: "clip", maxBytes: "10KB", targetBytes: "9KB" } } };
    root.write("offcut.json", JSON.stringify(settings));
    for (let i = 0; i < 12; i++) root.write(`clips/e${i}.mp4`, Buffer.alloc(1024));
    const config = loadConfig(root.root);
    const byHand = { environment: {}, now: () => Date.now() + 2000 };
    const held = await cleanUp(config, await makePlan(config, byHand), byHand);
    assert.deepEqual([held.deletedFiles, held.heldSpace], [3, 3072]);
    atAge(0.01);
    await using store = await open({ maxBytes: 10 * 1024, targetBytes: 9 * 1024 });
    assert.equal(await store.cleanupOldClips(), 0, heard.text());
    assert.equal(clips().length, 9);
    assert.match(heard.text(), /of earlier cleanups: Cleanup: Deleted 3 files/);
  });

  it("S4.4: at the start the directory is made and stale clips are cleared", async () => {
    fs.mkdirSync(root.path("clips"));
    root.write("clips/stale.mp4");
    await using _store = await open();
    assert.deepEqual(clips(), [], heard.text());
    using fresh = makeRoot();
    await using store = await open({ directory: fresh.path("a/b/clips"), root: fresh.root });
    assert.ok(fs.statSync(store.directory).isDirectory());
  });

  it("S4.4: an error at the start is told and does not fail it", async () => {
    root.write("clips", "somebody's file");
    await using store = await open();
    assert.ok(heard.of("error").length > 0);
    assert.equal(await store.cleanupClip("e1"), false);
    assert.equal(fs.readFileSync(root.path("clips"), "utf8"), "somebody's file");
    root.write("offcut.json", "{ nonsense");
    heard.lines.length = 0;
    assert.equal(await store.cleanupOldClips(), 0);
    assert.match(heard.text(), /error Cleanup of clips failed: offcut\.json:1/);
  });

  it("S4.4 R76: a root that somebody named is not made", async () => {
    await using _store = await open({ directory: root.path("drive/clips"), root: root.path("drive") });
    assert.deepEqual(fs.readdirSync(root.root), []);
    assert.match(heard.text(), /error Clips: ENOENT/);
  });

  it("S4.5: the background looks by itself, one round at a time, and stops when it is closed", async () => {
    const store = await open({ everyMinutes: 1 / 6000 });
    const keepAlive = setInterval(() => {}, 1000); // The background keeps no process running, and so no test.
    root.write("clips/e1.mp4");
    while (clips().length > 0) await new Promise((resolve) => setImmediate(resolve));
    await store.close();
    clearInterval(keepAlive);
    root.write("clips/e2.mp4");
    const both = [store.cleanupOldClips(), store.cleanupOldClips()];
    assert.deepEqual(await Promise.all(both), [1, 1], "the second call gets the answer of the first");
    assert.equal(heard.text().match(/Deleted 1 files/g)?.length, 2);
    await store.close();
  });

  it("S4.5: a signal ends the background; a cancelled cleanup is no error", async () => {
    const controller = new AbortController();
    await using store = await open({ everyMinutes: 0.001, signal: controller.signal });
    root.write("clips/e1.mp4");
    controller.abort();
    assert.equal(await store.cleanupOldClips(), 0);
    assert.deepEqual(clips(), ["clips/e1.mp4"]);
    assert.deepEqual(heard.of("error"), []);
  });

  it("S1.8: AUTO_CLEANUP_ENABLED=false keeps old clips, but not those that are named", async () => {
    await using store = await open({ environment: { AUTO_CLEANUP_ENABLED: "false" } });
    root.write("clips/e1.mp4");
    assert.equal(await store.cleanupOldClips(), 0);
    assert.equal(await store.cleanupClip("e1"), true, heard.text());
  });

  it("R53 R79: limits that cannot be are a TypeError", () => {
    const base = { directory: root.path("clips"), root: root.root, logger: heard.logger, everyMinutes: 0 };
    for (const options of [
      { maxBytes: "1GB", targetBytes: "1GB" },
      { maxBytes: 0 },
      { maxBytes: "lots" },
      { targetBytes: -1 },
      { maxAgeHours: 0 },
      { maxAgeHours: Number.NaN },
      { everyMinutes: -1 },
      { root: root.path("elsewhere") },
      { root: root.path("clips") },
    ])
      assert.throws(() => new ClipStore({ ...base, ...options }), TypeError, JSON.stringify(options));
    assert.deepEqual(fs.readdirSync(root.root), []);
  });

  for (const name of ["{tenant}", "{clip}", "cl*", "*", "**", "a{b", "a}", "${t}", "%d%", "a\\b"])
    it(`R8: a directory called ${name} is a TypeError, and nothing beside it is touched`, function () {
      if (process.platform === "win32") return this.skip(); // Such names cannot be made there.
      const others = ["data/other/precious.mp4", "data/clips-final/precious.mp4", `data/${name}/old.mp4`];
      for (const file of others) root.write(file);
      const options = { root: root.root, logger: heard.logger, everyMinutes: 0, now: () => nowMs };
      assert.throws(() => new ClipStore({ ...options, directory: root.path(`data/${name}`) }), TypeError);
      assert.throws(() => new ClipStore({ ...options, directory: root.path(`data/${name}/clips`) }), TypeError);
      assert.deepEqual(root.files(), [...others].sort());
      const limits = { directory: root.path(`data/${name}`), maxAge: "1h", maxBytes: "1GB", targetBytes: "900MB", every: "15m" };
      assert.throws(() => clipConfig(root.root, limits));
      assert.throws(() => clipConfig(root.root, limits, ["old"]));
    });

  for (const name of ["clips?", "[a]", "a,b", "clips ", "~", "$", "100%", "\u00fc", "u\u0308", "a'b\"c"])
    it(`R8: a directory called ${JSON.stringify(name)} is taken as it is written`, async function () {
      if (process.platform === "win32") return this.skip(); // Such names cannot be made there.
      const others = ["data/clips-1/precious.mp4", "data/a/precious.mp4"];
      for (const file of [...others, `data/${name}/old.mp4`]) root.write(file);
      await using store = await open({ directory: root.path(`data/${name}`) });
      root.write(`data/${name}/e1.mp4`);
      assert.equal(await store.cleanupClip("e1"), true, heard.text());
      assert.deepEqual(root.files(), [...others].sort());
    });

  it("R8: what is special above the root is no matter", async () => {
    root.write("{tenant}*/clips/old.mp4");
    await using _store = await open({ directory: root.path("{tenant}*/clips"), root: root.path("{tenant}*") });
    assert.deepEqual(fs.readdirSync(root.path("{tenant}*/clips")), [], heard.text());
  });

  for (const at of ["/", "home"])
    it(`S4.4 R2: a service that was started in ${at === "/" ? at : "a home directory"} cleans its clips`, () => {
      root.write("a/clips/old.mp4");
      const program = `
        import { ClipStore } from ${JSON.stringify(new URL("../../runtime/index.ts", import.meta.url).href)};
        const directory = ${JSON.stringify(root.path("a/clips"))};
        const store = await ClipStore.open({ directory, everyMinutes: 0, now: () => Date.now() + 7_200_000 });
        console.log(store.root);`;
      const cwd = at === "/" ? at : root.root;
      const env = { ...process.env, HOME: root.root, USERPROFILE: root.root };
      const printed = execFileSync(process.execPath, ["--input-type=module", "-e", program], { cwd, env, encoding: "utf8" });
      assert.equal(printed.trim().split("\n").at(-1), root.path("a"), printed);
      assert.deepEqual(fs.readdirSync(root.path("a/clips")), []);
    });

  it("S4.4 R2: a root that may not be one is told with the option that names it", async () => {
    await using store = await open({ root: "/" });
    assert.equal(await store.cleanupOldClips(), 0);
    assert.match(heard.text(), /error .*is the root of a filesystem; .*The option "root" names it/);
  });

  it("S4.4 R1: clips behind a link stay, and the directory to use is named", async () => {
    root.write("big/clips/old.mp4");
    fs.symlinkSync("big/clips", root.path("clips"));
    await using store = await open();
    assert.equal(await store.cleanupClip("old"), false);
    assert.deepEqual(root.files(), ["big/clips/old.mp4", "clips"]);
    for (const line of heard.of("error")) assert.ok(line.message.endsWith(root.path("big/clips")), line.message);
    await using _right = await open({ directory: root.path("big/clips") });
    assert.deepEqual(root.files(), ["clips"]);
  });

  it("R28: a directory that offcut.json calls finals is never cleaned", async () => {
    root.write("offcut.json", JSON.stringify({ stores: { films: { path: "clips/{id}.mp4", role: "final" } } }));
    root.write("clips/e1.mp4");
    await using store = await open();
    assert.equal(await store.cleanupClip("e1"), false);
    assert.equal(await store.cleanupOldClips(), 0);
    assert.deepEqual(clips(), ["clips/e1.mp4"]);
    assert.match(heard.text(), /has files in clips, too/);
  });

  for (const [role, template] of [
    ["final", "{kind}/{n}.mp4"],
    ["final", "clips/"],
    ["upload", "clips/{event}.mp4"],
    ["shared", "clips/keep-*"],
  ] as const)
    it(`R28 R35: files that may be of another store (${role}, ${template}) are none of the clips' business`, async () => {
      root.write("offcut.json", JSON.stringify({ stores: { other: { path: template, role } } }));
      root.write("clips/keep-1.mp4");
      await using store = await open({ maxBytes: 100, targetBytes: 10 });
      assert.equal(await store.cleanupOldClips(), 0);
      assert.equal(await store.cleanupClip("keep-1"), false);
      assert.deepEqual(clips(), ["clips/keep-1.mp4"]);
    });

  it("R29: a pinned store keeps also what is asked for by name", async () => {
    root.write("offcut.json", JSON.stringify({ stores: { mine: { path: "clips/{event}.mp4", role: "clip" } } }));
    root.write("clips/e1.mp4");
    addPin(root.root, { kind: "store", value: "mine", added: "" });
    await using store = await open();
    assert.equal(await store.cleanupClip("e1"), false);
    assert.deepEqual(clips(), ["clips/e1.mp4"]);
  });
});
