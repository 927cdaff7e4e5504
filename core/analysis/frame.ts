/** One run over one function: its heap, its files, and what names and operands are at a place of it. */
import type { LibraryValue } from "./catalogue/entry.ts";
import { canonical } from "./catalogue/catalogue.ts";
import type { FlowFunction, FlowModule, Name, Operand, Span } from "./flow.ts";
import { capturedBy } from "./captures.ts";
import { lookUpStatic } from "./static.ts";
import { addBasis } from "./incremental.ts";
import { classOf, exported, keyOf, newBasis, type Program, selfClass } from "./program.ts";
import type { Storage } from "./storage.ts";
import { settles } from "./recursion.ts";
import type { Command, Step, Trace } from "./summary.ts";
import {
  atomsOf,
  type ClassRef,
  combine,
  derived,
  type FunctionRef,
  joined,
  library,
  literal,
  newThing,
  NOTHING,
  reference,
  same,
  type Shape,
  stable,
  text,
  type Thing,
  union,
  unionAll,
  type Value,
  type Values,
} from "./value.ts";

/** What is known of one file in this run, wherever the flow is. */
export interface FileRecord {
  readonly value: Value;
  trace: Trace;
  directory: boolean;
  recursive: boolean;
  /** Effects of called functions that this file was part of. */
  readonly from: { readonly callee: FunctionRef; readonly key: string; readonly step: Step }[];
  lopsided: boolean;
  /** Its name, without its directory, was handed on. */
  named: boolean;
  /** Calls of this function that did something to it. */
  readonly sites: Set<number>;
  /** Files that its text names: the list that a program reads its inputs from. */
  names: Values;
}

export interface Frame {
  readonly program: Program;
  readonly module: FlowModule;
  readonly fn: FlowFunction;
  readonly ref: FunctionRef;
  readonly self?: ClassRef;
  readonly heap: Map<string, Thing>;
  readonly files: Map<string, FileRecord>;
  /** Calls whose end a name waits for. */
  readonly sites: Map<Name, Set<number>>;
  /** Calls of which a name is the outcome: to look at it is to look whether they went well. */
  readonly outcomes: Map<Name, Set<number>>;
  /** Names of promises that nobody has waited for yet. */
  readonly promised: Set<Name>;
  /** Stores into what the caller knows. */
  readonly stores: Map<string, { object: Value; name?: string; order?: string; value: Value }>;
  /** What the caller handed in and somebody else got. */
  readonly escapes: Map<string, Value>;
  readonly commands: Map<string, Command>;
  readonly invokes: Map<string, { callee: Value; args: readonly Values[] }>;
  /** Set while a value is looked up outside of the flow: nothing is recorded then. */
  readonly scratch: boolean;
  /** Where a chain of calls names its outputs, by their keys. */
  readonly marks: Map<string, Span>;
  /** Where chains of calls begin, by their things. */
  readonly begins: Map<string, Span>;
  /** Where programs are run of which nothing is known. */
  readonly obscure: Span[];
  /** Calls that delete something. */
  readonly removals: Set<number>;
  /** Functions that call functions that they were given: how deep. */
  nesting: number;
  /** Whether the call that was just looked at cannot throw. */
  harmless: boolean;
  /** Returns the promise of an upload, for the caller to wait for. */
  promises: boolean;
  /** How a place in the flow is told apart in keys. */
  readonly prefix: string;
  /** Counts changes of the heap, so that the solver knows when to go round again. */
  changes: number;
  readonly observed: Observation[];
  /** Deletions in code that nobody gets to. */
  readonly dead: Observation[];
  inDeadCode: boolean;
  /** What files have been through when the current call throws. */
  readonly throwing: Map<string, readonly number[]>;
  /** What the run says of other functions and of directories: see the sets of the same names of the program. */
  readonly called: Set<string>;
  readonly scheduled: Set<string>;
  readonly relieved: Set<string>;
  readonly served: Map<string, Value>;
  readonly destinations: Map<string, Value>;
  readonly storages: Set<Storage>;
}

