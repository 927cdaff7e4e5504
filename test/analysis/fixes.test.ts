import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { openAnalysis } from "../../core/analysis/analysis.ts";
import { applyEdits, collide } from "../../core/analysis/applyEdits.ts";
import type { Analysis } from "../../core/analysis/check.ts";
import { type Finding, type Fix, RULES, type TextEdit } from "../../core/analysis/finding.ts";
import { type Case, readCases, settingsOf, sources } from "./expectations.ts";
import { addedErrors, type Change } from "./typeErrors.ts";
import { describeStyle, finallyBlocks, prologue } from "./style.ts";

/** The rules whose findings offer a fix (ANALYSIS.md, "Fixes"). */
const FIXABLE = new Set(RULES.slice(0, 7));
const REFUSED = new Set([
  // The deletion stands in a `finally`, which no fix may edit (R87).
  "delete-despite-failed-upload/finally-around-rendered-film",
  // The files are made in a callback and have no name where they are used up: somebody has to decide where to keep their paths.
  "ineffective-cleanup/sweep-in-menu-only",
  "ineffective-cleanup/listed-names-without-directory",
  "missing-cleanup-after-upload/rendition-folder-walked",
  // What is left is known by a name that goes further: to who asked for it, or into the name of what was made of it.
  "missing-cleanup-after-assembly/capture-sent-as-download",
  "missing-cleanup-after-assembly/raw-download-beside-the-cached",
  // A deletion that another route makes looks like one of this file.
  "missing-cleanup-after-upload/two-routes-one-cleans",
  // What was made of it lies beside it: it may be a rendition of its own.
  "missing-cleanup-after-assembly/listed-names-without-directory-in-helper",
  // `output/` may be where the films are kept.
  "missing-cleanup-after-upload/render-in-output-folder",
  // Fields of the elements of a list, of which no name of the function holds one.
  "missing-cleanup-after-assembly/paths-set-on-rows",
  "missing-cleanup-after-upload/form-filled-by-for-each",
  "missing-cleanup-after-upload/nest-declared-files",
]);
/** After the fix the file goes whether or not its upload failed. Of what a request brought that is told in passing. */
const RECEIVED = new Set(["ineffective-cleanup/unlink-only-in-catch-of-handler"]);
/** A fix could take away what somebody still needs. */
const NEEDED = new Set([
  "delete-despite-failed-upload/received-file-sent-by-helper",
  "delete-despite-failed-upload/received-file-in-finally",
  "missing-cleanup-after-upload/store-of-backups",
  "missing-cleanup-after-upload/skipped-without-a-word",
  "missing-cleanup-after-assembly/preview-of-downloaded-film",
  "ineffective-cleanup/helper-whose-caller-reads-on",
  "missing-cleanup-after-upload/recording-in-directory-handed-in",
  // Somebody reads it when the function is over, or the upload may not be.
  "missing-cleanup-after-upload/served-while-it-runs",
  "missing-cleanup-after-upload/read-by-a-job-later",
  "missing-cleanup-after-upload/sent-again-by-the-clock",
  "missing-cleanup-after-upload/raced-with-a-timer",
  "missing-cleanup-after-upload/read-by-child-that-goes-on",
  "missing-cleanup-after-upload/streamed-out-as-well",
  "missing-cleanup-after-upload/held-in-map-and-read",
  "missing-cleanup-after-upload/sent-twice-at-once",
  "missing-cleanup-after-upload/packed-by-a-child",
  // No call deletes what such a name stands for.
  "missing-cleanup-after-assembly/numbered-stills-of-film",
  "missing-cleanup-after-assembly/numbered-pages-of-book",
]);
/** There is only one such file, written over and over: it may be the data itself, and only its owner can say that it may go. */
const ONLY_ONE = new Set([
  "missing-cleanup-after-upload/fixed-name-sent-again",
  "missing-cleanup-after-upload/removes-the-directory-with-unlink",
  "missing-cleanup-after-upload/name-stored",
]);
/** Uploaded within a conditional expression: no place is reached only by what was uploaded. */
const CONDITIONAL = new Set(["missing-cleanup-after-upload/uploaded-if-wanted"]);
/** A look at the output from within a callback is not seen yet, so it is left out. */
const UNSEEN = new Set(["missing-cleanup-after-assembly/exec-callback-string", "missing-cleanup-after-assembly/fluent-events-only"]);
const ROUNDS = 3;

