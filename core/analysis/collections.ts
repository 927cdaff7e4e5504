/** Lists, maps and promises of them: what goes in comes out again. */
import { type CallContext, runLater } from "./call.ts";
import type { LibraryValue } from "./catalogue/entry.ts";
import { handOn } from "./escapes.ts";
import { isPath, looksLikePath } from "./records.ts";
import type { Frame, State } from "./frame.ts";
import { addField, addOrdered, addTo, allocate, libraryOf, thingOf } from "./frame.ts";
import { elementsOf } from "./members.ts";
import { evaluate } from "./evaluate.ts";
import { derived, NOTHING, reference, stable, type Symbol_, union, unionAll, type Value, type Values } from "./value.ts";

const ADDS = new Set(["push", "unshift", "add", "append", "extend"]);
const SAME = new Set([
  "filter",
  "slice",
  "concat",
  "sort",
  "reverse",
  "flat",
  "toSorted",
  "toReversed",
  "values",
  "with",
  "splice",
  "fill",
]);
const ONE = new Set(["pop", "shift", "at", "find", "findLast"]);
const EACH = new Set(["map", "forEach", "flatMap", "filter", "some", "every", "find", "findLast", "findIndex", "sort"]);

/** Undefined: the call is not one of a collection. */
export function collectionCall(frame: Frame, state: State, context: CallContext, _target: Value): Values | undefined {
  const { method, receiver } = context;
  const [callee] = receiver;
  if (callee === undefined) return undefined;
  if (callee.kind === "library" && callee.module === "global") return ofGlobal(frame, state, context, callee.path);
  const holders = receiver.filter((value) => isCollection(frame, value, method));
  if (holders.length === 0) return undefined;
  if (ADDS.has(method)) {
    for (const holder of holders) {
      putIn(frame, state, context, holder);
      inOrder(frame, state, context, holder);
    }
    return method === "add" ? holders : NOTHING;
  }
  if (method === "set" && context.args.length === 2) {
    for (const holder of holders) putIn(frame, state, context, holder);
    return holders;
  }
  if (method === "delete" || method === "clear" || method === "has") return NOTHING;
  if (method === "get") return unionAll(holders.map((holder) => elementsOf(frame, holder)));
  const elements = unionAll(holders.map((holder) => elementsOf(frame, holder)));
  const callback = context.args.flat().find((value) => value.kind === "function");
  if (EACH.has(method) && callback?.kind === "function") {
    const results = runLater(frame, state, context, callback, "now", [elements, [derived("each", stable("index"))]]);
    if (method === "map") return [listOf(frame, context, results)];
    if (method === "flatMap") return [flattened(frame, context, results)];
    if (method === "filter" || method === "sort") return [listOf(frame, context, elements)];
    return ONE.has(method) ? elements : NOTHING;
  }
  if (method === "reduce" && callback?.kind === "function") {
    const start = context.args[1] ?? NOTHING;
    const results = runLater(frame, state, context, callback, "now", [start, elements]);
    return union(start, results);
  }
  if (ONE.has(method)) return elements;
  if (method === "join") return [listOf(frame, context, elements)];
  if (method === "entries") return [pairs(frame, context, elements)];
  if (method === "concat")
    return [listOf(frame, context, union(elements, unionAll(context.args.flat().map((value) => concatenated(frame, value)))))];
  if (SAME.has(method)) return [listOf(frame, context, elements)];
  return undefined;
}

/** A list adds what it holds, anything else itself. */
function concatenated(frame: Frame, value: Value): Values {
  return value.kind === "text" || value.kind === "joined" ? [value] : elementsOf(frame, value);
}

function putIn(frame: Frame, state: State, context: CallContext, holder: Value): void {
  const values = context.args.flat();
  put(frame, holder, undefined, values);
  handOn(frame, state, [holder], values, context.moment);
}

/** The order counts for command lines. */
function inOrder(frame: Frame, state: State, context: CallContext, holder: Value): void {
  const { event } = context;
  if (holder.kind === "symbol") {
    for (const [index, values] of context.args.slice(0, event.args.length).entries())
      storeInOrder(frame, holder, `${frame.prefix}:${event.id}.${index}`, values);
    return;
  }
  const thing = holder.kind === "thing" ? thingOf(frame, holder) : undefined;
  if (!thing || thing.library) return;
  for (const [index, values] of context.args.slice(0, event.args.length).entries())
    addOrdered(frame, thing, `${frame.prefix}:${event.id}.${index}`, values);
  for (const [index, spread] of (event.spreads ?? []).entries())
    addOrdered(frame, thing, `${frame.prefix}:${event.id}.${event.args.length + index}`, evaluate(frame, state, spread), true);
}

export function putInOrder(frame: Frame, list: Value, order: string, values: Values): void {
  if (list.kind === "symbol") storeInOrder(frame, list, order, values);
  const thing = list.kind === "thing" ? thingOf(frame, list) : undefined;
  if (thing && !thing.library) addOrdered(frame, thing, order, values);
}

/** What is added to a list that the caller, or the function around, has. */
function storeInOrder(frame: Frame, object: Symbol_, order: string, values: Values): void {
  if (frame.scratch || (object.root !== "captured" && object.root !== "parameter")) return;
  for (const value of values) {
    const key = `${object.key}|${order}|${value.key}`;
    if (frame.stores.size < 2 * MOST_STORES && !frame.stores.has(key)) frame.stores.set(key, { object, order, value });
  }
}

