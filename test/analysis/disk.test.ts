import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import fc from "fast-check";
import { type DiskOptions, filesOf, makersOf } from "../../core/analysis/disk.ts";
import type { PathTemplate } from "../../core/analysis/finding.ts";
import { storeAt, plant, withTree } from "../scan/collect.ts";

/** `workspace` unless the text names another base: `tmp:render-{}`. */
function template(text: string): PathTemplate {
  const [, base = "workspace", rest = text] = /^(tmp|absolute|unknown):(.*)$/s.exec(text) ?? [];
  return { base: base as PathTemplate["base"], text: rest };
}

/** What a template finds, relative to the root and sorted. */
async function found(root: string, text: string, options: DiskOptions = {}): Promise<readonly string[]> {
  const { paths, files } = await filesOf(root, template(text), { limit: 1000, ...options });
  assert.equal(files, paths.length);
  return paths.map((path) => relative(root, path));
}

/** A new directory among the temporary files, outside of the workspace. */
async function withTemporary(prefix: string, body: (directory: string) => Promise<void>): Promise<void> {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), prefix)));
  try {
    await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Nothing is unreadable for the superuser, so the body runs as somebody else then. */
async function asNobody(body: () => Promise<void>, root: string): Promise<void> {
  if (process.geteuid?.() !== 0) return body();
  chmodSync(root, 0o777);
  process.seteuid?.(65_534);
  try {
    await body();
  } finally {
    process.seteuid?.(0);
  }
}

describe("filesOf", () => {
  it("matches fixed text exactly and a hole within its part", () =>
    withTree(async (root) => {
      const dir = ".cache/videos/p1";
      plant(root, `${dir}/scene-1-source.mp4`, `${dir}/scene-22-source.mp4`, `${dir}/scene--source.mp4`);
      plant(root, `${dir}/scene-1-Source.mp4`, `${dir}/Scene-1-source.mp4`, `${dir}/scene-1-source.mp4.part`, `${dir}/xscene-1-source.mp4`);
      plant(root, `${dir}/scene-1/x-source.mp4`, `.cache/Videos/p1/scene-1-source.mp4`, `${dir}/scene-source.mp4`);
      assert.deepEqual(await found(root, ".cache/videos/{}/scene-{}-source.mp4"), [
        `${dir}/scene--source.mp4`,
        `${dir}/scene-1-source.mp4`,
        `${dir}/scene-22-source.mp4`,
      ]);
    }));

  it("finds one plain path, with . and .. in it", () =>
    withTree(async (root) => {
      plant(root, "out/final.mp4", "out/other.mp4");
      assert.deepEqual(await found(root, "./build/../out/./final.mp4"), ["out/final.mp4"]);
      assert.deepEqual(await found(root, "out/{}/../final.mp4"), ["out/final.mp4"]);
    }));

  it("counts what a file holds, not what it occupies", () =>
    withTree(async (root) => {
      plant(root, "out/");
      writeFileSync(join(root, "out/a.bin"), Buffer.alloc(12_345));
      writeFileSync(join(root, "out/b.bin"), "");
      assert.deepEqual(await filesOf(root, template("out/{}.bin")), { files: 2, bytes: 12_345, paths: [] });
    }));

  it("takes everything below a directory that the whole template matches", () =>
    withTree(async (root) => {
      plant(root, "work/a/1.ts", "work/a/deep/2.ts", "work/b.ts", "other/c.ts", "frames-1/x.png", "frames-1/y/z.png", "frame/x.png");
      const all = ["work/a/1.ts", "work/a/deep/2.ts", "work/b.ts"];
      assert.deepEqual(await found(root, "work/{}"), all);
      assert.deepEqual(await found(root, "work/{}{}"), all);
      assert.deepEqual(await found(root, "work"), all);
      assert.deepEqual(await found(root, "frames-{}"), ["frames-1/x.png", "frames-1/y/z.png"]);
    }));

  it("matches several holes in one name wherever they can lie", () =>
    withTree(async (root) => {
      plant(root, "o/a-b-c-d.mp4", "o/a-b.mp4", "o/ab-c.mp4", "o/aXbXbXc", "o/ab", "o/aab");
      assert.deepEqual(await found(root, "o/{}-{}-{}.mp4"), ["o/a-b-c-d.mp4"]);
      assert.deepEqual(await found(root, "o/a{}b{}c"), ["o/aXbXbXc"]);
      assert.deepEqual(await found(root, "o/a{}aab"), []);
      assert.deepEqual(await found(root, "o/a{}ab"), ["o/aab"]);
      const many = `${"{}a".repeat(40)}{}b`;
      plant(root, `o/${"a".repeat(200)}`);
      assert.deepEqual(await found(root, `o/${many}`), []);
    }));

  it("takes names as they are: spaces, brackets, Unicode, regular expressions", () =>
    withTree(async (root) => {
      const names = ["a b.mp4", "[1].mp4", "(x)+.mp4", "ä ö.mp4", "🎬.mp4", "$1.mp4", "a.b.mp4", "a\\b.mp4", "new\nline.mp4", "{x}.mp4"];
      plant(root, ...names.map((name) => `my [files]/${name}`));
      for (const name of names) assert.deepEqual(await found(root, `my [files]/${name}`), [`my [files]/${name}`]);
      assert.equal((await found(root, "my [files]/{}.mp4")).length, names.length);
      assert.deepEqual(await found(root, "my [files]/[{}].mp4"), ["my [files]/[1].mp4"]);
    }));

  it("follows no link, whether of a file or of a directory", () =>
    withTree(async (root) => {
      plant(root, "real/a.mp4", "real/b.mp4", "out/c.mp4");
      symlinkSync(join(root, "real"), join(root, "linked"));
      symlinkSync(join(root, "real"), join(root, "out/linked"));
      symlinkSync(join(root, "real/a.mp4"), join(root, "out/a.mp4"));
      symlinkSync(join(root, "nowhere"), join(root, "out/broken.mp4"));
      assert.deepEqual(await found(root, "linked/{}.mp4"), []);
      assert.deepEqual(await found(root, "linked/a.mp4"), []);
      assert.deepEqual(await found(root, "out/{}"), ["out/c.mp4"]);
    }));

  it("never enters packages, version control or held files", () =>
    withTree(async (root) => {
      plant(root, "out/a.mp4", "out/node_modules/a.mp4", "out/.git/a.mp4", "out/.offcut/a.mp4", "node_modules/.cache/a.mp4");
      assert.deepEqual(await found(root, "out/{}"), ["out/a.mp4"]);
      assert.deepEqual(await found(root, "node_modules/.cache/{}.mp4"), []);
    }));

  it("looks only at the directory that the template names", () =>
    withTree((root) =>
      asNobody(async () => {
        plant(root, "out/a.mp4", "secret/a.mp4");
        chmodSync(join(root, "secret"), 0);
        try {
          // With the other directory there would have been something that cannot be read.
          assert.deepEqual(await filesOf(root, template("out/{}.mp4")), { files: 1, bytes: 9, paths: [] });
        } finally {
          chmodSync(join(root, "secret"), 0o700);
        }
      }, root),
    ));

  it("matches nothing where the template says too little", () =>
    withTree(async (root) => {
      plant(root, "a.mp4", "dir/a.mp4", "dir/video.mp4");
      for (const text of ["{}", "./{}", "{}.mp4", "{}/{}", "{}/a.mp4", "", ".", "/", "..", "{}/video.mp4"])
        assert.deepEqual(await found(root, text), [], text);
      for (const text of [
        "tmp:{}",
        "tmp:{}.mp4",
        "tmp:",
        "absolute:/",
        "absolute:/{}",
        "absolute:/{}/a.mp4",
        "unknown:{}",
        "unknown:{}/a.mp4",
      ])
        assert.deepEqual(await found(root, text), [], text);
      assert.deepEqual(await found(root, `absolute:${tmpdir()}/{}`), []);
    }));

  it("does not count the home, the workspace or all temporary files as left behind", () =>
    withTree(async (root) => {
      plant(root, "a.mp4");
      const parent = join(root, "..");
      for (const text of [
        `absolute:${root}`,
        `absolute:${parent}/{}`,
        `absolute:${parent}`,
        `../${basename(root)}`,
        "absolute:/usr",
        "absolute:/usr/lib",
      ])
        assert.equal((await filesOf(root, template(text))).files, 0, text);
    }));

  it("finds temporary files by the start of their name, whichever way they are written", () =>
    withTree((root) =>
      withTemporary("offcut-disk-", async (directory) => {
        plant(directory, "audio.wav", "sub/video.mp4");
        const name = basename(directory);
        const all = [join(directory, "audio.wav"), join(directory, "sub/video.mp4")];
        for (const text of [`tmp:${name}`, `tmp:${name}/{}`, `tmp:offcut-disk-${name.slice(12, 16)}{}`, `absolute:${tmpdir()}/${name}/{}`])
          assert.deepEqual((await filesOf(root, template(text), { limit: 9 })).paths, all, text);
        assert.deepEqual((await filesOf(root, template(`tmp:${name}/audio.wav`), { limit: 9 })).paths, [all[0]]);
        assert.deepEqual(await filesOf(root, template(`tmp:${name}/{}`), { outside: false }), { files: 0, bytes: 0, paths: [] });
      }),
    ));

  it("finds relative paths that lead out of the workspace, and absolute ones that lead into it", () =>
    withTree(async (root) => {
      plant(root, "app/out/a.mp4", "shared/media/b.mp4");
      const app = join(root, "app");
      assert.deepEqual(await found(app, "../shared/media/{}.mp4"), ["../shared/media/b.mp4"]);
      assert.deepEqual(await found(app, `absolute:${app}/out/{}.mp4`, { outside: false }), ["out/a.mp4"]);
      assert.deepEqual(await found(app, `${"../".repeat(99)}etc/{}`), []);
    }));

  it("finds a path with an unknown start among the files of the stores, and nowhere else", () =>
    withTree(async (root) => {
      plant(
        root,
        "media/videos/p1/scene-1.mp4",
        "media/videos/p2/scene-2.mp4",
        "backup/videos/p1/scene-3.mp4",
        "media/audio/p1/scene-4.mp3",
      );
      const stores = [storeAt(root, "videos", "media/videos/{project}/scene-{n}.mp4"), storeAt(root, "audio", "media/audio/{project}/")];
      const videos = ["media/videos/p1/scene-1.mp4", "media/videos/p2/scene-2.mp4"];
      assert.deepEqual(await found(root, "unknown:{}/videos/{}/scene-{}.mp4", { stores }), videos);
      assert.deepEqual(await found(root, "unknown:videos/{}/scene-{}.mp4", { stores }), videos);
      assert.deepEqual(await found(root, "{}/videos/{}/scene-{}.mp4", { stores }), videos);
      assert.deepEqual(await found(root, "unknown:{}/videos/{}/scene-{}.mp4"), []);
      // One directory and a name of its own, or two directories.
      assert.deepEqual(await found(root, "unknown:{}/media/videos/{}.mp4", { stores }), []);
      assert.deepEqual(await found(root, "unknown:{}/media/audio/{}", { stores }), ["media/audio/p1/scene-4.mp3"]);
      assert.deepEqual(await found(root, "unknown:{}/scene-{}.mp4", { stores }), []);
      assert.deepEqual(await found(root, "unknown:{}/videos/{}.mp4", { stores }), []);
      // The directories that lead to the workspace say nothing about its files.
      const [parent = "", name = ""] = root.split("/").slice(-2);
      assert.deepEqual(await found(root, `unknown:{}/${parent}/${name}`, { stores }), []);
    }));

  it("searches stores outside the workspace only when it may", () =>
    withTree(async (root) => {
      plant(root, "app/", "far/videos/p1/scene-1.mp4");
      const stores = [storeAt(join(root, "far"), "far", "videos/{project}/")];
      const text = "unknown:{}/videos/{}/scene-{}.mp4";
      assert.deepEqual(await found(join(root, "app"), text, { stores }), ["../far/videos/p1/scene-1.mp4"]);
      assert.deepEqual(await found(join(root, "app"), text, { stores, outside: false }), []);
    }));

  it("says that there may be more when a directory cannot be read", () =>
    withTree((root) =>
      asNobody(async () => {
        plant(root, "out/p1/a.mp4", "out/p2/b.mp4", "out/p3/c.mp4");
        chmodSync(join(root, "out/p2"), 0);
        // Its names can be listed, but nothing can be learnt of them.
        chmodSync(join(root, "out/p3"), 0o400);
        try {
          const some = { files: 1, bytes: 12, atLeast: true, paths: [] };
          assert.deepEqual(await filesOf(root, template("out/p2/{}.mp4")), { ...some, files: 0, bytes: 0 });
          assert.deepEqual(await filesOf(root, template("out/{}/{}.mp4")), some);
          assert.deepEqual(await filesOf(root, template("out/{}/c.mp4")), { files: 0, bytes: 0, atLeast: true, paths: [] });
        } finally {
          for (const name of ["p2", "p3"]) chmodSync(join(root, "out", name), 0o700);
        }
      }, root),
    ));

  it("says that there may be more when its limits end the search", () =>
    withTree(async (root) => {
      plant(root, ...Array.from({ length: 30 }, (_, i) => `out/p${i}/a.mp4`));
      const some = await filesOf(root, template("out/{}/a.mp4"), { names: 5 });
      assert.equal(some.atLeast, true);
      const none = await filesOf(root, template("out/{}/a.mp4"), { milliseconds: -1 });
      assert.deepEqual(none, { files: 0, bytes: 0, atLeast: true, paths: [] });
      const all = await filesOf(root, template("out/{}/a.mp4"), { limit: 7 });
      assert.deepEqual([all.files, all.atLeast, all.paths.length], [30, undefined, 7]);
    }));

  it("stops with the signal's reason", () =>
    withTree(async (root) => {
      plant(root, "out/a.mp4");
      const reason = new Error("enough");
      await assert.rejects(filesOf(root, template("out/{}"), { signal: AbortSignal.abort(reason) }), reason);
      const controller = new AbortController();
      plant(root, ...Array.from({ length: 2000 }, (_, i) => `out/${i}/a`));
      const searching = filesOf(root, template("out/{}"), { signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(searching, reason);
    }));

  it("counts 10,000 files in a moment, and the event loop has its turns", function () {
    this.timeout(60_000);
    return withTree(async (root) => {
      for (let project = 0; project < 10; project++) {
        mkdirSync(join(root, `out/${project}`), { recursive: true });
        for (let i = 0; i < 1000; i++) writeFileSync(join(root, `out/${project}/scene-${i}.mp4`), "12345");
      }
      let turns = 0;
      const timer = setInterval(() => turns++, 1);
      const result = await filesOf(root, template("out/{}/scene-{}.mp4"), { milliseconds: 30_000 });
      clearInterval(timer);
      assert.deepEqual(result, { files: 10_000, bytes: 50_000, paths: [] });
      assert.ok(turns > 0);
    });
  });

  it("contains the path that a template was made from by punching holes", () => {
    const name = fc
      .string({ unit: fc.constantFrom("a", "B", "7", "-", ".", " ", "é", "[", "(", "{", "}", "$", "*", "🎬"), minLength: 1, maxLength: 8 })
      .filter((text) => !/^\.+$/.test(text) && text !== "node_modules");
    const holes = fc.array(fc.tuple(fc.nat(40), fc.nat(6)), { maxLength: 5 });
    return fc.assert(
      fc.asyncProperty(fc.array(name, { minLength: 1, maxLength: 3 }), holes, fc.boolean(), (names, cuts, whole) =>
        withTree(async (root) => {
          const path = ["fixed", ...names].join("/");
          plant(root, path);
          const parts = names.map((part, i) => {
            let text = part;
            for (const [at, length] of cuts) {
              const start = (at + i) % (text.length + 1);
              if (!/[{}]/.test(text)) text = `${text.slice(0, start)}{}${text.slice(start + length)}`;
            }
            return text;
          });
          if (whole) parts[parts.length - 1] = "{}";
          const text = ["fixed", ...parts].join("/");
          assert.deepEqual(await found(root, text), [path], text);
          const range = { start: { line: 1, column: 1 }, end: { line: 1, column: 2 } };
          const site = { kind: "write", file: "a.ts", range, callee: "f", paths: [template(text)], state: "unknown" } as const;
          assert.deepEqual(makersOf([site], path, root), [site], text);
        }),
      ),
      { numRuns: 200 },
    );
  });
});
