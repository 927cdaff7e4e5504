import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { openSources } from "../../core/analysis/scan.ts";
import { compileGlob, describePlace, isSource, listSources } from "../../core/analysis/sources.ts";
import { empty, plant, withTree } from "./sourceTree.ts";

describe("listSources", () => {
  const list = (root: string, ...exclude: string[]): readonly string[] => listSources(root, { exclude });

  it("lists scripts of all kinds, sorted, and nothing else", () => {
    const wanted = ["a.ts", "b.tsx", "c.js", "d.jsx", "e.mts", "f.cts", "g.mjs", "h.cjs", "sub/deep/z.ts", "types.ts"];
    const others = [
      "a.d.ts",
      "b.d.mts",
      "c.module.d.ts",
      "d.css.d.ts",
      "x.min.js",
      "x.min.mjs",
      "y.json",
      "z.py",
      "ts",
      "w.ts.bak",
      "v.tsbuildinfo",
    ];
    withTree(empty(...wanted, ...others), (root) => assert.deepEqual(list(root), wanted));
  });

  it("skips dependencies, products and hidden directories wherever they lie", () => {
    const skipped = [
      "node_modules",
      ".git",
      "dist",
      "build",
      "out",
      ".next",
      "coverage",
      "vendor",
      "bower_components",
      ".turbo",
      "__pycache__",
      ".venv",
    ];
    const paths = skipped.flatMap((name) => [`${name}/a.ts`, `sub/${name}/a.ts`]);
    withTree(empty("builder/a.ts", "outer/a.ts", "sub/a.ts", ".eslintrc.js", ...paths), (root) => {
      assert.deepEqual(list(root), [".eslintrc.js", "builder/a.ts", "outer/a.ts", "sub/a.ts"]);
    });
  });

  it("follows no links", () => {
    withTree(empty("real/a.ts"), (root) => {
      symlinkSync(join(root, "real"), join(root, "linked"));
      symlinkSync(join(root, "real/a.ts"), join(root, "b.ts"));
      symlinkSync(root, join(root, "real/loop"));
      assert.deepEqual(list(root), ["real/a.ts"]);
    });
  });

  it("leaves out what ignore files and `exclude` name, and answers the same for one path", () => {
    const tree = {
      ...empty("a.ts", "gen/a.ts", "gen/keep.ts", "sub/a.ts", "sub/local.ts", "sub/deep/local.ts", "sub/own/b.ts", "web/legacy/c.ts"),
      ".gitignore": "gen/*\r\n!gen/keep.ts\n# sub/a.ts\n",
      "sub/.gitignore": "/local.ts\nown/\n",
    };
    withTree(tree, (root) => {
      const all = [...Object.keys(tree), "web/new.ts", "gen/new.ts", "sub/own/new.ts", "web/legacy/new.ts"];
      assert.deepEqual(list(root), ["a.ts", "gen/keep.ts", "sub/a.ts", "sub/deep/local.ts", "web/legacy/c.ts"]);
      assert.deepEqual(list(root, "legacy/", "sub/**", "!sub/a.ts"), ["a.ts", "gen/keep.ts", "sub/a.ts"]);
      const single = all.filter((file) => isSource(root, file, { exclude: ["legacy"] }));
      assert.deepEqual(single.sort(), ["a.ts", "gen/keep.ts", "sub/a.ts", "sub/deep/local.ts", "web/new.ts"]);
    });
  });

  it("stops when it is aborted and finds nothing in a directory that is not there", () => {
    withTree(empty("a.ts"), (root) => {
      assert.throws(() => listSources(root, { exclude: [], signal: AbortSignal.abort(new Error("enough")) }), /enough/);
      assert.deepEqual(list(join(root, "missing")), []);
    });
  });

  it("ignores what git ignores, for random patterns and trees", function () {
    this.timeout(120_000);
    const part = fc.constantFrom(
      "a",
      "b",
      "ab",
      "*",
      "**",
      "a*",
      "?",
      "[ab]",
      "[!a]",
      "[a-",
      "*.ts",
      "a.ts",
      "\\a",
      "[[:alpha:]]",
      "**a",
      "a**b",
    );
    const pattern = fc
      .tuple(
        fc.constantFrom("", "", "", "!", "#", "\\!"),
        fc.constantFrom("", "", "/"),
        fc.array(part, { minLength: 1, maxLength: 3 }),
        fc.constantFrom("", "", "/", "/**", " "),
      )
      .map(([sign, start, parts, end]) => sign + start + parts.join("/") + end);
    const ignore = fc.array(pattern, { maxLength: 5 }).map((lines) => lines.join("\n"));
    const names = ["a.ts", "b.ts", "ab.ts", "!a.ts"];
    const directories = ["", "a/", "b/", "ab/", "a/a/", "a/b/", "b/a/", "a/b/ab/"];
    const files = directories.flatMap((directory) => names.map((name) => directory + name));
    withTree(empty(...files), (root) => {
      const git = (...args: string[]): string => execFileSync("git", args, { cwd: root, encoding: "utf8" });
      git("init", "--quiet");
      const property = fc.property(ignore, ignore, (outer, inner) => {
        plant(root, ".gitignore", outer);
        plant(root, "a/.gitignore", inner);
        const listed = git("-c", "core.excludesFile=/dev/null", "ls-files", "--others", "--exclude-standard", "-z", "--", "*.ts").split(
          "\0",
        );
        assert.deepEqual(list(root), listed.filter((file) => file !== "").sort());
      });
      fc.assert(property, { numRuns: 150 });
    });
  });
});