const cases = readCases().filter(({ expectations }) =>
  expectations.some(({ optional, alternatives }) => !optional && alternatives.some(({ rule }) => FIXABLE.has(rule))),
);

describe("fixes of the cases", () => {
  const changes: Change[] = [];
  let scratch = "";
  before(() => {
    scratch = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-fixes-"));
  });
  after(() => fs.rmSync(scratch, { recursive: true, force: true }));

  for (const one of cases) {
    if ([UNSEEN, ONLY_ONE, CONDITIONAL].some((set) => set.has(one.id))) continue;
    it(`${one.id}: each fix clears its finding and nothing else changes`, () => {
      const { analysis, findings } = open(one.folder, one);
      const unfixable = findings.filter((finding) => !finding.fixable && FIXABLE.has(finding.rule) && asksFor(one, finding));
      assert.deepEqual(REFUSED.has(one.id) || NEEDED.has(one.id) ? [] : unfixable.map(keyOf), [], "no fix is offered");
      for (const [index, finding] of findings.filter(({ fixable }) => fixable).entries()) {
        const fix = firstFix(analysis, finding);
        const copy = copyOf(one, path.join(scratch, one.id, String(index)));
        apply(copy, fix.edits);
        changes.push(...changedFiles(one, copy, fix.title));

        const left = open(copy, one)
          .findings.filter(({ severity }) => !RECEIVED.has(one.id) || severity === "warning" || severity === "error")
          .map(keyOf);
        const expected = without(findings.map(keyOf), keyOf(finding));
        const appeared = expected.reduce(without, left);
        assert.deepEqual(appeared, [], `"${fix.title}" left or made findings:\n${textOf(copy, fix)}`);
      }
    });

    it(`${one.id}: fixing everything comes to an end`, () => {
      const copy = copyOf(one, path.join(scratch, one.id, "all"));
      let rounds = 0;
      for (; rounds <= ROUNDS; rounds++) {
        const { analysis, findings } = open(copy, one);
        const fixes = findings.filter(({ fixable }) => fixable).map((finding) => firstFix(analysis, finding));
        if (fixes.length === 0) break;
        apply(copy, compatible(fixes));
      }
      assert.ok(rounds <= ROUNDS, `there was something to fix after ${ROUNDS} rounds`);
      changes.push(...changedFiles(one, copy, "fix all"));
    });
  }

  for (const id of NEEDED)
    it(`${id}: nothing is offered`, () => {
      const one = cases.find((other) => other.id === id);
      assert.ok(one);
      const { analysis, findings } = open(one.folder, one);
      assert.ok(findings.length > 0);
      for (const finding of findings) assert.deepEqual([finding.fixable, analysis.fixes(finding)], [false, []], keyOf(finding));
    });

  it("S1.5, R87: keep line ends, indentation, quotes, semicolons, directives and every finally block", () => {
    assert.ok(changes.length > 0);
    for (const { id, file, before, after } of changes) {
      if (before === undefined) continue;
      const style = describeStyle(file, before);
      const now = describeStyle(file, after);
      // What the file does both ways, or not at all, is free.
      for (const aspect of ["lineEnd", "indentation", "quotes", "semicolons"] as const) {
        if (style[aspect] !== "mixed" && style[aspect] !== "none")
          assert.equal(now[aspect], style[aspect], `${aspect} of ${file} in ${id}:\n${after}`);
      }
      assert.deepEqual(prologue(file, after), prologue(file, before), `${id}:\n${after}`);
      assert.deepEqual(
        finallyBlocks(file, after).slice(0, finallyBlocks(file, before).length),
        finallyBlocks(file, before),
        `${id}:\n${after}`,
      );
    }
  });

  it("compile as well as before", function () {
    this.timeout(120_000);
    const errors = addedErrors(changes);
    assert.deepEqual(errors, [], errors.join("\n"));
  });
});

