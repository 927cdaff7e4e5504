/** How the code calls a file: an expression that means it where the deletion is going to stand. */
import { nameOf, templateOf } from "../describe.ts";
import type { FlowFunction, FlowModule, Operand, Span } from "../flow.ts";
import { evaluate } from "../evaluate.ts";
import { indexOf, keyOf, type Program } from "../program.ts";
import type { Report } from "../solve.ts";
import { normalized } from "../paths.ts";
import type { Value } from "../value.ts";

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
const DEEPEST = 40;

/** A name that holds the path, or fields of one; else what is handed to the call. Undefined: only an element of a list, or no name at all. */
export function spell(program: Program, report: Report, value: Value, call: Span): string | undefined {
  return byName(report, value) ?? byArgument(program, report, value, call);
}

function byName(report: Report, value: Value): string | undefined {
  const fields: string[] = [];
  let at = value;
  for (let depth = 0; depth < 8; depth += 1) {
    const name = nameOf(report, at);
    if (name !== undefined) return fields.some((field) => field.startsWith("#")) ? undefined : [name, ...fields].join(".");
    if (at.kind !== "derived" || at.how !== "member" || !/^#?[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(at.name)) break;
    fields.unshift(at.name);
    at = at.of;
  }
  if (at.kind !== "symbol" || fields.length === 0) return undefined;
  const root =
    at.root === "this"
      ? "this"
      : at.root === "captured" && at.name !== undefined
        ? report.module.written[at.name]
        : at.root === "parameter"
          ? report.fn.parameters[at.index ?? -1]?.written
          : undefined;
  const isOwn = root === "this";
  return root !== undefined && (isOwn || (IDENTIFIER.test(root) && !fields.some((field) => field.startsWith("#"))))
    ? [root, ...fields].join(".")
    : undefined;
}

/** The operand of the call that has this value; in a closure, where values have other keys, the one whose path looks the same. */
function byArgument(program: Program, report: Report, value: Value, call: Span): string | undefined {
  const inner = functionAround(report.module, call);
  const own = inner && program.reports.get(keyOf({ file: report.module.file, index: inner.index }));
  const operands = operandsOf(program, report.module, call);
  const wanted = templateOf(value).text;
  const test = (one: Report | undefined, isIt: (other: Value) => boolean): string | undefined => {
    for (const { operand, written } of operands)
      for (const exit of one?.exits ?? []) if (evaluate(one!.frame, exit.state, operand).some(isIt)) return written;
    return undefined;
  };
  const isSame = (other: Value): boolean => other.key === value.key;
  const looksSame = (other: Value): boolean => /[^{}/.]/.test(wanted) && templateOf(other).text === wanted;
  return test(report, isSame) ?? test(own, isSame) ?? test(own, looksSame);
}

/** The operand that puts the path together for the call, or else for another call of the function. */
export function inlineOf(program: Program, report: Report, value: Value, call: Span): Operand | undefined {
  const spans = report.fn.blocks.flatMap(({ events }) => events.flatMap((event) => (event.event === "call" ? [event.span] : [])));
  for (const span of [call, ...spans])
    for (const operand of composedIn(program, report.module, span))
      for (const exit of report.exits)
        if (evaluate(report.frame, exit.state, operand).some((other) => normalized(other).key === value.key)) return operand;
  return undefined;
}

/** Texts and paths that are put together in what is handed to the call. */
function composedIn(program: Program, module: FlowModule, call: Span): readonly Operand[] {
  const found: Operand[] = [];
  const follow = (operand: Operand, depth: number): void => {
    if (depth > DEEPEST_PART) return;
    const isCall = operand.op === "name" && indexOf(program, module).calls.has(operand.name);
    if (operand.op === "concat" || operand.op === "text" || isCall) found.push(operand);
    for (const one of partsOf(operand)) follow(one, depth + 1);
    if (isCall) for (const one of indexOf(program, module).calls.get(operand.name)?.call.args ?? []) follow(one, depth + 1);
  };
  for (const { blocks } of module.functions)
    for (const { events } of blocks)
      for (const event of events)
        if (event.event === "call" && event.span.start === call.start && event.span.end === call.end)
          for (const one of [...event.args, event.callee]) follow(one, 0);
  return found;
}

const DEEPEST_PART = 5;

/** The innermost function that the span is part of. */
function functionAround(module: FlowModule, span: Span): FlowFunction | undefined {
  let found: FlowFunction | undefined;
  for (const fn of module.functions)
    if (
      fn.span.start <= span.start &&
      span.end <= fn.span.end &&
      (!found || fn.span.end - fn.span.start <= found.span.end - found.span.start)
    )
      found = fn;
  return found;
}

interface Written {
  readonly operand: Operand;
  readonly written: string;
}

/** Names and fields of names that are handed to the call, through calls and objects around them. */
function operandsOf(program: Program, module: FlowModule, call: Span): readonly Written[] {
  const index = indexOf(program, module);
  const found: Written[] = [];
  const seen = new Set<string>();
  const follow = (operand: Operand, depth: number): void => {
    if (depth > DEEPEST) return;
    const written = writtenOf(module, operand);
    if (written !== undefined && !seen.has(written)) {
      seen.add(written);
      found.push({ operand, written });
    }
    for (const one of partsOf(operand)) follow(one, depth + 1);
    if (operand.op !== "name") return;
    if (seen.has(operand.name)) return;
    seen.add(operand.name);
    const made = index.calls.get(operand.name)?.call;
    if (made) for (const one of [...made.args, made.callee]) follow(one, depth + 1);
    const event = index.definitions.get(operand.name)?.event;
    if (event?.event === "await" || event?.event === "set") follow(event.value, depth + 1);
  };
  for (const fn of module.functions)
    for (const block of fn.blocks)
      for (const event of block.events)
        if (event.event === "call" && event.span.start === call.start && event.span.end === call.end)
          for (const one of [...event.args, event.callee]) follow(one, 0);
  return found;
}

function partsOf(operand: Operand): readonly Operand[] {
  switch (operand.op) {
    case "member":
    case "spread":
      return [operand.of];
    case "element":
      return [operand.of];
    case "object":
      return [...operand.fields.map((field) => field.value), ...operand.spreads];
    case "list":
      return [...operand.items, ...operand.spreads];
    case "either":
      return operand.of;
    default:
      return [];
  }
}

function writtenOf(module: FlowModule, operand: Operand): string | undefined {
  if (operand.op === "this") return "this";
  if (operand.op === "name") {
    const written = operand.name.startsWith("%") ? undefined : module.written[operand.name];
    return written !== undefined && IDENTIFIER.test(written) ? written : undefined;
  }
  if (operand.op !== "member" || !IDENTIFIER.test(operand.name)) return undefined;
  const of = writtenOf(module, operand.of);
  return of === undefined ? undefined : `${of}.${operand.name}`;
}
