/** The whole analysis on files and trees that nobody would write, and some that somebody did. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openAnalysis } from "../../core/analysis/analysis.ts";
import type { CheckResult } from "../../core/analysis/check.ts";
import { settingsOf } from "./expectations.ts";
import { type Tree, withTree } from "./sourceTree.ts";

const IMPORTS = `import { v2 as cloudinary } from "cloudinary";
import { writeFile, rm } from "node:fs/promises";
`;
const LEAVES = `${IMPORTS}export async function send(text: string): Promise<void> {
  await writeFile("/tmp/note.txt", text);
  await cloudinary.uploader.upload("/tmp/note.txt");
}
`;
const LINE = 5;
function check(root: string): CheckResult {
  return openAnalysis({ root, settings: settingsOf(root) }).check();
}

function placesIn({ findings }: CheckResult): readonly string[] {
  return findings.map(({ file, range, rule }) => `${file}:${range.start.line}:${range.start.column} ${rule}`);
}

function placesOf(tree: Tree): readonly string[] {
  return withTree(tree, (root) => placesIn(check(root)));
}

const FOUND = `missing-cleanup-after-upload`;

describe("analysis of odd texts", () => {
  it("finds what stands beside a syntax error", () => {
    for (const broken of [
      "function (",
      "}}}",
      "const = ;",
      "<<<<<<< HEAD\nconst a = 1;\n=======\nconst a = 2;\n>>>>>>> main",
      "@@@",
      "`${",
    ])
      assert.deepEqual(placesOf({ "a.ts": `${LEAVES}\n${broken}\n`, "b.ts": broken, "c.ts": LEAVES }), [
        `a.ts:${LINE}:9 ${FOUND}`,
        `c.ts:${LINE}:9 ${FOUND}`,
      ]);
  });

  it("reads byte order marks, every line end and UTF-16", () => {
    const windows = LEAVES.replaceAll("\n", "\r\n");
    const tree: Tree = {
      "bom.ts": `\uFEFF${LEAVES}`,
      "crlf.ts": `\uFEFF${windows}`,
      "cr.ts": LEAVES.replaceAll("\n", "\r"),
      "utf16.ts": Buffer.from(`\uFEFF${windows}`, "utf16le"),
      "utf16be.ts": Buffer.from(`\uFEFF${LEAVES}`, "utf16le").swap16(),
      "mixed.ts": LEAVES.replace("\n", "\r\n"),
    };
    assert.deepEqual(
      placesOf(tree),
      Object.keys(tree)
        .sort()
        .map((file) => `${file}:${LINE}:9 ${FOUND}`),
    );
  });

  it("reads what is not UTF-8", () => {
    const latin = Buffer.from(LEAVES.replaceAll("note.txt", "n\xF6te.txt"), "latin1");
    const torn = Buffer.concat([Buffer.from([0x2f, 0x2f, 0xff, 0xc3, 0x28, 0xf0, 0x9f, 0x0a]), Buffer.from(LEAVES)]);
    assert.deepEqual(placesOf({ "latin.ts": latin, "torn.ts": torn }), [`latin.ts:${LINE}:9 ${FOUND}`, `torn.ts:${LINE + 1}:9 ${FOUND}`]);
  });

  it("says of a file beyond 2 MB that it was left out, and checks the others", () => {
    const large = LEAVES + "// padding\n".repeat(200_000);
    withTree({ "large.ts": large, "a.ts": LEAVES }, (root) => {
      const result = check(root);
      assert.deepEqual(placesIn(result), [`a.ts:${LINE}:9 ${FOUND}`]);
      assert.deepEqual(
        result.problems.map(({ source, severity }) => `${source} ${severity}`),
        ["large.ts info"],
      );
      assert.match(result.problems[0]?.message ?? "", /2 MB/);
    });
  });

  it("checks a megabyte of functions that each upload", () => {
    const one = (n: number): string => LEAVES.slice(IMPORTS.length).replace("send", `send${n}`).replaceAll("note.txt", `note-${n}.txt`);
    const count = Math.ceil(1_000_000 / one(1000).length);
    const text = IMPORTS + Array.from({ length: count }, (_, n) => one(n)).join("");
    assert.equal(placesOf({ "a.ts": text }).length, count);
  }).timeout(60_000);

  it("checks a megabyte in one function", () => {
    const steps = `  total = total + text.trim().length; console.log("entry", total, { text, at: "the end" });\n`.repeat(11_000);
    const text = LEAVES.replace("  await cloudinary", `  let total = 0;\n${steps}  await cloudinary`);
    assert.deepEqual(placesOf({ "a.ts": text }), [`a.ts:${LINE + 11_001}:9 ${FOUND}`]);
  }).timeout(60_000);

  it("checks a function that fills a long list", () => {
    const steps = `  names.push({ kind: "entry", text: text.trim() + "and more", at: names.length });\n`.repeat(1500);
    const text = LEAVES.replace("  await cloudinary", `  const names: unknown[] = [];\n${steps}  await cloudinary`);
    assert.deepEqual(placesOf({ "a.ts": text }), [`a.ts:${LINE + 1501}:9 ${FOUND}`]);
  }).timeout(60_000);

  it("bears a megabyte on one line", () => {
    const line = LEAVES.slice(IMPORTS.length)
      .replaceAll(/\s+/g, " ")
      .replaceAll(/: (string|Promise<void>)/g, "");
    const filler = `function f(a,b){return a?b:f(b,a)}`.repeat(30_000);
    // Nobody mends a bundle, so nothing is said of it.
    assert.deepEqual(placesOf({ "a.js": `${IMPORTS.replaceAll("\n", ";")}${filler}${line}`, "b.ts": LEAVES }), [`b.ts:${LINE}:9 ${FOUND}`]);
  }).timeout(60_000);

  const nested: Readonly<Record<string, readonly [open: string, middle: string, close: string]>> = {
    blocks: ["{", "S", "}"],
    conditions: ["if(text){", "S", "}"],
    tries: ["try{", "S", "}finally{await rm('/tmp/other.txt')}"],
    loops: ["for(const x of text){", "S", "}"],
    parentheses: ["(", "await cloudinary.uploader.upload('/tmp/note.txt')", ")"],
    arrows: ["await(async()=>{", "S", "})()"],
    promises: ["await Promise.all([", "cloudinary.uploader.upload('/tmp/note.txt')", "])"],
    chains: ["", "cloudinary.uploader.upload('/tmp/note.txt')", ".then(async()=>rm('/tmp/note.txt'))"],
    templates: ["`${", "text", "}`"],
    switches: ["switch(text){default:", "S", "}"],
  };
  for (const [title, [before, middle, after]] of Object.entries(nested)) {
    it(`bears an upload in deep nesting: ${title}`, () => {
      for (const depth of [100, 10_000]) {
        // On lines of their own, as a file of very long lines is taken for a bundle.
        const inner = `${`${before}\n`.repeat(depth)}${middle.replace("S", "await cloudinary.uploader.upload('/tmp/note.txt');")}${`${after}\n`.repeat(depth)}`;
        const text = `${IMPORTS}export async function send(text) {\n await writeFile("/tmp/note.txt", text);\n ${inner};\n}\n`;
        // The neighbour is found whatever becomes of the deep one.
        assert.ok(placesOf({ "a.js": text, "b.ts": LEAVES }).includes(`b.ts:${LINE}:9 ${FOUND}`));
      }
    }).timeout(60_000);
  }
});

describe("analysis of odd programs", () => {
  const UPLOADS = `import { v2 as cloudinary } from "cloudinary";\n`;
  const CALLS = (callee: string): string => `import { writeFile } from "node:fs/promises";
export async function make(text: string) {
  await writeFile("/tmp/note.txt", text);
  await ${callee}("/tmp/note.txt");
}
`;

  it("bears functions that call each other in a long row", () => {
    const count = 5000;
    const rows = Array.from({ length: count }, (_, n) => `async function f${n}(p: string) { await f${n + 1}(p); }\n`).join("");
    const text = `${UPLOADS}${rows}async function f${count}(p: string) { await cloudinary.uploader.upload(p); }\n${CALLS("f0")}`;
    assert.ok(placesOf({ "a.ts": text, "b.ts": LEAVES }).includes(`b.ts:${LINE}:9 ${FOUND}`));
  }).timeout(60_000);

  it("bears files that call each other in a long row", () => {
    const count = 600;
    const tree: Record<string, string> = {
      "f0.ts": `${UPLOADS}export const up0 = (p: string) => cloudinary.uploader.upload(p);\n`,
      "b.ts": LEAVES,
    };
    for (let n = 1; n < count; n++)
      tree[`f${n}.ts`] = `import { up${n - 1} } from "./f${n - 1}";\nexport const up${n} = (p: string) => up${n - 1}(p);\n`;
    tree["make.ts"] = `import { up${count - 1} } from "./f${count - 1}";\n${CALLS(`up${count - 1}`)}`;
    assert.ok(placesOf(tree).includes(`b.ts:${LINE}:9 ${FOUND}`));
  }).timeout(60_000);

  it("bears a long row of re-exports", () => {
    const tree: Record<string, string> = {
      "f0.ts": `${UPLOADS}export const up = (p: string) => cloudinary.uploader.upload(p);\n`,
      "b.ts": LEAVES,
    };
    for (let n = 1; n < 300; n++) tree[`f${n}.ts`] = n % 2 ? `export * from "./f${n - 1}";\n` : `export { up } from "./f${n - 1}";\n`;
    tree["make.ts"] = `import { up } from "./f299";\n${CALLS("up")}`;
    assert.ok(placesOf(tree).includes(`b.ts:${LINE}:9 ${FOUND}`));
  }).timeout(60_000);

  it("sees through imports in a circle", () => {
    const tree = {
      "a.ts": `import { second } from "./b";\n${UPLOADS}export async function first(p: string, n: number) { if (n) await second(p, n - 1); else await cloudinary.uploader.upload(p); }\n`,
      "b.ts": `import { first } from "./c";\nexport * from "./make";\nexport async function second(p: string, n: number) { await first(p, n); }\n`,
      "c.ts": `export * from "./a";\nexport * from "./b";\nexport * from "./c";\n`,
      "make.ts": `import { first } from "./c";\nimport "./make";\n${CALLS("first")}`,
    };
    assert.deepEqual(placesOf(tree), [`make.ts:6:9 ${FOUND}`]);
  });

  it("bears functions that all call each other", () => {
    const names = Array.from({ length: 60 }, (_, n) => `f${n}`);
    const body = (name: string): string =>
      `async function ${name}(p: string, q: string) { ${names.map((one) => `if (q) await ${one}(q, p);`).join("\n")} await cloudinary.uploader.upload(p); }\n`;
    const text = UPLOADS + names.map(body).join("") + CALLS("f0");
    assert.ok(placesOf({ "a.ts": text, "b.ts": LEAVES }).includes(`b.ts:${LINE}:9 ${FOUND}`));
  }).timeout(60_000);

  it("bears values that grow in loops and recursion", () => {
    const text = `${UPLOADS}import { writeFile } from "node:fs/promises";
export async function grow(text: string, names: string[]): Promise<void> {
  let path = "/tmp/a";
  let box: any = {};
  const list: any[] = [];
  for (const name of names) {
    path = path + "/" + name;
    path = \`\${path}\${path}\`;
    box = { box, path };
    list.push(box, list);
    box.self = box;
  }
  await writeFile(path, text);
  await cloudinary.uploader.upload(path);
  return grow(path + text, [path, ...names, ...list]);
}
`;
    assert.ok(placesOf({ "a.ts": text, "b.ts": LEAVES }).includes(`b.ts:${LINE}:9 ${FOUND}`));
  });

  it("checks thousands of branches in one function", () => {
    const branches = `  if (text === "x") await writeFile("/tmp/other.txt", text);\n`.repeat(2000);
    assert.deepEqual(placesOf({ "a.ts": LEAVES.replace("  await cloudinary", `${branches}  await cloudinary`) }), [
      `a.ts:${LINE + 2000}:9 ${FOUND}`,
    ]);
  }).timeout(60_000);

  it("bears hundreds of branches that each make a file", () => {
    const branch = (n: number): string => `  if (text.length > ${n}) await writeFile("/tmp/${n}.txt", text); else flag = ${n};\n`;
    const branches = Array.from({ length: 400 }, (_, n) => branch(n)).join("");
    const text = LEAVES.replace("  await writeFile", `  let flag = 0;\n${branches}  await writeFile`);
    assert.ok(placesOf({ "a.ts": text }).includes(`a.ts:${LINE + 401}:9 ${FOUND}`));
  }).timeout(60_000);

  it("bears classes and names that lead to themselves", () => {
    const text = `${UPLOADS}
class A extends A { up = this.up; async send(p: string) { await this.send(p); await super.send(p); } }
class B extends C {} class C extends B { async send(p: string) { await cloudinary.uploader.upload(p); } }
type T = T; type U = V; type V = U; interface I extends I {}
const a = b, b = a; const { c } = c; let d = () => d; const e: T = e; export { a as b, b as a }; export default a;
Object.assign(a, b, a); a.a = a; b.prototype = b;
new C().send("/tmp/x"); new A().send("/tmp/x"); d()()()("/tmp/x");
`;
    assert.ok(placesOf({ "a.ts": text, "b.ts": LEAVES }).includes(`b.ts:${LINE}:9 ${FOUND}`));
  });
});

describe("analysis of odd trees", () => {
  const one = [`a.ts:${LINE}:9 ${FOUND}`];

  it("does not follow links, not even those in a circle", function () {
    if (process.platform === "win32") this.skip();
    withTree({ "a.ts": LEAVES, "sub/b.ts": "" }, (root) => {
      symlinkSync(root, join(root, "sub/again"));
      symlinkSync("self.ts", join(root, "self.ts"));
      symlinkSync("nowhere.ts", join(root, "dangling.ts"));
      symlinkSync("a.ts", join(root, "copy.ts"));
      assert.deepEqual(placesIn(check(root)), one);
    });
  });

  it("passes by pipes, empty files and directories that are called like files", function () {
    if (process.platform === "win32") this.skip();
    withTree({ "a.ts": LEAVES, "empty.ts": "", "directory.ts/inner.txt": "", "ends.ts": "\0\0\0" }, (root) => {
      execFileSync("mkfifo", [join(root, "pipe.ts")]);
      assert.deepEqual(placesIn(check(root)), one);
    });
  });

  it("finds nothing in a directory that is not there", () => {
    withTree({}, (root) => {
      const { findings, files } = check(join(root, "missing"));
      assert.deepEqual([findings, files], [[], 0]);
    });
  });

  it("goes on without what it may not read, and says so", function () {
    const { geteuid, seteuid } = process;
    if (!geteuid || !seteuid) this.skip();
    withTree({ "a.ts": LEAVES, "locked.ts": LEAVES, "closed/b.ts": LEAVES }, (root) => {
      const [user, nobody] = [geteuid(), 65_534];
      chmodSync(root, 0o755);
      chmodSync(join(root, "locked.ts"), 0);
      chmodSync(join(root, "closed"), 0);
      try {
        // Whoever is root may read everything.
        if (user === 0) seteuid(nobody);
        const result = check(root);
        assert.deepEqual(placesIn(result), one);
        assert.deepEqual(result.problems.map(({ source }) => source).sort(), ["closed", "locked.ts"]);
      } finally {
        if (user === 0) seteuid(user);
        chmodSync(join(root, "closed"), 0o755);
      }
    });
  });

  /** Changes the tree when the first file has been looked at. */
  function checkDuring(tree: Tree, change: (root: string) => void): readonly string[] {
    return withTree(tree, (root) => {
      let changed = false;
      const session = openAnalysis({ root, settings: settingsOf(root) });
      const result = session.check({
        onProgress() {
          if (!changed) change(root);
          changed = true;
        },
      });
      assert.ok(changed);
      session.changed();
      assert.deepEqual(session.check().findings, openAnalysis({ root, settings: settingsOf(root) }).check().findings);
      return placesIn(result);
    });
  }

  const pair = { "a.ts": LEAVES, "z.ts": LEAVES, "y/wrapper.ts": LEAVES };

  it("goes on when files go while it looks", () => {
    assert.deepEqual(
      checkDuring(pair, (root) => rmSync(join(root, "z.ts"))),
      [...one, `y/wrapper.ts:${LINE}:9 ${FOUND}`],
    );
    assert.deepEqual(
      checkDuring(pair, (root) => rmSync(join(root, "y"), { recursive: true })),
      [...one, `z.ts:${LINE}:9 ${FOUND}`],
    );
    checkDuring(pair, (root) => rmSync(join(root, "a.ts")));
    checkDuring(pair, (root) => rmSync(root, { recursive: true }));
  });

  it("goes on when files change while it looks", () => {
    checkDuring(pair, (root) => writeFileSync(join(root, "a.ts"), "export {};"));
    checkDuring(pair, (root) => writeFileSync(join(root, "z.ts"), `\n${LEAVES}`));
    assert.deepEqual(
      checkDuring(pair, (root) => {
        rmSync(join(root, "z.ts"));
        mkdirSync(join(root, "z.ts"));
      }),
      [...one, `y/wrapper.ts:${LINE}:9 ${FOUND}`],
    );
  });
});
