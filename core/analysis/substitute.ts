/** Values of a called function in the words of its caller. */
import { allocate, elementsOf, type Frame, readMember, readName, type State, thaw } from "./frame.ts";
import type { FlowFunction, FlowModule, Name, Operand } from "./flow.ts";
import {
  atomsOf,
  basenameOf,
  combine,
  derived,
  dirnameOf,
  type FunctionValue,
  joined,
  normalized,
  NOTHING,
  reference,
  type Shape,
  shorten,
  type Thing,
  unionAll,
  type Value,
  type Values,
} from "./value.ts";

export interface Exchange {
  readonly args: readonly Values[];
  readonly self: Values;
  /** Bindings that the closure brought along. */
  readonly bound?: ReadonlyMap<Name, Values>;
  /** Names captured from the caller itself are read where the call is. */
  readonly lexical: boolean;
  /** Told apart from other calls of the same function. */
  readonly key: string;
  /** Things that were made again already. */
  readonly made: Map<string, Value>;
}

export function substitute(frame: Frame, state: State, value: Value, exchange: Exchange, depth = 0): Values {
  if (depth > 12) return NOTHING;
  switch (value.kind) {
    case "symbol":
      if (value.root === "parameter") return exchange.args[value.index ?? -1] ?? NOTHING;
      if (value.root === "this") return exchange.self.length > 0 ? exchange.self : [value];
      if (value.root === "captured") return captured(frame, state, value, exchange);
      if (value.root === "fresh") return [{ ...value, key: shorten(`${exchange.key}/${value.key}`) }];
      return [value];
    case "derived":
      return unionAll(
        substitute(frame, state, value.of, exchange, depth + 1).map((of) => deriveAgain(frame, state, value, of, exchange, depth)),
      );
    case "joined":
      return combine(
        value.parts.map((part) => substitute(frame, state, part, exchange, depth + 1)),
        (parts) => normalized(joined(parts.flatMap(atomsOf))),
      );
    case "shape":
      return [again(frame, state, value, exchange, depth)];
    case "function":
      return [rebind(frame, state, value, exchange, depth)];
    default:
      return [value];
  }
}

function captured(frame: Frame, state: State, value: Value & { kind: "symbol" }, exchange: Exchange): Values {
  const { name } = value;
  if (name === undefined) return [value];
  const own = exchange.lexical ? state.env.get(name) : undefined;
  if (own) return own;
  const brought = exchange.bound?.get(name);
  if (brought) return brought;
  if (!exchange.lexical) return [value];
  const read = readName(frame, state, name);
  return read.length > 0 ? read : [value];
}

function deriveAgain(frame: Frame, state: State, value: Value & { kind: "derived" }, of: Value, exchange: Exchange, depth: number): Values {
  if (value.how === "member") {
    if (value.name === "#cleanup") return [derived("member", of, "#cleanup")];
    // A path has no fields: `0|0.source` of something that turned out to be text.
    if (of.kind === "joined" || of.kind === "text") return NOTHING;
    const read = readMember(frame, of, value.name);
    return read.map((one) => (one.kind === "derived" && value.type && !one.type ? { ...one, type: value.type } : one));
  }
  if (value.how === "each") return elementsOf(frame, of);
  if (value.how === "dirname") return [dirnameOf(of)];
  if (value.how === "basename") return [basenameOf(of)];
  if (value.how === "entry") return [derived("entry", of)];
  const args = value.args?.map((arg) => substitute(frame, state, arg, exchange, depth + 1)[0] ?? arg);
  return [derived(value.how, of, value.name, args ? { args } : {})];
}

/** A thing that the called function made: one of its own for each call. */
function again(frame: Frame, state: State, shape: Shape, exchange: Exchange, depth: number): Value {
  const known = exchange.made.get(shape.id);
  if (known) return known;
  const id = shorten(`${exchange.key}/${shape.id}`);
  // Whatever holds itself finds itself.
  exchange.made.set(shape.id, reference(id));
  allocate(frame, id);
  const { thing } = shape;
  const swap = (values: Values): Values => unionAll(values.map((one) => substitute(frame, state, one, exchange, depth + 1)));
  const changed: Thing = {
    ...thing,
    fields: new Map([...thing.fields].map(([name, values]) => [name, swap(values)])),
    elements: swap(thing.elements),
    carries: swap(thing.carries),
    inputs: swap(thing.inputs),
    outputs: swap(thing.outputs),
    rest: swap(thing.rest),
    order: new Map([...thing.order].map(([key, item]) => [key, { ...item, values: swap(item.values) }])),
  };
  return thaw(frame, { ...shape, thing: changed }, id);
}

function rebind(frame: Frame, state: State, value: FunctionValue, exchange: Exchange, depth: number): Value {
  if (depth > 5) return { ...value, bound: new Map() };
  if (!value.bound && !value.self && !value.before) return value;
  const bound =
    value.bound &&
    new Map(
      [...value.bound].map(([name, values]) => [name, unionAll(values.map((one) => substitute(frame, state, one, exchange, depth + 1)))]),
    );
  const self = value.self && unionAll(value.self.map((one) => substitute(frame, state, one, exchange, depth + 1)));
  return { ...value, key: shorten(`${exchange.key}/${value.key}`), ...(bound && { bound }), ...(self && { self }) };
}

const captures = new WeakMap<FlowFunction, ReadonlySet<Name>>();

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
