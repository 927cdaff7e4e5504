/**
 * What a call of a function does to files, in terms of what the caller hands in. The solver makes one for each function, to a
 * fixpoint where functions call each other, and applies it at each call.
 */
import type { Span } from "./flow.ts";
import type { FunctionRef, Value, Values } from "./value.ts";

/** One place in the code; `inner` is the place in the called function that it comes down to. */
export interface Step {
  readonly file: string;
  readonly span: Span;
  /** The statement that it is part of. */
  readonly statement: Span;
  /** What is called, as it is written. */
  readonly written: string;
  readonly function: FunctionRef;
  /** The part of a long chain of calls that names the file: `.output(path)`. */
  readonly mark?: Span;
  /** Where the command begins that is run here. */
  readonly begun?: Span;
  readonly inner?: Step;
  /** The file is one that a request brought, under another name. */
  readonly brought?: true;
}

/** What can be true of one file on one way through the code, as bits. */
export const MADE = 1;
export const UPLOADED = 2;
/** Read by an assembly. */
export const READ = 4;
/** Written by an assembly. */
export const OUTPUT = 8;
export const DELETED = 16;
/** Handed on: returned, stored, passed to something that keeps it. */
export const ESCAPED = 32;
/** An exception was thrown while the file was there. */
export const FAILED = 64;
/** The upload failed, by exception or by value. */
export const REFUSED = 128;
/** The upload goes on and nobody has waited for it. */
export const PENDING = 256;
/** Will be deleted: in a callback, at exit, when a scope is left. */
export const LATER = 512;
/** Stays because somebody said so (`keepTmp`). */
export const KEPT = 1024;
/** Known not to be there. */
export const ABSENT = 2048;
/** Was there before: the test for it said so. */
export const FOUND = 4096;
/** The function said by its result that it failed. */
export const UNSUCCESSFUL = 8192;
/** The way out hands the path to the caller. */
export const RETURNED = 16384;

/** A deletion, of this file or another, failed on the way. */
export const UNTIDY = 32768;

/** Together with `ESCAPED`: only to the one who has asked for it was it handed. */
export const SERVED = 1 << 28;

export type Ways = readonly number[];

/** The key under which a state has the ways of all files that it does not name. */
export const OTHERS = "!";

/** What happens to one file, and where. */
export interface Trace {
  readonly made: readonly Step[];
  readonly uploaded: readonly Step[];
  readonly read: readonly Step[];
  readonly output: readonly Step[];
  readonly deleted: readonly Step[];
  readonly escaped: readonly Step[];
  readonly served: readonly Step[];
  readonly used: readonly Step[];
  /** The output of the assembly was looked at, or its upload settled. */
  readonly checked: readonly Step[];
}

export interface FileEffect {
  readonly value: Value;
  readonly recursive: boolean;
  readonly directory: boolean;
  /** Ways out: by returning, by throwing. */
  readonly normal: Ways;
  readonly thrown: Ways;
  readonly trace: Trace;
  /** Deleted after a failure and not after success: the helper is lopsided, and is told so itself. */
  readonly lopsided: boolean;
  /** Files that its text names. */
  readonly names: Values;
}

/** A program that is run with words that the caller hands in: what it does is known only there. */
export interface Command {
  readonly program: Values;
  /** How the program is written. */
  readonly written: string;
  /** The list of words; the whole line, when a shell reads it. */
  readonly words: Value;
  readonly shell: boolean;
  readonly step: Step;
}

export interface Summary {
  readonly ref: FunctionRef;
  readonly effects: readonly FileEffect[];
  readonly returns: Values;
  /** Values put into objects that the caller knows too; `order`: in this place of a list. */
  readonly stores: readonly { readonly object: Value; readonly name?: string; readonly order?: string; readonly value: Value }[];
  /** What it was given and handed on. */
  readonly escapes: Values;
  readonly commands: readonly Command[];
  /** Functions among its parameters that it calls. */
  readonly invokes: readonly { readonly callee: Value; readonly args: readonly Values[] }[];
  /** A later call may still be under way when it returns. */
  readonly async: boolean;
  readonly complete: boolean;
}

export const NO_TRACE: Trace = {
  made: [],
  uploaded: [],
  read: [],
  output: [],
  deleted: [],
  escaped: [],
  served: [],
  used: [],
  checked: [],
};

const MOST_STEPS = 6;

export function addStep(steps: readonly Step[], step: Step): readonly Step[] {
  if (steps.length >= MOST_STEPS || steps.some((other) => sameStep(other, step))) return steps;
  return [...steps, step];
}

export function sameStep(a: Step, b: Step): boolean {
  return a.file === b.file && a.span.start === b.span.start && a.span.end === b.span.end;
}

/** The place itself, all calls on the way to it left out. */
export function innermost(step: Step): Step {
  let at = step;
  while (at.inner) at = at.inner;
  return at;
}

function addWay(ways: Ways, way: number): Ways {
  return ways.includes(way) ? ways : [...ways, way];
}

export function addWays(a: Ways, b: Ways): Ways {
  let result = a;
  for (const way of b) result = addWay(result, way);
  return result;
}

const MOST_WAYS = 24;

/** Each way changed; duplicates fall together. */
export function mapWays(ways: Ways, change: (way: number) => number | readonly number[]): Ways {
  const result: number[] = [];
  for (const way of ways)
    for (const next of [change(way)].flat()) if (!result.includes(next) && result.length < MOST_WAYS) result.push(next);
  return result;
}