/** Something that a rule wants to know. */
export interface Observation {
  readonly what: "delete" | "use" | "test" | "mention";
  readonly step: Step;
  readonly files: readonly string[];
  /** Ways of each file when it happened. */
  readonly ways: readonly (readonly number[])[];
  readonly recursive?: boolean;
  /** Files in a directory that goes as a whole, and their ways. */
  readonly below?: ReadonlyMap<string, readonly number[]>;
  /** An error here leaves the function. */
  readonly escapes?: boolean;
  readonly awaited?: boolean;
  /** Its error goes nowhere: it has a callback, a `catch` of its own, or is told to be silent. */
  readonly guarded?: boolean;
  readonly caught?: boolean;
  readonly direct?: boolean;
  readonly block: number;
  readonly values: Values;
}

/** What names are at one place, and the ways of each file up to there. */
export interface State {
  readonly env: Map<Name, Values>;
  readonly ways: Map<string, readonly number[]>;
}

export function createFrame(program: Program, module: FlowModule, fn: FlowFunction, scratch = false): Frame {
  const ref = { file: module.file, index: fn.index };
  const self = selfClass(program, ref);
  return {
    program,
    module,
    fn,
    ref,
    ...(self && { self }),
    heap: new Map(),
    files: new Map(),
    sites: new Map(),
    outcomes: new Map(),
    promised: new Set(),
    stores: new Map(),
    escapes: new Map(),
    commands: new Map(),
    invokes: new Map(),
    scratch,
    marks: new Map(),
    begins: new Map(),
    obscure: [],
    removals: new Set(),
    nesting: 0,
    harmless: false,
    promises: false,
    prefix: `${module.file}:${fn.index}`,
    changes: 0,
    observed: [],
    dead: [],
    inDeadCode: false,
    throwing: new Map(),
    called: new Set(),
    scheduled: new Set(),
    relieved: new Set(),
    served: new Map(),
    destinations: new Map(),
    storages: new Set(),
  };
}

function thisOf(frame: Frame): Value {
  return { kind: "symbol", key: "this", root: "this", ...(frame.self && { type: frame.self }) };
}

export function thingOf(frame: Frame, value: Value): Thing | undefined {
  if (value.kind === "thing") return frame.heap.get(value.id);
  return value.kind === "shape" ? value.thing : undefined;
}

/** The thing of this id; made when it is new. */
export function allocate(frame: Frame, id: string): Thing {
  let thing = frame.heap.get(id);
  if (!thing) {
    thing = newThing(id);
    frame.heap.set(id, thing);
    frame.changes += 1;
  }
  return thing;
}

export function addField(frame: Frame, thing: Thing, name: string, values: Values): void {
  const before = thing.fields.get(name) ?? NOTHING;
  const after = union(before, values);
  if (after === before && thing.fields.has(name)) return;
  thing.fields.set(name, after);
  frame.changes += 1;
}

export function addTo(frame: Frame, thing: Thing, list: "elements" | "carries" | "inputs" | "outputs" | "rest", values: Values): void {
  const after = union(thing[list], values);
  if (after === thing[list]) return;
  thing[list] = after;
  frame.changes += 1;
}

/** Changes a shape into a thing of this heap, once for each id. */
export function thaw(frame: Frame, shape: Shape, id: string): Value {
  if (frame.heap.has(id)) {
    merge(frame, allocate(frame, id), shape.thing);
    return reference(id);
  }
  const thing = allocate(frame, id);
  merge(frame, thing, shape.thing);
  return reference(id);
}

function merge(frame: Frame, thing: Thing, other: Thing): void {
  for (const [name, values] of other.fields) addField(frame, thing, name, values);
  for (const list of ["elements", "carries", "inputs", "outputs", "rest"] as const) addTo(frame, thing, list, other[list]);
  if (other.class) thing.class = other.class;
  if (other.library) thing.library = other.library;
  if (other.as) thing.as = other.as;
  if (other.sink) thing.sink = true;
  if (other.sent) thing.sent = true;
  for (const [key, item] of other.order) addOrdered(frame, thing, key, item.values, item.spread);
}

export function addOrdered(frame: Frame, thing: Thing, key: string, values: Values, spread?: true): void {
  const before = thing.order.get(key);
  const after = before ? union(before.values, values) : values;
  if (before && same(before.values, after)) return;
  if (thing.order.size > 300) return;
  thing.order.set(key, { values: after, ...(spread && { spread }) });
  frame.changes += 1;
}

