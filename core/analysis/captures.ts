/** Names that functions take from the functions around them. */
import type { FlowFunction, FlowModule, Name, Operand } from "./flow.ts";

const captures = new WeakMap<FlowFunction, ReadonlySet<Name>>();

const named = new WeakMap<FlowModule, ReadonlyMap<Name, number>>();

/** Names that hold a function which is written where they are declared. */
function functionNames(module: FlowModule): ReadonlyMap<Name, number> {
  const known = named.get(module);
  if (known) return known;
  const names = new Map<Name, number>();
  for (const fn of module.functions)
    for (const block of fn.blocks)
      for (const event of block.events)
        if (event.event === "set" && event.value.op === "function") names.set(event.name, event.value.index);
  named.set(module, names);
  return names;
}

/** Names that a function, or one within it, reads and does not declare. */
export function capturedBy(module: FlowModule, fn: FlowFunction, depth = 0): ReadonlySet<Name> {
  const known = captures.get(fn);
  if (known) return known;
  const names = new Set<Name>();
  captures.set(fn, names);
  if (depth > 30) return names;
  const see = (operand: Operand | undefined, level = 0): void => {
    if (!operand || level > 40) return;
    switch (operand.op) {
      case "name":
        names.add(operand.name);
        break;
      case "function": {
        const inner = module.functions[operand.index];
        if (inner) for (const name of capturedBy(module, inner, depth + 1)) names.add(name);
        break;
      }
      case "member":
      case "spread":
        see(operand.of, level + 1);
        break;
      case "element":
        see(operand.of, level + 1);
        see(operand.key, level + 1);
        break;
      case "concat":
        for (const part of operand.parts) see(part, level + 1);
        break;
      case "either":
      case "opaque":
        for (const one of operand.of) see(one, level + 1);
        break;
      case "list":
        for (const one of operand.items) see(one, level + 1);
        break;
      case "object":
        for (const field of operand.fields) see(field.value, level + 1);
        for (const one of operand.spreads) see(one, level + 1);
        break;
      default:
        break;
    }
  };
  for (const block of fn.blocks) {
    for (const event of block.events) {
      if (event.event === "call") {
        see(event.callee);
        for (const arg of [...event.args, ...(event.spreads ?? [])]) see(arg);
      } else if (event.event === "store") {
        see(event.object);
        see(event.value);
      } else if (event.event === "each") see(event.of);
      else see(event.value);
      if (event.event === "set" || event.event === "await" || event.event === "each") names.add(event.name);
    }
    const { exit } = block;
    if (exit.exit === "return" || exit.exit === "throw") see(exit.value);
    if (exit.exit === "branch") {
      const { test } = exit;
      if (test.test === "truthy" || test.test === "defined") see(test.of);
      else if (test.test === "equal") {
        see(test.left);
        see(test.right);
      } else for (const one of test.of) see(one);
    }
  }
  // A function beside this one that it calls takes its own along.
  const functions = functionNames(module);
  for (const name of Array.from(names)) {
    const beside = functions.get(name);
    const inner = beside === undefined || beside === fn.index ? undefined : module.functions[beside];
    if (inner) for (const captured of capturedBy(module, inner, depth + 1)) names.add(captured);
  }
  for (const name of fn.declares) names.delete(name);
  for (const name of names) if (name.startsWith("%") && !definesElsewhere(fn, name)) names.delete(name);
  return names;
}

function definesElsewhere(fn: FlowFunction, name: Name): boolean {
  return !fn.blocks.some((block) =>
    block.events.some(
      (event) =>
        (event.event === "call" && event.result === name) ||
        (event.event === "await" && event.name === name) ||
        (event.event === "set" && event.name === name),
    ),
  );
}