describe("what is told of the cases", () => {
  const told = (id: string): readonly string[] => {
    const one = cases.find((other) => other.id === id);
    assert.ok(one);
    return open(one.folder, one).findings.map(keyOf);
  };

  it("is told once", () => {
    assert.deepEqual(told("ineffective-cleanup/helper-whose-caller-reads-on"), ["ineffective-cleanup src/cloud.js file"]);
    assert.deepEqual(told("delete-before-upload-settles/floating-upload"), ["delete-before-upload-settles src/quickShare.ts file"]);
    assert.deepEqual(told("missing-cleanup-after-assembly/numbered-pages-of-book"), [
      "missing-cleanup-after-assembly src/makeBook.ts work/chapter_{}/page{}.png",
    ]);
  });

  it("names a file as the loop does", () => {
    assert.deepEqual(told("delete-despite-failed-upload/received-file-in-finally"), [
      "delete-despite-failed-upload src/recordings.js recording.path",
    ]);
  });

  it("names the branch that leaves the file, not the end of its loop", () => {
    const one = cases.find(({ id }) => id === "partial-cleanup/loop-continue");
    assert.ok(one);
    const [finding] = open(one.folder, one).findings;
    assert.match(finding?.message ?? "", /the branch at line 13 /);
  });
});

function open(root: string, one: Case): { readonly analysis: Analysis; readonly findings: readonly Finding[] } {
  const analysis = openAnalysis({ root, settings: settingsOf(one.folder) });
  return { analysis, findings: analysis.check().findings };
}

/** Whether the case wants the finding, rather than letting it pass. */
function asksFor({ expectations }: Case, { rule, file, range }: Finding): boolean {
  return expectations.some(
    (one) => !one.optional && one.file === file && one.line === range.start.line && one.alternatives.some((other) => other.rule === rule),
  );
}

function firstFix(analysis: Analysis, finding: Finding): Fix {
  const fix = analysis.fixes(finding)[0];
  assert.ok(fix, `${finding.rule} at ${finding.file}:${finding.range.start.line} says that it can be fixed, but there is no fix`);
  assert.ok(fix.preferred && fix.title.length > 0 && fix.edits.length > 0, `the first fix of ${finding.rule} is not ready to be applied`);
  return fix;
}

function keyOf({ rule, file, subject }: Finding): string {
  return `${rule} ${file} ${subject}`;
}

/** The list without one occurrence of the key. */
function without(keys: readonly string[], key: string): string[] {
  const at = keys.indexOf(key);
  return at < 0 ? [...keys] : keys.toSpliced(at, 1);
}

function copyOf({ folder }: Case, to: string): string {
  fs.cpSync(folder, to, { recursive: true });
  return to;
}

/** The edits of as many fixes as don't get into each other's way, the first ones first. */
function compatible(fixes: readonly Fix[]): Fix["edits"] {
  const chosen: Fix["edits"][number][] = [];
  for (const { edits } of fixes) {
    const collides = edits.some(({ file, edits: mine }) =>
      chosen.some((other) => other.file === file && other.edits.some((a) => mine.some((b) => collide(a.range, b.range)))),
    );
    if (!collides) chosen.push(...edits);
  }
  return chosen;
}

function apply(folder: string, changes: Fix["edits"]): void {
  const byFile = new Map<string, TextEdit[]>();
  for (const { file, edits } of changes) byFile.set(file, [...(byFile.get(file) ?? []), ...edits]);
  for (const [file, edits] of byFile) {
    const absolute = path.join(folder, file);
    const text = fs.existsSync(absolute) ? fs.readFileSync(absolute, "utf8") : "";
    fs.mkdirSync(path.dirname(absolute), { recursive: true });
    fs.writeFileSync(absolute, applyEdits(text, edits));
  }
}

function changedFiles({ id, folder }: Case, copy: string, title: string): Change[] {
  return sources(copy).flatMap((file) => {
    const original = path.join(folder, file);
    const before = fs.existsSync(original) ? fs.readFileSync(original, "utf8") : undefined;
    const after = fs.readFileSync(path.join(copy, file), "utf8");
    return before === after ? [] : [{ id: `${id} (${title})`, folder, file, before, after }];
  });
}

function textOf(folder: string, { edits }: Fix): string {
  return edits.map(({ file }) => `--- ${file}\n${fs.readFileSync(path.join(folder, file), "utf8")}`).join("\n");
}
