/** What operands are: reads names, makes things and closures, follows imports. */
import { capturedBy } from "./captures.ts";
import type { Name, Operand } from "./flow.ts";
import { addField, addOrdered, addTo, allocate, type Frame, type State, thingOf } from "./frame.ts";
import { globalValue, importValue } from "./imported.ts";
import { elementsOf, readElement, readMember } from "./members.ts";
import { lookUpStatic } from "./static.ts";
import { atomsOf, combine, joined, literal, reference, text, unionAll, type Value, type Values } from "./value.ts";

/** What an operand is at a place. */
export function evaluate(frame: Frame, state: State, operand: Operand): Values {
  switch (operand.op) {
    case "text":
      return [text(fromHere(operand.text))];
    case "literal":
      return [literal(operand.value)];
    case "nothing":
      return [literal(undefined)];
    case "name":
      return readName(frame, state, operand.name);
    case "this":
      return [thisOf(frame)];
    case "import":
      return importValue(frame.program, frame.module.file, operand.from, operand.name);
    case "global":
      return globalValue(frame, operand.name);
    case "concat":
      return combine(
        operand.parts.map((part) => stringsOf(evaluate(frame, state, part))),
        (parts) => normalizedText(joined(parts.flatMap(atomsOf))),
      );
    case "member":
      return unionAll(evaluate(frame, state, operand.of).map((value) => readMember(frame, value, operand.name)));
    case "element":
      return unionAll(evaluate(frame, state, operand.of).map((value) => readElement(frame, value, operand.key)));
    case "object":
    case "list":
      return [makeThing(frame, state, operand)];
    case "either":
      return unionAll(operand.of.map((one) => evaluate(frame, state, one)));
    case "spread":
      return evaluate(frame, state, operand.of);
    case "function":
      return [closure(frame, state, operand.index)];
    case "class":
      return [
        { kind: "class", key: `class:${frame.module.file}#${operand.index}`, ref: { file: frame.module.file, index: operand.index } },
      ];
    case "opaque":
      return [{ kind: "symbol", key: `?${namesIn(operand).join()}`, root: "fresh" }];
    default:
      return operand satisfies never;
  }
}

function thisOf(frame: Frame): Value {
  return { kind: "symbol", key: "this", root: "this", ...(frame.self && { type: frame.self }) };
}

/** `./a/b` is `a/b`. */
function fromHere(written: string): string {
  return /^\.\/[\w.]/.test(written) && written.length > 3 ? written.slice(2) : written;
}

/** Long texts stop growing: a loop that appends to one would never end. */
function normalizedText(value: Value): Value {
  if (value.kind === "joined" && value.parts.length > 24) return { kind: "symbol", key: `?long`, root: "fresh" };
  return value.kind === "joined" && value.key.length > 1500 ? { kind: "symbol", key: `?long`, root: "fresh" } : value;
}

function stringsOf(values: Values): Values {
  const known = values.filter((value) => !(value.kind === "literal" && (value.value === null || value.value === undefined)));
  return known.length === 0 ? values : known;
}

export function namesIn(operand: Operand, into: string[] = [], depth = 0): string[] {
  if (depth > 12 || into.length > 12) return into;
  const go = (one: Operand): unknown => namesIn(one, into, depth + 1);
  switch (operand.op) {
    case "name":
      into.push(operand.name);
      break;
    case "text":
      into.push(JSON.stringify(operand.text.slice(0, 40)));
      break;
    case "literal":
      into.push(String(operand.value));
      break;
    case "global":
    case "import":
      into.push(operand.name);
      break;
    case "spread":
      go(operand.of);
      break;
    case "member":
      go(operand.of);
      into.push(`.${operand.name}`);
      break;
    case "element":
      go(operand.of);
      go(operand.key);
      break;
    case "concat":
      operand.parts.forEach(go);
      break;
    case "either":
    case "opaque":
      operand.of.forEach(go);
      break;
    case "list":
      operand.items.forEach(go);
      operand.spreads.forEach(go);
      break;
    case "object":
      operand.fields.forEach((field) => go(field.value));
      operand.spreads.forEach(go);
      break;
    default:
      break;
  }
  return into;
}

export function readName(frame: Frame, state: State, name: Name): Values {
  const known = state.env.get(name);
  if (known) return known;
  return lookUpStatic(frame, name);
}

function makeThing(frame: Frame, state: State, operand: Operand & { op: "object" | "list" }): Value {
  const id = `${frame.prefix}:${operand.op}:${identity(operand)}`;
  const thing = allocate(frame, id);
  if (operand.op === "object") {
    for (const spread of operand.spreads)
      for (const value of evaluate(frame, state, spread)) {
        const other = thingOf(frame, value);
        if (other) for (const [name, values] of other.fields) addField(frame, thing, name, values);
        if (other) addTo(frame, thing, "rest", other.rest);
        else if (value.kind === "symbol" || value.kind === "derived") addTo(frame, thing, "rest", [value]);
      }
    for (const field of operand.fields) addField(frame, thing, field.name, evaluate(frame, state, field.value));
  } else {
    for (const [index, item] of operand.items.entries()) {
      const values = evaluate(frame, state, item);
      addOrdered(frame, thing, `${id}.${index}`, values, item.op === "spread" ? true : undefined);
      if (item.op === "spread") continue;
      if (operand.spreads.length === 0 && index < 8) addField(frame, thing, String(index), values);
      else addTo(frame, thing, "elements", values);
    }
    for (const spread of operand.spreads)
      addTo(frame, thing, "elements", unionAll(evaluate(frame, state, spread).map((value) => elementsOf(frame, value))));
  }
  return reference(id);
}

const identities = new WeakMap<Operand, number>();
let lastIdentity = 0;

/** One number for each object or list literal of the source. */
function identity(operand: Operand): number {
  const known = identities.get(operand);
  if (known !== undefined) return known;
  lastIdentity += 1;
  identities.set(operand, lastIdentity);
  return lastIdentity;
}

function closure(frame: Frame, state: State, index: number): Value {
  const key = `fn:${frame.module.file}#${index}`;
  const ref = { file: frame.module.file, index };
  const fn = frame.module.functions[index];
  const captured = fn ? capturedBy(frame.module, fn) : undefined;
  const bound = captured && captured.size > 0 && state.env.size > 0 ? new Map<Name, Values>() : undefined;
  for (const name of captured ?? []) {
    const values = state.env.get(name);
    if (values) bound?.set(name, values);
  }
  return { kind: "function", key, ref, ...(bound && { bound }), ...(frame.self && { self: [thisOf(frame)] }) };
}
