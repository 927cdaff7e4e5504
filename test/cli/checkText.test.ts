import assert from "node:assert/strict";
import fs from "node:fs";
import { drawFrame } from "../../cli/check/frame.ts";
import { type Report, sortFindings, tryFixes } from "../../cli/check/report.ts";
import { formatReport } from "../../cli/check/text.ts";
import { cutTo, widthOf, wrap } from "../../cli/check/width.ts";
import { createTerminal } from "../../cli/terminal.ts";
import type { Finding } from "../../core/analysis/finding.ts";
import { findingOf, rangeOf, stepOf } from "./findings.ts";

const CODE = ["  const tempPath = join(tmpdir(), id);", "  await upload(tempPath);", "  return done.url;", ""];

describe("offcut check: text", () => {
  const screen = (columns = Infinity): Parameters<typeof formatReport>[0] => ({ columns, style: (_, text) => text, link: (text) => text });
  const reportOf = (findings: readonly Finding[], changes: Partial<Report> = {}): Report => ({
    root: "/w",
    findings,
    problems: [],
    files: 512,
    parsed: 20,
    durationMs: 412,
    fixes: () => [],
    ...changes,
  });
  const print = (report: Report, columns?: number): string => formatReport(screen(columns), report, () => CODE).join("\n");

  it("shows the place, the rule, the message, the code, the way and what helps", () => {
    const finding = findingOf({
      path: { base: "workspace", text: ".cache/videos/{}/scene-{}.mp4" },
      onDisk: { files: 412, bytes: 8.3 * 1024 ** 3 },
      fixable: true,
    });
    assert.equal(
      print(reportOf([finding])),
      `src/render.ts:2:9 warning missing-cleanup-after-upload
  "tempPath" is uploaded and stays on the disk.

  1 │   const tempPath = join(tmpdir(), id);
  2 │   await upload(tempPath);
    │         ^^^^^^^^^^^^^^
  3 │   return done.url;

  1 made here                         src/render.ts:1  const tempPath = join(tmpdir(), id);
  2 uploaded here                     src/render.ts:2  await upload(tempPath);
  3 returns here without deleting it  src/render.ts:3  return done.url;
  = 412 files, 8.3 GB on disk now: .cache/videos/{}/scene-{}.mp4
  = offcut check --fix can mend this

1 warning in 1 file (1 can be fixed with --fix); looked through 512 files in 0.4 s
Why, and what is right: offcut check --explain missing-cleanup-after-upload`,
    );
  });

  it("says a hint in passing, and counts by severity", () => {
    const findings = [
      findingOf({ severity: "error", rule: "use-after-delete" }),
      findingOf(),
      findingOf({ file: "src/a.ts" }),
      findingOf({ severity: "information", rule: "unverified-final" }),
      findingOf({ severity: "hint", rule: "ungated-cleanup", message: "A hint." }),
    ];
    const text = print(reportOf(findings));
    assert.match(
      text,
      /src\/render\.ts:2:9 hint ungated-cleanup\n {2}A hint\.\n\n1 error, 2 warnings, 1 piece of information, 1 hint in 2 files; /,
    );
  });

  it("tells what was fixed, what the baseline has and what it no longer needs", () => {
    const baseline = { file: "offcut-baseline.json", known: 12, unneeded: 3 };
    const fixed = [{ finding: findingOf(), title: "Delete tempPath after the upload" }];
    assert.equal(
      print(reportOf([], { fixed, baseline })),
      `fixed src/render.ts:2:9 Delete tempPath after the upload

Fixed 1 finding; none left; looked through 512 files in 0.4 s
12 findings are in the baseline offcut-baseline.json
3 entries of the baseline are no longer needed (run --update-baseline)`,
    );
    assert.match(print(reportOf([findingOf({ fixable: true })], { fixed })), /\nFixed 1 finding; 1 warning in 1 file left; looked/);
    assert.equal(
      print(reportOf([], { durationMs: 42, files: 1, baseline: { file: "b.json", known: 2, unneeded: 0, written: 2 } })),
      "Wrote 2 findings to b.json; looked through 1 file in 0.04 s",
    );
    assert.equal(print(reportOf([])), "No findings; looked through 512 files in 0.4 s");
  });

  it("no line is wider than the terminal, as far as words and paths can be broken", () => {
    const related = [stepOf("src/render.ts", 1, "made here"), stepOf("src/render.ts", 2, "passed to a wrapper that uploads it here")];
    const message = '"tempPath" is uploaded here and never deleted, although the function goes on and returns the address of the upload.';
    for (const columns of [50, 60, 80, 100, 140]) {
      const lines = print(reportOf([findingOf({ related, message, fixable: true })]), columns).split("\n");
      // The first and the last line are there to be copied, and a step is not torn from its place.
      for (const line of lines.slice(1, -1))
        assert.ok(widthOf(line) <= columns || (columns < 60 && line.includes("render.ts:")), `${columns}: ${line}`);
      assert.ok(lines.at(-1)?.endsWith("offcut check --explain missing-cleanup-after-upload"), "a command is not torn");
      assert.equal(
        lines.some((line) => line.endsWith("await upload(tempPath);") && line.includes("render.ts:2")),
        columns >= 100,
      );
    }
  });

  it("shows a finding whose file is gone without its code", () => {
    const lines = formatReport(screen(), reportOf([findingOf()]), () => []);
    assert.ok(!lines.some((line) => line.includes("│")));
    assert.ok(lines.includes("  2 uploaded here                     src/render.ts:2"));
  });

  it("names the page of a rule once, and of several only how to ask", () => {
    const twice = print(reportOf([findingOf(), findingOf({ file: "src/a.ts" })]));
    assert.equal(twice.split("--explain").length, 2);
    assert.match(twice, /--explain missing-cleanup-after-upload$/);
    assert.match(print(reportOf([findingOf(), findingOf({ rule: "use-after-delete" })])), /--explain RULE$/);
    const linked = formatReport({ ...screen(), link: (text, address) => `<${text} ${address}>` }, reportOf([findingOf()]), () => CODE);
    const address = /<missing-cleanup-after-upload (file:.*)>/.exec(linked[0] ?? "")?.[1] ?? "";
    assert.match(fs.readFileSync(new URL(address), "utf8"), /^# missing-cleanup-after-upload\n/);
  });

  it("shows two steps within a line as one", () => {
    const made = stepOf("src/render.ts", 1, "made here");
    const lines = print(reportOf([findingOf({ related: [made, made, stepOf("src/render.ts", 2, "uploaded here")] })])).split("\n");
    assert.deepEqual(
      lines.filter((line) => /^ {2}\d \w/.test(line)).map((line) => line.slice(0, 11)),
      ["  1 made he", "  2 uploade"],
    );
  });

  it("lets neither code nor names steer the terminal", () => {
    const trick = "\x1b[8m\x9b\u202e";
    const file = `src/${trick}.ts`;
    const finding = findingOf({
      file,
      message: trick,
      related: [stepOf(file, 1, trick)],
      path: { base: "tmp", text: trick },
      onDisk: { files: 1, bytes: 1 },
    });
    const report = reportOf([finding], { fixed: [{ finding, title: trick }], baseline: { file: trick, known: 1, unneeded: 0 } });
    const terminal = { ...createTerminal(false), columns: 100 };
    const text = formatReport(terminal, report, () => [trick, trick, trick]).join("\n");
    // oxlint-disable-next-line no-control-regex
    assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    assert.ok(text.split("\\x1b[8m\\x9b\\u202e").length > 8);
  });

  it("says that a finding can be mended only if that was tried out", () => {
    const fix = { title: "Delete it", kind: "quickfix", preferred: true, edits: [] } as const;
    const findings = [findingOf({ fixable: true }), findingOf({ fixable: true, file: "src/other.ts" }), findingOf()];
    const tried = tryFixes({ fixes: ({ file }) => (file === "src/other.ts" ? [] : [fix]) }, findings);
    assert.deepEqual(
      tried.map(({ fixable }) => fixable),
      [true, false, false],
    );
    assert.match(print(reportOf(tried)), /\(1 can be fixed with --fix\)/);
  });

  it("sorts by file and line, or by what lies on the disk", () => {
    const [a, b, c, d] = [
      findingOf({ file: "b.ts", onDisk: { files: 1, bytes: 10 } }),
      findingOf({ file: "a.ts", range: rangeOf(10, 1, 2) }),
      findingOf({ file: "a.ts", range: rangeOf(9, 1, 2), onDisk: { files: 1, bytes: 20 } }),
      findingOf({ file: "B.ts" }),
    ] as const;
    assert.deepEqual(sortFindings([a, b, c, d], "file"), [d, c, b, a]);
    assert.deepEqual(sortFindings([a, b, c, d], "bytes"), [c, a, d, b]);
  });
});

describe("offcut check: code frames", () => {
  const frame = (lines: readonly string[], range: Finding["range"], width = 80): string =>
    drawFrame(lines, range, width)
      .map((line) => `${line.gutter}|${line.text}`)
      .join("\n");

  it("puts the carets under tabs, wide characters, emoji, combining marks and control characters", () => {
    for (const [before, width] of [
      ["\t", 4],
      ["日本", 4],
      ["ﾊﾛ", 2],
      ["한", 2],
      ["👩‍👩‍👧", 2],
      ["❤️", 2],
      ["🇩🇪", 2],
      ["e\u0301", 1],
      ["a\u200b", 1],
      ["\x1b", 4],
      ["\u202e", 6],
      ["…é", 2],
    ] as const) {
      const line = `${before}f(x)`;
      const [, carets] = frame([line], rangeOf(1, before.length + 1, line.length + 1)).split("\n");
      assert.equal(carets, ` |${" ".repeat(width)}^^^^`, JSON.stringify(before));
    }
    assert.equal(frame(["f(日本)"], rangeOf(1, 3, 5)), "1|f(日本)\n |  ^^^^");
  });

  it("aligns line numbers of different length, and leaves empty neighbours out", () => {
    const lines = Array.from({ length: 12 }, (_, i) => `line${i + 1}`);
    assert.equal(frame(lines, rangeOf(9, 1, 5)), " 8|line8\n 9|line9\n  |^^^^\n10|line10");
    assert.equal(frame(["", "f()", "  "], rangeOf(2, 1, 4)), "2|f()\n |^^^");
    assert.equal(frame(["f()"], rangeOf(7, 1, 4)), "");
  });

  it("underlines a range of several lines on its first, and shows one caret for nothing", () => {
    assert.equal(frame(["  call(", "    a,", "  );"], rangeOf(1, 3, 4, 3)), "1|  call(\n |  ^^^^^\n2|    a,");
    assert.equal(frame(["ab"], rangeOf(1, 2, 2)), "1|ab\n | ^");
    assert.equal(frame(["ab"], rangeOf(1, 3, 3)), "1|ab\n |  ^");
  });

  it("shows of long lines what is around the finding, within the width", () => {
    for (const [length, at] of [
      [300, 0],
      [300, 150],
      [300, 290],
      [500_000, 0],
      [500_000, 250_000],
      [500_000, 499_990],
    ] as const)
      for (const filler of ["x", "字"]) {
        const line = `${filler.repeat(at)}TARGET${filler.repeat(length - at)}`;
        const began = performance.now();
        const [code = "", carets = ""] = drawFrame([line], rangeOf(1, at + 1, at + 7), 60).map(({ text }) => text);
        assert.ok(performance.now() - began < 500, "measures only the surroundings");
        assert.ok(widthOf(code) <= 60 && widthOf(carets) <= 60, `${widthOf(code)}`);
        assert.ok(code.includes("TARGET"), code);
        assert.equal(widthOf(code.slice(0, code.indexOf("TARGET"))), carets.indexOf("^"), code);
        assert.equal(carets.trim(), "^^^^^^");
        assert.equal(code.startsWith("…"), at > 0);
        assert.equal(code.endsWith("…"), length - at > 60);
      }
  });
});

describe("offcut check: widths", () => {
  it("cuts and breaks by columns", () => {
    assert.equal(cutTo("日本語", 6), "日本語");
    assert.equal(cutTo("日本語", 5), "日本…");
    assert.equal(cutTo("日本語", 4), "日…");
    assert.deepEqual(wrap("a 日本 b", 6), ["a 日本", "b"]);
    assert.deepEqual(wrap("a/very/long/path b", 6), ["a/very/long/path", "b"]);
  });
});
