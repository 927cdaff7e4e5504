import assert from "node:assert/strict";
import fc from "fast-check";
import { openSources } from "../../core/analysis/scan.ts";
import { openImportGraph, type ImportGraph } from "../../core/analysis/typescript/importGraph.ts";
import { readImports } from "../../core/analysis/typescript/imports.ts";
import { createPrefilter } from "../../core/analysis/typescript/prefilter.ts";
import { openResolver } from "../../core/analysis/typescript/resolve.ts";
import { plant, withTree, type Tree } from "./sourceTree.ts";

/** `specifier: names` of each import. */
function describeImports(text: string): readonly string[] {
  return readImports(text).imports.map(({ specifier, names }) => `${specifier}: ${names === "*" ? "*" : names.join(" ")}`.trim());
}

/** `specifier name>as` of each export that comes from elsewhere, `specifier *` for all. */
function describeExports(text: string): readonly string[] {
  const { reexports, exportsAll } = readImports(text);
  return [...reexports.map(({ specifier, name, as }) => `${specifier} ${name}>${as}`), ...exportsAll.map((specifier) => `${specifier} *`)];
}

describe("readImports", () => {
  const imports: readonly (readonly [string, ...string[]])[] = [
    ['import "./a";', "./a:"],
    ['import a from "./a"', "./a: default"],
    ["import { a, b as c } from './a'", "./a: a b"],
    ['import d, { a } from "./a"', "./a: default a"],
    ['import * as ns from "./a"', "./a: *"],
    ['import d, * as ns from "./a"', "./a: *"],
    ['import type { A } from "./a"', "./a: A"],
    ['import type A from "./a"', "./a: default"],
    ['import type from "./a"', "./a: default"],
    ['import { type A, type as b, type B as C, type } from "./a"', "./a: A type B type"],
    ['import { default as a } from "./a"', "./a: default"],
    ['import { "odd name" as a } from "./a"', "./a: odd name"],
    ['import from from "./a"', "./a: default"],
    ['import{a}from"./a";import{b}from"./b"', "./a: a", "./b: b"],
    ['import {\n  a, // don\'t }\n  /* from "./x" */ b,\n}\nfrom\n"./a"', "./a: a b"],
    ['import a = require("./a");', "./a: *"],
    ['import a from "./a.json" with { type: "json" }', "./a.json: default"],
    ['import defer * as a from "./a"', "./a: *"],
    ['const { a, b: c, d = 1 } = require("./a");', "./a: a b d"],
    ['const a = require("./a").upload;', "./a: upload"],
    ["const a = require(`./a`)", "./a: *"],
    ['const a = await import("./a");', "./a: *"],
    ['import(/* webpackChunkName: "x" */ "./a").then(run)', "./a: *"],
    ['const all = [...require("./a")]', "./a: *"],
    ['let a: typeof import("./a");', "./a: *"],
    ['export { a, b as c } from "./a"', "./a: a b"],
    ['export * from "./a"', "./a: *"],
    ['import größe from "./größe"', "./größe: default"],
    ['foo.require("./a"); $require("./b"); requires("./c"); this.import("./d")'],
    ["import(name); require(name + '.js'); require('./' + name); import(`./${name}`); import.meta.url; import.meta.dirname"],
    ['// import a from "./a"\n/* import a from "./a" */\n/**\n * import a from "./a"\n */'],
    ['/* old */ import a from "./a"', "./a: default"],
    ['// prose about an import\nexport { a } from "./a"', "./a: a"],
    ['run() // an import\nexport { a } from "./a"', "./a: a"],
    ['import { a, b from "./a"\nimport c from "./c"', "./c: default"],
    ['import { a\nexport { b } from "./b"', "./b: b"],
    ["export const a = 1; export default class {}; export function from() {}"],
    ["import"],
    ["export {"],
    ["require("],
  ];
  for (const [text, ...expected] of imports) it(text, () => assert.deepEqual(describeImports(text), expected));

  const exports: readonly (readonly [string, ...string[]])[] = [
    ['export * from "./a"', "./a *"],
    ['export * as ns from "./a"', "./a *>ns"],
    ['export { a, b as c, default, default as d } from "./a"', "./a a>a", "./a b>c", "./a default>default", "./a default>d"],
    ['export type { A } from "./a"; export type * from "./b"', "./a A>A", "./b *"],
    ['export { type A, b } from "./a"', "./a A>A", "./a b>b"],
    ['import { a as b } from "./a"; import d from "./d"; export { b as c, d }; export { x };', "./a a>c", "./d default>d"],
    ['export { ns }; import * as ns from "./a"', "./a *>ns"],
    ['import { a } from "./a"\nexport default a\nconst x = 1, y = 2, z = 3', "./a a>default"],
    ['module.exports = require("./a")', "./a *"],
    ['module.exports = { ...require("./a"), b: require("./b"), c: require("./c").d }', "./b *>b", "./c d>c", "./a *"],
    ['exports.a = require("./a").b', "./a b>a"],
    ['__exportStar(require("./a"), exports)', "./a *"],
    ['const a = require("./a"); const { b: c } = require("./b");\nmodule.exports = { a, d: c, e }', "./a *>a", "./b b>d"],
    ['const a = require("./a").default;\nmodule.exports = a;', "./a default>default"],
    ['import { a } from "./a"; export const b = a; export default function a() {}'],
  ];
  for (const [text, ...expected] of exports) it(`passes on: ${text}`, () => assert.deepEqual(describeExports(text), expected));

  it("ends on any text", () => {
    const unit = fc.constantFrom(
      "import",
      "export",
      "require",
      "default",
      "type",
      "*",
      "{",
      "}",
      ",",
      "(",
      ")",
      "from",
      "as",
      " ",
      "\n",
      '"',
      "'",
      "`",
      "//",
      "/*",
      "*/",
      "a",
      "\\",
      "=",
      "module.exports",
      "...",
      "é",
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
        const { imports } = readImports(text);
        for (const { specifier } of imports) assert.ok(text.includes(specifier));
      }),
      { numRuns: 3000 },
    );
  });

  it("takes time in proportion to the text", () => {
    const hard = [
      "import ".repeat(100_000),
      "import {a".repeat(50_000),
      "export {" + " ".repeat(500_000),
      "/*".repeat(200_000),
      `import${"\n".repeat(500_000)}`,
      "require(".repeat(50_000),
      "import\n//\n".repeat(50_000),
      "import/*".repeat(50_000),
      "import //".repeat(50_000),
      `import {${"a, ".repeat(100_000)}`.repeat(3),
    ];
    const started = performance.now();
    for (const text of hard) assert.deepEqual(readImports(text).imports, []);
    const elapsed = performance.now() - started;
    assert.ok(elapsed < 10_000, `${elapsed} ms`);
  });
});

