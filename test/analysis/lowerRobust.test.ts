import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import type { Exit, FlowFunction, FlowModule, Operand } from "../../core/analysis/flow.ts";
import { lowerFile } from "../../core/analysis/typescript/lower.ts";
import { dump } from "./dump.ts";

const ROOT = path.join(import.meta.dirname, "../..");
/** What the cases of `lower.test.ts` are about. */
const SAMPLES = readdirSync(path.join(import.meta.dirname, "lowered")).map((file) =>
  readFileSync(path.join(import.meta.dirname, "lowered", file), "utf8")
    .split(/^### /mu)
    .slice(1)
    .map((text) => text.split(/\n--\n/u)[0]?.replace(/^.*\n/u, "") ?? "")
    .join("\n"),
);

/** What is wrong with a graph, apart from what it means. */
function faults(module: FlowModule): string[] {
  const found: string[] = [];
  const places = new Map<number, string>();
  for (const [index, made] of module.functions.entries()) {
    if (made.index !== index) found.push(`function ${index} calls itself ${made.index}`);
    if (index > 0 && !module.functions[made.parent ?? -1]) found.push(`function ${index} has no parent`);
    found.push(...faultsOfBlocks(made));
    const declared = new Set(made.declares);
    for (const { events } of made.blocks) {
      for (const event of events) {
        if (event.event === "call") {
          const place = `${index} ${event.span.start}-${event.span.end} ${event.result}`;
          if ((places.get(event.id) ?? place) !== place) found.push(`call ${event.id} is at ${place} and ${places.get(event.id)}`);
          places.set(event.id, place);
          if (!declared.has(event.result)) found.push(`${event.result} is not declared`);
        } else if ("name" in event && event.event !== "store") {
          const known = event.name.startsWith("%") ? declared.has(event.name) : event.name in module.written;
          if (!known) found.push(`${event.name} is not declared`);
        }
      }
    }
  }
  for (const made of module.classes) {
    for (const { function: index } of made.methods)
      if (module.functions[index]?.class !== made.index) found.push(`method ${index} of ${made.name}`);
    if (made.constructor_ !== undefined && module.functions[made.constructor_]?.kind !== "constructor")
      found.push(`constructor of ${made.name}`);
  }
  const depth = depthOf(module);
  if (depth > MOST_DEPTH) found.push(`operands are ${depth} deep`);
  return found;
}

const MOST_DEPTH = 300;

function faultsOfBlocks(made: FlowFunction): string[] {
  const found: string[] = [];
  for (const [at, { exit, handler, caught }] of made.blocks.entries()) {
    for (const to of [...targets(exit), ...(handler === undefined ? [] : [handler])]) {
      if (!made.blocks[to]) found.push(`block ${at} of ${made.name} leads to ${to}`);
    }
    if (handler !== undefined && !made.blocks[handler]?.caught) found.push(`handler ${handler} of ${made.name} is not caught`);
    if (handler === at) found.push(`block ${at} of ${made.name} handles itself`);
    if (exit.exit === "end" && exit.span.end < made.span.end) found.push(`block ${at} of ${made.name} has no exit (${caught ?? "normal"})`);
  }
  return found;
}

function targets(exit: Exit): readonly number[] {
  if (exit.exit === "branch") return [exit.yes, exit.no];
  if (exit.exit === "any") return exit.to;
  return exit.exit === "goto" ? [exit.to] : [];
}

/** How deep operands are nested; looked for without recursion, so that the test outlives what it finds. */
function depthOf(module: FlowModule): number {
  let deepest = 0;
  const left: [value: unknown, depth: number][] = module.functions.map(({ blocks }) => [blocks, 0]);
  for (let next = left.pop(); next; next = left.pop()) {
    const [value, depth] = next;
    if (typeof value !== "object" || value === null) continue;
    const inner = (value as Partial<Operand>).op ? depth + 1 : depth;
    deepest = Math.max(deepest, inner);
    for (const part of Object.values(value)) left.push([part, inner]);
  }
  return deepest;
}

function assertSound(file: string, text: string): FlowModule {
  const module = lowerFile(file, text);
  assert.deepEqual(faults(module), [], `${file}: ${text.slice(0, 2000)}`);
  return module;
}

describe("lowering whatever it is given", () => {
  it("gives sound graphs for the project's own sources", () => {
    let functions = 0;
    for (const room of ["cli", "client", "core", "runtime", "server", "test/analysis"]) {
      for (const entry of readdirSync(path.join(ROOT, room), { recursive: true, encoding: "utf8" })) {
        if (!entry.endsWith(".ts")) continue;
        functions += assertSound(entry, readFileSync(path.join(ROOT, room, entry), "utf8")).functions.length;
      }
    }
    assert.ok(functions > 1000, String(functions));
  });

  it("bears text that is no code", () => {
    for (const text of [
      "",
      "\uFEFF",
      "}{)(",
      "\0\0",
      "import",
      "class",
      "`${",
      "/*",
      "'",
      "@",
      "<a",
      "try",
      "for(",
      "\uD800",
      "😀".repeat(50),
      "#!x",
    ]) {
      for (const extension of ["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs"]) assertSound(`a.${extension}`, text);
    }
  });

  it("bears files that break off anywhere", () => {
    for (const sample of SAMPLES) {
      // Every offset of a stretch, and then some of each seventh.
      for (let end = 0; end < sample.length; end += end < 600 ? 1 : 7) assertSound("a.tsx", sample.slice(0, end));
    }
  }).timeout(60_000);

  it("bears random mutations", () => {
    const pieces = [
      "{",
      "}",
      "(",
      ")",
      "[",
      "]",
      "`",
      "'",
      "try{",
      "finally{",
      "catch(",
      "return ",
      "=>",
      "...",
      "await ",
      "class ",
      "<",
      "@",
      ";",
      "=",
      "using x=y;",
    ];
    const edit = fc.record({ at: fc.nat(), cut: fc.nat(20), insert: fc.constantFrom("", ...pieces) });
    const mutated = fc.record({
      sample: fc.constantFrom(...SAMPLES),
      from: fc.nat(),
      edits: fc.array(edit, { minLength: 1, maxLength: 8 }),
    });
    fc.assert(
      fc.property(mutated, fc.constantFrom("ts", "tsx", "js"), ({ sample, from, edits }, extension) => {
        let text = sample.slice(from % sample.length).slice(0, 3000);
        for (const { at, cut, insert } of edits) {
          const offset = at % (text.length + 1);
          text = text.slice(0, offset) + insert + text.slice(offset + cut);
        }
        assertSound(`a.${extension}`, text);
      }),
      { numRuns: 1000 },
    );
  }).timeout(60_000);

  const around: Readonly<Record<string, readonly [open: string, middle: string, close: string]>> = {
    parentheses: ["(", "x", ")"],
    arrays: ["[", "x", "]"],
    objects: ["({a:", "x", "})"],
    blocks: ["{", "f()", "}"],
    sums: ["x+", "y", ""],
    "mixed operators": ["x+y-", "z", ""],
    "logical operators": ["a()||b&&", "c()", ""],
    "nullish operators": ["a??", "b()", ""],
    "else-if": ["if(a){f()}else ", "{}", ""],
    ifs: ["if(a)", "f()", ""],
    "call chains": ["", "a", ".b()"],
    "nested calls": ["f(", "x", ")"],
    members: ["", "a", ".b"],
    elements: ["", "a", "[b[0]]"],
    conditionals: ["a?b():", "c", ""],
    "nested conditionals": ["a?", "b()", ":c"],
    arrows: ["a=>", "b", ""],
    functions: ["function f(){", "", "}"],
    assignments: ["a=", "b", ""],
    negations: ["!", "a", ""],
    awaits: ["await ", "a()", ""],
    "try and finally": ["try{return}finally{", "f()", "}"],
    "tries in tries": ["try{", "f()", "}catch{g()}finally{h()}"],
    loops: ["for(;;){", "", "}"],
    switches: ["switch(a){case 1:", "", "}"],
    templates: ["`${", "a", "}`"],
    patterns: ["[", "a", "]=b"],
    types: ["let x:Promise<", "A", ">"],
    "using declarations": ["using a=b();", "", ""],
    classes: ["class A{static{", "", "}}"],
    news: ["new ", "a", ""],
    JSX: ["<a>", "", "</a>"],
    "tagged templates": ["", "a", "``"],
    labels: ["a:", "f()", ""],
  };
  for (const [title, [open, middle, close]] of Object.entries(around)) {
    it(`bears deep nesting: ${title}`, () => {
      for (const times of [150, 1000, 10_000]) {
        assertSound(title === "JSX" ? "a.tsx" : "a.ts", `function f() { ${open.repeat(times)}${middle}${close.repeat(times)} }`);
      }
    });
  }

  it("keeps what a long chain does", () => {
    const { functions } = assertSound("a.ts", `a${".b(c())".repeat(10_000)}`);
    assert.equal(functions[0]?.blocks[0]?.events.length, 20_000);
  });

  it("bears a file of a megabyte", () => {
    const [sample = ""] = SAMPLES;
    const module = assertSound("a.ts", `async function f() {\n${sample}\n}\n`.repeat(Math.ceil(1_000_000 / sample.length)));
    assert.ok(module.functions.length > 1000);
  });

  it("says the same twice", () => {
    for (const sample of SAMPLES) assert.equal(dump(lowerFile("a.tsx", sample)), dump(lowerFile("a.tsx", sample)));
  });
});
