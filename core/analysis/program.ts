/** The loaded modules as one program: which function, class or value a name of a module is. */
import type { Catalogue } from "./catalogue/catalogue.ts";
import type { CallEvent, Event, FlowClass, FlowFunction, FlowModule, Name, Operand } from "./flow.ts";
import { newOverview, type Overview } from "./overview.ts";
import { newRecursion, type Recursion } from "./recursion.ts";
import type { Report } from "./solve.ts";
import type { Storage } from "./storage.ts";
import type { Summary } from "./summary.ts";
import type { ClassRef, FunctionRef, Value, Values } from "./value.ts";

/** Where modules come from. Loading one may parse it; a module that has nothing to say is not loaded. */
export interface Loader {
  load(file: string): FlowModule | undefined;
  resolve(from: string, specifier: string): string | undefined;
  /** Whether the package is imported by the file or a dependency of the workspace. */
  uses(file: string, module: string): boolean;
  /** Whether a file of the same package imports it, though it does not say so. */
  isBeside(file: string, module: string): boolean;
}

export interface Program {
  readonly catalogue: Catalogue;
  readonly loader: Loader;
  readonly summaries: Map<string, Summary>;
  /** Names of functions through which files go: whoever calls one is looked at. */
  readonly wrappers: Set<string>;
  /** Functions that run by the clock. */
  readonly scheduled: Set<string>;
  /** Handlers of requests whose received files go when the answer is sent. */
  readonly relieved: Set<string>;
  /** Directories that files of requests are put into. */
  readonly destinations: Map<string, Value>;
  /** Where files of requests are put, by the file that says so. */
  readonly storages: Map<string, Set<Storage>>;
  /** Directories whose files a server hands out. */
  readonly served: Map<string, Value>;
  readonly reports: Map<string, Report>;
  readonly overview: Overview;
  readonly recursion: Recursion;
  readonly indexes: WeakMap<FlowModule, ModuleIndex>;
  readonly calls: WeakMap<FlowModule, Calls>;
  /** Functions worth running, as long as the wrappers are the same. */
  roots: WeakMap<FlowModule, readonly number[]>;
  /** Methods by name, of the modules that are judged. */
  readonly methods: Map<string, FunctionRef[]>;
  readonly classes: ClassRef[];
  /** What the work that is under way hangs on so far. */
  basis: Basis;
  /** The same of each summary. */
  readonly bases: Map<string, Basis>;
  /** Functions that count for the check that is under way. */
  readonly visited: Set<string>;
  /** Values of what modules export. */
  readonly values: Map<Operand, Remembered>;
  /** Values of names outside of the flow, and those that are being looked up. */
  readonly looked: Map<string, Remembered>;
  readonly looking: Set<string>;
  /** Exports whose values are being worked out, and whether one of them is what it is itself: `import { a } from "./a"; export { a }`. */
  readonly evaluating: Set<Operand>;
  circular: boolean;
  /** Depth of summaries that wait for each other. */
  depth: number;
}

/** What each function of a module calls, and those that call something of the catalogue. */
export interface Calls {
  readonly touching: ReadonlySet<number>;
  readonly called: readonly (readonly string[])[];
}

/** What is looked up often in a module. */
export interface ModuleIndex {
  /** The one event that gives a name its value, and the function it stands in. */
  readonly definitions: Map<Name, { readonly event: Event; readonly function: number }>;
  readonly constants: ReadonlyMap<Name, Operand>;
  readonly calls: Map<Name, { readonly call: CallEvent; readonly function: number }>;
  readonly declared: ReadonlyMap<Name, number>;
  /** Results of calls whose rejection is caught where they are made: `unlink(p).catch(…)`. */
  readonly guarded: ReadonlySet<Name>;
}

/** What a result hangs on: it holds as long as none of this has changed. */
export interface Basis {
  /** Files that were asked for. */
  readonly files: Set<string>;
  /** Functions whose summaries were used. */
  readonly functions: Set<string>;
  /** Methods that were looked for among all classes, and which there were. */
  readonly methods: Map<string, string>;
}

export interface Remembered {
  readonly values: Values;
  readonly basis: Basis;
  /** The function that it was looked up in. */
  readonly home: string;
}

export function newBasis(): Basis {
  return { files: new Set(), functions: new Set(), methods: new Map() };
}

export function createProgram(catalogue: Catalogue, loader: Loader): Program {
  const program: Program = {
    catalogue,
    loader: {
      ...loader,
      load(file) {
        program.basis.files.add(file);
        return loader.load(file);
      },
    },
    basis: newBasis(),
    bases: new Map(),
    visited: new Set(),
    summaries: new Map(),
    wrappers: new Set(),
    scheduled: new Set(),
    relieved: new Set(),
    destinations: new Map(),
    storages: new Map(),
    served: new Map(),
    reports: new Map(),
    overview: newOverview(),
    recursion: newRecursion(),
    indexes: new WeakMap(),
    calls: new WeakMap(),
    roots: new WeakMap(),
    methods: new Map(),
    classes: [],
    values: new Map(),
    looked: new Map(),
    looking: new Set(),
    evaluating: new Set(),
    circular: false,
    depth: 0,
  };
  return program;
}

