import assert from "node:assert/strict";
import { symlinkSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { openSources } from "../../core/analysis/scan.ts";
import { openResolver, resolveImport } from "../../core/analysis/typescript/resolve.ts";
import { empty, plant, withTree, type Tree } from "./sourceTree.ts";

type Case = readonly [from: string, specifier: string, expected: string | undefined];

function check(tree: Tree, cases: readonly Case[], prepare?: (root: string) => void): void {
  withTree(tree, (root) => {
    prepare?.(root);
    const context = openResolver(openSources(root));
    const resolved = cases.map(([from, specifier]) => [from, specifier, resolveImport(context, from, specifier)]);
    assert.deepEqual(resolved, cases);
  });
}

const json = (value: unknown): string => JSON.stringify(value);

describe("resolveImport", () => {
  it("relative files: extensions, written-as extensions, directories", () => {
    const tree = empty(
      "src/a.ts",
      "src/b.tsx",
      "src/c.js",
      "src/d.mts",
      "src/e.cts",
      "src/f.jsx",
      "src/both.ts",
      "src/both.js",
      "src/dir/index.tsx",
      "src/x.service.ts",
      "index.ts",
      "src/v.mjs",
      "src/dir.ts",
    );
    check(tree, [
      ["src/z.ts", "./a", "src/a.ts"],
      ["src/z.ts", "./a.ts", "src/a.ts"],
      ["src/z.ts", "./a.js", "src/a.ts"],
      ["src/z.ts", "./b.js", "src/b.tsx"],
      ["src/z.ts", "./b.jsx", "src/b.tsx"],
      ["src/z.ts", "./c.js", "src/c.js"],
      ["src/z.ts", "./c", "src/c.js"],
      ["src/z.ts", "./d.mjs", "src/d.mts"],
      ["src/z.ts", "./v.mjs", "src/v.mjs"],
      ["src/z.ts", "./e.cjs", "src/e.cts"],
      ["src/z.ts", "./f", "src/f.jsx"],
      ["src/z.ts", "./both.js", "src/both.ts"],
      ["src/z.ts", "./dir", "src/dir.ts"],
      ["src/z.ts", "./dir/index.js", "src/dir/index.tsx"],
      ["src/dir/z.ts", ".", "src/dir/index.tsx"],
      ["src/dir/z.ts", "../..", "index.ts"],
      ["src/z.ts", "../", "index.ts"],
      ["src/z.ts", "./x.service", "src/x.service.ts"],
      ["src/z.ts", "./a?worker", "src/a.ts"],
      ["src/z.ts", ".//dir/../a", "src/a.ts"],
      ["src/z.ts", "./missing", undefined],
      ["src/z.ts", "../../outside", undefined],
      ["src/z.ts", "./style.css", undefined],
      ["src/z.ts", "", undefined],
      ["src/z.ts", "node:fs", undefined],
      ["src/z.ts", "fs", undefined],
      ["src/z.ts", "react", undefined],
    ]);
  });

  it("directories with a package.json", () => {
    const tree = {
      ...empty("a/lib/start.ts", "b/src/main.ts", "c/inner/x.ts", "d/index.ts", "e/src/index.ts", "f/index.ts"),
      "a/package.json": json({ main: "lib/start" }),
      "b/package.json": json({ module: "./dist/main.mjs", main: "./dist/main.cjs" }),
      "c/package.json": json({ exports: "./inner/x.js" }),
      "d/package.json": json({ main: "." }),
      "e/package.json": json({ main: "dist/index.js" }),
      "f/package.json": "{ this is no JSON",
    };
    check(tree, [
      ["z.ts", "./a", "a/lib/start.ts"],
      ["z.ts", "./b", "b/src/main.ts"],
      ["z.ts", "./c/", "c/inner/x.ts"],
      ["z.ts", "./d", "d/index.ts"],
      ["z.ts", "./e", "e/src/index.ts"],
      ["z.ts", "./f", "f/index.ts"],
    ]);
  });

  it("baseUrl and paths, with comments and trailing commas", () => {
    const tree = {
      ...empty(
        "src/lib/a.ts",
        "src/lib/b.ts",
        "src/special.ts",
        "src/lib/deep/index.ts",
        "alt/c.ts",
        "src/x.gen.ts",
        "web/src/a.ts",
        "web/deep/z.ts",
        "js/app/store.js",
      ),
      "tsconfig.json": `\uFEFF{
        // the usual
        "compilerOptions": { "baseUrl": "./src", "paths": {
          "@lib/*": ["missing/*", "lib/*", "../alt/*"], /* two places */
          "@lib/special": ["special"],
          "*.gen": ["*.gen.ts"],
        }, },
      }`,
      "web/tsconfig.json": json({ compilerOptions: { paths: { "~*": ["./src/*"] } } }),
      "js/jsconfig.json": json({ compilerOptions: { baseUrl: "." } }),
    };
    check(tree, [
      ["z.ts", "@lib/a", "src/lib/a.ts"],
      ["z.ts", "@lib/b.js", "src/lib/b.ts"],
      ["z.ts", "@lib/deep", "src/lib/deep/index.ts"],
      ["z.ts", "@lib/c", "alt/c.ts"],
      ["z.ts", "@lib/special", "src/special.ts"],
      ["z.ts", "x.gen", "src/x.gen.ts"],
      ["z.ts", "lib/a", "src/lib/a.ts"],
      ["z.ts", "@lib/none", undefined],
      ["web/deep/z.ts", "~a", "web/src/a.ts"],
      ["web/deep/z.ts", "@lib/a", "src/lib/a.ts"],
      ["js/z.js", "app/store", "js/app/store.js"],
      ["z.ts", "app/store", undefined],
    ]);
  });

  it("extended configurations: chains, lists, packages, ${configDir}, circles", () => {
    const tree = {
      ...empty(
        "base/shared/s.ts",
        "chain/src/a.ts",
        "list/one/a.ts",
        "list/two/a.ts",
        "dir/src/a.ts",
        "circle/a.ts",
        "circle/z.ts",
        "installed/src/a.ts",
        "inherit/a.ts",
        "dirBase/src/a.ts",
      ),
      "base/tsconfig.base.json": json({ compilerOptions: { paths: { "@shared/*": ["./shared/*"] } } }),
      "chain/tsconfig.json": json({ extends: "./middle" }),
      "chain/middle.json": json({ extends: "../base/tsconfig.base.json", compilerOptions: { strict: true } }),
      "list/tsconfig.json": json({ extends: ["./first.json", "./second.json", "./missing.json", 7] }),
      "list/first.json": json({ compilerOptions: { baseUrl: ".", paths: { "#/*": ["one/*"] } } }),
      "list/second.json": json({ compilerOptions: { paths: { "#/*": ["two/*"] } } }),
      "config/dir.json": json({ compilerOptions: { paths: { "%/*": ["${configDir}/src/*"] } } }),
      "config/dirBase.json": json({ compilerOptions: { baseUrl: "${configDir}/src" } }),
      "dir/tsconfig.json": json({ extends: "../config/dir.json" }),
      "dirBase/tsconfig.json": json({ extends: "../config/dirBase.json" }),
      "circle/tsconfig.json": json({ extends: "./other.json", compilerOptions: { paths: { "!a": ["./a"] } } }),
      "circle/other.json": json({ extends: "./tsconfig.json" }),
      "installed/tsconfig.json": json({ extends: "@acme/tsconfig/app" }),
      "node_modules/@acme/tsconfig/app.json": json({ compilerOptions: { paths: { "+/*": ["${configDir}/src/*"] } } }),
      "inherit/tsconfig.json": json({ extends: "../list/first.json", compilerOptions: { paths: { "#x": ["./one/a"] } } }),
      "loose/tsconfig.json": json({ extends: "./nothing", compilerOptions: null }),
      "loose/z.ts": "",
    };
    check(tree, [
      ["chain/z.ts", "@shared/s", "base/shared/s.ts"],
      ["list/z.ts", "#/a", "list/two/a.ts"],
      ["dir/z.ts", "%/a", "dir/src/a.ts"],
      ["dirBase/z.ts", "a", "dirBase/src/a.ts"],
      ["circle/z.ts", "!a", "circle/a.ts"],
      ["installed/z.ts", "+/a", "installed/src/a.ts"],
      ["inherit/z.ts", "#x", "list/one/a.ts"],
      ["inherit/z.ts", "#/a", undefined],
      ["loose/z.ts", "a", undefined],
    ]);
  });

  it("the second configuration of Vite's templates", () => {
    const tree = {
      ...empty("src/a.ts"),
      "tsconfig.json": json({
        files: [],
        references: [{ path: "./tsconfig.node.json" }, { path: "./tsconfig.app.json" }, { path: "../gone" }, 1],
      }),
      "tsconfig.app.json": json({ compilerOptions: { baseUrl: ".", paths: { "$/*": ["./src/*"] } } }),
    };
    check(tree, [["z.ts", "$/a", "src/a.ts"]]);
  });

  it("@/ and ~/ without configuration", () => {
    const tree = { ...empty("src/a.ts", "b.ts", "web/src/a.ts", "web/c.ts", "web/app/d.ts"), "web/package.json": "{}" };
    check(tree, [
      ["src/z.ts", "@/a", "src/a.ts"],
      ["src/z.ts", "~/b", "b.ts"],
      ["web/src/z.ts", "@/a", "web/src/a.ts"],
      ["web/src/z.ts", "@/c", "web/c.ts"],
      ["web/src/z.ts", "~/d", "web/app/d.ts"],
      ["web/src/z.ts", "@/b", "b.ts"],
      ["src/z.ts", "@/none", undefined],
      ["src/z.ts", "@a", undefined],
    ]);
  });

  it("imports of the package", () => {
    const tree = {
      ...empty("src/db.ts", "src/jobs/send.ts", "src/node.ts", "packages/kit/src/index.ts", "src/jobs/deep/z.ts"),
      "package.json": json({
        workspaces: ["packages/*"],
        imports: {
          "#db": "./dist/db.js",
          "#jobs/*": { types: "./types/*.d.ts", default: "./src/jobs/*.js" },
          "#env": { browser: "./src/browser.js", node: "./src/node.js" },
          "#kit": "@acme/kit",
          "#none": null,
        },
      }),
      "packages/kit/package.json": json({ name: "@acme/kit" }),
    };
    check(tree, [
      ["src/z.ts", "#db", "src/db.ts"],
      ["src/jobs/deep/z.ts", "#jobs/send", "src/jobs/send.ts"],
      ["src/z.ts", "#env", "src/node.ts"],
      ["src/z.ts", "#kit", "packages/kit/src/index.ts"],
      ["src/z.ts", "#none", undefined],
      ["src/z.ts", "#other", undefined],
    ]);
  });

  it("packages of the workspace by name: exports, patterns, built files, main, conventions", () => {
    const tree = {
      ...empty(
        "apps/web/z.ts",
        "packages/a/src/index.ts",
        "packages/a/src/deep/tool.ts",
        "packages/a/src/features/x.ts",
        "packages/a/src/features/y/index.ts",
        "packages/b/source/main.ts",
        "packages/c/index.js",
      ),
      ...empty(
        "packages/c/extra/e.js",
        "packages/d/src/index.tsx",
        "packages/d/src/part.ts",
        "packages/e/internal/index.ts",
        "packages/e/src/index.ts",
        "packages/f/lib/index.ts",
        "packages/g/src/node.ts",
      ),
      ...empty(
        "packages/excluded/src/index.ts",
        "libs/one/h/src/index.ts",
        "elsewhere/i/src/index.ts",
        "packages/g/src/browser.ts",
        "packages/b/source/extra.ts",
      ),
      "package.json": json({ name: "root", workspaces: { packages: ["./packages/*/", "!packages/excluded", "{apps,libs/one}/*"] } }),
      "apps/web/package.json": json({ name: "web", dependencies: { local: "file:../../elsewhere/i", named: "^1.0.0" } }),
      "packages/a/package.json": json({
        name: "@acme/a",
        exports: {
          ".": { types: "./dist/index.d.ts", import: "./dist/index.mjs", require: "./dist/index.cjs" },
          "./tool": { default: "./dist/esm/deep/tool.js" },
          "./features/*": "./dist/features/*.js",
          "./features/y": [{ import: "./dist/features/y/index.js" }, "./nowhere.js"],
          "./package.json": "./package.json",
        },
      }),
      "packages/b/package.json": json({
        name: "b",
        exports: { types: "./types.d.ts", source: "./source/main.ts", default: "./lib/index.js" },
      }),
      "packages/c/package.json": json({ name: "c", main: "index" }),
      "packages/d/package.json": json({ name: "d" }),
      "packages/e/package.json": json({
        name: "e",
        main: "./dist/index.js",
        exports: {
          ".": "./dist/index.js",
          "./internal": { import: { types: "./dist/internal/index.d.ts", default: "./dist/internal/index.js" } },
        },
      }),
      "packages/f/package.json": json({ name: "f", main: "./build/src/nothing.js" }),
      "packages/g/package.json": json({ name: "g", exports: { ".": { browser: "./src/browser.js", default: "./src/node.js" } } }),
      "packages/excluded/package.json": json({ name: "excluded" }),
      "libs/one/h/package.json": json({ name: "h" }),
      "elsewhere/i/package.json": json({ name: "i" }),
    };
    const from = "apps/web/z.ts";
    check(tree, [
      [from, "@acme/a", "packages/a/src/index.ts"],
      [from, "@acme/a/tool", "packages/a/src/deep/tool.ts"],
      [from, "@acme/a/features/x", "packages/a/src/features/x.ts"],
      [from, "@acme/a/features/y", "packages/a/src/features/y/index.ts"],
      [from, "@acme/a/src/deep/tool", "packages/a/src/deep/tool.ts"],
      [from, "@acme/a/package.json", undefined],
      [from, "@acme/none", undefined],
      [from, "b", "packages/b/source/main.ts"],
      [from, "b/source/extra.js", "packages/b/source/extra.ts"],
      [from, "c", "packages/c/index.js"],
      [from, "c/extra/e", "packages/c/extra/e.js"],
      [from, "d", "packages/d/src/index.tsx"],
      [from, "d/part", "packages/d/src/part.ts"],
      [from, "e", "packages/e/src/index.ts"],
      [from, "e/internal", "packages/e/internal/index.ts"],
      [from, "f", "packages/f/lib/index.ts"],
      [from, "g", "packages/g/src/node.ts"],
      [from, "h", "libs/one/h/src/index.ts"],
      [from, "excluded", undefined],
      [from, "i", undefined],
      [from, "local", "elsewhere/i/src/index.ts"],
      [from, "named", undefined],
      ["packages/a/src/deep/z.ts", "@acme/a", "packages/a/src/index.ts"],
      ["packages/a/src/deep/z.ts", "@acme/a/tool", "packages/a/src/deep/tool.ts"],
      ["packages/excluded/src/z.ts", "excluded", "packages/excluded/src/index.ts"],
    ]);
  });

  const yaml: readonly (readonly [string, string])[] = [
    [
      "a list",
      "catalog:\n  x: 1\npackages:\n  # all of them\n  - 'packages/*' # here\n\n  - \"!packages/skipped\"\n  - apps/**\nother:\n  - elsewhere/*\n",
    ],
    ["a list without indentation, CRLF", "packages:\r\n- packages/*\r\n- '!packages/skipped'\r\nother: 1\r\n"],
    ["a flow list", "packages: [packages/*, '!packages/skipped']\n"],
  ];
  for (const [name, text] of yaml)
    it(`pnpm-workspace.yaml: ${name}`, () => {
      const packages = ["packages/a", "packages/skipped", "elsewhere/b"];
      const manifests = Object.fromEntries(packages.map((path) => [`${path}/package.json`, json({ name: path.split("/")[1] })]));
      check({ ...empty(...packages.map((path) => `${path}/index.ts`)), ...manifests, "pnpm-workspace.yaml": text, "package.json": "{}" }, [
        ["z.ts", "a", "packages/a/index.ts"],
        ["z.ts", "skipped", undefined],
        ["z.ts", "b", undefined],
      ]);
    });

  it("lerna.json, and workspace: dependencies where nothing lists the packages", () => {
    const manifests = {
      "kits/a/package.json": json({ name: "a" }),
      "deep/down/b/package.json": json({ name: "b" }),
      "app/package.json": json({ dependencies: { b: "workspace:^" } }),
    };
    const tree = {
      ...empty("kits/a/index.ts", "deep/down/b/index.ts", "app/z.ts"),
      ...manifests,
      "package.json": "{}",
      "lerna.json": json({ packages: ["kits/*"] }),
    };
    check(tree, [
      ["app/z.ts", "a", "kits/a/index.ts"],
      ["app/z.ts", "b", "deep/down/b/index.ts"],
      ["z.ts", "b", undefined],
    ]);
  });

  it("a workspace's package of configurations that has no source", () => {
    const tree = {
      ...empty("apps/web/src/a.ts"),
      "package.json": json({ workspaces: ["apps/*", "packages/*"] }),
      "apps/web/tsconfig.json": json({ extends: "@repo/config/next.json" }),
      "packages/config/package.json": json({ name: "@repo/config" }),
      "packages/config/next.json": json({ compilerOptions: { paths: { "=/*": ["${configDir}/src/*"] } } }),
    };
    check(tree, [["apps/web/z.ts", "=/a", "apps/web/src/a.ts"]]);
  });

  it("does not lead into what is not looked at", () => {
    const tree = { ...empty("node_modules/kit/index.ts", "dist/a.ts", "gen/b.ts", "c.d.ts"), ".gitignore": "gen/" };
    check(
      tree,
      [
        ["z.ts", "kit", undefined],
        ["z.ts", "./dist/a", undefined],
        ["z.ts", "./gen/b", undefined],
        ["z.ts", "./c", undefined],
        ["z.ts", "./linked/a", undefined],
      ],
      (root) => {
        mkdirSync(join(root, "real"));
        symlinkSync(join(root, "real"), join(root, "linked"));
      },
    );
  });

  it("follows new files, removed files and new configuration once it is told", () => {
    withTree(empty("src/a.ts", "b.ts"), (root) => {
      const sources = openSources(root);
      const context = openResolver(sources);
      assert.equal(resolveImport(context, "b.ts", "./new"), undefined);
      assert.equal(resolveImport(context, "b.ts", "lib/a"), undefined);
      plant(root, "new.ts");
      plant(root, "tsconfig.json", json({ compilerOptions: { paths: { "lib/*": ["./src/*"] } } }));
      sources.changed(["new.ts", "tsconfig.json"]);
      assert.equal(resolveImport(context, "b.ts", "./new"), "new.ts");
      assert.equal(resolveImport(context, "b.ts", "lib/a"), "src/a.ts");
      sources.setText("other.ts", "");
      assert.equal(resolveImport(context, "b.ts", "./other"), "other.ts");
      sources.setText("other.ts", undefined);
      assert.equal(resolveImport(context, "b.ts", "./other"), undefined);
    });
  });

  it("never throws, whatever the files say", () => {
    const value = fc.constantFrom<unknown>(
      null,
      1,
      "",
      ".",
      "./",
      "./x",
      "../..",
      "*",
      "./*",
      "**",
      [],
      {},
      ["./x", null],
      { ".": "./x" },
      { "*": "*" },
      { import: { default: [] } },
      "a\0b",
      "[",
      "{a,b",
      "file:.",
      "workspace:../x",
    );
    const nested = fc.oneof(
      value,
      fc.array(value, { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(".", "./x", "#x", "*", "x/*", "packages", "paths", "baseUrl", "import"), value, { maxKeys: 3 }),
    );
    const keys = ["name", "main", "exports", "imports", "workspaces", "dependencies", "extends", "compilerOptions", "references"];
    const document = fc.dictionary(fc.constantFrom(...keys), nested, { maxKeys: 5 });
    const specifier = fc.oneof(
      fc.constantFrom(".", "..", "./x", "#x", "x", "x/y", "@/x", "@a/b/c", "~/", "/x", "#", "*", "a\0b", "__proto__", "constructor"),
      fc.string(),
    );
    withTree(empty("x.ts", "x/index.ts", "a/b/z.ts"), (root) => {
      const sources = openSources(root);
      const context = openResolver(sources);
      const property = fc.property(document, document, document, specifier, (outer, inner, config, specifier) => {
        sources.setText("package.json", json(outer));
        sources.setText("a/package.json", json(inner));
        sources.setText("tsconfig.json", json(config));
        const found = resolveImport(context, "a/b/z.ts", specifier);
        assert.ok(found === undefined || sources.has(found));
      });
      fc.assert(property, { numRuns: 1000 });
    });
  });
});
