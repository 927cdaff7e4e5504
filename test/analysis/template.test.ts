import assert from "node:assert/strict";
import { makersOf } from "../../core/analysis/disk.ts";
import type { CallSite, PathTemplate } from "../../core/analysis/finding.ts";
import { isVague, matchPath, parsePattern } from "../../core/analysis/template.ts";

/** `workspace` unless the text names another base: `tmp:render-{}`. */
function template(text: string): PathTemplate {
  const [, base = "workspace", rest = text] = /^(tmp|absolute|unknown):(.*)$/s.exec(text) ?? [];
  return { base: base as PathTemplate["base"], text: rest };
}

function site(callee: string, ...texts: readonly string[]): CallSite {
  const range = { start: { line: 1, column: 1 }, end: { line: 1, column: 2 } };
  return { kind: "write", file: "a.ts", range, callee, paths: texts.map(template), state: "unknown" };
}

const PLACES = { root: "/work/app", tmp: ["/private/tmp", "/tmp"] };

describe("parsePattern", () => {
  const parsed = (text: string): unknown => {
    const pattern = parsePattern(template(text), PLACES);
    return pattern && [pattern.base, pattern.directory, pattern.parts.map(({ pieces }) => pieces.join("{}")).join("/")];
  };

  it("finds out where a path starts, however it is written", () => {
    assert.deepEqual(parsed("./out//a.mp4"), ["workspace", "/work/app", "out/a.mp4"]);
    assert.deepEqual(parsed("../app/out/{}"), ["workspace", "/work/app", "out/{}"]);
    assert.deepEqual(parsed("../other/{}"), ["absolute", "/", "work/other/{}"]);
    assert.deepEqual(parsed("absolute:/work/app/out/{}"), ["workspace", "/work/app", "out/{}"]);
    assert.deepEqual(parsed("absolute:/tmp/clip-{}"), ["tmp", "/tmp", "clip-{}"]);
    assert.deepEqual(parsed("tmp:clip-{}"), ["tmp", "/private/tmp", "clip-{}"]);
    assert.deepEqual(parsed("absolute:C:/media/{}.mp4"), ["absolute", "C:/", "media/{}.mp4"]);
    assert.deepEqual(parsed("unknown:{}/./{}/a/../b/{}"), ["unknown", undefined, "b/{}"]);
  });

  it("gives up where a path leaves what is known", () => {
    for (const text of ["../../../..", "unknown:{}/../../a", "unknown:", "unknown:{}/{}", "absolute:/"])
      assert.equal(parsed(text), undefined, text);
  });
});

describe("isVague", () => {
  it("asks for a directory or a telling name, and for more where the start is not known", () => {
    const vague = (text: string): boolean => isVague(parsePattern(template(text), PLACES)!);
    for (const text of [
      "{}",
      "{}.mp4",
      "v{}.mp4",
      "{}/{}-{}.mp4",
      "tmp:{}.wav",
      "unknown:{}/a/{}",
      "unknown:{}/a/b.c",
      "unknown:scene-{}.mp4",
    ])
      assert.equal(vague(text), true, text);
    for (const text of ["out/{}", "clip-{}.mp4", ".cache/{}", "tmp:raw{}", "unknown:{}/a/b/{}", "unknown:{}/a/scene-{}.mp4"])
      assert.equal(vague(text), false, text);
  });
});

describe("matchPath", () => {
  const match = (text: string, path: string): unknown => matchPath(parsePattern(template(text), PLACES)!, path);

  it("tells the file that is meant from one below it", () => {
    assert.equal(match("out/a", "/work/app/out/a"), "file");
    assert.equal(match("out/a", "/work/app/out/a/b/c"), "below");
    assert.equal(match("out/{}", "/work/app/out/a/b/c"), "file");
    assert.equal(match("out/{}", "/work/app/out"), undefined);
    assert.equal(match("out/a", "/work/app2/out/a"), undefined);
    assert.equal(match("out/{}.mp4", "/work/app/out/a/b.mp4"), undefined);
  });

  it("finds the end of a path wherever it starts", () => {
    assert.equal(match("unknown:{}/out/{}.mp4", "a/b/out/c.mp4"), "file");
    assert.equal(match("unknown:{}/out/{}", "out/out/x/c.mp4"), "file");
    assert.equal(match("unknown:out/work", "a/out/work/c.mp4"), "below");
    assert.equal(match("unknown:out/work", "a/out/works/c.mp4"), undefined);
  });
});

describe("makersOf", () => {
  const root = "/work/app";
  const callees = (sites: readonly CallSite[], file: string): readonly string[] => makersOf(sites, file, root).map(({ callee }) => callee);

  it("puts the call that says most first", () => {
    const sites = [
      site("anything", ".cache/{}"),
      site("scenes", ".cache/videos/{}/scene-{}.mp4"),
      site("ends", "unknown:{}/scene-{}.mp4"),
      site("exact", ".cache/videos/{}/scene-{}-source.mp4"),
      site("directory", ".cache/videos"),
      site("other", ".cache/audio/{}/scene-{}.mp3"),
    ];
    assert.deepEqual(callees(sites, ".cache/videos/p1/scene-1-source.mp4"), ["exact", "scenes", "ends", "anything", "directory"]);
  });

  it("is silent about templates that would fit any file", () => {
    const vague = ["{}", "{}.mp4", "unknown:{}", "unknown:{}.mp4", "unknown:{}/a-{}.mp4", "tmp:{}", "absolute:/{}"];
    assert.deepEqual(callees([site("vague", ...vague), site("no path")], "out/a-1.mp4"), []);
    assert.deepEqual(callees([site("one", "unknown:{}/out/{}.mp4"), site("two", "unknown:clip-{}.mp4")], "out/clip-1.mp4"), ["two", "one"]);
  });

  it("takes absolute paths and the best of several", () => {
    const sites = [
      site("far", "absolute:/work/app/out/{}.mp4"),
      site("elsewhere", "absolute:/work/other/out/{}.mp4"),
      site("two", "in/{}", "out/clip.mp4"),
    ];
    assert.deepEqual(callees(sites, "out/clip.mp4"), ["two", "far"]);
    assert.deepEqual(callees(sites, "out/Clip.mp4"), ["far"]);
  });
});
