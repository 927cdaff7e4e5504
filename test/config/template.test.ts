import assert from "node:assert/strict";
import { posix } from "node:path";
import fc from "fast-check";
import { isSafeId, matchTemplate, parseTemplate, TemplateError } from "../../core/config/template.ts";

const RUNS = { numRuns: 500 };
const START = [..."abzAZ059"];
const BODY = [...START, ".", "_", "-"];
const safeId = fc
  .tuple(fc.constantFrom(...START), fc.string({ unit: fc.constantFrom(...BODY), maxLength: 127 }))
  .map(([first, rest]) => first + rest);
/** What somebody may put into a database to make a path go elsewhere. */
const hostileId = fc.oneof(
  fc.constantFrom(
    "",
    ".",
    "..",
    "...",
    "../x",
    "a/../../etc",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "C:",
    "~",
    "$HOME",
    "${x}",
    "%TEMP%",
    "{project}",
    "*",
    "-rf",
  ),
  fc.constantFrom("a\0b", "a\nb", "a b", "é", "．．", "a:stream", " ", ".hidden", "_x", "x".repeat(129)),
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("a", ".", "/", "\\", "\0", "-") }),
);
const literal = fc
  .string({ unit: fc.constantFrom("a", "B", "7", "-", "_", ".", " ", "+", "(", "é"), minLength: 1, maxLength: 6 })
  .filter((text) => !/^\.+$/.test(text));

describe("parseTemplate", () => {
  it("finds the prefix, the captures and the depth", () => {
    const cases: [string, string, string[], boolean][] = [
      [".cache/audio/{project}/scene-{n}.mp3", ".cache/audio", ["project", "n"], false],
      ["data/clips/{event}.mp4", "data/clips", ["event"], false],
      [".cache/assembly/{project}/", ".cache/assembly", ["project"], true],
      ["outputs/**", "outputs", [], true],
      ["outputs/", "outputs", [], true],
      ["./data/state.json", "data", [], false],
      ["a/{x}/{x}.mp4", "a", ["x"], false],
    ];
    for (const [source, prefix, captures, deep] of cases) {
      const template = parseTemplate(source);
      assert.deepEqual([template.prefix, template.captures, template.deep], [prefix, captures, deep], source);
    }
  });

  it("refuses what could search too much or elsewhere, and says what to write instead (R7)", () => {
    for (const source of [
      "",
      " ",
      "/",
      "/abs/{p}",
      "C:/x/{p}",
      "{p}/x",
      "*",
      "**",
      "../x/{p}",
      "a/../b/{p}",
      "a//b",
      "a/./b",
      "a\\{p}",
      "a/**/b",
      "a/\0/b",
      "file.txt",
    ]) {
      assert.throws(() => parseTemplate(source), TemplateError, JSON.stringify(source));
    }
    for (const source of ["a/{p", "a/p}", "a/{}", "a/{1}", "a/{p}{p}", "a/{p q}"])
      assert.throws(() => parseTemplate(source), TemplateError, source);
  });

  it("R8: refuses variables and the home directory instead of expanding them", () => {
    for (const source of ["~/x/{p}", "${HOME}/x", "a/${p}/b", "$HOME/x/{p}", "a/$USER/b", "%TEMP%/x/{p}", "a/%APPDATA%/b"]) {
      assert.throws(() => parseTemplate(source), /R8|placeholder|variable/, source);
    }
  });

  it("R8: keeps what is special to a shell or a regular expression as plain text", () => {
    fc.assert(
      fc.property(fc.array(literal, { minLength: 2, maxLength: 4 }), fc.string(), (names, other) => {
        const path = names.join("/");
        const template = parseTemplate(path);
        assert.deepEqual(matchTemplate(template, path), {});
        assert.equal(matchTemplate(template, other) !== undefined, other === path);
      }),
      RUNS,
    );
  });
});

describe("matchTemplate", () => {
  it("matches whole segments only, and everything below a deep template", () => {
    const match = (template: string, path: string) => matchTemplate(parseTemplate(template), path);
    assert.deepEqual(match("a/{p}/s-{n}.mp3", "a/x/s-1.mp3"), { p: "x", n: "1" });
    assert.equal(match("a/{p}/s-{n}.mp3", "a/x/s-1.mp3.bak"), undefined);
    assert.equal(match("a/{p}/s-{n}.mp3", "a/x/y/s-1.mp3"), undefined);
    assert.equal(match("a/{p}/s-{n}.mp3", "b/a/x/s-1.mp3"), undefined);
    assert.deepEqual(match("a/{p}/", "a/x/y/z.txt"), { p: "x" });
    assert.equal(match("a/{p}/", "a/x"), undefined);
    assert.equal(match("a/{p}/", "a/../z.txt"), undefined);
    assert.deepEqual(match("a/*.mp4", "a/line\nbreak.mp4"), {});
  });

  it("R6: never captures what is not a safe id", () => {
    fc.assert(
      fc.property(fc.oneof(hostileId, safeId), (id) => {
        const captured = matchTemplate(parseTemplate("out/{project}/final.mp4"), `out/${id}/final.mp4`);
        assert.deepEqual(captured, isSafeId(id) ? { project: id } : undefined);
      }),
      RUNS,
    );
  });
});

/** Puts ids into the placeholders, as a program that writes such files would, and looks at nothing. */
function fill(source: string, ids: Readonly<Record<string, string>>): string {
  return source.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? "");
}

describe("ids in paths", () => {
  it("R6: what was put in comes back by matching", () => {
    const part = fc.record({ before: fc.option(literal, { nil: "" }), after: fc.option(literal, { nil: "" }) });
    fc.assert(
      fc.property(
        literal,
        fc.array(part, { minLength: 1, maxLength: 4 }),
        fc.array(safeId, { minLength: 4, maxLength: 4 }),
        (first, parts, ids) => {
          const source = [first, ...parts.map(({ before, after }, i) => `${before}{id${i}}${after}`)].join("/");
          const values = Object.fromEntries(parts.map((_, i) => [`id${i}`, ids[i] ?? "x"]));
          assert.deepEqual(matchTemplate(parseTemplate(source), fill(source, values)), values);
        },
      ),
      RUNS,
    );
  });

  it("R6: a path made with a hostile id never matches as that id, nor outside the prefix", () => {
    fc.assert(
      fc.property(hostileId, fc.constantFrom("out/{p}", "out/{p}.mp4", "out/x/{p}/final.mp4", "out/a{p}/b{p}"), (id, source) => {
        const template = parseTemplate(source);
        const path = fill(source, { p: id });
        const captured = matchTemplate(template, path);
        if (!isSafeId(id)) return assert.notEqual(captured?.["p"], id);
        assert.deepEqual(captured, { p: id });
        assert.ok(posix.normalize(path).startsWith(`${template.prefix}/`));
      }),
      RUNS,
    );
  });

  it("R6: accepts exactly the ids of the rule", () => {
    for (const id of ["a", "0", "p-1_2.3", "550e8400-e29b-41d4-a716-446655440000", "x".repeat(128)]) assert.ok(isSafeId(id), id);
    for (const id of ["", ".", "..", ".a", "-a", "_a", "a/b", "a b", "a\n", "é", "x".repeat(129)])
      assert.ok(!isSafeId(id), JSON.stringify(id));
  });
});