/** The language's own. */
export const COLLECTIONS: ReadonlySet<string> = new Set(["Set", "Map", "WeakSet", "WeakMap", "Array"]);

/** `new Set(list)`. */
export function collectionOf(frame: Frame, context: CallContext, library: LibraryValue): Value {
  const elements = unionAll((context.args[0] ?? NOTHING).map((value) => elementsOf(frame, value)));
  const list = listOf(frame, context, elements);
  const thing = thingOf(frame, list);
  if (thing) thing.library = { module: library.module, path: library.path };
  return list;
}

function isCollection(frame: Frame, value: Value, method: string): boolean {
  const library = libraryOf(frame, value);
  if (library?.module === "global" && COLLECTIONS.has(library.path)) return true;
  const thing = thingOf(frame, value);
  if (thing) return thing.library === undefined && thing.class === undefined;
  if (value.kind !== "symbol" && value.kind !== "derived") return false;
  if (value.library !== undefined || value.type !== undefined) return false;
  return (
    method === "push" ||
    method === "unshift" ||
    EACH.has(method) ||
    SAME.has(method) ||
    ONE.has(method) ||
    method === "entries" ||
    method === "reduce"
  );
}

function ofGlobal(frame: Frame, _state: State, context: CallContext, path: string): Values | undefined {
  const { method, args } = context;
  const first = args[0] ?? NOTHING;
  if (path === "Object" && (method === "values" || method === "entries")) {
    const held = unionAll(
      first.map((value) => {
        const thing = thingOf(frame, value);
        return thing ? unionAll([thing.elements, ...thing.fields.values()]) : elementsOf(frame, value);
      }),
    );
    return [method === "values" ? listOf(frame, context, held) : pairs(frame, context, held)];
  }
  if (path === "Object" && (method === "assign" || method === "freeze" || method === "fromEntries")) {
    for (const target of first) {
      const thing = thingOf(frame, target);
      for (const value of args.slice(1).flat()) {
        const other = thingOf(frame, value);
        if (thing && other) for (const [name, values] of other.fields) addField(frame, thing, name, values);
      }
    }
    return first;
  }
  if (path === "Array" && (method === "from" || method === "of")) {
    const elements = method === "of" ? args.flat() : unionAll(first.map((value) => elementsOf(frame, value)));
    const callback = args[1]?.find((value) => value.kind === "function");
    if (callback?.kind === "function") return [listOf(frame, context, runLater(frame, _state, context, callback, "now", [elements]))];
    return [listOf(frame, context, elements)];
  }
  return undefined;
}

/** Adds values to a list or object, also to one that the caller knows. */
export function put(frame: Frame, object: Value, name: string | undefined, values: Values): void {
  const own = object.kind === "thing" ? frame.heap.get(object.id) : undefined;
  const thing = own ?? (object.kind === "symbol" || object.kind === "derived" ? allocate(frame, `@${object.key}`) : undefined);
  if (!thing) return;
  if (name === undefined) addTo(frame, thing, "elements", values);
  else if (name === "#inputs" && own) addTo(frame, thing, "inputs", values);
  else if (name === "#outputs" && own) addTo(frame, thing, "outputs", values);
  else if (name === "#carries") addTo(frame, thing, "carries", values);
  else addField(frame, thing, name, values);
  if (own || frame.scratch) return;
  for (const value of values) {
    if (!isWorthKnowing(value) || frame.stores.size >= MOST_STORES) continue;
    const key = `${object.key}|${name ?? ""}|${value.key}`;
    if (!frame.stores.has(key)) frame.stores.set(key, { object, ...(name !== undefined && { name }), value });
  }
}

const MOST_STORES = 60;

/** Whether a stored value can matter to files: a path, something that holds one, a function. */
function isWorthKnowing(value: Value): boolean {
  if (value.kind === "literal" || value.kind === "class" || value.kind === "library") return false;
  if (value.kind === "text") return /[/.]/.test(value.text);
  if (value.kind === "joined") return isPath(value) && (looksLikePath(value) || value.parts.every((part) => part.kind !== "text"));
  if (value.kind === "symbol")
    return value.root !== "fresh" || value.temporary === true || value.type !== undefined || value.library !== undefined;
  return true;
}

export function listOf(frame: Frame, context: CallContext, elements: Values): Value {
  const id = `${frame.prefix}:list:${context.event.id}`;
  addTo(frame, allocate(frame, id), "elements", elements);
  return reference(id);
}

/** What each of several lists holds, in one list and in order. */
function flattened(frame: Frame, context: CallContext, results: Values): Value {
  const list = listOf(frame, context, unionAll(results.map((one) => (thingOf(frame, one) ? elementsOf(frame, one) : [one]))));
  const thing = thingOf(frame, list);
  if (thing)
    for (const result of results)
      for (const [key, item] of thingOf(frame, result)?.order ?? []) addOrdered(frame, thing, key, item.values, item.spread);
  return list;
}

function pairs(frame: Frame, context: CallContext, elements: Values): Value {
  const id = `${frame.prefix}:pair:${context.event.id}`;
  const pair = allocate(frame, id);
  addField(frame, pair, "0", [stable("?key")]);
  addField(frame, pair, "1", elements);
  return listOf(frame, context, [reference(id)]);
}
