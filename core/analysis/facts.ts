/**
 * Tests that a function makes more than once: `if (remote) download(); … if (remote) remove();`. As long as nothing that such a test looks
 * at has changed, it decides as it did before. How it has decided is told by bits of the ways beside those of the file; they are
 * forgotten where nobody asks again, and so never leave the function.
 */
import type { Block, Event, FlowFunction, FlowModule, Name, Operand, Test } from "./flow.ts";
import type { FileRecord, Frame, State } from "./frame.ts";
import { exported, functionOf, indexOf, keyOf, type Program } from "./program.ts";
import { mapWays, OTHERS, type Ways } from "./summary.ts";

/** The tests of one function that are made again, each with a pair of bits of its own. */
export interface Facts {
  /** By block: the index of the test that it ends with. */
  readonly tests: ReadonlyMap<number, number>;
  /** By block: bits that somebody asks for from there on. */
  readonly live: readonly number[];
  /** Bits that do not hold any more when a name is set, when a field of this name is, when somebody gets the object. */
  readonly names: ReadonlyMap<Name, number>;
  readonly fields: ReadonlyMap<string, number>;
  readonly objects: ReadonlyMap<Name, number>;
}

const FIRST = 16;
const MOST_TESTS = 6;
const ALL = ((1 << (2 * MOST_TESTS)) - 1) << FIRST;
const MOST_WAYS = 16;

const yes = (index: number): number => 1 << (FIRST + 2 * index);
const no = (index: number): number => 2 << (FIRST + 2 * index);

/**
 * Tests that are made again and that decide whether one of the files is deleted, those first that stand closest to that. Undefined: there are none.
 */
export function factsOf(frame: Frame, files: readonly FileRecord[]): Facts | undefined {
  const { program, module, fn } = frame;
  const branches = fn.blocks.flatMap((block, at) => (block.exit.exit === "branch" ? [{ at, exit: block.exit }] : []));
  if (branches.length < 2) return undefined;
  const asked = new Map<string, { readonly seen: Seen; readonly blocks: number[]; readonly places: Set<number> }>();
  for (const { at, exit } of branches) {
    const seen: Seen = { program, module, fn, names: new Set(), fields: new Set(), objects: new Set() };
    const key = keyOfTest(seen, exit.test);
    if (key === undefined) continue;
    const known = asked.get(key) ?? { seen, blocks: [], places: new Set() };
    known.blocks.push(at);
    known.places.add(exit.span.start);
    asked.set(key, known);
  }
  // Copies of a `finally` stand at one place.
  const again = [...asked.values()].filter(({ places }) => places.size > 1);
  if (again.length === 0) return undefined;
  const removals = removalsOf(fn, files);
  const ranked = again
    .map((test) => ({ test, distance: Math.min(...test.blocks.map((at) => distanceOf(fn.blocks[at], removals))) }))
    .filter(({ distance }) => distance < Number.POSITIVE_INFINITY)
    .sort((a, b) => a.distance - b.distance);
  return ranked.length === 0
    ? undefined
    : numbered(
        fn,
        ranked.map(({ test }) => test),
      );
}

/** A call that deletes a file, and the blocks that do not have to pass it on their way to the end. */
interface Removal {
  readonly start: number;
  readonly avoiding: ReadonlySet<number>;
}

function removalsOf(fn: FlowFunction, files: readonly FileRecord[]): readonly Removal[] {
  const spans = files.flatMap(({ trace }) => trace.deleted.map(({ span }) => span));
  const calls = new Map<number, { readonly start: number; readonly blocks: Set<number> }>();
  for (const [at, { events }] of fn.blocks.entries())
    for (const event of events) {
      if (event.event !== "call" || !spans.some(({ start, end }) => event.span.start <= start && end <= event.span.end)) continue;
      const call = calls.get(event.id) ?? { start: event.span.start, blocks: new Set() };
      call.blocks.add(at);
      calls.set(event.id, call);
    }
  return [...calls.values()].slice(0, MOST_REMOVALS).map(({ start, blocks }) => ({ start, avoiding: endingWithout(fn.blocks, blocks) }));
}

const MOST_REMOVALS = 12;

