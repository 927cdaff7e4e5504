import assert from "node:assert/strict";
import fc from "fast-check";
import { applyBaseline, type Baseline, formatBaseline, makeBaseline, readBaseline } from "../../core/analysis/baseline.ts";
import { type Finding, RULES } from "../../core/analysis/finding.ts";
import { ConfigError } from "../../core/config/config.ts";

const finding = (file: string, fingerprint: string, rule: Finding["rule"] = "partial-cleanup", line = 1): Finding => ({
  rule,
  severity: "warning",
  file,
  range: { start: { line, column: 1 }, end: { line, column: 2 } },
  message: "message",
  related: [],
  subject: "file",
  fingerprint,
  fixable: false,
});

describe("baseline", () => {
  it("is sorted, counts equal findings, and comes back as it was written", () => {
    const baseline = makeBaseline([
      finding("src/b.ts", "2"),
      finding("src/a.ts", "9"),
      finding("src/b.ts", "1", "use-after-delete"),
      finding("src/b.ts", "2", "partial-cleanup", 7),
    ]);
    assert.equal(
      formatBaseline(baseline),
      `{
  "schema": 1,
  "findings": [
    { "rule": "partial-cleanup", "file": "src/a.ts", "fingerprint": "9", "count": 1 },
    { "rule": "partial-cleanup", "file": "src/b.ts", "fingerprint": "2", "count": 2 },
    { "rule": "use-after-delete", "file": "src/b.ts", "fingerprint": "1", "count": 1 }
  ]
}
`,
    );
    assert.deepEqual(readBaseline(formatBaseline(baseline)), baseline);
    assert.deepEqual(readBaseline(formatBaseline(makeBaseline([]))), { schema: 1, findings: [] });
  });

  it("takes away as many findings as it counts, and tells which entries are no longer needed", () => {
    const baseline = makeBaseline([finding("a.ts", "1"), finding("a.ts", "1"), finding("a.ts", "2"), finding("b.ts", "1")]);
    const now = [finding("a.ts", "1"), finding("b.ts", "1"), finding("b.ts", "1", "partial-cleanup", 9), finding("c.ts", "1")];
    const { fresh, known, unneeded } = applyBaseline(now, baseline);
    assert.deepEqual(known, [now[0], now[1]]);
    assert.deepEqual(fresh, [now[2], now[3]], "a copy of old code is a new finding");
    assert.deepEqual(
      unneeded.map(({ file, fingerprint }) => [file, fingerprint]),
      [
        ["a.ts", "1"],
        ["a.ts", "2"],
      ],
    );
    assert.deepEqual(applyBaseline([finding("b.ts", "1", "use-after-delete")], baseline).known, [], "another rule is another finding");
  });

  it("of what it was made from nothing is new, and nothing is unneeded", () => {
    const findings = fc.array(
      fc
        .tuple(fc.constantFrom("a.ts", "b/c d.ts", 'e"\n.ts'), fc.constantFrom("1", "2", "ü"), fc.constantFrom(...RULES))
        .map(([file, fingerprint, rule]) => finding(file, fingerprint, rule)),
    );
    fc.assert(
      fc.property(findings, findings, (list, more) => {
        const text = formatBaseline(makeBaseline(list));
        assert.deepEqual(applyBaseline(list, readBaseline(text)), { fresh: [], known: list, unneeded: [] });
        assert.equal(formatBaseline(makeBaseline(list.toReversed())), text, "the order of the findings does not matter");
        const { fresh, known } = applyBaseline([...list, ...more], readBaseline(text));
        assert.equal(known.length, list.length);
        assert.equal(fresh.length, more.length);
      }),
    );
  });

  it("keeps entries that were not looked at", () => {
    const old: Baseline = makeBaseline([finding("a.ts", "1")]);
    assert.deepEqual(
      makeBaseline([finding("b.ts", "2")], old.findings).findings.map(({ file }) => file),
      ["a.ts", "b.ts"],
    );
  });

  it("names file, line and what is wrong", () => {
    const entry = '{ "rule": "partial-cleanup", "file": "a.ts", "fingerprint": "1", "count": 1 }';
    for (const [text, line, message] of [
      ["", 1, /is empty; write it with offcut check --baseline ci\/base\.json --update-baseline$/],
      ["[]", 1, /is no baseline: it has no "findings"/],
      ['{\n  "schema": 2,\n  "findings": []\n}', 2, /schema is 2, and this version of Offcut reads 1/],
      ['{ "findings": [] }', 1, /schema is missing/],
      [`{ "schema": 1, "findings": [\n  ${entry},\n<<<<<<< HEAD\n] }`, 3, /is not valid JSON/],
      [`{ "schema": 1, "findings": [\n  ${entry},\n  ${entry.replace('"1"', "7")}\n] }`, 3, /findings\[1\]\.fingerprint is missing or of/],
      [`{ "schema": 1, "findings": [\n  ${entry},\n  ${entry.replace(": 1", ": 0")}\n] }`, 3, /findings\[1\]\.count is missing or of/],
      ['{ "schema": 1, "findings": [ null ] }', 1, /findings\[0\]\.rule is missing/],
    ] as const) {
      assert.throws(
        () => readBaseline(text, "ci/base.json"),
        (error: unknown) => {
          assert.ok(error instanceof ConfigError, text);
          const [problem] = error.problems;
          assert.equal(problem?.source, "ci/base.json");
          assert.equal(problem.line, line, text);
          assert.match(problem.message, message);
          return true;
        },
      );
    }
  });
});
