/** A session that followed edits finds what a fresh one finds. */
import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { openAnalysis } from "../../core/analysis/analysis.ts";
import { applyEdits } from "../../core/analysis/applyEdits.ts";
import type { Analysis, CheckResult } from "../../core/analysis/check.ts";
import { type Edit, edit, makeRepository, perform, type Repository, typing } from "./edits.ts";
import { settingsOf, sources } from "./expectations.ts";
import { plant, withTree } from "./sourceTree.ts";

function open({ root, open }: Repository): Analysis {
  const analysis = openAnalysis({ root, settings: settingsOf(root) });
  for (const [file, text] of open) analysis.setText(file, text);
  return analysis;
}

/** In an order of its own, as problems are told in the order in which files were read. */
function listProblems({ problems }: CheckResult): readonly string[] {
  return problems.map((problem) => JSON.stringify(problem)).sort();
}

function assertSame(session: Analysis, repository: Repository, paths?: readonly string[]): CheckResult {
  const fresh = open(repository).check(paths && { paths });
  const followed = session.check(paths && { paths });
  assert.deepEqual(followed.findings, fresh.findings);
  assert.deepEqual(followed.sites, fresh.sites);
  assert.deepEqual(listProblems(followed), listProblems(fresh));
  if (paths) {
    const all = session.check().findings.filter(({ file }) => paths.includes(file));
    assert.deepEqual(followed.findings, all);
  }
  assert.deepEqual([followed.files, followed.parsed], [fresh.files, fresh.parsed]);
  return fresh;
}

/** Settings count from the start of a session, so a change of `offcut.json` starts another one, as the server does. */
function follow(session: Analysis, repository: Repository, edit: Edit): Analysis {
  perform(repository, edit, session);
  return edit.edit === "configure" && edit.file === "offcut.json" ? open(repository) : session;
}