/** Blocks from which the function returns without passing certain others. */
function endingWithout(blocks: readonly Block[], passing: ReadonlySet<number>): ReadonlySet<number> {
  const ends = [...blocks.keys()].filter((at) => /^(?:return|end)$/.test(blocks[at]?.exit.exit ?? "") && !passing.has(at));
  const found = new Set(ends);
  const before = beforeEach(blocks, targetsOf);
  for (let at = ends.pop(); at !== undefined; at = ends.pop())
    for (const previous of before[at] ?? []) {
      if (found.has(previous) || passing.has(previous)) continue;
      found.add(previous);
      ends.push(previous);
    }
  return found;
}

/** How far away in the text the next deletion is that the branch decides about; infinite, when there is none. */
function distanceOf(block: Block | undefined, removals: readonly Removal[]): number {
  if (block?.exit.exit !== "branch") return Number.POSITIVE_INFINITY;
  const { yes: there, no: elsewhere, span } = block.exit;
  const decided = removals.filter(({ avoiding }) => avoiding.has(there) !== avoiding.has(elsewhere));
  return Math.min(...decided.map(({ start }) => Math.abs(start - span.start)));
}

function numbered(fn: FlowFunction, asked: readonly { readonly seen: Seen; readonly blocks: readonly number[] }[]): Facts {
  const tests = new Map<number, number>();
  const [names, fields, objects] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()];
  const add = (map: Map<string, number>, keys: Iterable<string>, index: number): void => {
    for (const key of keys) map.set(key, (map.get(key) ?? 0) | yes(index) | no(index));
  };
  for (const [index, { seen, blocks }] of asked.slice(0, MOST_TESTS).entries()) {
    for (const at of blocks) tests.set(at, index);
    add(names, seen.names, index);
    add(fields, seen.fields, index);
    add(objects, seen.objects, index);
  }
  return { tests, live: liveIn(fn.blocks, tests), names, fields, objects };
}

/** By block: the bits of tests that are made there or later. */
function liveIn(blocks: readonly Block[], tests: ReadonlyMap<number, number>): readonly number[] {
  const live = blocks.map((_, at) => bitsOf(tests.get(at)));
  const before = beforeEach(blocks, nextOf);
  const pending = [...tests.keys()];
  for (let at = pending.pop(); at !== undefined; at = pending.pop())
    for (const previous of before[at] ?? []) {
      const bits = (live[previous] ?? 0) | (live[at] ?? 0);
      if (bits === live[previous]) continue;
      live[previous] = bits;
      pending.push(previous);
    }
  return live;
}

function bitsOf(test: number | undefined): number {
  return test === undefined ? 0 : yes(test) | no(test);
}

/** By block: those that lead there. */
function beforeEach(blocks: readonly Block[], next: (block: Block) => readonly number[]): readonly (readonly number[])[] {
  const before: number[][] = blocks.map(() => []);
  for (const [at, block] of blocks.entries()) for (const to of next(block)) before[to]?.push(at);
  return before;
}

function targetsOf({ exit }: Block): readonly number[] {
  if (exit.exit === "goto") return [exit.to];
  if (exit.exit === "any") return exit.to;
  return exit.exit === "branch" ? [exit.yes, exit.no] : [];
}

function nextOf(block: Block): readonly number[] {
  return block.handler === undefined ? targetsOf(block) : [...targetsOf(block), block.handler];
}

/** What a test looks at. */
interface Seen {
  readonly program: Program;
  readonly module: FlowModule;
  readonly fn: FlowFunction;
  readonly names: Set<Name>;
  readonly fields: Set<string>;
  readonly objects: Set<Name>;
}

/** Tests with the same key are the same test. Undefined: asked again it may say something else. */
function keyOfTest(seen: Seen, test: Test): string | undefined {
  if (test.test === "truthy") return keyOfOperand(seen, test.of);
  if (test.test === "unknown") return keyOfComparison(seen, test.of);
  if (test.test !== "equal") return undefined;
  const left = keyOfOperand(seen, test.left);
  const right = keyOfOperand(seen, test.right);
  return left === undefined || right === undefined ? undefined : `${left}==${right}`;
}

function keyOfComparison(seen: Seen, of: readonly Operand[]): string | undefined {
  const keys = of.map((operand) => keyOfOperand(seen, operand));
  return keys.includes(undefined) ? undefined : keys.join(" ");
}

const DEEPEST = 8;