describe("import graph", () => {
  const tree: Tree = {
    "src/storage/upload-video.ts": "export function uploadVideo(path) {}\nexport default uploadVideo;",
    "src/storage/index.ts": 'export * from "./upload-video";\nexport { default as put } from "./upload-video";',
    "src/direct.ts": 'import { uploadVideo } from "./storage/upload-video.js";',
    "src/barrel.ts": 'import { uploadVideo as send } from "./storage";',
    "src/storage/below/up.ts": "import { uploadVideo } from '..';",
    "src/renamed.ts": 'import { put } from "@/storage";',
    "src/whole.ts": 'import * as storage from "./storage"; storage.uploadVideo(p)',
    "src/wholeOther.ts": 'import * as storage from "./storage"; storage.other(p)',
    "src/default.ts": 'import anything from "./storage/upload-video";',
    "src/common.js": 'const { uploadVideo } = require("./storage/upload-video")',
    "src/lazy.ts": 'const { uploadVideo } = await import("./storage/upload-video");',
    "src/named.ts": 'import { other } from "./storage"; // uploadVideo',
    "src/elsewhere.ts": 'import { uploadVideo } from "./other/upload-video";',
    "src/other/upload-video.ts": "export const uploadVideo = 1;",
    "packages/kit/package.json": '{ "name": "@acme/kit", "exports": { ".": "./main.ts", "./send": "./inner/work.ts" } }',
    "packages/kit/main.ts": 'export { work as labour } from "./inner/work.js"',
    "packages/kit/inner/work.ts": "export const work = 1;",
    "apps/web/package.json": '{ "name": "web" }',
    "apps/web/a.ts": 'import { labour } from "@acme/kit";',
    "apps/web/b.ts": 'import { work } from "@acme/kit/send";',
    "apps/web/c.ts": 'import { work } from "#job";',
    "apps/web/tsconfig.json": '{ "compilerOptions": { "paths": { "#job": ["../../packages/kit/inner/work.ts"] } } }',
    "package.json": '{ "workspaces": ["packages/*", "apps/*"] }',
  };
  const withGraph = (files: Tree, work: (graph: ImportGraph, root: string, changed: (files: readonly string[]) => void) => void): void =>
    withTree(files, (root) => {
      const sources = openSources(root);
      work(openImportGraph(sources, createPrefilter(sources, []), openResolver(sources)), root, (files) => sources.changed(files));
    });

  it("finds the importers of a name, also under other names and through files that pass it on", () => {
    withGraph(tree, (graph) => {
      assert.deepEqual(graph.importersOfName("src/storage/upload-video.ts", "uploadVideo"), [
        "src/barrel.ts",
        "src/common.js",
        "src/direct.ts",
        "src/lazy.ts",
        "src/storage/below/up.ts",
        "src/storage/index.ts",
        "src/whole.ts",
      ]);
      assert.deepEqual(graph.importersOfName("src/storage/upload-video.ts", "default"), [
        "src/default.ts",
        "src/lazy.ts",
        "src/renamed.ts",
        "src/storage/index.ts",
      ]);
      assert.deepEqual(graph.importersOfName("packages/kit/inner/work.ts", "work"), [
        "apps/web/a.ts",
        "apps/web/b.ts",
        "apps/web/c.ts",
        "packages/kit/main.ts",
      ]);
    });
  });

  it("finds all that depends on files", () => {
    withGraph(tree, (graph) => {
      const dependents = graph.dependentsOf(["src/storage/upload-video.ts", "packages/kit/main.ts"]);
      const barrel = ["barrel", "common", "default", "direct", "lazy", "named", "renamed", "whole", "wholeOther"].map(
        (name) => `src/${name}.${name === "common" ? "js" : "ts"}`,
      );
      assert.deepEqual(dependents, ["apps/web/a.ts", ...barrel, "src/storage/below/up.ts", "src/storage/index.ts"].sort());
      assert.deepEqual(graph.dependentsOf(["src/elsewhere.ts"]), []);
      assert.deepEqual(graph.importedBy("src/storage/below/up.ts"), ["src/storage/index.ts"]);
    });
  });

  it("ends in circles", () => {
    const circle = {
      "a.ts": 'export * from "./b"; export const a = 1; import { c } from "./c"',
      "b.ts": 'export * from "./a"; export { a as b } from "./a"; export { b as a } from "./a"',
      "c.ts": 'export * from "./c"; import { a } from "./b"',
    };
    withGraph(circle, (graph) => {
      assert.deepEqual(graph.importersOfName("a.ts", "a"), ["b.ts", "c.ts"]);
      assert.deepEqual(graph.dependentsOf(["a.ts"]), ["b.ts", "c.ts"]);
    });
  });

  it("follows edits and new configuration", () => {
    withGraph({ "lib/send.ts": "", "a.ts": 'import { send } from "mail"' }, (graph, root, changed) => {
      assert.deepEqual(graph.dependentsOf(["lib/send.ts"]), []);
      plant(root, "tsconfig.json", '{ "compilerOptions": { "paths": { "mail": ["./lib/send"] } } }');
      changed(["tsconfig.json"]);
      assert.deepEqual(graph.dependentsOf(["lib/send.ts"]), ["a.ts"]);
      plant(root, "a.ts", "nothing more");
      plant(root, "b.ts", 'import "./lib/send"');
      changed(["a.ts", "b.ts"]);
      assert.deepEqual(graph.dependentsOf(["lib/send.ts"]), ["b.ts"]);
    });
  });

  it("finds what asking every file finds", () => {
    const names = ["a.ts", "index.ts", "x/a.ts", "x/index.ts", "x/y/index.ts", "x/y/b.ts"];
    const specifier = fc.constantFrom(
      ".",
      "..",
      "./",
      "../",
      "./a",
      "./x",
      "../x",
      "./y",
      "./x/a.js",
      "./index",
      "../..",
      "./b",
      "pkg",
      "pkg/x",
      "~/x/y",
      "alias",
    );
    const line = fc
      .tuple(fc.constantFrom("import { a } from ", "export * from ", "require("), specifier)
      .map(([head, specifier]) => `${head}"${specifier}"${head.endsWith("(") ? ")" : ""}`);
    const contents = fc.array(fc.array(line, { maxLength: 3 }), { minLength: names.length, maxLength: names.length });
    const settings = {
      "package.json": '{ "name": "pkg", "main": "./x/a.js" }',
      "tsconfig.json": '{ "compilerOptions": { "paths": { "alias": ["./x/y"] } } }',
    };
    withTree({ ...settings, ...Object.fromEntries(names.map((name) => [name, ""])) }, (root) => {
      const sources = openSources(root);
      const graph = openImportGraph(sources, createPrefilter(sources, []), openResolver(sources));
      const property = fc.property(contents, fc.constantFrom(...names), (texts, target) => {
        for (const [index, name] of names.entries()) sources.setText(name, (texts[index] ?? []).join("\n"));
        const direct = names.filter((name) => name !== target && graph.importedBy(name).includes(target));
        const found = graph.dependentsOf([target]);
        assert.deepEqual(
          direct.filter((name) => !found.includes(name)),
          [],
        );
      });
      fc.assert(property, { numRuns: 500 });
    });
  });
});
