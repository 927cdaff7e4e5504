/** Values of a called function in the words of its caller. */
import { allocate, type Frame, type State } from "./frame.ts";
import { elementsOf, readMember } from "./members.ts";
import { readName } from "./evaluate.ts";
import { thaw } from "./shapes.ts";
import type { Name } from "./flow.ts";
import {
  atomsOf,
  combine,
  derived,
  type FunctionValue,
  joined,
  NOTHING,
  reference,
  type Shape,
  shorten,
  type Thing,
  unionAll,
  type Value,
  type Values,
} from "./value.ts";
import { basenameOf, dirnameOf, normalized } from "./paths.ts";

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
  /** What members and paths turned out to be, for as long as nothing is put into an object. */
  readonly known: Map<string, Values>;
}

export function substitute(frame: Frame, state: State, value: Value, exchange: Exchange, depth = 0): Values {
  if (depth > DEEPEST) return NOTHING;
  if (value.kind !== "derived" && value.kind !== "joined") return substituteAnew(frame, state, value, exchange, depth);
  const known = exchange.known.get(value.key);
  if (known) return known;
  const values = substituteAnew(frame, state, value, exchange, depth);
  // Far down something may be missing.
  if (depth <= DEEPEST / 2) exchange.known.set(value.key, values);
  return values;
}

const DEEPEST = 12;

function substituteAnew(frame: Frame, state: State, value: Value, exchange: Exchange, depth: number): Values {
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
    case "joined": {
      const options = value.parts.map((part) => substitute(frame, state, part, exchange, depth + 1));
      // A path with a part that is not there is no path.
      if (options.some((option) => option.length > 0 && option.every(isMissing))) return NOTHING;
      return combine(
        options.map((option) => option.filter((one) => !isMissing(one))),
        (parts) => normalized(joined(parts.flatMap(atomsOf))),
      );
    }
    case "shape":
      return [again(frame, state, value, exchange, depth)];
    case "function":
      return [rebind(frame, state, value, exchange, depth)];
    default:
      return [value];
  }
}

function isMissing(value: Value): boolean {
  return value.kind === "literal" && (value.value === undefined || value.value === null);
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
  const known = exchange.made.get(value.key);
  if (known) return known;
  // A function that captures itself, or one that captures it, finds itself.
  exchange.made.set(value.key, { ...value, bound: new Map() });
  const bound =
    value.bound &&
    new Map(
      [...value.bound].map(([name, values]) => [name, unionAll(values.map((one) => substitute(frame, state, one, exchange, depth + 1)))]),
    );
  const self = value.self && unionAll(value.self.map((one) => substitute(frame, state, one, exchange, depth + 1)));
  const again = { ...value, key: shorten(`${exchange.key}/${value.key}`), ...(bound && { bound }), ...(self && { self }) };
  exchange.made.set(value.key, again);
  return again;
}