function keyOfOperand(seen: Seen, operand: Operand, depth = 0): string | undefined {
  if (depth > DEEPEST) return undefined;
  switch (operand.op) {
    case "text":
      return JSON.stringify(operand.text);
    case "literal":
      return String(operand.value);
    case "nothing":
      return "undefined";
    case "global":
      return operand.name;
    case "import":
      return `${operand.from}#${operand.name}`;
    case "this":
      return "this";
    case "name":
      return keyOfName(seen, operand.name, depth);
    case "member": {
      const of = keyOfOperand(seen, operand.of, depth + 1);
      seen.fields.add(operand.name);
      holdObject(seen, operand.of);
      return of === undefined ? undefined : `${of}.${operand.name}`;
    }
    case "element": {
      const of = keyOfOperand(seen, operand.of, depth + 1);
      const key = keyOfOperand(seen, operand.key, depth + 1);
      seen.fields.add("");
      holdObject(seen, operand.of);
      return of === undefined || key === undefined ? undefined : `${of}[${key}]`;
    }
    default:
      return undefined;
  }
}

function keyOfName(seen: Seen, name: Name, depth: number): string | undefined {
  const { module, fn, program } = seen;
  const definition = indexOf(program, module).definitions.get(name);
  if (name.startsWith("%")) {
    const event = definition?.event;
    return event?.event === "call" && definition?.function === fn.index ? keyOfCall(seen, event, depth) : undefined;
  }
  // What other functions set may change whenever one of them is called.
  if (
    definition === undefined &&
    settersOf(module)
      .get(name)
      ?.some((index) => index !== fn.index)
  )
    return undefined;
  seen.names.add(name);
  return name;
}

/** A field of it is asked for. */
function holdObject(seen: Seen, operand: Operand): void {
  if (operand.op === "name") seen.objects.add(operand.name);
  if (operand.op === "this") seen.objects.add("this");
}

/** Methods and functions that say the same of the same, and change nothing. */
const PURE = /^(?:startsWith|endsWith|includes|isArray|isAbsolute|isInteger|isFinite|isNaN|Boolean|toLowerCase|toUpperCase|trim|hasOwn)$/;

function keyOfCall(seen: Seen, { callee, args, spreads, construct }: Event & { event: "call" }, depth: number): string | undefined {
  if (construct || spreads !== undefined || args.length > 4) return undefined;
  if (!(callee.op === "member" || callee.op === "global" ? PURE.test(callee.name) : isPure(seen, callee))) return undefined;
  if (callee.op === "member" && callee.name === "includes") holdObject(seen, callee.of);
  const of = callee.op === "member" ? keyOfOperand(seen, callee.of, depth + 1) : callee.op === "global" ? "" : keyOfFunction(callee);
  const given = args.map((arg) => keyOfOperand(seen, arg, depth + 1));
  if (of === undefined || given.includes(undefined)) return undefined;
  return `${of}.${callee.op === "member" || callee.op === "global" ? callee.name : ""}(${given.join()})`;
}

function keyOfFunction(callee: Operand): string | undefined {
  if (callee.op === "name") return callee.name;
  return callee.op === "import" ? `${callee.from}#${callee.name}` : undefined;
}

/** Whether a function of the workspace only asks: `isRemote(address)`. */
function isPure({ program, module }: Seen, callee: Operand): boolean {
  const found = functionCalled(program, module, callee);
  if (found) program.basis.functions.add(keyOf(found));
  const fn = found && functionOf(program, found);
  if (!fn || fn.async || fn.generator || fn.blocks.length > MOST_BLOCKS) return false;
  const own = new Set(fn.declares);
  return fn.blocks.every(({ events }) =>
    events.every((event) =>
      event.event === "call"
        ? (event.callee.op === "member" || event.callee.op === "global") && PURE_OR_MATCH.test(event.callee.name)
        : event.event === "set" && (own.has(event.name) || event.name.startsWith("%")),
    ),
  );
}

const PURE_OR_MATCH = new RegExp(`${PURE.source}|^test$`);
const MOST_BLOCKS = 12;

