/** What the catalogue says of a call, applied. */
import { type CallContext, resultSymbol, runLater } from "./call.ts";
import { matchesReceiver, returnedBy } from "./catalogue/catalogue.ts";
import type { Entry } from "./catalogue/entry.ts";
import { listOf, put } from "./collections.ts";
import { type Place, placesOf } from "./catalogue/place.ts";
import { namedByFilters, runCommand } from "./command.ts";
import {
  assemble,
  escape,
  fileAt,
  filesBehind,
  make,
  observe,
  pathsInText,
  reachable,
  remove,
  serve,
  upload,
  use,
  waysOf,
  wholeOf,
} from "./effects.ts";
import type { Span } from "./flow.ts";
import { addField, addTo, allocate, elementsOf, type Frame, libraryOf, readMember, type State, thingOf } from "./frame.ts";
import { isField, isTemporary } from "./leaks.ts";
import { indexOf, isGuarded, keyOf } from "./program.ts";
import { giveUp, outcomesOf } from "./refine.ts";
import { summaryOf } from "./solve.ts";
import { LATER, mapWays, PENDING, REFUSED, type Step, UPLOADED } from "./summary.ts";
import {
  basenameOf,
  combine,
  derived,
  dirnameOf,
  type FunctionValue,
  HOME,
  joinPath,
  NOTHING,
  reference,
  resolvePath,
  stable,
  type Symbol_,
  text,
  TMP,
  union,
  unionAll,
  type Value,
  type Values,
} from "./value.ts";

/** Entries that speak of this call. */
export function entriesOf(frame: Frame, context: CallContext, target: Value): readonly Entry[] {
  const { catalogue, loader } = frame.program;
  const from = libraryOf(frame, target);
  const own = from === undefined ? [] : catalogue.at(from).filter((entry) => entry.role !== "field");
  if (own.length > 0) return own.filter((entry) => holds(frame, context, entry));
  const { method, receiver, written } = context;
  if (method === "" || context.event.callee.op !== "member") return [];
  const weak = catalogue.byMethod(method).filter((entry) => {
    if (entry.role === "field") return false;
    if (entry.module === "*" && entry.weak === undefined)
      return from === undefined || !catalogue.knows(from.module) || entry.role === "invoke" || entry.role === "pipe";
    if (
      receiver.some(
        (value) => value.kind === "library" && value.module !== "global" && value.module !== entry.module && catalogue.knows(value.module),
      )
    )
      return false;
    if (entry.sends && sends(frame, context, entry)) return true;
    return matchesReceiver(entry, written) && (entry.module === "*" || loader.uses(frame.module.file, entry.module));
  });
  const kept = weak.filter((entry) => holds(frame, context, entry));
  // What any object's method does gives way to what is known of a certain library's.
  const special = kept.filter((entry) => entry.module !== "*");
  return special.length > 0 ? special : kept;
}

function sends(frame: Frame, context: CallContext, entry: Entry): boolean {
  return valuesAt(frame, context, entry.path ?? "0").some((value) => {
    const thing = thingOf(frame, value);
    return thing !== undefined && thing.carries.length > 0 && thing.library?.module === entry.module;
  });
}

function holds(frame: Frame, context: CallContext, entry: Entry): boolean {
  const { when } = entry;
  if (!when) return true;
  const values = valuesAt(frame, context, when.at);
  if (when.absent) return values.every((value) => value.kind === "literal" && (value.value === undefined || value.value === null));
  if (when.truthy) return values.some(isTruthy);
  const pattern = when.matches === undefined ? undefined : new RegExp(when.matches);
  return pattern === undefined || values.some((value) => value.kind === "text" && pattern.test(value.text));
}

function isTruthy(value: Value): boolean {
  return value.kind === "literal" ? Boolean(value.value) : value.kind !== "text" || value.text !== "";
}

export function valuesAt(frame: Frame, context: CallContext, places: string): Values {
  return unionAll(placesOf(places).map((place) => atPlace(frame, context, place)));
}

function atPlace(frame: Frame, context: CallContext, place: Place): Values {
  let values = rootValues(frame, context, place);
  for (const step of place.steps) {
    if (step.step === "field") values = unionAll(values.map((value) => fieldOf(frame, value, step.name)));
    else if (step.step === "each") values = unionAll(values.map((value) => elementsOf(frame, value)));
    else return NOTHING;
  }
  return values;
}

