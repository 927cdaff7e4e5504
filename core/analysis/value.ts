/**
 * What the solver knows of a value: mostly where a path leads. Two values with the same key are the same file; that is how a
 * path is known again after aliases, templates, joins and functions. Values are immutable; what can be changed (objects, lists,
 * library objects) is a {@link Thing} on the heap of one function's run, or a {@link Shape} where it crosses functions.
 */
import type { LibraryValue } from "./catalogue/entry.ts";
import type { Name } from "./flow.ts";

/** A class or interface of the workspace. */
export interface ClassRef {
  readonly file: string;
  readonly index: number;
}

/** A function of the workspace. */
export interface FunctionRef {
  readonly file: string;
  readonly index: number;
}

export interface Text {
  readonly kind: "text";
  readonly key: string;
  readonly text: string;
}

export interface Literal {
  readonly kind: "literal";
  readonly key: string;
  readonly value: number | boolean | null | undefined;
}

/**
 * Something unknown with an identity.
 * - `parameter`, `this`, `captured`: what the caller or the function around hands in;
 * - `fresh`: made at one place (a temporary path, a random name), another one for each way the place is reached;
 * - `stable`: the same wherever it is asked for (an environment variable, a configuration value, the directory for temporary files).
 */
export interface Symbol_ {
  readonly kind: "symbol";
  readonly key: string;
  readonly root: "parameter" | "this" | "captured" | "fresh" | "stable";
  readonly index?: number;
  readonly name?: Name;
  readonly type?: ClassRef;
  readonly library?: LibraryValue;
  /** A path that was made for temporary use, and so is a file although nobody is seen writing it. */
  readonly temporary?: true;
  /** Another one whenever it is asked for: the time, random text. */
  readonly unique?: true;
}

/** Worked out from another value: a field, an element, a part of a path. */
export interface Derived {
  readonly kind: "derived";
  readonly key: string;
  readonly how: "member" | "each" | "dirname" | "basename" | "stem" | "entry" | "call";
  readonly of: Value;
  readonly name: string;
  readonly args?: readonly Value[];
  readonly type?: ClassRef;
  readonly library?: LibraryValue;
}

/** Text and unknown parts in a row: a path or another string. */
export interface Joined {
  readonly kind: "joined";
  readonly key: string;
  readonly parts: readonly Atom[];
}

export type Atom = Text | Symbol_ | Derived | Reference;

export interface FunctionValue {
  readonly kind: "function";
  readonly key: string;
  readonly ref: FunctionRef;
  /** What the names that it captures were when it was made. */
  readonly bound?: ReadonlyMap<Name, Values>;
  readonly self?: Values;
  /** Takes a callback and returns a promise (`promisify`), or has its first arguments set. */
  readonly before?: readonly Values[];
}

export interface ClassValue {
  readonly kind: "class";
  readonly key: string;
  readonly ref: ClassRef;
}

export interface Library extends LibraryValue {
  readonly kind: "library";
  readonly key: string;
}

/** A thing on the heap of the current run. */
export interface Reference {
  readonly kind: "thing";
  readonly key: string;
  readonly id: string;
}

/** A thing between two runs: what a function returns. */
export interface Shape {
  readonly kind: "shape";
  readonly key: string;
  readonly id: string;
  readonly thing: Thing;
}

export type Value = Text | Literal | Symbol_ | Derived | Joined | FunctionValue | ClassValue | Library | Reference | Shape;

/** What a name may be: any one of these. An empty list: nothing is known. */
export type Values = readonly Value[];

export interface Thing {
  readonly id: string;
  readonly fields: Map<string, Values>;
  elements: Values;
  class?: ClassRef;
  library?: LibraryValue;
  /** Files that its contents lead back to. */
  carries: Values;
  as?: "bytes" | "stream" | "path";
  /** A chain's collected inputs and outputs. */
  inputs: Values;
  outputs: Values;
  /** Objects that were spread into it: they have the fields that it lacks. */
  rest: Values;
  /** What a list holds in order, as far as the code says it: for command lines. Keyed by the place that adds it. */
  readonly order: Map<string, { readonly values: Values; readonly spread?: true | undefined }>;
  /** What a call that sends results in: it leads back to the file, but whoever gets it has no path. */
  sent?: true;
  /** A stream that sends what is written to it. */
  sink?: true;
}

export const NOTHING: Values = [];
/** Alternatives that are told apart. */
export const MOST = 8;

export function text(content: string): Text {
  return { kind: "text", key: JSON.stringify(content), text: content };
}

export function literal(value: Literal["value"]): Literal {
  return { kind: "literal", key: `=${String(value)}`, value };
}