export function libraryOf(frame: Frame, value: Value): LibraryValue | undefined {
  if (value.kind === "library") return value;
  if (value.kind === "symbol" || value.kind === "derived") return value.library;
  return thingOf(frame, value)?.library;
}

export function classOfValue(frame: Frame, value: Value): ClassRef | undefined {
  if (value.kind === "symbol" || value.kind === "derived") return value.type;
  return thingOf(frame, value)?.class;
}

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

function importValue(program: Program, file: string, from: string, name: string): Values {
  const target = program.loader.resolve(file, from);
  if (target === undefined) return [library(...libraryArguments(from, name))];
  if (name === "*") return [moduleValue(program, target)];
  const found = exported(program, target, name);
  if (found) return evaluateExported(program, found.file, found.operand);
  // `import fs from "./x"` of a module that assigns to `module.exports` member by member.
  if (name === "default" && program.loader.load(target)) return [moduleValue(program, target)];
  return [stable(`${target}#${name}`)];
}

function libraryArguments(from: string, name: string): [string, string] {
  const { module, path } = canonical(from, name);
  return [module, path];
}

function moduleValue(_program: Program, file: string): Value {
  return { kind: "derived", key: `module:${file}`, how: "call", of: stable(`module:${file}`), name: "", args: [] };
}

export function moduleFile(value: Value): string | undefined {
  // What was read of a module is none.
  const isModule = value.kind === "derived" && value.key.startsWith("module:") && value.of.key === stable(value.key).key;
  return isModule ? value.key.slice("module:".length) : undefined;
}

function evaluateExported(program: Program, file: string, operand: Operand): Values {
  const known = program.values.get(operand);
  if (known) {
    addBasis(program, known.basis);
    return known.values;
  }
  const module = program.loader.load(file);
  const top = module?.functions[0];
  if (!module || !top) return [stable(`${file}#?`)];
  if (program.evaluating.has(operand)) {
    program.circular = true;
    return [stable(`${file}#?`)];
  }
  const outer = program.basis;
  const basis = newBasis();
  program.basis = basis;
  basis.files.add(file);
  const frame = createFrame(program, module, top, true);
  program.evaluating.add(operand);
  const { result: values, settled } = settles(program, () => evaluate(frame, { env: new Map(), ways: new Map() }, operand));
  program.evaluating.delete(operand);
  const result = values.map((value) => (value.kind === "thing" ? shapeOf(frame, value) : value));
  program.basis = outer;
  addBasis(program, basis);
  if (settled && program.looking.size === 0 && !program.circular)
    program.values.set(operand, { values: result, basis, home: keyOf({ file, index: 0 }) });
  if (program.evaluating.size === 0) program.circular = false;
  return result;
}

const MOST_SHAPES = 40;
const DEEPEST_SHAPE = 4;

/** A copy of a thing, and of what it holds, that outlives the heap. What is too large or goes in circles is cut off. */
export function shapeOf(frame: Frame, value: Value, made: Map<string, Value> = new Map(), depth = 0): Value {
  if (value.kind !== "thing") return value;
  const thing = frame.heap.get(value.id);
  const known = made.get(value.id);
  if (known) return known;
  if (!thing || depth > DEEPEST_SHAPE || made.size >= MOST_SHAPES) return stable(`?${value.key}`);
  made.set(value.id, stable(`?${value.key}`));
  const copy = (values: Values): Values => values.map((one) => shapeOf(frame, one, made, depth + 1));
  // Of an object within another one its class is what counts, and the paths that it knows.
  if (depth > 0 && thing.class) {
    const fields = new Map([...thing.fields].filter(([, values]) => values.every((one) => one.kind === "text" || one.kind === "joined")));
    const inner: Value = {
      kind: "shape",
      key: `shape:${value.id}`,
      id: value.id,
      thing: { ...newThing(value.id), class: thing.class, fields },
    };
    made.set(value.id, inner);
    return inner;
  }
  const own: Thing = {
    ...thing,
    fields: new Map([...thing.fields].map(([name, values]) => [name, copy(values)])),
    elements: copy(thing.elements),
    carries: copy(thing.carries),
    inputs: copy(thing.inputs),
    outputs: copy(thing.outputs),
    rest: copy(thing.rest),
    order: new Map([...thing.order].map(([key, item]) => [key, { ...item, values: copy(item.values) }])),
  };
  const shape: Value = { kind: "shape", key: `shape:${value.id}`, id: value.id, thing: own };
  made.set(value.id, shape);
  return shape;
}

