import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { canonicalKey, createResolver, ignoresCase, refusePath, resolveStored, spellingsOf } from "../../core/catalog/paths.ts";

describe("stored paths", () => {
  it("R8: what would have to be expanded, or is no path, is refused with a reason", () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ["", /empty/],
      ["a\0b", /NUL/],
      ["a/\uFFFD.mp4", /UTF-8/],
      ["~/x.mp4", /~/],
      ["~root/x.mp4", /~/],
      ["${CACHE}/x.mp4", /variable/],
      ["a/$HOME/x.mp4", /variable/],
      ["%TEMP%\\x.mp4", /variable/],
      ["a/%APP_DATA%/x.mp4", /variable/],
      ["https://cdn.example.org/x.mp4", /URL/],
      ["file:///x.mp4", /URL/],
      ["S3://bucket/x.mp4", /URL/],
      ["C:\\work\\x.mp4", /Windows/],
      ["C:/work/x.mp4", /Windows/],
      ["\\\\server\\share\\x.mp4", /Windows/],
    ];
    for (const [stored, expected] of cases) {
      if (process.platform === "win32" && expected.source === "Windows") continue;
      assert.match(refusePath(stored) ?? "", expected, JSON.stringify(stored));
    }
  });

  it("R8: what only looks like it is taken to the letter", () => {
    for (const stored of [
      "a/b.mp4",
      "/abs/b.mp4",
      "a b/ü.mp4",
      "100%.mp4",
      "50% of $5.mp4",
      "a/~b.mp4",
      "a$",
      "%d.mp4",
      "a:b.mp4",
      "*?[x].mp4",
      "..\\a.mp4",
      "-rf",
    ]) {
      assert.equal(refusePath(stored), undefined, stored);
    }
  });

  it("R11: relative, absolute and backslash paths of one file have one key; NFC and NFD too", () => {
    const key = canonicalKey("/ws/a/b/ü.mp4", false);
    for (const stored of ["a/b/ü.mp4", "./a/b/ü.mp4", "a//b/../b/ü.mp4", "/ws/a/b/ü.mp4", "a\\b\\ü.mp4", "a/b/u\u0308.mp4"]) {
      assert.equal(canonicalKey(resolveStored(stored, "/ws"), false), key, stored);
    }
    assert.notEqual(canonicalKey("/ws/a/B/ü.mp4", false), key);
    assert.equal(canonicalKey("/ws/a/B/Ü.mp4", true), key);
  });

  it("R11: backslashes beside slashes are read both ways", () => {
    assert.deepEqual(spellingsOf("a\\b/c.mp4"), ["a\\b/c.mp4", "a/b/c.mp4"]);
    assert.deepEqual(spellingsOf("a/b.mp4"), ["a/b.mp4"]);
  });

  it("R11: a key is its own key", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.boolean(), (name, folded) => {
        const key = canonicalKey(join("/x", name), folded);
        assert.equal(canonicalKey(key, folded), key);
      }),
      { numRuns: 500 },
    );
  });

  it("R11: links in the directories of a path are resolved, the file itself is not", () => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "offcut-paths-")));
    try {
      mkdirSync(join(root, "real/deep"), { recursive: true });
      symlinkSync("real", join(root, "link"));
      symlinkSync("nothing", join(root, "real/deep/file"));
      const resolve = createResolver();
      assert.equal(resolve(join(root, "link/deep/file")), join(root, "real/deep/file"));
      assert.equal(resolve(join(root, "link/deep/not-there")), join(root, "real/deep/not-there"));
      assert.equal(resolve(join(root, "missing/x")), join(root, "missing/x"));
      assert.equal(ignoresCase(root), process.platform === "win32" || process.platform === "darwin");
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
