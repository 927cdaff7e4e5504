import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { parse, type ParseError } from "jsonc-parser";
import type { TextEdit } from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import { applyEdits } from "../../core/analysis/applyEdits.ts";
import { commentAbove } from "../../core/analysis/typescript/commentAbove.ts";
import { positionOf, startPieces } from "../../server/analysis/pieces.ts";
import { silenceRule } from "../../server/analysis/silence.ts";
import type { Session } from "../../server/session.ts";

const RULE = "partial-cleanup";

describe("server: edits on top of edits", () => {
  it("are one round of edits of the first text that do not overlap", () => {
    const chars = fc.string({ unit: fc.constantFrom("a", "b", "\n", "é", "😀"), maxLength: 12 });
    const step = fc.record({ from: fc.nat(40), length: fc.nat(8), text: chars });
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("x", "y", "z", "\n"), maxLength: 30 }),
        fc.array(step, { maxLength: 12 }),
        (first, steps) => {
          const pieces = startPieces(first);
          let expected = first;
          for (const { from, length, text } of steps) {
            const start = Math.min(from, expected.length);
            const end = Math.min(start + length, expected.length);
            pieces.edit([{ range: { start: positionOf(expected, start), end: positionOf(expected, end) }, text }]);
            expected = expected.slice(0, start) + text + expected.slice(end);
            assert.equal(pieces.text, expected);
          }
          assert.equal(applyEdits(first, pieces.edits()), expected);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("keep the order of insertions at one place, and the line ends of the text", () => {
    const pieces = startPieces("one\r\ntwo\r\n");
    const start = { line: 2, column: 1 };
    pieces.edit([
      { range: { start, end: start }, text: "a\n" },
      { range: { start, end: start }, text: "b\n" },
    ]);
    assert.equal(pieces.text, "one\r\na\r\nb\r\ntwo\r\n");
    assert.deepEqual(startPieces("same").edits(), []);
    const made = startPieces("", "\r\n");
    const first = { line: 1, column: 1 };
    made.edit([{ range: { start: first, end: first }, text: "a\nb\n" }]);
    assert.equal(made.text, "a\r\nb\r\n");
  });
});

describe("server: ignoring here", () => {
  const ignored = (file: string, text: string): string | undefined => {
    const line = text.slice(0, text.indexOf("upload(")).split("\n").length;
    const edit = commentAbove(file, text, line, RULE);
    return edit && applyEdits(text, [edit]);
  };

  it("keeps the indentation and the line ends", () => {
    assert.equal(
      ignored("a.ts", "function f() {\r\n\tupload(p);\r\n}\r\n"),
      `function f() {\r\n\t// offcut-ignore-next-line ${RULE} -- reason\r\n\tupload(p);\r\n}\r\n`,
    );
  });

  it("is a comment inside of JSX, too", () => {
    const before = "const a = (\n  <div>\n    text\n    {upload(p)}\n  </div>\n);\n";
    assert.equal(
      ignored("a.tsx", before),
      `const a = (\n  <div>\n    text\n    {/* offcut-ignore-next-line ${RULE} -- reason */}\n    {upload(p)}\n  </div>\n);\n`,
    );
    const attribute = "const a = (\n  <button\n    onClick={() => upload(p)}\n  >\n    x\n  </button>\n);\n";
    assert.match(ignored("a.tsx", attribute) ?? "", /<button\n {4}\/\/ offcut-ignore/);
    const nested = "const a = (\n  <div>\n    {list.map((p) =>\n      upload(p),\n    )}\n  </div>\n);\n";
    assert.match(ignored("a.tsx", nested) ?? "", /=>\n {6}\/\/ offcut-ignore/);
  });

  it("is not offered inside of a text", () => {
    assert.equal(ignored("a.ts", "const a = `one\n${upload(p)}\n`;\n"), undefined);
    assert.match(ignored("a.ts", "const a = `one ${\n  upload(p)\n}`;\n") ?? "", /\n {2}\/\/ offcut-ignore/);
  });
});

describe("server: ignoring a rule in the workspace", () => {
  const silence = (before: string, name = "offcut.json"): string => {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-silence-"));
    try {
      fs.writeFileSync(path.join(root, name), before);
      const session = { abilities: { documentChanges: false, createFiles: false } } as Session;
      const edit = silenceRule(
        session,
        root,
        RULE,
        () => undefined,
        () => undefined,
      );
      const [edits = []] = Object.values<TextEdit[]>(edit?.changes ?? {});
      return TextDocument.applyEdits(TextDocument.create("", "", 0, before), edits);
    } finally {
      fs.rmSync(root, { recursive: true });
    }
  };
  const added = `"analysis": {\n    "rules": {\n      "${RULE}": "off"\n    }\n  }`;

  for (const [what, before, after] of [
    ["nothing", "", `{\n  "analysis": {\n    "rules": {\n      "${RULE}": "off"\n    }\n  }\n}\n`],
    ["an empty object", "{}", `{\n  ${added}\n}`],
    ["an object with a comment only", "{\n  // later\n}\n", `{\n  // later\n  ${added}\n}\n`],
    ["a comment at the end of a line", '{\n  "a": 1 // one\n}\n', `{\n  "a": 1, // one\n  ${added}\n}\n`],
    ["a comment at the end", '{\n  "a": 1\n  // end\n}\n', `{\n  "a": 1,\n  // end\n  ${added}\n}\n`],
    ["a trailing comma", '{\n  "a": 1,\n}\n', `{\n  "a": 1,\n  ${added}\n}\n`],
    ["one line", '{ "a": 1 }', `{ "a": 1, "analysis": {"rules":{"${RULE}":"off"}} }`],
    ["rules in one line", '{ "analysis": { "rules": {} } }', `{ "analysis": { "rules": { "${RULE}": "off" } } }`],
    [
      "another severity",
      `{ "analysis": { "rules": { "${RULE}": "hint" /* why */ } } }`,
      `{ "analysis": { "rules": { "${RULE}": "off" /* why */ } } }`,
    ],
    [
      "Windows line ends and tabs",
      '{\r\n\t"a": 1\r\n}\r\n',
      `{\r\n\t"a": 1,\r\n\t"analysis": {\r\n\t\t"rules": {\r\n\t\t\t"${RULE}": "off"\r\n\t\t}\r\n\t}\r\n}\r\n`,
    ],
    ["a byte order mark", '\uFEFF{ "a": 1 }', `\uFEFF{ "a": 1, "analysis": {"rules":{"${RULE}":"off"}} }`],
  ] as const) {
    it(`beside ${what}`, () => {
      assert.equal(silence(before), after);
      const errors: ParseError[] = [];
      const value = parse(after.replace("\uFEFF", ""), errors, { allowTrailingComma: true }) as { analysis: { rules: object } };
      assert.deepEqual([errors, value.analysis.rules], [[], { [RULE]: "off" }]);
    });
  }

  for (const [what, before, after] of [
    ["nothing", "\n", `analysis:\n  rules:\n    ${RULE}: "off"\n`],
    [
      "settings and comments",
      "# mine\npreset: clip-store # all of it\n",
      `# mine\npreset: clip-store # all of it\nanalysis:\n  rules:\n    ${RULE}: "off"\n`,
    ],
    ["another severity", `analysis:\n  rules:\n    ${RULE}: hint # why\n`, `analysis:\n  rules:\n    ${RULE}: "off" # why\n`],
  ] as const) {
    it(`beside ${what} in YAML`, () => {
      assert.equal(silence(before, "offcut.yaml"), after);
    });
  }

  it("changes nothing in YAML that cannot be read", () => {
    for (const text of ["a: [", "- 1\n- 2\n"]) assert.throws(() => silence(text, "offcut.yaml"), /cannot be read/);
  });

  it("changes nothing in what cannot be read", () => {
    for (const text of ["[]", '{ "analysis": null }', "nonsense"]) assert.throws(() => silence(text), /cannot be read/);
  });
});