function globalValue(frame: Frame, name: string): Values {
  if (name === "__dirname") return [directoryOf(frame)];
  if (name === "__filename") return [text(frame.module.file)];
  if (name === "undefined") return [literal(undefined)];
  return [library("global", name)];
}

/** The directory of the file, from the workspace's root. */
function directoryOf(frame: Frame): Value {
  const slash = frame.module.file.lastIndexOf("/");
  return text(slash < 0 ? "." : frame.module.file.slice(0, slash));
}

export function readMember(frame: Frame, value: Value, name: string, depth = 0): Values {
  const file = moduleFile(value);
  if (file !== undefined) {
    const found = exported(frame.program, file, name);
    return found ? evaluateExported(frame.program, found.file, found.operand) : [stable(`${file}#${name}`)];
  }
  if (value.kind === "library") {
    if (value.module === "global" && value.path === "process.env") return [stable(`env.${name}`)];
    if (value.module === "global" && /^import\.meta$/.test(value.path) && (name === "dirname" || name === "url"))
      return name === "dirname" ? [directoryOf(frame)] : [text(frame.module.file)];
    return [library(value.module, value.path === "" ? name : `${value.path}.${name}`)];
  }
  if (value.kind === "class") return classMember(frame, value.ref, name, undefined, true) ?? [stable(`${value.key}.${name}`)];
  const thing = thingOf(frame, value);
  if (thing) {
    // What a chain has collected, asked for by a function that it was handed to.
    if (name === "#inputs") return thing.inputs;
    if (name === "#outputs") return thing.outputs;
    const known = thing.fields.get(name);
    if (known) return known;
    if (thing.rest.length > 0 && depth < 6)
      return unionAll(thing.rest.map((one) => (one.key === value.key ? NOTHING : readMember(frame, one, name, depth + 1))));
    if (/^\d+$/.test(name) && thing.elements.length > 0) return thing.elements;
    if (thing.class) {
      const member = classMember(frame, thing.class, name, [value]);
      if (member) return member;
    }
    if (thing.library)
      return [derived("member", value, name, { library: canonical(thing.library.module, `${thing.library.path}.${name}`) })];
    if (isClosed(thing)) return [literal(undefined)];
    return [derived("member", value.kind === "shape" ? stable(value.key) : value, name)];
  }
  // Of what `readdir` lists with its types the name is the entry.
  if (value.kind === "derived" && value.how === "entry" && name === "name") return [value];
  if (value.kind === "symbol" || value.kind === "derived") {
    const stored = frame.heap.get(`@${value.key}`)?.fields.get(name) ?? NOTHING;
    const type = value.type;
    if (type) {
      const member = classMember(frame, type, name, [value]);
      if (member) return union(stored, member);
    }
    const from = value.library;
    const extra = from ? { library: canonical(from.module, `${from.path}.${name}`) } : {};
    return union(stored, [derived("member", value, name, extra)]);
  }
  return [derived("member", value, name)];
}

/** An object literal of which all fields are known: what it lacks is not there. */
function isClosed(thing: Thing): boolean {
  return (
    thing.id.includes(":object:") &&
    thing.rest.length === 0 &&
    thing.elements.length === 0 &&
    thing.carries.length === 0 &&
    thing.library === undefined &&
    thing.class === undefined
  );
}

