/** How a block is left: for other blocks, where states join, for a handler, or out of the function. */
import { runLater } from "./call.ts";
import type { Moment } from "./effects.ts";
import { escapeNamed } from "./escapes.ts";
import { evaluate } from "./evaluate.ts";
import { momentOf } from "./events.ts";
import { decide, forget } from "./facts.ts";
import type { Block, Operand, Span } from "./flow.ts";
import { type FileRecord, type Frame, type State, thingOf } from "./frame.ts";
import { isBelow } from "./paths.ts";
import { fileAt, looksLikePath, reachable, waysOf } from "./records.ts";
import { refine, sitesOf } from "./refine.ts";
import type { Run } from "./solve.ts";
import { addWays, FAILED, innermost, mapWays, OTHERS, RETURNED, sameStep, UNSUCCESSFUL, type Ways } from "./summary.ts";
import { MOST, NOTHING, same, union, type Value, type Values } from "./value.ts";
import { settle } from "./waits.ts";

/** One way out of a function. */
export interface WayOut {
  readonly how: "return" | "throw";
  readonly span: Span;
  readonly state: State;
  readonly values: Values;
  /** In a `catch`. */
  readonly caught: boolean;
  readonly block: number;
}

const NO_SPAN: Span = { start: -1, end: -1 };
const NO_ENV: State["env"] = new Map();

/** An exception here: goes to the block's handler, or leaves the function. */
export function fail(work: Run, block: Block, state: State): void {
  if (block.handler === undefined && state.ways.size === 0) return;
  const after = failed(state);
  if (block.handler === undefined)
    addExit(work, { how: "throw", span: NO_SPAN, state: { env: NO_ENV, ways: after.ways }, values: NOTHING, caught: false, block: -1 });
  else flowTo(work, block.handler, after);
}

export function leave(work: Run, block: Block, at: number, state: State): void {
  const { frame } = work;
  const { exit } = block;
  switch (exit.exit) {
    case "goto":
      flowTo(work, exit.to, state);
      return;
    case "any":
      for (const to of exit.to) flowTo(work, to, state);
      return;
    case "branch":
      for (const outcome of [true, false]) {
        const refined = refine(frame, state, exit.test, outcome);
        if (!refined) continue;
        if (work.facts) decide(work.facts, refined, at, outcome);
        flowTo(work, outcome ? exit.yes : exit.no, refined);
      }
      return;
    case "throw":
      if (block.handler === undefined)
        addExit(work, { how: "throw", span: exit.span, state: failed(state), values: NOTHING, caught: block.caught === true, block: at });
      else flowTo(work, block.handler, failed(state));
      return;
    case "return":
      leaveBy(work, block, at, state, exit.span, exit.value);
      return;
    case "end":
      leaveBy(work, block, at, state, exit.span);
  }
}

function leaveBy(work: Run, block: Block, at: number, state: State, span: Span, operand?: Operand): void {
  const { frame } = work;
  const values = operand === undefined ? NOTHING : evaluate(frame, state, operand);
  handOut(frame, state, values, momentOf(frame, span, block, at));
  const handed = reachable(frame, values);
  for (const record of handed.length >= MOST ? variantsOf(frame, handed) : []) handBack(state, record.value);
  for (const value of handed) {
    for (const record of frame.files.values())
      if (record.value.key !== value.key && value.kind !== "text" && isBelow(record.value, value)) handBack(state, record.value);
    escapeNamed(state, frame, value, true);
    if (!frame.files.has(value.key) && !(value.kind === "joined" && looksLikePath(value))) continue;
    if (fileAt(frame, state, value)) handBack(state, value);
  }
  if (operand && settle(frame, state, sitesOf(frame, operand))) frame.promises = true;
  if (operand && isRefusal(frame, operand, values))
    for (const [key, ways] of state.ways)
      state.ways.set(
        key,
        mapWays(ways, (way) => way | UNSUCCESSFUL),
      );
  addExit(work, { how: "return", span, state, values, caught: block.caught === true, block: at });
}

/** `return { file, cleanup: () => rm(directory) }`: whoever gets a function is going to call it. */
function handOut(frame: Frame, state: State, values: Values, moment: Moment): void {
  if (frame.files.size === 0) return;
  const functions = values.flatMap((value) => [value, ...[...(thingOf(frame, value)?.fields.values() ?? [])].flat()]);
  for (const value of functions) {
    if (value.kind !== "function") continue;
    const context = { event: moment.call, receiver: NOTHING, written: "", method: "", args: [], moment };
    runLater(frame, state, context, value);
  }
}

