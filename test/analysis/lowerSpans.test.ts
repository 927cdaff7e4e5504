import assert from "node:assert/strict";
import type { CallEvent, FlowFunction, FlowModule, Span } from "../../core/analysis/flow.ts";
import { lowerFile } from "../../core/analysis/typescript/lower.ts";
import { show } from "./dump.ts";

function calls(module: FlowModule): CallEvent[] {
  return module.functions.flatMap(({ blocks }) => blocks.flatMap(({ events }) => events.filter((event) => event.event === "call")));
}

function sole(code: string): FlowFunction {
  const made = lowerFile("a.ts", code).functions[1];
  assert.ok(made);
  return made;
}

describe("spans of calls and statements", () => {
  const cases: readonly [title: string, code: string, call: string, statement: string][] = [
    ["a call that is a statement", "  f(a); // why", "f(a)", "f(a);"],
    ["a call in a declaration", "const a = await f(b), c = 1;", "f(b)", "const a = await f(b), c = 1;"],
    ["the innermost statement", "if (a) { while (b) f(); }", "f()", "f();"],
    ["the head of a statement", "if (f()) { b; }", "f()", "if (f()) { b; }"],
    ["the test of an else-if", "if (a) {} else if (f()) { b; }", "f()", "if (f()) { b; }"],
    ["an arrow's expression", "const a = () => f().b;", "f()", "f().b"],
    ["a method call begins at its receiver", "/* a */ a\n  .b()", "a\n  .b()", "a\n  .b()"],
    ["a field", "class A { a = f(); }", "f()", "a = f();"],
    ["construction", "return_(new A(b));", "new A(b)", "return_(new A(b));"],
    ["a tagged template", "const a = $`b ${c}`;", "$`b ${c}`", "const a = $`b ${c}`;"],
    ["a case", "switch (a) { case b: f(); break; }", "f()", "f();"],
    ["a return", "function g() { return f(); }", "f()", "return f();"],
    ["behind a byte order mark, CRLF and an emoji", "\uFEFFlet a = '😀';\r\nf(a);\r\n", "f(a)", "f(a);"],
  ];
  for (const [title, code, call, statement] of cases) {
    it(title, () => {
      const text = ({ start, end }: Span): string => code.slice(start, end);
      const seen = calls(lowerFile("a.ts", code)).map((event) => [text(event.span), text(event.statement)]);
      assert.ok(
        seen.some(([span, of]) => span === call && of === statement),
        JSON.stringify(seen),
      );
    });
  }

  it("of a function are those of the whole node", () => {
    const code = "x(); export async function f() { return 1; }";
    const { span } = sole(code);
    assert.equal(code.slice(span.start, span.end), "export async function f() { return 1; }");
  });

  it("of exits are those of what leaves", () => {
    const code = "function f() { if (a) return b; if (c) throw d; }";
    const exits = sole(code).blocks.map(({ exit }) => ("span" in exit ? code.slice(exit.span.start, exit.span.end) : exit.exit));
    assert.deepEqual(exits, ["a", "return b;", "c", "throw d;", "}"]);
  });
});

describe("names", () => {
  it("tell declarations of the same text apart", () => {
    const module = lowerFile("a.ts", "const a = 1; { const a = 2; } function f(a) {}");
    assert.deepEqual(Object.values(module.written).toSorted(), ["a", "a", "a", "f"]);
  });

  it("stay as they are when another function changes", () => {
    const before = lowerFile("a.ts", "const a = 1; function f() { g(a); } function h(b) { const c = g(b); return c; }");
    const after = lowerFile(
      "a.ts",
      "const a = 1; function f() { let d = g(g(a)); { let e = d; } } function h(b) { const c = g(b); return c; }",
    );
    const namesOf = (made: FlowFunction | undefined): unknown => [
      made?.declares,
      made?.blocks.map(({ events }) => events.map((one) => "result" in one && one.result)),
    ];
    assert.deepEqual(namesOf(after.functions[2]), namesOf(before.functions[2]));
    assert.notDeepEqual(namesOf(after.functions[1]), namesOf(before.functions[1]));
  });

  it("belong to the function that declares them", () => {
    const made = sole("function f(a, { b }) { var c; let d = 1; for (const e of a) g(e); try {} catch (h) {} function i() { let j; } }");
    const declared = made.declares.filter((name) => !name.startsWith("%")).map((name) => name.replace(/@\d+$/u, ""));
    assert.deepEqual(declared.toSorted(), ["a", "b", "c", "d", "e", "h", "i"]);
  });

  it("of captured variables are those of the function around", () => {
    const { functions } = lowerFile("a.ts", "function f() { let a; return () => { a = 1; }; }");
    const [event] = functions[2]?.blocks[0]?.events ?? [];
    assert.ok(event?.event === "set");
    assert.ok(functions[1]?.declares.includes(event.name));
    assert.ok(!functions[2]?.declares.includes(event.name));
  });

  const named: readonly [code: string, name: string, kind: FlowFunction["kind"]][] = [
    ["function up() {}", "up", "function"],
    ["const up = async () => {};", "up", "function"],
    ["exports.up = function () {};", "up", "function"],
    ["const o = { up: () => 1 };", "up", "function"],
    ["const o = { up() {} };", "up", "method"],
    ["class A { up() {} }", "A.up", "method"],
    ["class A { up = () => {}; }", "A.up", "method"],
    ["const A = class { up() {} };", "A.up", "method"],
    ["class A { constructor() {} }", "A.constructor", "constructor"],
    ["f(() => {});", "callback", "closure"],
    ["export default () => {};", "default", "function"],
  ];
  for (const [code, name, kind] of named) {
    it(`of functions: ${code}`, () => {
      const made = sole(code);
      assert.deepEqual([made.name, made.kind, made.parent], [name, kind, 0]);
    });
  }
});