/** A method or field of a class or of one it is derived from. Undefined: it has none of that name. */
function classMember(frame: Frame, ref: ClassRef, name: string, self: Values | undefined, isStatic = false, seen = 0): Values | undefined {
  const declared = classOf(frame.program, ref);
  if (!declared || seen > 8) return undefined;
  const method = declared.methods.find((one) => one.name === name && (one.static === true) === isStatic);
  if (method) {
    const target = { file: ref.file, index: method.function };
    return [{ kind: "function", key: `fn:${target.file}#${target.index}@${self?.[0]?.key ?? ""}`, ref: target, ...(self && { self }) }];
  }
  const field = declared.fields.find((one) => one.name === name && (one.static === true) === isStatic);
  const owner = self?.[0];
  if (field) {
    const type = field.type === undefined ? {} : typeOf(frame.program, ref.file, field.type);
    const value = field.value === undefined ? NOTHING : evaluateExported(frame.program, ref.file, field.value);
    const settled = value.filter(
      (one) => one.kind !== "literal" && !(one.kind === "symbol" && one.root === "fresh") && !(owner && isEmptyCollection(one)),
    );
    if (settled.length > 0 && !isStored(frame, ref, name)) return settled;
    const library_ = type.library ?? value.map((one) => libraryOf(frame, one)).find((one) => one !== undefined);
    const known = type.type ?? value.map((one) => classOfValue(frame, one)).find((one) => one !== undefined);
    if (owner === undefined) return [stable(`class:${ref.file}#${ref.index}.${name}`)];
    return [
      derived("member", owner.kind === "shape" ? stable(owner.key) : owner, name, {
        ...(library_ && { library: library_ }),
        ...(known && { type: known }),
      }),
    ];
  }
  for (const base of declared.bases) {
    const { type } = typeOf(frame.program, ref.file, base);
    const member = type && classMember(frame, type, name, self, isStatic, seen + 1);
    if (member) return member;
  }
  return undefined;
}

/** `[]`, `{}`, `new Set()`: what it holds is told by who fills it, so each object has one of its own. */
export function isEmptyCollection(value: Value): boolean {
  if (value.kind !== "shape") return false;
  const { thing } = value;
  return (
    thing.class === undefined &&
    (thing.library === undefined || thing.library.module === "global") &&
    thing.fields.size === 0 &&
    thing.elements.length === 0 &&
    thing.carries.length === 0
  );
}

/** Whether a method other than the constructor may change the field. */
function isStored(frame: Frame, ref: ClassRef, name: string): boolean {
  const module = frame.program.loader.load(ref.file);
  return (
    module?.functions.some(
      (fn) =>
        fn.kind !== "module" &&
        fn.blocks.some((block) =>
          block.events.some(
            (event) =>
              event.event === "store" &&
              event.object.op === "this" &&
              event.name === name &&
              fn.class === ref.index &&
              fn.kind !== "constructor",
          ),
        ),
    ) ?? false
  );
}

/** The class or library type that an operand names. */
export function typeOf(program: Program, file: string, operand: Operand): { type?: ClassRef; library?: LibraryValue } {
  for (const value of evaluateExported(program, file, operand)) {
    if (value.kind === "class") return { type: value.ref };
    if (value.kind === "library") return { library: { module: value.module, path: value.path } };
  }
  return {};
}

export function elementsOf(frame: Frame, value: Value): Values {
  const thing = thingOf(frame, value);
  if (thing) {
    if (thing.elements.length > 0 || thing.fields.size > 0)
      return union(thing.elements, unionAll([...thing.fields].filter(([name]) => /^\d+$/.test(name)).map(([, values]) => values)));
    return thing.library ? [derived("each", value)] : NOTHING;
  }
  if (value.kind === "symbol" || value.kind === "derived") {
    const stored = frame.heap.get(`@${value.key}`)?.elements ?? NOTHING;
    return union(stored, [derived("each", value, "", value.type ? { type: value.type } : {})]);
  }
  return NOTHING;
}

function readElement(frame: Frame, value: Value, key: Operand): Values {
  if (key.op === "text" || (key.op === "literal" && typeof key.value === "number")) {
    const name = key.op === "text" ? key.text : String(key.value);
    if (/^\d+$/.test(name)) {
      const thing = thingOf(frame, value);
      const own = thing?.fields.get(name);
      if (own) return own;
      // `[input, output] = args`: two places of a list that nothing is known of are two files.
      return thing || (value.kind !== "symbol" && value.kind !== "derived") ? elementsOf(frame, value) : readMember(frame, value, name);
    }
    return readMember(frame, value, name);
  }
  const thing = thingOf(frame, value);
  if (thing) return unionAll([thing.elements, ...thing.fields.values()]);
  return elementsOf(frame, value);
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