describe("compileGlob", () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["packages/*", ["packages/a"], ["packages", "packages/a/b"]],
    ["packages/**", ["packages/a", "packages/a/b"], ["packages", "x/packages/a"]],
    ["**/packages/*", ["packages/a", "x/y/packages/a"], ["packages"]],
    ["a/**/b", ["a/b", "a/x/y/b"], ["ab", "a/xb"]],
    ["[[:digit:]a-c].t?", ["1.ts", "b.tx"], ["d.ts", "1.t/"]],
    ["a[]-]b", ["a]b", "a-b"], ["a[b"]],
    ["\\*.(ts)+", ["*.(ts)+"], ["a.(ts)+", "*.tss"]],
  ];
  for (const [glob, matching, others] of cases) {
    it(glob, () => {
      const pattern = compileGlob(glob);
      for (const path of matching) assert.match(path, pattern!);
      for (const path of others) assert.doesNotMatch(path, pattern!);
    });
  }
  it("knows patterns that match nothing", () => {
    for (const glob of ["a[b", "a\\", "[[:nonsense:]]"]) assert.equal(compileGlob(glob), undefined);
  });
});

describe("describePlace", () => {
  const tests = [
    "src/upload.test.ts",
    "upload.spec.jsx",
    "test.ts",
    "src/a.test.helper.ts",
    "src/__tests__/a.ts",
    "test/a.ts",
    "packages/x/tests/a.ts",
    "__fixtures__/a.ts",
    "fixtures/a.ts",
    "src/__mocks__/fs.ts",
    "e2e/a.ts",
    "cypress/support/a.ts",
    "deploy/a.ts",
    "deploy-scripts/a.ts",
    "deployment/a.ts",
    "deploy.mjs",
    "scripts/deploy-site.ts",
    "src/Player.stories.tsx",
    "vite.config.ts",
    "web/next.config.mjs",
    "Tests/a.ts",
  ];
  for (const file of tests) it(`test: ${file}`, () => assert.equal(describePlace(file).test, true));
  const lenient = [
    "example/a.ts",
    "examples/x/a.ts",
    "scripts/a.ts",
    "script/a.ts",
    "demo/a.ts",
    "packages/x/demos/a.ts",
    "samples/a.ts",
    "bin/a.ts",
    "container/a.ts",
    "tools/a.ts",
  ];
  for (const file of lenient) it(`lenient: ${file}`, () => assert.deepEqual(describePlace(file), { test: false, lenient: true }));
  const ordinary = [
    "a.ts",
    "latest/a.ts",
    "contest.ts",
    "contests/a.ts",
    "src/test-results.ts",
    "attest/a.ts",
    "src/testing.ts",
    "src/specification.ts",
    "config.ts",
    "src/app.config.service.ts",
    "src/config/cloudinary.config.js",
    "middlewares/multer.config.ts",
    "src/configure.ts",
    "redeploy/a.ts",
    "src/deploy.ts",
    "src/deployer/a.ts",
    "src/demographics/a.ts",
    "src/containers/a.ts",
    "src/binary/a.ts",
    "scripting/a.ts",
    "src/examples.ts",
    "src/tests.ts",
    "toolset/a.ts",
  ];
  for (const file of ordinary) it(`ordinary: ${file}`, () => assert.deepEqual(describePlace(file), { test: false, lenient: false }));
});

