import assert from "node:assert/strict";
import { RULES } from "../../core/analysis/finding.ts";
import { strayIgnores } from "../../core/analysis/strayIgnores.ts";
import { lowerFile } from "../../core/analysis/typescript/lower.ts";

const told = (code: string): readonly string[] => strayIgnores(lowerFile("a.ts", code)).map(({ line, message }) => `${line}: ${message}`);

describe("comments that name no rule", () => {
  it("are told with their own line and the rule that was meant", () => {
    const meant = 'this comment names "mising-cleanup-after-upload", which is no rule; did you mean "missing-cleanup-after-upload"?';
    assert.deepEqual(told("f();\n\n// offcut-ignore-next-line mising-cleanup-after-upload -- later\n\n\nf();"), [`3: ${meant}`]);
    assert.deepEqual(told("// offcut-ignore-file use-after-delete, mising-cleanup-after-upload\nf();"), [`1: ${meant}`]);
    assert.deepEqual(told("f();\r\nf(); // offcut-ignore-line Mising-cleanup-after-upload why"), [`2: ${meant.replace("mis", "Mis")}`]);
  });

  it("are told when they have a reason only", () => {
    const message = 'this comment names "because", which is no rule; a reason goes after "--"';
    assert.deepEqual(told("// offcut-ignore-next-line because it is needed\nf();"), [`1: ${message}`]);
  });

  it("are not those that name rules, or none at all", () => {
    for (const rule of RULES) assert.deepEqual(told(`// offcut-ignore-next-line ${rule} -- mising-cleanup\nf();`), []);
    assert.deepEqual(told("// offcut-ignore-next-line\nf(); // offcut-ignore-line -- generated"), []);
    assert.deepEqual(told("// offcut-ignore-next-line partial-cleanup, use-after-delete the retry needs it\nf();"), []);
    assert.deepEqual(told('f("// offcut-ignore-line nonsense");'), []);
  });
});
