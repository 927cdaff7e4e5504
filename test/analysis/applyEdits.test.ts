import assert from "node:assert/strict";
import fc from "fast-check";
import { applyEdits, collide } from "../../core/analysis/applyEdits.ts";
import type { Range, TextEdit } from "../../core/analysis/finding.ts";

const range = (from: readonly [number, number], to: readonly [number, number] = from): Range => ({
  start: { line: from[0], column: from[1] },
  end: { line: to[0], column: to[1] },
});

describe("applyEdits", () => {
  it("replaces, inserts and deletes, in whatever order the edits come", () => {
    const edits: TextEdit[] = [
      { range: range([3, 1], [3, 6]), text: "THREE" },
      { range: range([1, 4]), text: "!" },
      { range: range([2, 1], [3, 1]), text: "" },
    ];
    assert.equal(applyEdits("one\ntwo\nthree\n", edits), "one!\nTHREE\n");
    assert.equal(applyEdits("one\ntwo\nthree\n", edits.toReversed()), "one!\nTHREE\n");
  });

  it("keeps the order of insertions at one place, and inserts before what is replaced there", () => {
    const insert = (text: string): TextEdit => ({ range: range([1, 2]), text });
    assert.equal(applyEdits("ad", [insert("b"), insert("c")]), "abcd");
    assert.equal(applyEdits("axd", [{ range: range([1, 2], [1, 3]), text: "c" }, insert("b")]), "abcd");
  });

  it("counts columns in UTF-16 units, and lines at CRLF, LF and CR", () => {
    assert.equal(applyEdits("👍 a\r\nb\rc\nd", [{ range: range([1, 4]), text: "x" }]), "👍 xa\r\nb\rc\nd");
    for (const [line, expected] of [
      [2, "a\r\nXb\rc\nd"],
      [3, "a\r\nb\rXc\nd"],
      [4, "a\r\nb\rc\nXd"],
    ] as const)
      assert.equal(applyEdits("a\r\nb\rc\nd", [{ range: range([line, 1]), text: "X" }]), expected);
    assert.equal(applyEdits("", [{ range: range([1, 1]), text: "new\n" }]), "new\n");
    assert.equal(applyEdits("a\n", [{ range: range([2, 1]), text: "b" }]), "a\nb");
  });

  it("writes the line ends of the text", () => {
    const edit = { range: range([2, 1]), text: "x\ny\r\n" };
    assert.equal(applyEdits("a\r\nb\r\n", [edit]), "a\r\nx\r\ny\r\nb\r\n");
    assert.equal(applyEdits("a\nb\n", [edit]), "a\nx\ny\nb\n");
  });

  it("refuses edits that overlap, and places that are not in the text", () => {
    const text = "one\r\ntwo\r\n";
    const overlapping = [
      { range: range([1, 1], [1, 3]), text: "a" },
      { range: range([1, 2], [2, 1]), text: "b" },
    ];
    assert.throws(() => applyEdits(text, overlapping), /edits overlap at offset 1/);
    for (const place of [range([4, 1]), range([1, 5]), range([1, 0]), range([0, 1]), range([1, 3], [1, 2])])
      assert.throws(() => applyEdits(text, [{ range: place, text: "" }]), RangeError, JSON.stringify(place));
    assert.equal(applyEdits(text, [{ range: range([1, 4]), text: "!" }]), "one!\r\ntwo\r\n");
  });

  it("leaves everything else as it was, for any text and any cuts", () => {
    const texts = fc.string({ unit: fc.constantFrom("a", "é", "\n", "\r\n", "\t", "x"), maxLength: 40 });
    const cuts = fc.array(fc.tuple(fc.nat(60), fc.nat(3), fc.constantFrom("", "1", "22")), { maxLength: 5 });
    fc.assert(
      fc.property(texts, cuts, (text, wanted) => {
        const chosen: { readonly from: number; readonly to: number; readonly text: string }[] = [];
        for (const [at, length, inserted] of wanted.toSorted((a, b) => a[0] - b[0])) {
          const from = Math.max(at % (text.length + 1), chosen.at(-1)?.to ?? 0);
          const to = Math.min(text.length, from + length);
          // No cut goes through a CRLF, which is one line end.
          if (![from, to].some((offset) => text.slice(offset - 1, offset + 1) === "\r\n")) chosen.push({ from, to, text: inserted });
        }
        let expected = "";
        let end = 0;
        for (const one of chosen) {
          expected += text.slice(end, one.from) + one.text;
          end = one.to;
        }
        const edits = chosen.map((one) => ({ range: range(placeOf(text, one.from), placeOf(text, one.to)), text: one.text }));
        assert.equal(applyEdits(text, edits), expected + text.slice(end));
      }),
    );
  });

  it("tells which edits of different origin may be made together", () => {
    const [a, b] = [range([1, 1], [1, 5]), range([1, 5], [2, 1])];
    assert.equal(collide(a, b), false);
    assert.equal(collide(a, range([1, 4], [1, 9])), true);
    assert.equal(collide(range([1, 3]), range([1, 3])), true, "two insertions at one place: their order would matter");
    assert.equal(collide(a, range([1, 5])), true);
    assert.equal(collide(range([1, 6]), a), false);
    assert.equal(collide(a, range([1, 1], [1, 5])), true);
  });
});

function placeOf(text: string, offset: number): readonly [number, number] {
  const lines = text.slice(0, offset).split(/\r\n|\r|\n/);
  return [lines.length, (lines.at(-1) ?? "").length + 1];
}
