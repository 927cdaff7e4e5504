/**
 * What fixes make of code as people write it. Each file of `test/fixtures/fixes` shows the files of one workspace, each below a line
 * `@@ <path>`: lines that stay (two blanks before them), that go (`- `) and that come (`+ `) when the preferred fixes are applied one
 * after the other until none is left. A file of which nothing but `+ ` is shown is made by a fix. A workspace that shows no
 * `package.json` has one that depends on the runtime.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { openAnalysis } from "../../core/analysis/analysis.ts";
import { applyEdits } from "../../core/analysis/applyEdits.ts";
import type { AnalysisSettings } from "../../core/analysis/check.ts";
import type { Finding, Fix } from "../../core/analysis/finding.ts";
import { addedErrors, type Change } from "./typeErrors.ts";

const FOLDER = path.resolve(import.meta.dirname, "../fixtures/fixes");
const SETTINGS: AnalysisSettings = { uploads: [], assemblies: [], cleanups: [], rules: {}, exclude: [] };
const MOST = 20;

interface Example {
  readonly name: string;
  /** Undefined: there is no such file yet. */
  readonly before: ReadonlyMap<string, string | undefined>;
  readonly after: ReadonlyMap<string, string>;
}

const examples = fs
  .readdirSync(FOLDER)
  .toSorted()
  .map((name) => readExample(name));

describe("fixed code", () => {
  const changes: Change[] = [];
  let scratch = "";
  before(() => {
    scratch = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-fixed-"));
  });
  after(() => fs.rmSync(scratch, { recursive: true, force: true }));

  for (const lineEnd of ["\n", "\r\n"])
    for (const example of examples)
      it(`${example.name}${lineEnd === "\n" ? "" : " with the line ends of Windows"}`, () => {
        const root = path.join(scratch, `${example.name}${lineEnd.length}`);
        plant(root, example, lineEnd);
        const first = findingsIn(root);
        const last = fixAll(root);
        for (const [file, text] of example.after) {
          const isNew = example.before.get(file) === undefined;
          assert.equal(fs.readFileSync(path.join(root, file), "utf8"), isNew ? text : text.replaceAll("\n", lineEnd), file);
        }
        assert.deepEqual(last.filter((finding) => finding.fixable || isGrave(finding)).map(nameOf), [], "something is left to be fixed");
        const known = new Set(first.map(nameOf));
        assert.deepEqual(
          last.map(nameOf).filter((name) => !known.has(name)),
          [],
          "the fixes made findings",
        );
        if (lineEnd === "\n") changes.push(...changesOf(example, path.join(scratch, `${example.name}0`)));
      });

  it("compiles as well as before", function () {
    this.timeout(120_000);
    const errors = addedErrors(changes);
    assert.deepEqual(errors, [], errors.join("\n"));
  });

  it("is the same for the second of two copies", () => {
    const root = path.join(scratch, "copies");
    const example = examples.find(({ name }) => name === "copiesOfCode");
    assert.ok(example);
    plant(root, example, "\n");
    const analysis = openAnalysis({ root, settings: SETTINGS });
    const offered = analysis.check().findings.map((finding) => analysis.fixes(finding).length > 0);
    assert.deepEqual(offered, [true, true]);
  });

  it("calls a helper that the project gets, where that is chosen, and makes it once", () => {
    const root = path.join(scratch, "helper");
    const example = examples.find(({ name }) => name === "copiesOfCode");
    assert.ok(example);
    plant(root, example, "\n");
    for (const count of [2, 1]) {
      const analysis = openAnalysis({ root, settings: SETTINGS });
      const { findings } = analysis.check();
      assert.equal(findings.length, count);
      const fixes = findings[0] ? analysis.fixes(findings[0]) : [];
      const chosen = count === 2 ? fixes.find(({ preferred }) => !preferred) : fixes.find(({ preferred }) => preferred);
      assert.ok(chosen);
      assert.equal(chosen.edits.filter(({ create }) => create).length, count - 1);
      apply(root, chosen.edits);
    }
    assert.deepEqual(findingsIn(root), []);
    const text = fs.readFileSync(path.join(root, "src/logs.ts"), "utf8");
    assert.equal(text.match(/^import .*"\.\/deleteLocalFileAfterUpload";$/gm)?.length, 1);
    assert.equal(text.match(/^ {2}await deleteLocalFileAfterUpload\(file\);$/gm)?.length, 2);
  });
});

function readExample(name: string): Example {
  const before = new Map<string, string | undefined>();
  const after = new Map<string, string>();
  for (const part of fs.readFileSync(path.join(FOLDER, name), "utf8").split(/^@@ /m).slice(1)) {
    const [file = "", ...lines] = part.replace(/\n$/, "").split("\n");
    const side = (gone: string): string[] => lines.filter((line) => !line.startsWith(gone)).map((line) => line.slice(2));
    const isNew = lines.every((line) => line.startsWith("+"));
    before.set(file, isNew ? undefined : `${side("+").join("\n")}\n`);
    after.set(file, `${side("-").join("\n")}\n`);
  }
  return { name: path.basename(name, ".diff"), before, after };
}

/** Projects that say nothing else may import the runtime. */
const MANIFEST = JSON.stringify({ dependencies: { offcut: "*" } });

function plant(root: string, { before }: Example, lineEnd: string): void {
  fs.mkdirSync(root, { recursive: true });
  if (!before.has("package.json")) fs.writeFileSync(path.join(root, "package.json"), MANIFEST);
  for (const [file, text] of before) {
    if (text === undefined) continue;
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text.replaceAll("\n", lineEnd));
  }
}

function findingsIn(root: string): readonly Finding[] {
  return openAnalysis({ root, settings: SETTINGS }).check().findings;
}

/** One after the other, each for the text that the one before left. Returns what is found at the end. */
function fixAll(root: string): readonly Finding[] {
  for (let count = 0; count < MOST; count++) {
    const analysis = openAnalysis({ root, settings: SETTINGS });
    const { findings } = analysis.check();
    const finding = findings.find((one) => one.fixable);
    if (!finding) return findings;
    const [fix] = analysis.fixes(finding);
    assert.ok(fix?.preferred, `${nameOf(finding)} says that it can be fixed, but there is no fix`);
    apply(root, fix.edits);
  }
  return assert.fail(`there was something to fix after ${MOST} fixes`);
}

function apply(root: string, edits: Fix["edits"]): void {
  for (const { file, edits: mine, create } of edits) {
    const place = path.join(root, file);
    assert.equal(fs.existsSync(place), create !== true, file);
    fs.mkdirSync(path.dirname(place), { recursive: true });
    fs.writeFileSync(place, applyEdits(create ? "" : fs.readFileSync(place, "utf8"), mine));
  }
}

function changesOf(example: Example, folder: string): Change[] {
  plant(folder, example, "\n");
  return [...example.after].flatMap(([file, after]) => {
    const before = example.before.get(file);
    return before === after || !/\.[cm]?[jt]sx?$/.test(file) ? [] : [{ id: example.name, folder, file, before, after }];
  });
}

function isGrave({ severity }: Finding): boolean {
  return severity === "error" || severity === "warning";
}

function nameOf({ rule, file, subject }: Finding): string {
  return `${rule} ${file} ${subject}`;
}
