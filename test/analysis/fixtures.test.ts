import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { openAnalysis } from "../../core/analysis/analysis.ts";
import { RULES } from "../../core/analysis/finding.ts";
import { type Case, CASES, compare, explain, readCases, settingsOf } from "./expectations.ts";

const cases = readCases();
const isClean = ({ id }: Case): boolean => /\/clean-/.test(id);
const expectsOwnRule = ({ rule, expectations }: Case): boolean =>
  expectations.some(({ optional, alternatives }) => !optional && alternatives.some((one) => one.rule === rule));

describe("cases of the code analysis", () => {
  for (const one of cases) {
    it(one.id, () => {
      const { findings, problems } = openAnalysis({ root: one.folder, settings: settingsOf(one.folder) }).check();
      const difference = compare(one, findings);
      const said = explain(one, difference);
      assert.ok(said === "", `what the case expects (-) and what the analysis says (+) differ:\n${said}`);
      assert.deepEqual(
        problems.filter((problem) => problem.severity === "error"),
        [],
      );
      const keys = findings.map(({ fingerprint, range }) => `${fingerprint} ${range.start.line}:${range.start.column}`);
      assert.deepEqual(keys, [...new Set(keys)], "a finding is told twice");
    });
  }
});

describe("the collection of cases", () => {
  it("has true and false cases for every rule", () => {
    assert.ok(cases.length >= 150, `there are ${cases.length} cases`);
    for (const rule of RULES) {
      const mine = cases.filter((one) => one.rule === rule);
      assert.ok(mine.filter(expectsOwnRule).length >= 4, `${rule} has too few true cases`);
      assert.ok(mine.filter(isClean).length >= 3, `${rule} has too few false cases`);
    }
  });

  it("names false cases clean-, and only those", () => {
    for (const one of cases) {
      const required = one.expectations.filter(({ optional }) => !optional);
      if (isClean(one)) assert.deepEqual(required, [], one.id);
      else assert.ok(expectsOwnRule(one), `${one.id} expects nothing of its own rule`);
    }
  });

  it("has a case for every trap and for everything that looks clean but is not", () => {
    const table = JSON.parse(fs.readFileSync(path.join(CASES, "traps.json"), "utf8")) as Record<
      "traps" | "looksClean",
      Record<string, string[]>
    >;
    assert.deepEqual(
      Object.keys(table.traps).map((key) => Number.parseInt(key, 10)),
      Array.from({ length: 14 }, (_, index) => index + 1),
    );
    assert.equal(Object.keys(table.looksClean).length, 8);
    const known = new Set(cases.map(({ id }) => id));
    for (const [trap, ids] of [...Object.entries(table.traps), ...Object.entries(table.looksClean)]) {
      assert.ok(ids.length > 0, `${trap} has no case`);
      for (const id of ids) assert.ok(known.has(id), `${trap} names ${id}, which is not there`);
    }
    for (const id of Object.values(table.looksClean).flat()) assert.ok(!id.includes("/clean-"), `${id} is clean`);
  });
});
