import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { ConfigError } from "../../core/config/config.ts";
import { parseDocument } from "../../core/config/document.ts";
import { findConfigFile } from "../../core/config/file.ts";
import { loadConfig } from "../../core/config/load.ts";
import { readYaml } from "../../core/config/yaml.ts";

describe("offcut.yaml", () => {
  const parse = (text: string): unknown => parseDocument(text, "offcut.yaml").value;

  it("means what the same settings mean in JSON", () => {
    const text = [
      "# LangFlix-like",
      "preset: job-manifests",
      "jobs: { lease: 90s }",
      "stores:",
      "  slides: &temporary",
      "    path: work/{job}/slides/",
      '    role: "temp"',
      "  subtitles: false",
      "policy:",
      "  retention: '2d'",
      "  preserveOnFailure: true",
      "  fileTypes: [slides, expressions]",
      "  brake:",
      "    share: 0.25",
      "    files: 5000",
      "",
    ].join("\n");
    assert.deepEqual(parse(text), {
      preset: "job-manifests",
      jobs: { lease: "90s" },
      stores: { slides: { path: "work/{job}/slides/", role: "temp" }, subtitles: false },
      policy: {
        retention: "2d",
        preserveOnFailure: true,
        fileTypes: ["slides", "expressions"],
        brake: { share: 0.25, files: 5000 },
      },
    });
  });

  it("reads every JSON text as JSON does", () => {
    // A key `<<` is refused and keys twice are no JSON that a program writes; the rest is one language within the other.
    const plain = fc.jsonValue({ maxDepth: 3 }).filter((value) => !JSON.stringify(value).includes('"<<":') && value !== null);
    fc.assert(
      fc.property(plain, fc.constantFrom(undefined, 1, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        assert.equal(JSON.stringify(parse(text)), JSON.stringify(JSON.parse(text)));
      }),
      { numRuns: 300 },
    );
  });

  it("a byte order mark, CRLF, comments, a document's own markers and long texts are fine", () => {
    assert.deepEqual(parse("\uFEFF---\r\n# x\r\na: >-\r\n  SELECT id,\r\n  status\r\nb: |\r\n  x\r\n...\r\n"), {
      a: "SELECT id, status",
      b: "x\n",
    });
  });

  it("anchors repeat what they name", () => {
    assert.deepEqual(parse("a: &x { b: 1 }\nc: *x\nd: [*x, *x]"), { a: { b: 1 }, c: { b: 1 }, d: [{ b: 1 }, { b: 1 }] });
  });

  it("tells the line of every value, and of the nearest that exists", () => {
    const document = parseDocument(
      "\uFEFF# x\r\nstores:\r\n  a: &a\r\n    path: x\r\n    role: temp\r\n  b: *a\r\n  c:\r\n    - 1\r\n    - k: 2\r\n'1': x\r\n",
      "offcut.yml",
    );
    assert.deepEqual(
      [
        [],
        ["stores"],
        ["stores", "a"],
        ["stores", "a", "role"],
        ["stores", "a", "none"],
        ["stores", "b"],
        ["stores", "b", "role"],
        ["stores", "c", 0],
        ["stores", "c", 1],
        ["stores", "c", 1, "k"],
        ["stores", "c", 7],
        ["1"],
        ["none", "x"],
      ].map((path) => document.lineOf(path)),
      [1, 2, 3, 5, 3, 6, 5, 8, 9, 9, 7, 10, 1],
    );
  });

  describe("every mistake names file, line and mend", () => {
    const mistakes: readonly (readonly [name: string, text: string, line: number, RegExp])[] = [
      ["nothing at all", "", 1, /is empty; write "preset: video-generator", or name the layout upload-outputs, job-manifests, clip-store$/],
      ["only comments", "# x\n\n# y\n", 1, /is empty/],
      ["only null", "~\n", 1, /is empty/],
      ["a tab", "policy:\n\tgrace: 1h", 2, /a tab is no indentation; write spaces/],
      ["an indentation that does not fit", "policy:\n  grace: 1h\n undo: 1h", 3, /the indentation does not fit/],
      ["a bracket that is open", "a: 1\nb: [1, 2\n", 3, /a bracket is not closed/],
      [
        "a template without quotes in braces",
        "stores:\n  a: { path: a/{job}/x, role: temp }",
        2,
        /text with any of \{ \} \[ \] , # needs quotes/,
      ],
      ["a colon that is missing", "policy\nstores: {}", 1, /"key: value" is expected/],
      ["a colon too many", "a: SELECT x: y", 1, /"key: value" is expected/],
      ["a sign that begins no text", "a: 1\nb: @x", 2, /begins with this character needs quotes/],
      ["a backslash in double quotes", 'a: "C:\\media"', 1, /there is no such escape/],
      ["a quote that is open", "a: 'x\n", 2, /a quote, a bracket, a comma or a space is missing/],
      ["two documents", "a: 1\n---\nb: 2\n", 2, /a second document starts here/],
      ["a key twice", 'policy:\n  grace: 1h\n  undo: 1h\n  "grace": 2h', 4, /has the key "grace" twice, first in line 2; keep one/],
      ["a number for a key", "stores:\n  404: false", 2, /has the key 404, which is no text; write "404" in quotes/],
      ["a list for a key", "? [a, b]\n: 1", 1, /has a key that is no text/],
      ["no key", "a: 1\n: 2", 2, /has a key that is no text/],
      ["an alias for a key", "a: &x b\n*x : 2", 2, /has a key that is no text/],
      ["a merge key", "a: &x { b: 1 }\nc:\n  <<: *x", 3, /<< is not supported; write the settings out/],
      ["yes for true", "policy:\n  enabled: yes", 2, /"yes" is a word in YAML 1\.2 and no switch; write true, or put it into quotes/],
      ["Off for false", "policy:\n  enabled: Off", 2, /"Off" is a word in YAML 1\.2 and no switch; write false/],
      ["an anchor that is not there", "a: *nothing", 1, /"\*nothing" has no anchor "&nothing" above it/],
      ["a glob without quotes", 'analysis:\n  exclude:\n    - "*.ts"\n    - **/*.ts', 4, /text that begins with \* needs quotes/],
      ["an anchor around itself", "a: &x\n  b: *x", 2, /"\*x" stands inside of what it repeats/],
      ["a tag", "a: 1\nb: !include x.yaml", 2, /has a tag \(!…\) that is not known here/],
      ["a tag of YAML 1.1", "a: !!binary aGk=", 1, /has a tag/],
      ["brackets without end", "[".repeat(5_000), 1, /it is nested too deeply/],
      ["lists without end", "- ".repeat(5_000), 1, /it is nested too deeply/],
    ];
    for (const [name, text, line, message] of mistakes) {
      it(name, () => {
        const [first] = problemsOf(() => parse(text));
        assert.match(first?.message ?? "", message);
        assert.deepEqual([first?.source, first?.line, first?.severity], ["offcut.yaml", line, "error"]);
      });
    }

    it("all that do not follow from each other at once, in the order of the file", () => {
      const problems = problemsOf(() => parse("a: on\na: 2\n3: 4\nb: *c\n"));
      assert.deepEqual(
        problems.map((problem) => problem.line),
        [1, 2, 3, 4],
      );
    });

    it("a few lines that would fill the memory", () => {
      const lines = ["a: &a [x, x, x, x, x, x, x, x, x]"];
      for (const [before, name] of ["ab", "bc", "cd", "de", "ef", "fg", "gh"].map((pair) => [...pair]))
        lines.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(", ")}]`);
      assert.match(problemsOf(() => parse(lines.join("\n")))[0]?.message ?? "", /repeats its anchors too often/);
    });
  });

  it("quoted, a word for a switch is a text", () => {
    assert.deepEqual(parse(`a: "yes"\nb: 'off'\nc: [ "no" ]\non: x\nd: !!str yes\ne: constructor`), {
      a: "yes",
      b: "off",
      c: ["no"],
      on: "x",
      d: "yes",
      e: "constructor",
    });
  });

  it("a key is data, whatever its name", () => {
    const value = parse("__proto__: { polluted: 1 }\nconstructor: 2") as object;
    assert.deepEqual([Object.keys(value), Object.getPrototypeOf(value)], [["__proto__", "constructor"], Object.prototype]);
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });

  it("S2.5: an empty file of a policy has no value, and that is no mistake", () => {
    assert.deepEqual([readYaml("# all defaults\n", "policy.yaml").value, readYaml("", "policy.yaml").lineOf(["a"])], [null, 1]);
  });

  it("the parser is not loaded before a file needs it", () => {
    const program = `
      const { loadConfig } = await import(${JSON.stringify(new URL("../../core/config/load.ts", import.meta.url).href)});
      const { parseDocument } = await import(${JSON.stringify(new URL("../../core/config/document.ts", import.meta.url).href)});
      const { createRequire } = await import("node:module");
      const loaded = () => Object.keys(createRequire(import.meta.url).cache).some((name) => /node_modules.yaml/.test(name));
      loadConfig(process.argv[1]);
      const before = loaded();
      parseDocument("a: 1", "x.yaml");
      console.log(before, loaded());`;
    const printed = execFileSync(process.execPath, ["--input-type=module", "-e", program, tmpdir()], { encoding: "utf8" });
    assert.equal(printed, "false true\n");
  });

  describe("the file", () => {
    let root: string;
    beforeEach(() => {
      root = mkdtempSync(join(tmpdir(), "offcut-yaml-"));
    });
    afterEach(() => rmSync(root, { recursive: true, force: true }));
    const write = (name: string, text: string): void => writeFileSync(join(root, name), text);

    for (const name of ["offcut.yaml", "offcut.yml"]) {
      it(`${name} is the configuration, with its own lines`, () => {
        write(name, "preset: clip-store\nstores:\n  clips:\n    maxAge: 30m\n");
        const config = loadConfig(root);
        assert.deepEqual([config.file, config.stores[0]?.maxAgeMs], [join(root, name), 1_800_000]);
        write(name, "preset: clip-store\nstores:\n  clips:\n    maxAge: soon\n");
        const [problem] = problemsOf(() => loadConfig(root));
        assert.deepEqual([problem?.source, problem?.line], [name, 4]);
      });
    }

    it("none is undefined, one has its name and its text", () => {
      assert.equal(findConfigFile(root), undefined);
      write("offcut.yml", "a: 1");
      assert.deepEqual(findConfigFile(root), { file: join(root, "offcut.yml"), name: "offcut.yml", text: "a: 1" });
    });

    for (const [first, second] of [
      ["offcut.json", "offcut.yaml"],
      ["offcut.json", "offcut.yml"],
      ["offcut.yaml", "offcut.yml"],
    ] as const) {
      it(`R19: ${first} beside ${second} is a mistake that names both`, () => {
        write(first, "");
        write(second, "");
        const [problem] = problemsOf(() => loadConfig(root));
        assert.equal(problem?.source, second);
        assert.match(problem.message, new RegExp(`stands beside ${first}, and only one of them can count`));
      });
    }

    it("R19: what cannot be read is a mistake, not an absence", () => {
      mkdirSync(join(root, "offcut.yaml"));
      assert.match(problemsOf(() => loadConfig(root))[0]?.message ?? "", /cannot be read: EISDIR/);
      write("offcut.json", "{}");
      assert.match(problemsOf(() => loadConfig(root))[0]?.message ?? "", /stands beside offcut\.json/);
    });
  });
});

function problemsOf(work: () => unknown): ConfigError["problems"] {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  assert.fail("no mistake was found");
}
