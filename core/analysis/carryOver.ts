/**
 * What an edit leaves as it was. A function that still says the same keeps its flow, which only moves in the text, and with it all that
 * was worked out from it: summaries and reports hold the very spans of the flow, and move along.
 */
import { capturedBy } from "./captures.ts";
import type { FlowFunction, FlowModule, Name, Span } from "./flow.ts";

export interface Carried {
  /** Functions of which nothing holds any more: they changed, are written within one that did, or take a changed name from around them. */
  readonly functions: ReadonlySet<number>;
  /** Names outside of functions that stand for something else now. */
  readonly names: ReadonlySet<Name>;
  /** Whether one of them can be seen from outside. */
  readonly exported: boolean;
}

/**
 * Puts the functions of `old` that did not change into `fresh`, in place of their equals, and returns what did. Undefined: functions or
 * classes came or went, or one looks different from outside; nothing was carried over.
 */
export function carryOver(old: FlowModule, fresh: FlowModule): Carried | undefined {
  if (old.functions.length !== fresh.functions.length || !isSame(old.classes, fresh.classes) || !isSame(old.reexports, fresh.reexports))
    return undefined;
  const changed = new Set<number>();
  const moves: [from: Span, to: Span][][] = [];
  for (const [index, one] of fresh.functions.entries()) {
    const own: [Span, Span][] = [];
    moves.push(own);
    const before = old.functions[index];
    if (!before || !isSignatureSame(before, one)) return undefined;
    if (!isSame(before, one, own)) changed.add(outermost(fresh, one));
  }
  const families = new Set([...changed].filter((index) => index !== 0));
  for (const one of fresh.functions) if (one.index !== 0 && families.has(outermost(fresh, one))) changed.add(one.index);
  const [left, kept] = [outwardOf(old, changed), outwardOf(fresh, changed)];
  if (!isSame([...left.seen].sort(), [...kept.seen].sort())) return undefined;
  const names: ReadonlySet<Name> =
    changed.size === 0 && isSame(old.constants, fresh.constants)
      ? new Set()
      : changedNames(old, fresh, changed, new Set([...left.set, ...kept.set]));
  if (names.size > 0 && mentions(fresh.classes, names)) return undefined;
  const functions = fresh.functions as FlowFunction[];
  const lost = new Set(changed);
  for (const [index, before] of old.functions.entries()) {
    if (changed.has(index)) continue;
    if (names.size > 0 && takesFrom(old, before, names)) lost.add(index);
    for (const [span, to] of moves[index] ?? []) Object.assign(span, to);
    functions[index] = before;
  }
  return { functions: lost, names, exported: !isSame(old.exports, fresh.exports) || mentions(fresh.exports, names) };
}

function takesFrom(module: FlowModule, fn: FlowFunction, names: ReadonlySet<Name>): boolean {
  if (mentions(fn.parameters, names)) return true;
  for (const name of capturedBy(module, fn)) if (names.has(name)) return true;
  return false;
}

/** Names whose value is written otherwise, or with such a name; of those that only one function knows, those of the changed ones. */
function changedNames(old: FlowModule, fresh: FlowModule, changed: ReadonlySet<number>, set: Set<Name>): ReadonlySet<Name> {
  const [before, after] = [meaningsOf(old, changed), meaningsOf(fresh, changed)];
  for (const [name, meaning] of after) if (!isSame(before.get(name), meaning, [])) set.add(name);
  for (const name of before.keys()) if (!after.has(name)) set.add(name);
  // What a function makes of such a name, a function within it may take from there.
  const all = set.size === 0 ? after : meaningsOf(fresh, new Set(fresh.functions.keys()));
  for (let size = 0; size !== set.size;) {
    size = set.size;
    for (const [name, meaning] of all) if (!set.has(name) && mentions(meaning, set)) set.add(name);
  }
  return set;
}

/** What names stand for: constants, what the code of the module and of constructors sets, and the functions in question. */
function meaningsOf(module: FlowModule, indexes: ReadonlySet<number>): Map<Name, unknown[]> {
  const meanings = new Map<Name, unknown[]>(module.constants.map(({ name, value }) => [name, [value]]));
  for (const { index, kind, blocks } of module.functions)
    if (kind === "module" || kind === "constructor" || indexes.has(index))
      for (const { events } of blocks)
        for (const event of events) {
          const name = event.event === "call" ? event.result : "name" in event ? event.name : undefined;
          if (name === undefined || event.event === "store") continue;
          const known = meanings.get(name);
          if (known) known.push(event);
          else meanings.set(name, [event]);
        }
  return meanings;
}

/** Whether one of the names is written anywhere in it. */
function mentions(value: unknown, names: ReadonlySet<Name>): boolean {
  if (names.size === 0 || typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some((one) => mentions(one, names));
  if ("op" in value && value.op === "name" && "name" in value && typeof value.name === "string") return names.has(value.name);
  return Object.values(value).some((one) => mentions(one, names));
}

/** What others see of a function without its summary. */
function isSignatureSame(old: FlowFunction, fresh: FlowFunction): boolean {
  const { blocks: _blocks, declares: _declares, span: _span, ...before } = old;
  const { blocks: _blocks2, declares: _declares2, span: _span2, ...after } = fresh;
  return isSame(before, after);
}

/** The function of the module, or the method, that a function is written in. */
function outermost({ functions }: FlowModule, fn: FlowFunction | undefined): number {
  let at = fn;
  for (let depth = 0; at?.parent !== undefined && at.parent !== 0 && depth < functions.length; depth += 1) at = functions[at.parent];
  return at?.index ?? 0;
}

interface Outward {
  /** Names that functions take from around them, and fields of their objects that they set. */
  readonly seen: ReadonlySet<string>;
  /** Names around them that they set. */
  readonly set: readonly Name[];
}

function outwardOf(module: FlowModule, indexes: ReadonlySet<number>): Outward {
  const seen = new Set<string>();
  const own = new Set<Name>();
  const set: Name[] = [];
  for (const index of indexes) {
    const fn = module.functions[index];
    if (!fn || index === 0) continue;
    for (const name of fn.declares) own.add(name);
    for (const { events } of fn.blocks)
      for (const event of events) {
        if (event.event === "store" && event.object.op === "this") seen.add(`this.${event.name}`);
        if (event.event === "set" || event.event === "each" || event.event === "await") set.push(event.name);
      }
    if (outermost(module, fn) === index) for (const name of capturedBy(module, fn)) seen.add(name);
  }
  return { seen, set: set.filter((name) => !own.has(name)) };
}

/** Whether both say the same; where they stand is noted in `moves`. */
function isSame(a: unknown, b: unknown, moves?: [Span, Span][]): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b);
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let index = 0; index < a.length; index += 1) if (!isSame(a[index], b[index], moves)) return false;
    return true;
  }
  if (moves && isSpan(a) && isSpan(b)) {
    // Some are shared by all functions that there are.
    if (Object.isFrozen(a)) return isSame(a, b);
    moves.push([a, b]);
    return true;
  }
  const [one, other] = [a as Record<string, unknown>, b as Record<string, unknown>];
  let keys = 0;
  for (const key in one) {
    keys += 1;
    if (!isSame(one[key], other[key], moves)) return false;
  }
  for (const _ in other) keys -= 1;
  return keys === 0;
}

function isSpan(value: object): value is Span {
  return "start" in value && "end" in value && typeof value.start === "number";
}