describe("openSources", () => {
  it("decodes UTF-8 and UTF-16, with and without byte order marks, and lets no byte stop it", () => {
    const text = "const größe = '🎬';\n";
    const little = Buffer.from(`\uFEFF${text}`, "utf16le");
    const tree = {
      "plain.ts": text,
      "marked.ts": `\uFEFF${text}`,
      "little.ts": little,
      "big.ts": Buffer.from(little).swap16(),
      "odd.ts": Buffer.concat([Buffer.from(little).swap16(), Buffer.from("x")]),
      "latin.ts": Buffer.from("const größe = 1;", "latin1"),
    };
    withTree(tree, (root) => {
      const sources = openSources(root);
      for (const file of ["plain.ts", "marked.ts", "little.ts", "big.ts", "odd.ts"]) {
        assert.equal(sources.read(file), text, file);
        assert.equal(Buffer.from(sources.bytes(file)).toString().replace("\uFEFF", ""), text, file);
      }
      assert.equal(sources.read("latin.ts"), "const gr\uFFFD\uFFFDe = 1;");
      assert.deepEqual(sources.problems(), []);
    });
  });

  it("passes over large and binary files, says so, and takes it back when they change", () => {
    const segment = Buffer.alloc(188 * 20_000);
    for (let at = 0; at < segment.length; at += 188) segment[at] = 0x47;
    const tree = {
      "large.ts": Buffer.alloc(2 * 1024 * 1024 + 1, "a"),
      "full.ts": Buffer.alloc(2 * 1024 * 1024, "a"),
      "binary.ts": Buffer.from("const a = 1;\0"),
      "late.ts": `${" ".repeat(9000)}\0`,
      "segment.ts": segment,
      "short.ts": segment.subarray(0, 1880),
    };
    withTree(tree, (root) => {
      const sources = openSources(root);
      const texts = sources.files().map((file) => [file, sources.read(file).length]);
      assert.deepEqual(texts, [
        ["binary.ts", 0],
        ["full.ts", 2 * 1024 * 1024],
        ["large.ts", 0],
        ["late.ts", 9001],
        ["segment.ts", 0],
        ["short.ts", 0],
      ]);
      assert.deepEqual(
        sources.problems().map(({ source, severity }) => `${severity} ${source}`),
        ["info binary.ts", "info large.ts"],
      );
      plant(root, "binary.ts", "const a = 1;");
      sources.changed(["binary.ts"]);
      assert.equal(sources.read("binary.ts"), "const a = 1;");
      assert.deepEqual(
        sources.problems().map(({ source }) => source),
        ["large.ts"],
      );
    });
  });

  it("reads missing files, directories, pipes and locked files as empty", function () {
    if (process.platform === "win32") this.skip();
    withTree(empty("locked.ts", "sub/a.ts"), (root) => {
      execFileSync("mkfifo", [join(root, "pipe.ts")]);
      const sources = openSources(root);
      for (const file of ["missing.ts", "locked.ts/below.ts", "sub", "pipe.ts"]) assert.equal(sources.read(file), "", file);
      assert.equal(sources.version("missing.ts"), "");
      assert.deepEqual(sources.problems(), []);
      if (process.getuid?.() === 0) return;
      chmodSync(join(root, "locked.ts"), 0);
      sources.changed(["locked.ts"]);
      assert.equal(sources.read("locked.ts"), "");
      assert.deepEqual(
        sources.problems().map(({ source }) => source),
        ["locked.ts"],
      );
    });
  });

  it("shows an editor's text until the disk counts again", () => {
    withTree({ "a.ts": "disk" }, (root) => {
      const sources = openSources(root);
      const versions = [sources.version("a.ts")];
      sources.setText("a.ts", "\uFEFFeditor");
      versions.push(sources.version("a.ts"));
      assert.equal(sources.read("a.ts"), "editor");
      assert.equal(Buffer.from(sources.bytes("a.ts")).toString(), "editor");
      sources.setText("a.ts", "editor");
      versions.push(sources.version("a.ts"));
      sources.setText("a.ts", undefined);
      assert.equal(sources.read("a.ts"), "disk");
      assert.equal(sources.version("a.ts"), versions[0]);
      assert.equal(new Set(versions).size, 3);
    });
  });

  it("lists an unsaved new file as long as it is open", () => {
    withTree({ "a.ts": "", ".gitignore": "gen/" }, (root) => {
      const sources = openSources(root);
      assert.deepEqual(sources.files(), ["a.ts"]);
      for (const file of ["new.ts", "gen/new.ts", "new.md"]) sources.setText(file, "");
      assert.deepEqual(sources.files(), ["a.ts", "new.ts"]);
      sources.changed();
      assert.deepEqual(sources.files(), ["a.ts", "new.ts"]);
      sources.setText("new.ts", undefined);
      assert.deepEqual(sources.files(), ["a.ts"]);
    });
  });

  it("notices edits, new and removed files and directories once it is told", () => {
    withTree({ "a.ts": "one", "b.ts": "", "sub/c.ts": "" }, (root) => {
      const sources = openSources(root);
      assert.equal(sources.read("a.ts"), "one");
      const before = sources.version("a.ts");
      const revision = sources.revision();
      writeFileSync(join(root, "a.ts"), "two");
      utimesSync(join(root, "a.ts"), 1, 1);
      assert.equal(sources.version("a.ts"), before);
      sources.changed(["a.ts"]);
      assert.notEqual(sources.version("a.ts"), before);
      assert.equal(sources.read("a.ts"), "two");
      assert.equal(sources.revision(), revision, "an edit moves no file");

      plant(root, "new.ts");
      rmSync(join(root, "b.ts"));
      sources.changed(["new.ts", "b.ts", "README.md"]);
      assert.deepEqual(sources.files(), ["a.ts", "new.ts", "sub/c.ts"]);
      rmSync(join(root, "sub"), { recursive: true });
      plant(root, "other/d.ts");
      sources.changed(["sub", "other"]);
      assert.deepEqual(sources.files(), ["a.ts", "new.ts", "other/d.ts"]);
      plant(root, ".gitignore", "other");
      sources.changed([".gitignore"]);
      assert.deepEqual(sources.files(), ["a.ts", "new.ts"]);
      assert.notEqual(sources.revision(), revision);
    });
  });
});