export function keyOf(ref: FunctionRef | ClassRef): string {
  return `${ref.file}#${ref.index}`;
}

export function functionOf(program: Program, ref: FunctionRef): FlowFunction | undefined {
  return program.loader.load(ref.file)?.functions[ref.index];
}

export function classOf(program: Program, ref: ClassRef): FlowClass | undefined {
  return program.loader.load(ref.file)?.classes[ref.index];
}

export function indexOf(program: Program, module: FlowModule): ModuleIndex {
  const known = program.indexes.get(module);
  if (known) return known;
  const definitions: ModuleIndex["definitions"] = new Map();
  const several = new Set<Name>();
  const calls: ModuleIndex["calls"] = new Map();
  const declared = new Map<Name, number>();
  const define = (name: Name, event: Event, index: number): void => {
    const there = definitions.get(name);
    // Copies of a `finally` say the same once more; `let x;` says nothing.
    if (there && !(there.event.event === "call" && event.event === "call" && there.event.id === event.id) && !isBare(there.event)) {
      if (!isBare(event)) several.add(name);
      return;
    }
    definitions.set(name, { event, function: index });
  };
  for (const fn of module.functions) {
    for (const name of fn.declares) declared.set(name, fn.index);
    for (const block of fn.blocks)
      for (const event of block.events) {
        if (event.event === "set" || event.event === "each" || event.event === "await") define(event.name, event, fn.index);
        if (event.event !== "call") continue;
        define(event.result, event, fn.index);
        calls.set(event.result, { call: event, function: fn.index });
      }
  }
  for (const name of several) definitions.delete(name);
  const constants = new Map(module.constants.map((constant) => [constant.name, constant.value]));
  const index = { definitions, constants, calls, declared, guarded: guardedResults([...calls.values()].map(({ call }) => call)) };
  program.indexes.set(module, index);
  return index;
}

function guardedResults(calls: readonly CallEvent[]): ReadonlySet<Name> {
  const guarded = new Set<Name>();
  for (const { callee, args, result } of calls.toReversed()) {
    if (callee.op !== "member") continue;
    const from = callee.of.op === "name" ? callee.of.name : undefined;
    const catches =
      (callee.name === "catch" && args.length > 0) ||
      (callee.name === "then" && args.length > 1) ||
      (/^(?:then|finally)$/.test(callee.name) && guarded.has(result)) ||
      callee.name === "allSettled";
    if (!catches) continue;
    if (from !== undefined) guarded.add(from);
    if (callee.name === "allSettled") for (const name of args.flatMap(namesOf)) guarded.add(name);
  }
  return guarded;
}

function namesOf(operand: Operand): Name[] {
  if (operand.op === "name") return [operand.name];
  return operand.op === "list" ? operand.items.flatMap(namesOf) : [];
}

/** Whether the call's rejection is caught where the call is made. */
export function isGuarded({ program, module }: { readonly program: Program; readonly module: FlowModule }, call: CallEvent): boolean {
  return indexOf(program, module).guarded.has(call.result);
}

function isBare(event: Event): boolean {
  return event.event === "set" && event.value.op === "nothing";
}

/** What a module exports under a name: where it is written. Follows re-exports. */
export interface Exported {
  readonly file: string;
  readonly operand: Operand;
}

export function exported(program: Program, file: string, name: string, seen: ReadonlySet<string> = new Set()): Exported | undefined {
  const key = `${file}#${name}`;
  if (seen.has(key) || seen.size > 30) return undefined;
  const module = program.loader.load(file);
  if (!module) return undefined;
  const own = module.exports.find((field) => field.name === name);
  if (own) return { file, operand: own.value };
  const next = new Set(seen).add(key);
  for (const again of module.reexports) {
    if (again.as !== name && again.name !== "*") continue;
    const target = program.loader.resolve(file, again.from);
    if (target === undefined) {
      if (again.as === name) return { file, operand: { op: "import", from: again.from, name: again.name } };
      continue;
    }
    const found = exported(program, target, again.as === name && again.name !== "*" ? again.name : name, next);
    if (found) return found;
  }
  return undefined;
}

/** The class that a function's `this` is of: that of the method it is written in. */
export function selfClass(program: Program, ref: FunctionRef): ClassRef | undefined {
  let fn = functionOf(program, ref);
  for (let depth = 0; fn && depth < 20; depth += 1) {
    if (fn.class !== undefined) return { file: ref.file, index: fn.class };
    if (fn.parent === undefined || fn.kind === "method") return undefined;
    fn = functionOf(program, { file: ref.file, index: fn.parent });
  }
  return undefined;
}

/** Whether `inner` is written within `outer`, and is not `outer` itself. */
export function isWithin(program: Program, inner: FunctionRef, outer: FunctionRef): boolean {
  if (inner.file !== outer.file) return false;
  let index: number | undefined = functionOf(program, inner)?.parent;
  for (let depth = 0; index !== undefined && depth < 50; depth += 1) {
    if (index === outer.index) return true;
    index = functionOf(program, { file: inner.file, index })?.parent;
  }
  return false;
}
