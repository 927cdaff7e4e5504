/** One run over one function: its heap, its files, and what is noted of them on the way. */
import type { LibraryValue } from "./catalogue/entry.ts";
import type { FlowFunction, FlowModule, Name, Span } from "./flow.ts";
import { type Program, selfClass } from "./program.ts";
import type { Storage } from "./storage.ts";
import type { Command, Step, Trace } from "./summary.ts";
import { type ClassRef, type FunctionRef, newThing, NOTHING, same, type Thing, union, type Value, type Values } from "./value.ts";

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
  /** Whoever runs the program is told where it is. */
  announced: boolean;
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
