/** Makes the summary of a run: what of it the caller can see. */
import { looksLikePath, reachable } from "./records.ts";
import type { FileRecord, Frame } from "./frame.ts";
import { shapeOf } from "./shapes.ts";
import { functionOf, type Program } from "./program.ts";
import type { Report } from "./solve.ts";
import { capturedBy } from "./captures.ts";
import {
  addWays,
  DELETED,
  ESCAPED,
  FAILED,
  type FileEffect,
  LATER,
  MADE,
  OTHERS,
  READ,
  REFUSED,
  type Summary,
  UPLOADED,
  type Ways,
} from "./summary.ts";
import type { Name } from "./flow.ts";
import { type Atom, atomsOf, NOTHING, union, type Value, type Values } from "./value.ts";
import { isHandedIn, rootOf } from "./paths.ts";

export function summarize(program: Program, report: Report): Summary {
  const { frame, exits, fn } = report;
  const returns: Value[] = [];
  for (const exit of exits)
    if (exit.how === "return")
      for (const value of exit.values) if (!returns.some((other) => other.key === value.key) && returns.length < 8) returns.push(value);
  const stored = [...frame.stores.values()];
  const handed = new Set(
    reachable(frame, [
      ...returns,
      ...stored.map((store) => store.value),
      ...[...frame.invokes.values()].flatMap((invoke) => invoke.args.flat()),
      ...[...frame.commands.values()].map((command) => command.words),
    ]).map((value) => value.key),
  );
  const effects: FileEffect[] = [];
  for (const record of frame.files.values()) {
    if (!isVisible(record.value, handed.has(record.value.key))) continue;
    const normal = waysAt(report, record.value.key, "return");
    const thrown = waysAt(report, record.value.key, "throw");
    const looked = record.trace.checked.length > 0 || record.trace.used.length > 0;
    if (![...normal, ...thrown].some((way) => way & ~FAILED) && record.names.length === 0 && !looked) continue;
    if (isSettled(record, normal) && !handed.has(record.value.key)) continue;
    if (isForeign(record)) continue;
    effects.push({
      value: record.value,
      recursive: record.recursive,
      directory: record.directory,
      normal,
      thrown: thrown.filter((way) => way & (DELETED | REFUSED | UPLOADED | READ)),
      trace: record.trace,
      lopsided: record.lopsided || isLopsided(normal, thrown),
      names: record.names,
    });
  }
  // Those that say the least give way, should there be too many.
  if (effects.length > MOST_EFFECTS) effects.sort((a, b) => weight(b) - weight(a)).splice(MOST_EFFECTS);
  const env = lastEnv(report);
  const freeze = (values: Values): Values => values.map((value) => frozen({ program, frame, env }, value));
  return {
    ref: report.ref,
    effects,
    returns: freeze(returns),
    stores: stored.map((store) => ({
      ...store,
      object: frozen({ program, frame, env }, store.object),
      value: frozen({ program, frame, env }, store.value),
    })),
    escapes: [...frame.escapes.values()],
    commands: [...frame.commands.values()].map((command) => ({
      ...command,
      program: freeze(command.program),
      words: frozen({ program, frame, env }, command.words),
    })),
    invokes: [...frame.invokes.values()].map((invoke) => ({ callee: invoke.callee, args: invoke.args.map(freeze) })),
    async: fn.async === true || frame.promises,
    complete: true,
  };
}

/** What was made in here and is gone or with somebody who keeps it is no caller's business: a store that writes its own files. */
function isSettled({ value, trace, names }: FileRecord, normal: Ways): boolean {
  return (
    !isHandedIn(value) &&
    trace.uploaded.length + trace.read.length + trace.output.length + names.length === 0 &&
    normal.length > 0 &&
    normal.every((way) => way & ESCAPED || (trace.made.length > 0 && (!(way & MADE) || way & (DELETED | LATER))))
  );
}

/**
 * What was neither made nor deleted here and what no caller can have made, as it came from somewhere else only now: rows of a query,
 * fields of a message, addresses. That it was sent is of no use to anybody.
 */
function isForeign({ value, trace, names }: FileRecord): boolean {
  return (
    trace.made.length + trace.output.length + trace.deleted.length + names.length === 0 &&
    (value.kind === "text" ? !looksLikePath(value) : atomsOf(value).some(isFresh) && !atomsOf(value).some((part) => isHandedIn(part)))
  );
}