function rootValues(frame: Frame, context: CallContext, place: Place): Values {
  switch (place.root) {
    case "given":
      return [{ kind: "symbol", key: `${frame.prefix}:called:${place.name}`, root: "fresh" }];
    case "argument":
      return place.rest ? context.args.slice(place.index).flat() : (context.args[place.index] ?? NOTHING);
    case "last":
      return context.args.at(-1) ?? NOTHING;
    case "receiver":
      return context.receiver;
    default:
      return NOTHING;
  }
}

/** A field that is there; one that a literal lacks is absent, not unknown. */
function fieldOf(frame: Frame, value: Value, name: string): Values {
  const thing = thingOf(frame, value);
  if (thing && thing.class === undefined) return thing.fields.get(name) ?? unionAll(thing.rest.map((one) => readMember(frame, one, name)));
  return value.kind === "symbol" || value.kind === "derived" || thing ? readMember(frame, value, name) : NOTHING;
}

export function applyEntries(frame: Frame, state: State, context: CallContext, target: Value, entries: readonly Entry[]): Values {
  const result = resultThing(frame, context, entries);
  const results: Values[] = [];
  for (const entry of entries) results.push(applyEntry(frame, state, context, target, entry, result));
  results.push(runCallbacks(frame, state, context, entries));
  swallow(frame, state, context, entries);
  const values = unionAll(results);
  if (values.length > 0) return values;
  return result ? [result] : [resultSymbol(frame, context, context.receiver)];
}

/** `upload(p).catch(…)`, `Promise.allSettled([upload(p)])`: the failure of an upload is no exception any more. */
function swallow(frame: Frame, state: State, context: CallContext, entries: readonly Entry[]): void {
  const [entry] = entries;
  if (frame.scratch || entry === undefined) return;
  const { callee, args } = context.event;
  const caught = entry.symbol === "catch" ? context.args[0] : entry.symbol === "then" ? context.args[1] : undefined;
  const settles = entry.role === "gather" && entry.fails === "never";
  const swallowed = settles || (caught ?? NOTHING).some((value) => value.kind === "function" && returns(frame, value));
  if (!swallowed || callee.op !== "member") return;
  const sites = settles ? args.flatMap((arg) => [...outcomesOf(frame, arg)]) : [...outcomesOf(frame, callee.of)];
  if (sites.length === 0) return;
  for (const record of frame.files.values()) {
    if (record.trace.uploaded.length === 0 || !sites.some((site) => record.sites.has(site))) continue;
    const ways = waysOf(state, record.value);
    state.ways.set(
      record.value.key,
      mapWays(ways, (way) => (way & UPLOADED ? [way, (way & ~(UPLOADED | PENDING)) | REFUSED] : way)),
    );
  }
}

/** Whether a function may end without throwing. */
function returns(frame: Frame, target: FunctionValue): boolean {
  summaryOf(frame.program, target.ref);
  return frame.program.reports.get(keyOf(target.ref))?.exits.some((exit) => exit.how === "return") ?? true;
}

