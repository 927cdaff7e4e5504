import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { linkSync, lstatSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { plant, storeAt, walk, withTree } from "./collect.ts";

const MODES = [
  { mode: "on one thread", options: { workers: 0 } },
  { mode: "with workers", options: { workers: 2 } },
] as const;

for (const { mode, options } of MODES) {
  describe(`walkStores ${mode}`, () => {
    it("finds what the templates match and nothing else", () =>
      withTree(async (root) => {
        plant(
          root,
          ".cache/audio/p1/scene-1.mp3",
          ".cache/audio/p1/scene-1.wav",
          ".cache/audio/p1/deep/scene-2.mp3",
          ".cache/audio/scene-3.mp3",
        );
        plant(
          root,
          ".cache/assembly/p1/list.txt",
          ".cache/assembly/p1/parts/a/0.ts",
          ".cache/assembly/stray.txt",
          "elsewhere/p1/scene-1.mp3",
        );
        const stores = [
          storeAt(root, "audio", ".cache/audio/{project}/scene-{n}.mp3"),
          storeAt(root, "assembly", ".cache/assembly/{project}/", "temp"),
        ];
        const { found, problems } = await walk(stores, options);
        assert.deepEqual(found, [
          "assembly .cache/assembly/p1/list.txt",
          "assembly .cache/assembly/p1/parts/a/0.ts",
          "audio .cache/audio/p1/scene-1.mp3",
        ]);
        assert.deepEqual(problems, []);
      }));

    it("tells of each file what lstat tells", () =>
      withTree(async (root) => {
        plant(root, "out/p1/final.mp4");
        writeFileSync(join(root, "out/p1/final.mp4"), Buffer.alloc(10_000, 1));
        linkSync(join(root, "out/p1/final.mp4"), join(root, "out/second-name"));
        const { files } = await walk([storeAt(root, "final", "out/{project}/final.mp4", "final")], options);
        const stats = lstatSync(join(root, "out/p1/final.mp4"));
        assert.deepEqual(files, [
          {
            store: "final",
            root,
            path: "out/p1/final.mp4",
            bytes: 10_000,
            allocated: stats.blocks * 512,
            mtimeMs: stats.mtimeMs,
            ctimeMs: stats.ctimeMs,
            dev: stats.dev,
            ino: stats.ino,
            links: 2,
            type: "file",
          },
        ]);
      }));

    it("gives a file that several stores match to the final one, else to the first", () =>
      withTree(async (root) => {
        plant(root, "out/p1/final.mp4", "out/p1/other.mp4");
        const stores = [
          storeAt(root, "all", "out/{project}/"),
          storeAt(root, "videos", "out/{project}/*.mp4"),
          storeAt(root, "final", "out/{project}/final.mp4", "final"),
        ];
        assert.deepEqual((await walk(stores, options)).found, ["all out/p1/other.mp4", "final out/p1/final.mp4"]);
      }));

    it("gives a file that stores of overlapping roots match to the final one, once", () =>
      withTree(async (root) => {
        plant(root, "data/out/p1/final.mp4", "data/out/p1/a.mp4");
        const outer = storeAt(root, "outer", "data/out/{project}/");
        const inner = storeAt(join(root, "data"), "inner", "out/{project}/final.mp4", "final");
        for (const stores of [
          [outer, inner],
          [inner, outer],
        ]) {
          assert.deepEqual((await walk(stores, options)).found, ["inner out/p1/final.mp4", "outer data/out/p1/a.mp4"]);
        }
      }));

    it("insists that a placeholder that comes twice has one value", () =>
      withTree(async (root) => {
        plant(root, "out/p1/p1.mp4", "out/p1/p2.mp4");
        assert.deepEqual((await walk([storeAt(root, "own", "out/{project}/{project}.mp4")], options)).found, ["own out/p1/p1.mp4"]);
      }));

    it("takes names with spaces, newlines, quotes and letters of all scripts", () =>
      withTree(async (root) => {
        const names = [
          "a b.mp4",
          "line\nbreak.mp4",
          'it\'s "quoted".mp4',
          "日本語 – ünïcode 🎬.mp4",
          "-rf.mp4",
          "back\\slash.mp4",
          "*.mp4",
        ];
        plant(root, ...names.map((name) => `out/p1/${name}`));
        assert.deepEqual(
          (await walk([storeAt(root, "s", "out/{project}/*")], options)).found,
          names.map((name) => `s out/p1/${name}`).sort(),
        );
      }));

    it("reports a name that is not UTF-8 and leaves it alone", () =>
      withTree(async (root) => {
        plant(root, "out/p1/good.mp4");
        writeFileSync(Buffer.concat([Buffer.from(join(root, "out/p1/bad-")), Buffer.from([0xff, 0xfe]), Buffer.from(".mp4")]), "x");
        const { found, problems } = await walk([storeAt(root, "s", "out/{project}/")], options);
        assert.deepEqual(found, ["s out/p1/good.mp4"]);
        assert.equal(problems.length, 1);
        assert.match(problems[0]?.message ?? "", /not valid UTF-8/);
        assert.match(problems[0]?.source ?? "", /out\/p1\/bad-/);
      }));

    it("R5: reports links, sockets and FIFOs at a matching place as what they are", () =>
      withTree(async (root) => {
        plant(root, "out/p1/real.mp4", "secret.txt");
        symlinkSync(join(root, "secret.txt"), join(root, "out/p1/link.mp4"));
        symlinkSync(root, join(root, "out/p1/loop.mp4"));
        execFileSync("mkfifo", [join(root, "out/p1/fifo.mp4")]);
        const server = createServer();
        await new Promise<void>((resolve) => server.listen(join(root, "out/p1/socket.mp4"), resolve));
        try {
          const { files } = await walk([storeAt(root, "s", "out/{project}/{name}.mp4")], options);
          const types = Object.fromEntries(files.map((file) => [file.path.slice("out/p1/".length), file.type]));
          assert.deepEqual(types, {
            "real.mp4": "file",
            "link.mp4": "link",
            "loop.mp4": "link",
            "fifo.mp4": "other",
            "socket.mp4": "other",
          });
          assert.equal(files.find((file) => file.path.endsWith("link.mp4"))?.ino, lstatSync(join(root, "out/p1/link.mp4")).ino);
        } finally {
          server.close();
        }
      }));

    it("R1: never enters a linked directory, in the fixed prefix nor below a placeholder, and names it once", () =>
      withTree(async (root) => {
        plant(root, "elsewhere/p1/a.mp4", "real/a.mp4", "out/");
        symlinkSync(join(root, "elsewhere"), join(root, "linked"));
        symlinkSync(join(root, "real"), join(root, "out/p1"));
        const stores = [
          storeAt(root, "prefix", "linked/{project}/a.mp4"),
          storeAt(root, "open", "out/{project}/a.mp4"),
          storeAt(root, "deep", "linked/p1/"),
        ];
        const { found, problems } = await walk(stores, options);
        assert.deepEqual(found, []);
        assert.deepEqual(problems.map((problem) => [problem.severity, problem.source]).sort(), [
          ["warning", join(root, "linked")],
          ["warning", join(root, "out/p1")],
        ]);
      }));

    it("R2: refuses a root that is a link", () =>
      withTree(async (root) => {
        plant(root, "real/out/p1/a.mp4");
        symlinkSync(join(root, "real"), join(root, "root"));
        const { found, problems } = await walk([storeAt(join(root, "root"), "s", "out/{project}/a.mp4")], options);
        assert.deepEqual(found, []);
        assert.deepEqual(
          problems.map((problem) => [problem.severity, problem.source]),
          [["error", join(root, "root")]],
        );
      }));

    it("R7: a store that takes everything leaves repositories alone; one that names its files does not care", () =>
      withTree(async (root) => {
        plant(
          root,
          "work/p1/a.txt",
          "work/p1/checkout/.git/HEAD",
          "work/p1/checkout/src/index.ts",
          "work/p2/tree/.git",
          "work/p2/tree/b.txt",
        );
        const { found, problems } = await walk(
          [storeAt(root, "deep", "work/{project}/"), storeAt(root, "named", "work/{project}/tree/b.txt")],
          options,
        );
        assert.deepEqual(found, ["deep work/p1/a.txt", "named work/p2/tree/b.txt"]);
        assert.deepEqual(problems.map((problem) => problem.source).sort(), [join(root, "work/p1/checkout"), join(root, "work/p2/tree")]);
        assert.match(problems[0]?.message ?? "", /R7/);
      }));

    it("R65: never enters .offcut, nor a store that is told to", () =>
      withTree(async (root) => {
        plant(root, "work/p1/.offcut/holds/r1/a.mp4", "work/p1/a.mp4", ".offcut/holds/p1/a.mp4");
        const { found, problems } = await walk(
          [storeAt(root, "deep", "work/{project}/"), storeAt(root, "holds", ".offcut/holds/{project}/")],
          options,
        );
        assert.deepEqual(found, ["deep work/p1/a.mp4"]);
        assert.deepEqual(
          problems.map((problem) => problem.source),
          ["holds"],
        );
      }));

    it("is silent about a missing prefix, and calls a missing root or a file as root an error", () =>
      withTree(async (root) => {
        plant(root, "file");
        const stores = [
          storeAt(root, "a", "none/{project}/a.mp4"),
          storeAt(join(root, "gone"), "b", "x/{p}/y"),
          storeAt(join(root, "file"), "c", "x/{p}/y"),
        ];
        const { found, problems } = await walk(stores, options);
        assert.deepEqual(found, []);
        assert.deepEqual(problems.map((problem) => [problem.severity, problem.source]).sort(), [
          ["error", join(root, "file")],
          ["error", join(root, "gone")],
        ]);
      }));

    it("shares one huge directory among tasks without losing or doubling a name", () =>
      withTree(async (root) => {
        const names = Array.from({ length: 5_000 }, (_, i) => `clips/e${i}.mp4`);
        plant(root, ...names, "clips/other.txt");
        const { found } = await walk([storeAt(root, "clips", "clips/{event}.mp4", "clip")], options);
        assert.deepEqual(found, names.map((name) => `clips ${name}`).sort());
      }));
  }).timeout(30_000);
}

describe("walkStores", () => {
  it("refuses a root that is not absolute", async () => {
    await assert.rejects(walk([storeAt("relative", "s", "a/{b}/c")]), TypeError);
  });

  it("finds nothing for no stores (R21)", async () => {
    assert.deepEqual(await walk([]), { files: [], problems: [], found: [] });
  });

  it("tells its progress, at the end with the full figures", () =>
    withTree(async (root) => {
      plant(root, "out/p1/a.mp4", "out/p2/b.mp4", "out/p2/no.txt");
      const seen: unknown[] = [];
      await walk([storeAt(root, "s", "out/{project}/{f}.mp4")], { onProgress: (progress) => seen.push(progress) });
      assert.deepEqual(seen.at(-1), { files: 2, directories: 3, bytes: "out/p1/a.mp4".length * 2 });
    }));
});