function functionCalled(program: Program, module: FlowModule, callee: Operand): { file: string; index: number } | undefined {
  if (callee.op === "name") {
    const index = indexOf(program, module);
    const event = index.definitions.get(callee.name)?.event;
    const operand = index.constants.get(callee.name) ?? (event?.event === "set" ? event.value : undefined);
    return operand?.op === "function" ? { file: module.file, index: operand.index } : undefined;
  }
  if (callee.op !== "import") return undefined;
  const file = program.loader.resolve(module.file, callee.from);
  const found = file === undefined ? undefined : exported(program, file, callee.name);
  if (found?.operand.op === "function") return { file: found.file, index: found.operand.index };
  const there = found && program.loader.load(found.file);
  return there && found.operand.op === "name" ? functionCalled(program, there, found.operand) : undefined;
}

const setters = new WeakMap<FlowModule, ReadonlyMap<Name, readonly number[]>>();

/** The functions that set a name. */
function settersOf(module: FlowModule): ReadonlyMap<Name, readonly number[]> {
  const known = setters.get(module);
  if (known) return known;
  const found = new Map<Name, number[]>();
  for (const fn of module.functions)
    for (const { events } of fn.blocks)
      for (const event of events) {
        if (event.event !== "set" && event.event !== "each" && event.event !== "await") continue;
        const list = found.get(event.name);
        if (list === undefined) found.set(event.name, [fn.index]);
        else if (list.at(-1) !== fn.index) list.push(fn.index);
      }
  setters.set(module, found);
  return found;
}

/** The state on one side of a branch, without the ways that have decided the same test the other way. */
export function decide(facts: Facts, state: State, block: number, outcome: boolean): void {
  const test = facts.tests.get(block);
  if (test === undefined) return;
  const [is, isNot] = outcome ? [yes(test), no(test)] : [no(test), yes(test)];
  if (!state.ways.has(OTHERS)) state.ways.set(OTHERS, [0]);
  for (const [key, ways] of state.ways)
    state.ways.set(
      key,
      mapWays(ways, (way) => (way & isNot ? [] : way | is)),
    );
}

/** Forgets what does not hold any more after an event. */
export function unsettle(facts: Facts, state: State, event: Event): void {
  const bits = changedBy(facts, event);
  if (bits === 0 || !state.ways.get(OTHERS)?.some((way) => way & bits)) return;
  for (const [key, ways] of state.ways)
    state.ways.set(
      key,
      mapWays(ways, (way) => way & ~bits),
    );
}

function changedBy(facts: Facts, event: Event): number {
  switch (event.event) {
    case "set":
    case "each":
    case "await":
      return facts.names.get(event.name) ?? 0;
    case "store":
      return facts.fields.get(event.name ?? "") ?? 0;
    case "call": {
      const { callee, args } = event;
      if (facts.fields.size === 0 || (callee.op === "member" && (PURE.test(callee.name) || isLogged(callee.of)))) return 0;
      let bits = callee.op === "member" && !READS.test(callee.name) ? changedIn(facts, callee.of) : 0;
      for (const one of args) bits |= changedIn(facts, one);
      return bits;
    }
    default:
      return 0;
  }
}

/** Methods of lists and texts that leave them as they are. */
const READS =
  /^(?:at|concat|entries|every|filter|find|findIndex|findLast|flat|flatMap|forEach|get|has|indexOf|join|keys|map|match|reduce|replace|replaceAll|slice|some|split|substring|toSorted|toString|values)$/;

/** Whoever gets an object may change what is asked of its fields. */
function changedIn(facts: Facts, operand: Operand): number {
  if (operand.op === "name") return facts.objects.get(operand.name) ?? 0;
  return operand.op === "this" ? (facts.objects.get("this") ?? 0) : 0;
}

function isLogged(receiver: Operand): boolean {
  return (receiver.op === "global" && receiver.name === "console") || (receiver.op === "import" && /log(?:ger)?$/i.test(receiver.name));
}

/** The state without what nobody asks for any more, and without all of it where the ways become too many. */
export function forget(facts: Facts, state: State, to?: number): State {
  if (state.ways.get(OTHERS)?.some((way) => way & ALL) !== true) return state;
  const dead = ALL & ~(to === undefined ? 0 : (facts.live[to] ?? 0));
  const ways = new Map<string, Ways>();
  for (const [key, own] of state.ways) {
    const kept = mapWays(own, (way) => way & ~dead);
    ways.set(key, kept.length > MOST_WAYS ? mapWays(kept, (way) => way & ~ALL) : kept);
  }
  return { env: state.env, ways };
}