/** Calls that result in a library's object, a stream or contents have a thing on the heap. */
function resultThing(frame: Frame, context: CallContext, entries: readonly Entry[]): Value | undefined {
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

function applyEntry(frame: Frame, state: State, context: CallContext, target: Value, entry: Entry, result: Value | undefined): Values {
  const { moment } = context;
  const path = entry.path === undefined ? NOTHING : valuesAt(frame, context, entry.path);
  const given = entry.from === undefined ? NOTHING : valuesAt(frame, context, entry.from);
  const from = entry.holds === "filters" ? namedByFilters(given) : given;
  const thing = result && thingOf(frame, result);
  switch (entry.role) {
    case "upload": {
      const files = filesOf(frame, path, entry);
      if (files.length > 0)
        upload(frame, state, files, moment, {
          byValue: entry.fails === "value",
          pending: entry.settles !== "now" && !isInMemory(frame, path, entry),
          inMemory: isInMemory(frame, path, entry),
        });
      if (thing) {
        addTo(frame, thing, "carries", files);
        thing.sent = true;
      }
      return NOTHING;
    }
    case "assembly": {
      const chains = unionAll([from, context.receiver].map((values) => values.filter((value) => thingOf(frame, value) !== undefined)));
      const collected = chains.flatMap((value) => thingOf(frame, value) ?? []);
      // A chain that was begun elsewhere: whoever began it knows what it has collected.
      const foreign = context.receiver.filter((value) => value.kind === "symbol" && value.library !== undefined);
      const inputs = union(
        from.filter((value) => thingOf(frame, value) === undefined),
        unionAll([...collected.map((one) => one.inputs), ...foreign.map((value) => readMember(frame, value, "#inputs"))]),
      );
      const outputs = union(
        entry.holds === "body" ? sinks(frame, path) : path,
        unionAll([...collected.map((one) => one.outputs), ...foreign.map((value) => readMember(frame, value, "#outputs"))]),
      );
      assemble(frame, state, filesIn(frame, inputs), outputs, { ...moment, step: withBeginning(frame, context) });
      for (const value of context.receiver) {
        const chain = thingOf(frame, value);
        if (chain) addTo(frame, chain, "outputs", path);
      }
      return NOTHING;
    }
    case "command":
      runCommand(frame, state, context, entry);
      return NOTHING;
    case "write":
      use(frame, state, from, moment);
      make(frame, state, path, moment);
      nameFiles(frame, state, context, path);
      // What grows is kept: a log, a history.
      if (/^(?:promises\.)?append/i.test(entry.symbol) && !path.some(isTemporary)) escape(frame, state, path, moment);
      // A manifest: whoever reads it finds the files.
      if (!path.some(isTemporary))
        escape(
          frame,
          state,
          unionAll(context.args.slice(1).map((values) => unionAll(values.map((value) => thingOf(frame, value)?.rest ?? NOTHING)))),
          moment,
        );
      if (thing) addTo(frame, thing, "carries", path);
      return NOTHING;
    case "temp":
      return temporary(frame, state, context, entry, result);
    case "delete":
      remove(frame, state, path, moment, {
        recursive:
          entry.recursive === true || (typeof entry.recursive === "string" && valuesAt(frame, context, entry.recursive).some(isTruthy)),
        ...(entry.contents && { contents: true }),
        awaited: entry.settles === "now" || context.event.floating !== true,
        caught:
          entry.fails === "never" ||
          context.args.some((values) => values.some((value) => value.kind === "function")) ||
          isGuarded(frame, context.event) ||
          forced(frame, context),
      });
      return NOTHING;
    case "consume":
      return consume(frame, state, path, entry.to === undefined ? NOTHING : valuesAt(frame, context, entry.to), moment);
    case "carrier": {
      const carried = filesOf(frame, path, entry);
      if (entry.symbol === "JSON.stringify" && thing) addTo(frame, thing, "rest", path);
      if (entry.into === "receiver") for (const value of context.receiver) carry(frame, value, carried);
      else if (thing) carry(frame, result, carried, entry);
      if (entry.holds === undefined || entry.holds === "path") use(frame, state, carried, moment);
      return NOTHING;
    }
    case "chain": {
      markOutputs(frame, context, path);
      const chain = thing ?? context.receiver.map((value) => thingOf(frame, value)).find((one) => one !== undefined);
      if (chain) {
        addTo(frame, chain, "inputs", from);
        addTo(frame, chain, "outputs", entry.holds === "body" ? sinks(frame, path) : path);
      } else
        for (const value of context.receiver) {
          put(frame, value, "#inputs", from);
          put(frame, value, "#outputs", entry.holds === "body" ? sinks(frame, path) : path);
        }
      return thing && result ? [result] : context.receiver;
    }
    case "sink":
      if (thing) {
        thing.sink = true;
        if (context.args.length > 0) carry(frame, result, NOTHING);
      }
      return NOTHING;
    case "pipe":
      pipe(frame, state, context, entry, path);
      return entry.to === undefined ? NOTHING : valuesAt(frame, context, entry.to);
    case "read":
      use(frame, state, path, moment);
      return isListing(target) ? [listing(frame, context, path)] : NOTHING;
    case "check":
      use(frame, state, path, moment, true);
      // `stat` of what is gone fails; only to ask whether it is there does not.
      if (/stat/i.test(entry.symbol)) for (const value of filesBehind(frame, path)) observe(frame, state, "use", [value], moment);
      return path.flatMap((value) => (thingOf(frame, value) ? [] : [derived("call", value, "exists", { args: [] })]));
    case "mention":
      if (context.args.length === 1) escape(frame, state, printedBy(frame, path), moment);
      return NOTHING;
    case "serve":
      if (!frame.scratch)
        for (const value of path) if (value.kind === "text" || value.kind === "joined") frame.served.set(value.key, value);
      if (entry.once) serve(frame, state, path, moment);
      else escape(frame, state, path, moment);
      return NOTHING;
    case "own":
      escape(frame, state, path, moment);
      return NOTHING;
    case "path":
      return pathOf(frame, context, entry, path);
    case "pass":
      return path;
    case "gather":
      return gather(frame, context, path, entry);
    case "callable":
      return path;
    case "invoke":
      // A promise's `then` results in what its function returns; where there is none, in what was promised.
      return entry.results === "one" && entry.symbol === "then" && context.args[0]?.some((value) => value.kind === "function")
        ? NOTHING
        : path;
    case "exit":
      // What is left when the program ends is left; when it ends with a code, it has failed.
      if (isFailure(context.args[0] ?? NOTHING)) giveUp(state);
      return NOTHING;
    default:
      return NOTHING;
  }
}

/** The step of a call that ends a chain. */
function withBeginning(frame: Frame, { receiver, moment }: CallContext): Step {
  const [begun] = receiver.flatMap((value) => (value.kind === "thing" ? (frame.begins.get(value.id) ?? []) : []));
  if (!begun) return moment.step;
  const known = begunSteps.get(moment.step);
  if (known?.begun === begun) return known;
  const step = { ...moment.step, begun };
  begunSteps.set(moment.step, step);
  return step;
}

const begunSteps = new WeakMap<Step, Step>();

/** Takes files to other names. */
function consume(frame: Frame, state: State, from: Values, to: Values, moment: CallContext["moment"]): Values {
  remove(frame, state, from, moment, { recursive: false, caught: true });
  const brought = from.length > 0 && from.every((value) => isField(frame, value));
  make(frame, state, to, brought ? { ...moment, step: { ...moment.step, brought: true } } : moment);
  return NOTHING;
}

function isFailure(codes: Values): boolean {
  return codes.length > 0 && codes.every((code) => code.kind === "literal" && typeof code.value === "number" && code.value !== 0);
}

/** In a chain of many lines: the end of the call that names the outputs, on the line where it ends. */
function markOutputs(frame: Frame, context: CallContext, outputs: Values): void {
  const { callee, span } = context.event;
  const before =
    callee.op === "member" && callee.of.op === "name" ? indexOf(frame.program, frame.module).calls.get(callee.of.name) : undefined;
  if (!before || outputs.length === 0) return;
  const mark: Span = {
    // Lines may change and leave the call as it is.
    get start() {
      return Math.max(before.call.span.end, frame.module.lineStarts.findLast((start) => start < span.end) ?? 0);
    },
    get end() {
      return span.end;
    },
  };
  for (const value of filesBehind(frame, outputs)) frame.marks.set(value.key, mark);
}

/** `writeFile(list, "file 'a.mp4'")`: the file names others. */
function nameFiles(frame: Frame, state: State, context: CallContext, path: Values): void {
  if (frame.scratch || context.args.length < 2) return;
  const names = unionAll(pathsInText(frame, context.args[1] ?? NOTHING).map((value) => [value]));
  if (names.length === 0) return;
  for (const value of filesBehind(frame, path)) {
    const record = fileAt(frame, state, value);
    if (record) record.names = union(record.names, names);
  }
}

/** `console.log(JSON.stringify(result))`: a program's output. The files that it names and that were not sent are what it was run for. */
function printedBy(frame: Frame, values: Values): Values {
  const data = values.flatMap((value) => thingOf(frame, value) ?? []).filter((thing) => thing.as === "path" && thing.rest.length > 0);
  return reachable(
    frame,
    data.flatMap((thing) => thing.rest),
  ).filter((value) => (frame.files.get(wholeOf(value).key)?.trace.uploaded.length ?? 0) === 0);
}

/** The contents were read before: the file may go while they are sent. */
function isInMemory(frame: Frame, values: Values, entry: Entry): boolean {
  if (entry.holds === undefined || entry.holds === "path") return false;
  const things = values.flatMap((value) => thingOf(frame, value) ?? []);
  return things.length > 0 && things.every((thing) => thing.as === "bytes");
}

/** `rm(p, { force: true })` fails on nothing that happens every day. */
function forced(frame: Frame, context: CallContext): boolean {
  return (context.args[1] ?? NOTHING).some((value) => thingOf(frame, value)?.fields.get("force")?.some(isTruthy) === true);
}

function filesOf(frame: Frame, values: Values, entry: Entry): Values {
  if (entry.holds === undefined || entry.holds === "path" || entry.holds === "either") return filesBehind(frame, values);
  return filesBehind(
    frame,
    values.filter((value) => value.kind !== "text" && value.kind !== "joined"),
  );
}

function filesIn(frame: Frame, values: Values): Values {
  return filesBehind(frame, values);
}

/** Streams that write to a file. */
function sinks(frame: Frame, values: Values): Values {
  return values.flatMap((value) => thingOf(frame, value)?.carries ?? []);
}

function carry(frame: Frame, value: Value | undefined, files: Values, entry?: Entry): void {
  const thing =
    value &&
    (thingOf(frame, value) ?? (value.kind === "symbol" || value.kind === "derived" ? allocate(frame, `@${value.key}`) : undefined));
  if (!thing) return;
  addTo(frame, thing, "carries", files);
  if (entry?.as) thing.as = entry.as;
}

function pipe(frame: Frame, state: State, context: CallContext, entry: Entry, from: Values): void {
  const to = entry.to === undefined ? NOTHING : valuesAt(frame, context, entry.to);
  const sending = to.filter((value) => thingOf(frame, value)?.sink === true);
  const files = unionAll(from.map((value) => thingOf(frame, value)?.carries ?? NOTHING));
  if (sending.length > 0 && files.length > 0)
    upload(frame, state, files, context.moment, { byValue: false, pending: entry.settles !== "now" });
  for (const value of to) {
    const thing = thingOf(frame, value);
    if (thing && thing.sink !== true && thing.carries.length > 0) make(frame, state, thing.carries, context.moment);
  }
  // A transform that the stream goes through carries on what it gets.
  for (const value of to) if (thingOf(frame, value)?.sink !== true && files.length > 0) carry(frame, value, files);
}

function temporary(frame: Frame, state: State, context: CallContext, entry: Entry, result: Value | undefined): Values {
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

function isListing(target: Value): boolean {
  return target.kind === "library" && /^(?:promises\.)?(?:readdir|opendir)/.test(target.path);
}

/** `readdir(dir)`: each element is an entry of the directory. */
function listing(frame: Frame, context: CallContext, directories: Values): Value {
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

function pathOf(frame: Frame, context: CallContext, entry: Entry, path: Values): Values {
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

function gather(frame: Frame, context: CallContext, elements: Values, entry: Entry): Values {
  if (entry.some) return elements;
  const id = `${frame.prefix}:all:${context.event.id}`;
  const thing = allocate(frame, id);
  addTo(frame, thing, "elements", elements);
  const [list] = context.args[0] ?? NOTHING;
  const source = list && thingOf(frame, list);
  if (source) for (const [name, values] of source.fields) addField(frame, thing, name, values);
  return [reference(id)];
}

function runCallbacks(frame: Frame, state: State, context: CallContext, entries: readonly Entry[]): Values {
  const results: Values[] = [];
  for (const entry of entries) {
    if (entry.role === "temp" && entry.removal !== "automatic") continue;
    const named = new Set<Value>();
    for (const invocation of entry.calls ?? []) {
      if (entry.role === "temp") break;
      const events =
        invocation.events === undefined
          ? undefined
          : (context.args[0] ?? NOTHING).flatMap((value) => (value.kind === "text" ? [value.text] : []));
      if (events !== undefined && !events.some((event) => invocation.events?.includes(event))) continue;
      for (const value of valuesAt(frame, context, invocation.function)) {
        if (value.kind !== "function" || named.has(value)) continue;
        named.add(value);
        const args = (invocation.with ?? []).map((place) => valuesAt(frame, context, place));
        // Whoever listens for the end of something has waited for it; who goes on with a promise has not.
        if (invocation.events !== undefined) settle(state, invocation.when);
        if (!frame.scratch && /setInterval|schedule|Cron/i.test(entry.symbol)) frame.scheduled.add(keyOf(value.ref));
        const executor = entry.module === "global" && entry.symbol === "Promise";
        const result = runLater(frame, state, context, value, invocation.when, args, executor);
        if (executor || entry.results === "one") results.push(result);
        else if (entry.results === "list") results.push([listOf(frame, context, result)]);
      }
    }
    if (entry.calls !== undefined || entry.role === "invoke" || entry.role === "command") continue;
    // A function as last argument of something that ends later is called when it has ended.
    const done = entry.done === undefined ? (context.args.at(-1) ?? NOTHING) : valuesAt(frame, context, entry.done);
    for (const value of done) if (value.kind === "function") runLater(frame, state, context, value, "onSuccess");
    for (const value of entry.failed === undefined ? NOTHING : valuesAt(frame, context, entry.failed))
      if (value.kind === "function") runLater(frame, state, context, value, "onError");
  }
  return unionAll(results);
}

function settle(state: State, when: string): void {
  if (when !== "onSuccess" && when !== "always") return;
  for (const [key, ways] of state.ways)
    if (ways.some((way) => way & PENDING))
      state.ways.set(
        key,
        mapWays(ways, (way) => way & ~PENDING),
      );
}
