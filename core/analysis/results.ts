/** What a call that the catalogue knows results in: temporary files, listings, paths, library objects. */
import { type CallContext, runLater } from "./call.ts";
import { returnedBy } from "./catalogue/catalogue.ts";
import type { Entry } from "./catalogue/entry.ts";
import { placesOf } from "./catalogue/place.ts";
import { addField, addTo, allocate, type Frame, type State, thingOf } from "./frame.ts";
import { basenameOf, dirnameOf, joinPath, resolvePath } from "./paths.ts";
import { fileAt, waysOf } from "./records.ts";
import { LATER, mapWays } from "./summary.ts";
import { combine, derived, HOME, NOTHING, reference, stable, type Symbol_, text, TMP, unionAll, type Value, type Values } from "./value.ts";

/** Calls that result in a library's object, a stream or contents have a thing on the heap. */
export function resultThing(frame: Frame, context: CallContext, entries: readonly Entry[]): Value | undefined {
  const chained = entries.find(
    (entry) =>
      entry.role === "chain" ||
      entry.role === "carrier" ||
      entry.role === "sink" ||
      entry.role === "command" ||
      entry.role === "write" ||
      entry.role === "temp" ||
      entry.returns !== undefined ||
      context.event.construct,
  );
  if (!chained) return undefined;
  const returned = returnedBy(chained) ?? (context.event.construct ? { module: chained.module, path: chained.symbol } : undefined);
  const [receiver] = context.receiver;
  // A chain's methods return the chain.
  const same = receiver === undefined ? undefined : thingOf(frame, receiver);
  if (same?.library && returned && same.library.path === returned.path && same.library.module === returned.module) return receiver;
  const id = `${frame.prefix}:call:${context.event.id}`;
  const thing = allocate(frame, id);
  frame.begins.set(id, context.event.span);
  if (returned) thing.library = returned;
  return reference(id);
}

export function temporary(frame: Frame, state: State, context: CallContext, entry: Entry, result: Value | undefined): Values {
  const key = `tmp:${frame.prefix}:${context.event.id}`;
  const path: Symbol_ = { kind: "symbol", key, root: "fresh", temporary: true };
  const record = fileAt(frame, state, path);
  if (record && entry.directory) record.directory = true;
  if (record) record.trace = { ...record.trace, made: record.trace.made.length === 0 ? [context.moment.step] : record.trace.made };
  if (entry.removal !== undefined)
    state.ways.set(
      key,
      mapWays(waysOf(state, path), (way) => way | LATER),
    );
  const cleanup = derived("member", path, "#cleanup");
  const arguments_: Values[] = [];
  for (const place of placesOf(entry.gives ?? "result")) {
    if (place.root === "result" && place.steps.length === 0) return [path];
    if (place.root === "result") {
      const [field, more] = place.steps.map((step) => (step.step === "field" ? step.name : "")).filter((name) => name !== "");
      const thing = result && thingOf(frame, result);
      if (thing && field !== undefined && more === undefined) addField(frame, thing, field, [path]);
    } else {
      const parameter = place.steps.find((step) => step.step === "parameter");
      const field = place.steps.find((step) => step.step === "field");
      if (parameter?.step === "parameter")
        arguments_[parameter.index] = field?.step === "field" ? [objectWith(frame, context, field.name, path)] : [path];
    }
  }
  for (const place of entry.cleanup === undefined ? [] : placesOf(entry.cleanup)) {
    const [step] = place.steps;
    const thing = result && thingOf(frame, result);
    if (place.root === "result" && step?.step === "field" && thing) addField(frame, thing, step.name, [cleanup]);
    else if (step?.step === "parameter") arguments_[step.index] = [cleanup];
  }
  const callback = context.args.flat().findLast((value) => value.kind === "function");
  if (callback?.kind === "function" && arguments_.length > 0)
    return runLater(
      frame,
      state,
      context,
      callback,
      "now",
      Array.from({ length: arguments_.length }, (_, index) => arguments_[index] ?? NOTHING),
    );
  return NOTHING;
}

function objectWith(frame: Frame, context: CallContext, name: string, value: Value): Value {
  const id = `${frame.prefix}:given:${context.event.id}`;
  addField(frame, allocate(frame, id), name, [value]);
  return reference(id);
}

export function isListing(target: Value): boolean {
  return target.kind === "library" && /^(?:promises\.)?(?:readdir|opendir)/.test(target.path);
}

/** `readdir(dir)`: each element is an entry of the directory. */
export function listing(frame: Frame, context: CallContext, directories: Values): Value {
  const id = `${frame.prefix}:listing:${context.event.id}`;
  const thing = allocate(frame, id);
  addTo(
    frame,
    thing,
    "elements",
    directories.map((directory) => derived("entry", directory)),
  );
  return reference(id);
}

export function pathOf(frame: Frame, context: CallContext, entry: Entry, path: Values): Values {
  const rest = entry.path === "0+" ? context.args : [path];
  switch (entry.op) {
    case "join":
      return combine(rest, joinPath);
    case "resolve":
      return combine(rest, resolvePath);
    case "dirname":
      return unionAll(path.map((value) => [dirnameOf(value)]));
    case "basename":
      return unionAll(path.map((value) => [basenameOf(value)]));
    case "extname":
      return unionAll(path.map((value) => [derived("stem", value, "extname")]));
    case "tmpdir":
      return [TMP];
    case "cwd":
      return [text(".")];
    case "home":
      return [HOME];
    case "unique":
      return [{ kind: "symbol", key: `${frame.prefix}:${context.event.id}`, root: "fresh", unique: true }];
    default:
      return opaquePath(context, path);
  }
}

function opaquePath(context: CallContext, path: Values): Values {
  const args = context.args.map((values) => values[0] ?? stable("?")).filter((value) => value.kind !== "function");
  return unionAll(path.map((value) => [derived("call", value, context.method, { args: args.slice(0, 3) })]));
}

export function gather(frame: Frame, context: CallContext, elements: Values, entry: Entry): Values {
  if (entry.some) return elements;
  const id = `${frame.prefix}:all:${context.event.id}`;
  const thing = allocate(frame, id);
  addTo(frame, thing, "elements", elements);
  const [list] = context.args[0] ?? NOTHING;
  const source = list && thingOf(frame, list);
  if (source) for (const [name, values] of source.fields) addField(frame, thing, name, values);
  return [reference(id)];
}
