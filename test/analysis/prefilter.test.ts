import assert from "node:assert/strict";
import fc from "fast-check";
import { openSources } from "../../core/analysis/scan.ts";
import { createPrefilter } from "../../core/analysis/typescript/prefilter.ts";
import { empty, plant, withTree } from "./sourceTree.ts";

describe("prefilter", () => {
  it("finds tokens wherever they stand, those that overlap or contain each other, too", () => {
    const tokens = ["ffmpeg", "fluent-ffmpeg", ".upload(", "upload", "@aws-sdk/client-s3", "größe", "sdk"];
    const tree = {
      "a.ts": 'import ffmpeg from "fluent-ffmpeg";',
      "b.ts": "storage.upload(path)",
      "c.ts": 'import "@aws-sdk/client-s3"; // größe',
      "d.ts": "uploa d FFMPEG",
      "e.ts": "",
      "f.ts": Buffer.from("\uFEFFrunFfmpeg(ffmpegPath)", "utf16le"),
    };
    withTree(tree, (root) => {
      const prefilter = createPrefilter(openSources(root), tokens);
      const found = Object.keys(tree).map((file) => [file, [...prefilter.tokensOf(file)].sort()]);
      assert.deepEqual(found, [
        ["a.ts", ["ffmpeg", "fluent-ffmpeg"]],
        ["b.ts", [".upload(", "upload"]],
        ["c.ts", ["@aws-sdk/client-s3", "größe", "sdk"]],
        ["d.ts", []],
        ["e.ts", []],
        ["f.ts", ["ffmpeg"]],
      ]);
      assert.deepEqual(prefilter.candidates(), ["a.ts", "b.ts", "c.ts", "f.ts"]);
    });
  });

  it("finds words only where they are whole", () => {
    const tree = {
      "a.ts": "await saveVideo(path)",
      "b.ts": "saveVideos(); resaveVideo(); $saveVideo; saveVideo2; _saveVideo",
      "c.ts": 'object["saveVideo"]',
      "d.ts": "ésaveVideo; saveVideoé; saveVideo𝒜",
      "e.ts": "«saveVideo»",
      "f.ts": "/* saveVideo */",
      "g.ts": "const größe = 1",
    };
    withTree(tree, (root) => {
      const prefilter = createPrefilter(openSources(root), []);
      assert.deepEqual(prefilter.filesContaining(["saveVideo"]), ["a.ts", "c.ts", "e.ts", "f.ts"]);
      assert.deepEqual(prefilter.filesContaining(["größe", "saveVideo2", ""]), ["b.ts", "g.ts"]);
      assert.deepEqual(prefilter.filesContaining(["gr", "e", "Video"]), []);
      assert.deepEqual(prefilter.filesContaining([]), []);
      assert.deepEqual(prefilter.candidates(), []);
    });
  });

  it("marks imports of directories without a name and files that pass exports on", () => {
    const tree = {
      "a.ts": 'import { a } from "..";',
      "b.ts": "require('../../')",
      "c.ts": "import('.')",
      "d.ts": 'import { a } from "../a";',
      "e.ts": 'export * from "./a";',
      "f.ts": 'module.exports = require("./a");',
      "g.ts": "export const a = 1;",
    };
    withTree(tree, (root) => {
      const prefilter = createPrefilter(openSources(root), []);
      const files = Object.keys(tree);
      assert.deepEqual(
        files.filter((file) => prefilter.importsUnnamed(file)),
        ["a.ts", "b.ts", "c.ts"],
      );
      assert.deepEqual(
        files.filter((file) => prefilter.passesOn(file)),
        ["e.ts", "f.ts"],
      );
    });
  });

  it("follows edits, overlays and the disk", () => {
    withTree({ "a.ts": "", "b.ts": "ffmpeg" }, (root) => {
      const sources = openSources(root);
      const prefilter = createPrefilter(sources, ["ffmpeg"]);
      assert.deepEqual(prefilter.candidates(), ["b.ts"]);
      sources.setText("a.ts", "ffmpeg");
      sources.setText("b.ts", "wrapper");
      assert.deepEqual(prefilter.candidates(), ["a.ts"]);
      assert.deepEqual(prefilter.filesContaining(["wrapper"]), ["b.ts"]);
      sources.setText("a.ts", undefined);
      sources.setText("b.ts", undefined);
      plant(root, "a.ts", "ffmpeg and more");
      plant(root, "c.ts", "ffmpeg");
      sources.changed(["a.ts", "c.ts"]);
      assert.deepEqual(prefilter.candidates(), ["a.ts", "b.ts", "c.ts"]);
    });
  });

  it("reports progress and stops when it is aborted", () => {
    withTree(empty("a.ts", "b.ts"), (root) => {
      const seen: string[] = [];
      const controller = new AbortController();
      const prefilter = createPrefilter(openSources(root), ["x"]);
      const onFile = (done: number, total: number): void => {
        seen.push(`${done}/${total}`);
        if (done === 1) controller.abort(new Error("enough"));
      };
      assert.throws(() => prefilter.candidates({ signal: controller.signal, onFile }), /enough/);
      assert.deepEqual(seen, ["1/2"]);
    });
  });

  it("finds exactly what a plain search finds", () => {
    const character = fc.constantFrom("a", "b", "a", "b", "A", "_", "$", "1", ".", "(", " ", "\n", "é", "𝒜", "-", "\uFFFD");
    const text = fc.string({ unit: character, maxLength: 60 });
    const token = fc.string({ unit: character, minLength: 1, maxLength: 4 });
    withTree({ "a.ts": "" }, (root) => {
      const sources = openSources(root);
      const property = fc.property(fc.array(token, { maxLength: 6 }), token, text, (tokens, word, content) => {
        sources.setText("a.ts", content);
        const prefilter = createPrefilter(sources, tokens);
        assert.deepEqual(new Set(prefilter.tokensOf("a.ts")), new Set(tokens.filter((token) => content.includes(token))));
        const escaped = word.replace(/[$.()]/g, "\\$&");
        const whole = new RegExp(`(?<![\\p{ID_Continue}$])${escaped}(?![\\p{ID_Continue}$])`, "u").test(content);
        assert.deepEqual(prefilter.filesContaining([word]), whole ? ["a.ts"] : []);
        if (whole) assert.equal(prefilter.mayContain("a.ts", word), true);
      });
      fc.assert(property, { numRuns: 2000 });
    });
  });

  it("lets few files through that do not contain a word", () => {
    const words = Array.from({ length: 4000 }, (_, index) => `word${index * 7919}x`);
    const tree = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`${index}.ts`, words.slice(index * 100, index * 100 + 100).join("(value, other);\n")]),
    );
    withTree(tree, (root) => {
      const sources = openSources(root);
      const prefilter = createPrefilter(sources, []);
      let wrong = 0;
      for (const [index, word] of words.entries()) {
        for (const file of sources.files()) {
          const contains = file === `${Math.floor(index / 100)}.ts`;
          const may = prefilter.mayContain(file, word);
          if (contains) assert.equal(may, true);
          else if (may) wrong++;
        }
      }
      assert.ok(wrong / (words.length * 39) < 0.05, `${wrong} wrong answers`);
    });
  });
});