describe("copies of a finally", () => {
  const code = "async function f() { try { if (a) return; g(); } finally { await h(() => b); const c = d ? i() : 1; } }";

  it("repeat the identity of their calls and functions", () => {
    const copies = calls(lowerFile("a.ts", code)).filter(({ callee }) => show(callee) === "$h");
    assert.equal(copies.length, 3);
    for (const copy of copies) assert.deepEqual(copy, copies[0]);
  });

  it("stay few where each would need copies of its own", () => {
    const nested = `function f() { ${"try { return; } finally { ".repeat(40)} g(); ${"}".repeat(40)} }`;
    const blocks = sole(nested).blocks.length;
    assert.ok(blocks < 10_000, String(blocks));
  });
});

describe("comments that silence", () => {
  type Silenced = Omit<FlowModule["ignores"][number], "listed">;

  /** The rules stand where the lowering says. */
  const silencedIn = (file: string, code: string): readonly Silenced[] =>
    lowerFile(file, code).ignores.map(({ line, rules, listed }) => {
      assert.deepEqual(code.slice(listed.start, listed.end).match(/[\w-]+/g) ?? [], rules);
      return { line, rules };
    });

  const cases: readonly [title: string, code: string, ignores: readonly Silenced[]][] = [
    ["the next line", "// offcut-ignore-next-line a-b, c -- why not\nf();", [{ line: 2, rules: ["a-b", "c"] }]],
    ["all rules", "// offcut-ignore-next-line\nf();", [{ line: 2, rules: [] }]],
    ["all rules, with a reason", "// offcut-ignore-next-line -- because\nf();", [{ line: 2, rules: [] }]],
    ["a block comment", "/* offcut-ignore-next-line a */\nf();", [{ line: 2, rules: ["a"] }]],
    ["the next line that holds code", "// offcut-ignore-next-line a\n\n// b\n/* c\n d */\r\n  f();", [{ line: 6, rules: ["a"] }]],
    ["a line of a longer comment", "/**\n * offcut-ignore-next-line a\n * b\n */\nf();", [{ line: 5, rules: ["a"] }]],
    ["the same line", "f(); // offcut-ignore-line a b", [{ line: 1, rules: ["a", "b"] }]],
    ["the same line, in a block comment", "f(/* offcut-ignore-line a */);", [{ line: 1, rules: ["a"] }]],
    ["the file", "#!/usr/bin/env node\n// x\n// offcut-ignore-file a\nf();", [{ line: 0, rules: ["a"] }]],
    ["the file, after its first code", "f(); // offcut-ignore-file a", []],
    ["a string", 'f("// offcut-ignore-line a");', []],
    ["a template", "f(`\n// offcut-ignore-line a ${b}\n// offcut-ignore-line a\n`);", []],
    ["prose", "// like offcut-ignore-line, but not", []],
    ["another word", "// offcut-ignore-lines a\nf();", []],
    ["inside of a block", "if (a) {\n  // offcut-ignore-next-line a\n  f();\n}", [{ line: 3, rules: ["a"] }]],
    ["between arguments", "f(\n  a, // offcut-ignore-line a\n  b,\n);", [{ line: 2, rules: ["a"] }]],
    ["before the end", "{\n  // offcut-ignore-line a\n}", [{ line: 2, rules: ["a"] }]],
  ];
  for (const [title, code, ignores] of cases) {
    it(title, () => assert.deepEqual(silencedIn("a.ts", code), ignores));
  }

  it("JSX", () => {
    const code = "const a = <p>\n  {/* offcut-ignore-next-line a */}\n  {f()}\n  // offcut-ignore-line a\n</p>;";
    assert.deepEqual(silencedIn("a.tsx", code), [{ line: 3, rules: ["a"] }]);
  });
});

describe("lines", () => {
  it("end with LF, CRLF or CR", () => {
    assert.deepEqual(lowerFile("a.ts", "a\nb\r\nc\rd\u2028e\n").lineStarts, [0, 2, 5, 7, 11]);
  });
});