describe("incremental analysis", () => {
  it("finds what a fresh one finds, after any edits", () => {
    withTree({}, (root) => {
      let runs = 0;
      let found = 0;
      const property = fc.property(fc.array(fc.tuple(edit, fc.nat(3)), { minLength: 1, maxLength: 12 }), (edits) => {
        const directory = join(root, String(runs++));
        mkdirSync(directory);
        const repository = makeRepository(directory);
        let session = open(repository);
        session.check();
        for (const [one, look] of edits) {
          session = follow(session, repository, one);
          // What a look in between remembers must not outlive the next edit.
          if (look === 1) session.check();
          if (look === 2) session.check({ paths: sources(directory).slice(0, 1) });
        }
        found += assertSame(session, repository).findings.length;
        assertSame(session, repository, sources(directory).slice(0, 2));
        rmSync(directory, { recursive: true });
      });
      fc.assert(property, { numRuns: 200, interruptAfterTimeLimit: 150_000, markInterruptAsFailure: true });
      assert.ok(found > 200, `${found} findings are too few to tell anything`);
    });
  }).timeout(180_000);

  it("finds what a fresh one finds, after each line that is typed", () => {
    withTree({}, (root) => {
      let runs = 0;
      const counts = new Set<number>();
      const property = fc.property(fc.array(typing, { minLength: 1, maxLength: 8 }), (edits) => {
        const directory = join(root, String(runs++));
        mkdirSync(directory);
        const repository = makeRepository(directory, "parts/desk/");
        const session = open(repository);
        counts.add(session.check().findings.length);
        for (const one of edits) {
          perform(repository, one, session);
          counts.add(assertSame(session, repository).findings.length);
        }
        rmSync(directory, { recursive: true });
      });
      fc.assert(property, { numRuns: 400, interruptAfterTimeLimit: 150_000, markInterruptAsFailure: true });
      assert.ok(counts.size > 2, `${[...counts].join()} findings`);
    });
  }).timeout(180_000);

  it("notices that a directory took the place of another", () => {
    const leaves = `import { uploader } from "cloudinary";
import { writeFile } from "node:fs/promises";
export async function send(text: string) {
  await writeFile("/tmp/a.txt", text);
  await uploader.upload("/tmp/a.txt");
}
`;
    withTree({ "a/b/send.ts": leaves, "c/b/send.ts": "export {};\n" }, (root) => {
      const session = openAnalysis({ root, settings: settingsOf(root) });
      assert.deepEqual(
        session.check().findings.map(({ file }) => file),
        ["a/b/send.ts"],
      );
      for (const [from, to] of [
        ["a", "d"],
        ["c", "a"],
      ] as const) {
        renameSync(join(root, from), join(root, to));
        session.changed([from, to]);
      }
      assert.deepEqual(
        session.check().findings.map(({ file }) => file),
        ["d/b/send.ts"],
      );
    });
  });

  it("knows who calls a function after others before it went", () => {
    const first = `import { uploader } from "cloudinary";
import { unlink, writeFile } from "node:fs/promises";
const latest = "/tmp/desk/latest.txt";
export async function repeat(text: string) {
  await writeFile(latest, text);
  await uploader.upload(latest);
  await new Desk().log(text);
}
export class Desk {
`;
    const rename = "  rename() {}\n";
    const last = `  async log(text: string) {
    await writeFile("/var/log/desk.txt", text);
  }
  async clear() {
    await unlink(latest);
  }
}
`;
    withTree({ "desk.ts": first + rename + last }, (root) => {
      const session = openAnalysis({ root, settings: settingsOf(root) });
      for (const text of [first + rename + last, first + last]) {
        session.setText("desk.ts", text);
        assert.deepEqual(
          session.check().findings.map(({ message }) => message),
          ['Nothing calls "Desk.clear", which would delete "/tmp/desk/latest.txt".'],
        );
      }
    });
  });

  it("knows what the packages around depend on since one of them changed", () => {
    const store = `export const keep = (store, file) => store.fPutObject("gauges", "levels.csv", file);\n`;
    const levels = `import { writeFileSync } from "node:fs";
import { keep } from "./keep.js";
export async function keepLevels(store) {
  writeFileSync("/tmp/levels.csv", "1");
  await keep(store, "/tmp/levels.csv");
}
`;
    const manifest = (dependencies: object) => JSON.stringify({ name: "aquarium", dependencies });
    withTree({ "keep.js": store, "levels.js": levels, "package.json": manifest({}) }, (root) => {
      const session = openAnalysis({ root, settings: settingsOf(root) });
      for (const [dependencies, found] of [
        [{}, 0],
        [{ minio: "*" }, 1],
        [{}, 0],
      ] as const) {
        plant(root, "package.json", manifest(dependencies));
        session.changed(["package.json"]);
        assert.equal(session.check().findings.length, found);
      }
    });
  });

  it("knows what a function makes of a name that changed, for those within it", () => {
    const text = (root: string) => `import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { uploader } from "cloudinary";
const root = ${root};
export function open() {
  const folder = join(root, "other");
  return class {
    file = join(folder, "desk.txt");
    async note(text: string) {
      await writeFile(this.file, text);
      await uploader.upload(this.file);
    }
  };
}
`;
    withTree({ "desk.ts": text('"/tmp/a"') }, (root) => {
      const session = openAnalysis({ root, settings: settingsOf(root) });
      for (const directory of ["/tmp/a", "/tmp/b"]) {
        session.setText("desk.ts", text(JSON.stringify(directory)));
        assert.deepEqual(
          session.check().findings.map(({ path }) => path?.text),
          [`${directory}/other/desk.txt`],
        );
      }
    });
  });

  it("forgets callers of a wrapper that nobody can call any more", () => {
    const keep = (around: string) => `const { uploader } = require("cloudinary");
${around}
const put = async (file) => uploader.upload(file);
module.exports = { put };
`;
    const tree = {
      "keep.js": keep(""),
      "through.js": `const { put } = require("./keep");
module.exports = { publish: async ({ source }) => put(source) };
`,
      "route.js": `const fs = require("fs");
const { publish } = require("./through");
exports.save = async (text) => {
  fs.writeFileSync("/tmp/track.txt", text);
  await publish({ source: "/tmp/track.txt" });
};
`,
    };
    withTree(tree, (root) => {
      const session = openAnalysis({ root, settings: settingsOf(root) });
      for (const [around, found] of [
        ["", 1],
        ["async function other() {", 0],
        ["", 1],
      ] as const) {
        session.setText("keep.js", keep(around));
        assert.equal(session.check().findings.length, found);
      }
    });
  });

  it("fixes the text as it is now, though nobody has asked for a check since it changed", () => {
    const before = `import { uploader } from "cloudinary";
import { unlink, writeFile } from "node:fs/promises";
export async function send(text: string) {
  const file = \`/tmp/\${Date.now()}.txt\`;
  await writeFile(file, text);
  await uploader.upload(file);
}
export const forget = unlink;
`;
    const now = `// A line that came.\n${before}`;
    withTree({ "send.ts": before }, (root) => {
      for (const change of [
        (session: Analysis) => session.setText("send.ts", now),
        (session: Analysis) => {
          writeFileSync(join(root, "send.ts"), now);
          session.changed();
        },
      ]) {
        const session = openAnalysis({ root, settings: settingsOf(root) });
        const [finding] = session.check().findings;
        assert.ok(finding);
        change(session);
        const [edit] = session.fixes(finding)[0]?.edits ?? [];
        assert.match(applyEdits(now, edit?.edits ?? []), /upload\(file\);\n {2}await unlink\(file\)/);
      }
    });
  });

  it("finds nothing new in the same text", () => {
    withTree({}, (root) => {
      const repository = makeRepository(root);
      const session = open(repository);
      const before = session.check();
      assert.ok(before.findings.length >= 5, `${before.findings.length}`);
      session.changed();
      assert.deepEqual(session.check(), before);
      assert.deepEqual(session.check(), before);
    });
  });
});