export function stable(key: string): Symbol_ {
  return { kind: "symbol", key: `$${key}`, root: "stable" };
}

/** The system's directory for temporary files. */
export const TMP: Symbol_ = { kind: "symbol", key: "$tmp", root: "stable", temporary: true };
export const HOME: Symbol_ = stable("home");

export function reference(id: string): Reference {
  return { kind: "thing", key: `&${id}`, id };
}

export function library(module: string, path: string): Library {
  return { kind: "library", key: `lib:${module}#${path}`, module, path };
}

export function derived(
  how: Derived["how"],
  of: Value,
  name = "",
  extra: Partial<Pick<Derived, "args" | "type" | "library">> = {},
): Derived {
  const args = extra.args === undefined ? "" : `(${extra.args.map((arg) => arg.key).join()})`;
  return { kind: "derived", key: shorten(`${of.key}.${how === "member" ? "" : `<${how}>`}${name}${args}`), how, of, name, ...extra };
}

const LONGEST_KEY = 300;

/** Keys stay short however deep a value is: the end of a long one is told apart by its hash. */
export function shorten(key: string): string {
  if (key.length <= LONGEST_KEY) return key;
  let low = 0;
  let high = 7;
  for (let index = 0; index < key.length; index += 1) {
    low = (Math.imul(low, 31) + key.charCodeAt(index)) | 0;
    high = (Math.imul(high, 131) + key.charCodeAt(index)) | 0;
  }
  return `${key.slice(0, 200)}#${low >>> 0}.${high >>> 0}`;
}

export function newThing(id: string): Thing {
  return { id, fields: new Map(), elements: NOTHING, carries: NOTHING, inputs: NOTHING, outputs: NOTHING, rest: NOTHING, order: new Map() };
}

/** Sets that something was left out of, as they got too large. */
const cut = new WeakSet<Values>();

/** Whether there may be more than is listed. */
export function isCut(values: Values): boolean {
  return cut.has(values);
}

export function union(a: Values, b: Values): Values {
  if (b.length === 0 || a === b) return a;
  if (a.length === 0) return b;
  let result: Value[] | undefined;
  let isTooLarge = cut.has(b) && !cut.has(a);
  for (const value of b) {
    if ((result ?? a).some((other) => other.key === value.key)) continue;
    result ??= [...a];
    if (result.length >= MOST) {
      isTooLarge = true;
      break;
    }
    result.push(value);
  }
  if (isTooLarge || (result && cut.has(a))) cut.add((result ??= [...a]));
  return result ?? a;
}

export function unionAll(sets: Iterable<Values>): Values {
  let result = NOTHING;
  for (const set of sets) result = union(result, set);
  return result;
}

export function same(a: Values, b: Values): boolean {
  return a === b || (a.length === b.length && a.every((value, index) => value.key === b[index]?.key));
}

/** Whether this can be a path or a part of one. */
function isAtom(value: Value): value is Atom {
  return value.kind === "text" || value.kind === "symbol" || value.kind === "derived" || value.kind === "thing";
}

export function atomsOf(value: Value): readonly Atom[] {
  if (value.kind === "joined") return value.parts;
  if (value.kind === "literal" && value.value !== null && value.value !== undefined) return [text(String(value.value))];
  return isAtom(value) ? [value] : [stable(`?${value.key}`)];
}

/** Parts in a row as one value; neighbouring texts become one. */
export function joined(parts: readonly Atom[]): Text | Atom | Joined {
  const merged: Atom[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    if (part.kind === "text" && last?.kind === "text") merged[merged.length - 1] = text(last.text + part.text);
    else if (part.kind !== "text" || part.text !== "") merged.push(part);
  }
  const [first] = merged;
  if (first === undefined) return text("");
  if (merged.length === 1) return first;
  return { kind: "joined", key: merged.map((part) => part.key).join("+"), parts: merged };
}

/** Values combined part by part, as many combinations as are worth it. */
export function combine(parts: readonly Values[], make: (atoms: readonly Value[]) => Value): Values {
  let rows: Value[][] = [[]];
  let isTooLarge = parts.some(isCut);
  for (const part of parts) {
    const options = part.length === 0 ? [stable("?")] : part.slice(0, 4);
    const next: Value[][] = [];
    for (const row of rows) for (const option of options) if (next.length < MOST) next.push([...row, option]);
    isTooLarge ||= options.length < part.length || next.length < rows.length * options.length;
    rows = next;
  }
  const made = [...unionAll(rows.map((row) => [make(row)]))];
  if (isTooLarge) cut.add(made);
  return made;
}