function isFresh(part: Atom): boolean {
  const root = part.kind === "text" ? undefined : rootOf(part);
  // What is read of `null` has no root.
  return root?.kind === "symbol" ? root.root === "fresh" && root.temporary !== true : root?.kind === "derived";
}

const MOST_EFFECTS = 60;

function weight(effect: FileEffect): number {
  const { trace } = effect;
  return (
    trace.uploaded.length * 8 +
    trace.deleted.length * 8 +
    trace.read.length * 4 +
    trace.output.length * 4 +
    trace.made.length * 2 +
    trace.escaped.length
  );
}

/** Deleted where the upload failed, and left where it went well. */
function isLopsided(normal: Ways, thrown: Ways): boolean {
  const left = normal.some((way) => way & UPLOADED && !(way & (DELETED | LATER | FAILED | REFUSED)));
  const never = !normal.some((way) => way & (DELETED | LATER) && !(way & (FAILED | REFUSED)));
  return left && never && [...normal, ...thrown].some((way) => way & DELETED && way & (FAILED | REFUSED));
}

function waysAt(report: Report, key: string, how: "return" | "throw"): Ways {
  let ways: Ways = [];
  for (const exit of report.exits)
    if (exit.how === how) ways = addWays(ways, exit.state.ways.get(key) ?? exit.state.ways.get(OTHERS) ?? [0]);
  return ways;
}

/** Whether the caller can name the file, or is given it. */
function isVisible(value: Value, handed: boolean): boolean {
  if (atomsOf(value).some((part) => part.kind === "thing")) return false;
  const root = rootOf(value);
  if (root?.kind === "symbol" && root.root === "fresh") return handed;
  return !atomsOf(value).some((part) => part.kind === "symbol" && part.root === "fresh") || handed || root?.kind === "symbol";
}

interface Ending {
  readonly program: Program;
  readonly frame: Frame;
  /** What names are when the function ends. */
  readonly env: ReadonlyMap<Name, Values>;
}

function lastEnv(report: Report): ReadonlyMap<Name, Values> {
  const env = new Map<Name, Values>();
  for (const exit of report.exits)
    if (exit.how === "return") for (const [name, values] of exit.state.env) env.set(name, union(env.get(name) ?? NOTHING, values));
  return env;
}

/** A value that outlives the run: things become shapes, closures keep what they capture and no more. */
function frozen(ending: Ending, value: Value, depth = 0): Value {
  const { program, frame, env } = ending;
  if (value.kind === "thing") return withFunctions(ending, shapeOf(frame, value), depth);
  if (value.kind !== "function" || !value.bound) return value;
  const fn = functionOf(program, value.ref);
  const module = program.loader.load(value.ref.file);
  const bound = new Map<string, Values>();
  if (fn && module && depth < DEEPEST_CLOSURE)
    for (const name of capturedBy(module, fn)) {
      // A function is made before the names around it have their values.
      const values = value.bound.get(name) ?? (value.ref.file === frame.ref.file ? env.get(name) : undefined);
      if (values)
        bound.set(
          name,
          values.map((one) => frozen(ending, one, depth + 1)),
        );
    }
  const self = value.self?.map((one) => (one.kind === "thing" ? shapeOf(frame, one) : one));
  const { bound: _, self: __, ...rest } = value;
  return { ...rest, bound, ...(self && { self }) };
}

const DEEPEST_CLOSURE = 4;

/** Closures within a shape are bound to a live environment: cut down to what they capture. */
function withFunctions(ending: Ending, value: Value, depth: number, made: Map<string, Value> = new Map()): Value {
  if (value.kind !== "shape") return value;
  const known = made.get(value.id);
  if (known) return known;
  made.set(value.id, value);
  const change = (values: Values): Values =>
    values.some((one) => one.kind === "function" || one.kind === "shape")
      ? values.map((one) =>
          one.kind === "function" ? frozen(ending, one, depth + 1) : depth < 4 ? withFunctions(ending, one, depth + 1, made) : one,
        )
      : values;
  const { thing } = value;
  const changed: Value = {
    ...value,
    thing: {
      ...thing,
      fields: new Map([...thing.fields].map(([name, values]) => [name, change(values)])),
      elements: change(thing.elements),
    },
  };
  made.set(value.id, changed);
  return changed;
}