/** Of a path that may be more than can be told apart, all that one place makes under it are meant. */
function variantsOf(frame: Frame, values: Values): readonly FileRecord[] {
  const made = values.flatMap((value) => frame.files.get(value.key)?.trace.output[0] ?? []);
  return [...frame.files.values()].filter(({ trace }) => {
    const [step] = trace.output;
    return step && made.some((other) => sameStep(step, other) && sameStep(innermost(step), innermost(other)));
  });
}

function handBack(state: State, file: Value): void {
  state.ways.set(
    file.key,
    mapWays(waysOf(state, file), (way) => way | RETURNED),
  );
}

/** `return null`, `return false`, `return { success: false }`, `return { error }`: the function says that it failed. */
function isRefusal(frame: Frame, operand: Operand, values: Values): boolean {
  if (operand.op === "literal") return operand.value === null || operand.value === false;
  if (operand.op === "global" && operand.name === "undefined") return true;
  if (operand.op !== "object") return false;
  const thing = values.map((value) => thingOf(frame, value)).find((one) => one !== undefined);
  if (!thing) return false;
  const is = (name: string, wanted: boolean): boolean =>
    thing.fields.get(name)?.some((value: Value) => value.kind === "literal" && value.value === wanted) === true;
  // A result that is filled in on the way may say either.
  if (is("success", true) || is("ok", true) || is("uploaded", true)) return false;
  if (is("success", false) || is("ok", false) || is("uploaded", false)) return true;
  return (
    operand.fields.some(
      (field) => /^(?:error|err|errorMessage)$/.test(field.name) && field.value.op !== "literal" && field.value.op !== "nothing",
    ) && operand.fields.length <= 2
  );
}

function addExit(work: Run, last: WayOut): void {
  const exit = work.facts ? { ...last, state: forget(work.facts, last.state) } : last;
  const key = `${exit.how}:${exit.span.start}:${exit.span.end}:${exit.how === "return" ? exit.caught : ""}`;
  const there = work.exits.get(key);
  if (!there) {
    work.exits.set(key, { ...exit, state: { env: new Map(exit.state.env), ways: new Map(exit.state.ways) } });
    return;
  }
  joinInto(there.state, exit.state.env, exit.state.ways);
  const values = union(there.values, exit.values);
  if (values !== there.values) work.exits.set(key, { ...there, values });
}

function flowTo(work: Run, to: number, last: State): void {
  const state = work.facts ? forget(work.facts, last, to) : last;
  const there = work.before[to];
  if (!there) work.before[to] = { env: new Map(state.env), ways: new Map(state.ways) };
  else if (!joinInto(there, state.env, state.ways)) return;
  work.pending.add(to);
}

const UNTOUCHED: readonly number[] = [0];

/** Adds what may be to what may be already. False: nothing new. */
function joinInto(state: State, env: State["env"], ways: State["ways"]): boolean {
  let changed = false;
  for (const [name, values] of env) {
    const own = state.env.get(name);
    if (own === values) continue;
    const both = own === undefined ? values : union(own, values);
    if (own !== undefined && (both === own || same(both, own))) continue;
    state.env.set(name, both);
    changed = true;
  }
  const others = state.ways.get(OTHERS) ?? UNTOUCHED;
  const theirs = ways.get(OTHERS) ?? UNTOUCHED;
  for (const [key, values] of ways) {
    const own = state.ways.get(key);
    if (own === values) continue;
    const both = addWays(own ?? others, values);
    if (own !== undefined && both.length === own.length) continue;
    state.ways.set(key, both);
    changed = true;
  }
  for (const [key, own] of state.ways) {
    if (ways.has(key)) continue;
    const both = addWays(own, theirs);
    if (both.length === own.length) continue;
    state.ways.set(key, both);
    changed = true;
  }
  return changed;
}

/** All files as they are when an exception is thrown here. */
function failed(state: State): State {
  const ways = new Map<string, Ways>();
  for (const [key, own] of state.ways) ways.set(key, failedWays(own));
  if (!ways.has(OTHERS)) ways.set(OTHERS, JUST_FAILED);
  return { env: state.env, ways };
}

const JUST_FAILED: Ways = [FAILED];
const afterFailure = new WeakMap<Ways, Ways>();

function failedWays(ways: Ways): Ways {
  const known = afterFailure.get(ways);
  if (known) return known;
  const after = mapWays(ways, (way) => way | FAILED);
  afterFailure.set(ways, after);
  return after;
}
