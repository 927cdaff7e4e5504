/** Runs one function over its flow graph: every way each of its files can go, to a fixpoint. */
import { call, runLater } from "./call.ts";
import { put } from "./collections.ts";
import { escape, escapeNamed, failed, fileAt, looksLikePath, type Moment, reachable, remove, waysOf } from "./effects.ts";
import { decide, type Facts, factsOf, forget, unsettle } from "./facts.ts";
import type { Block, Event, FlowFunction, FlowModule, Operand, Span } from "./flow.ts";
import { type Agenda, isCyclic, openAgenda } from "./agenda.ts";
import { createFrame, elementsOf, evaluate, type FileRecord, type Frame, libraryOf, type State, thingOf, typeOf } from "./frame.ts";
import { visit } from "./incremental.ts";
import { functionOf, keyOf, newBasis, type Program } from "./program.ts";
import { isRunning, solveTogether } from "./recursion.ts";
import { giveUp, operandNames, outcomesOf, refine, sitesOf } from "./refine.ts";
import { summarize } from "./summarize.ts";
import {
  ABSENT,
  addWays,
  DELETED,
  ESCAPED,
  FAILED,
  innermost,
  KEPT,
  LATER,
  MADE,
  mapWays,
  OTHERS,
  OUTPUT,
  PENDING,
  READ,
  REFUSED,
  RETURNED,
  sameStep,
  type Summary,
  UNSUCCESSFUL,
  UNTIDY,
  UPLOADED,
  type Ways,
} from "./summary.ts";
import { type FunctionRef, isBelow, MOST, NOTHING, same, type Symbol_, union, unionAll, type Value, type Values } from "./value.ts";

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

/** What a run found out; the rules read it. */
export interface Report {
  readonly ref: FunctionRef;
  readonly fn: FlowFunction;
  readonly module: FlowModule;
  readonly frame: Frame;
  readonly exits: readonly WayOut[];
}

const DEEPEST = 40;

function emptySummary(ref: FunctionRef): Summary {
  return { ref, effects: [], returns: NOTHING, stores: [], escapes: NOTHING, commands: [], invokes: [], async: false, complete: false };
}

/** What a call of the function does. */
export function summaryOf(program: Program, ref: FunctionRef): Summary {
  const key = keyOf(ref);
  program.basis.functions.add(key);
  const known = program.summaries.get(key);
  if (isRunning(program, key)) return known ?? program.recursion.guesses.get(key) ?? emptySummary(ref);
  if (known) {
    visit(program, key);
    return known;
  }
  const module = program.loader.load(ref.file);
  const fn = functionOf(program, ref);
  if (!module || !fn || program.depth > DEEPEST) return emptySummary(ref);
  const outer = program.basis;
  const basis = newBasis();
  program.bases.set(key, basis);
  program.visited.add(key);
  program.depth += 1;
  try {
    return solveTogether(program, key, () => {
      program.basis = basis;
      program.loader.load(ref.file);
      const report = run(program, module, fn);
      const summary = report ? summarize(program, report) : emptySummary(ref);
      if (report) program.reports.set(key, report);
      program.summaries.set(key, summary);
      return summary;
    });
  } finally {
    program.basis = outer;
    program.depth -= 1;
  }
}

interface Run {
  readonly frame: Frame;
  readonly facts: Facts | undefined;
  readonly before: (State | undefined)[];
  readonly pending: Agenda;
  readonly exits: Map<string, WayOut>;
}

const PASSES = 5;

/** A function that deletes files on some ways only is run once more, with an eye on tests that it makes again. */
function run(program: Program, module: FlowModule, fn: FlowFunction): Report | undefined {
  const report = runWith(program, module, fn);
  const uneven = report && report.frame.files.size <= MOST_FILES ? unevenFiles(report) : [];
  if (!report || uneven.length === 0) return report;
  const facts = factsOf(report.frame, uneven);
  return facts ? runWith(program, module, fn, facts) : report;
}

/** A function that touches more is told from its first run. */
const MOST_FILES = 120;

function unevenFiles({ frame, exits }: Report): readonly FileRecord[] {
  const ends = exits.filter(({ how }) => how === "return");
  return [...frame.files.values()].filter(({ value, trace }) => {
    if (trace.deleted.length === 0) return false;
    const ways = ends.flatMap(({ state }) => state.ways.get(value.key) ?? []);
    return ways.some((way) => way & (DELETED | LATER)) && ways.some((way) => way & (MADE | UPLOADED | READ | OUTPUT) && !(way & SETTLED));
  });
}

/** Nothing is left behind on such a way, or nobody can say that it should not be. */
const SETTLED = DELETED | LATER | ESCAPED | RETURNED | KEPT | ABSENT | FAILED | REFUSED | UNSUCCESSFUL;

function runWith(program: Program, module: FlowModule, fn: FlowFunction, facts?: Facts): Report | undefined {
  const frame = createFrame(program, module, fn);
  let work: Run | undefined;
  for (let pass = 0; pass < PASSES; pass += 1) {
    const changes = frame.changes;
    frame.observed.length = 0;
    work = { frame, facts, before: [], pending: openAgenda(fn), exits: new Map() };
    work.before[0] = entryState(frame);
    let steps = 0;
    const most = 40 * fn.blocks.length + 100;
    for (let at = work.pending.next(); at !== undefined; at = work.pending.next()) {
      runBlock(work, at);
      steps += 1;
      if (steps > most) return undefined;
    }
    // Without a loop nothing that was run early can depend on what was learnt late.
    if (frame.changes === changes || !isCyclic(fn)) break;
  }
  if (!work) return undefined;
  lookAtDeadCode(work);
  return { ref: frame.ref, fn, module, frame, exits: [...work.exits.values()] };
}

function entryState(frame: Frame): State {
  const env = new Map<string, Values>();
  for (const [index, parameter] of frame.fn.parameters.entries()) {
    const type = parameter.type === undefined ? {} : typeOf(frame.program, frame.module.file, parameter.type);
    const state: State = { env, ways: new Map() };
    const fallback = parameter.fallback === undefined ? NOTHING : evaluate(frame, state, parameter.fallback);
    const library = type.library ?? fallback.map((value) => libraryOf(frame, value)).find((one) => one !== undefined);
    const symbol: Symbol_ = {
      kind: "symbol",
      key: `parameter:${index}`,
      root: "parameter",
      index,
      ...(type.type && { type: type.type }),
      ...(library && { library }),
    };
    env.set(parameter.name, [symbol]);
  }
  return { env, ways: new Map() };
}

function runBlock(work: Run, at: number): void {
  const { frame } = work;
  const block = frame.fn.blocks[at];
  const before = work.before[at];
  if (!block || !before) return;
  const state: State = { env: new Map(before.env), ways: new Map(before.ways) };
  for (const event of block.events) {
    runEvent(work, block, at, event, state);
    if (work.facts) unsettle(work.facts, state, event);
  }
  leave(work, block, at, state);
}

function runEvent(work: Run, block: Block, at: number, event: Event, state: State): void {
  const { frame } = work;
  switch (event.event) {
    case "set":
      state.env.set(event.name, evaluate(frame, state, event.value));
      waitFor(frame, event.name, sitesOf(frame, event.value));
      comeFrom(frame, event.name, outcomesOf(frame, event.value));
      if (event.value.op === "name" && frame.promised.has(event.value.name)) frame.promised.add(event.name);
      return;
    case "each": {
      const of = evaluate(frame, state, event.of);
      state.env.set(event.name, event.keys ? [] : unionAll(of.map((value) => elementsOf(frame, value))));
      waitFor(frame, event.name, sitesOf(frame, event.of));
      comeFrom(frame, event.name, outcomesOf(frame, event.of));
      return;
    }
    case "store":
      store(frame, state, event, block, at);
      return;
    case "await": {
      const sites = sitesOf(frame, event.value);
      const before = refused(frame, state, sites);
      fail(work, block, [...sites].some((site) => frame.removals.has(site)) ? untidy(before) : before);
      const values = evaluate(frame, state, event.value);
      state.env.set(event.name, values);
      waitFor(frame, event.name, sites);
      comeFrom(frame, event.name, outcomesOf(frame, event.value));
      settle(frame, state, sites);
      return;
    }
    case "call": {
      const previous: State = { env: state.env, ways: new Map(state.ways) };
      frame.throwing.clear();
      frame.harmless = false;
      waitFor(
        frame,
        event.result,
        new Set([event.id, ...[event.callee, ...event.args, ...(event.spreads ?? [])].flatMap((operand) => [...sitesOf(frame, operand)])]),
      );
      frame.promised.add(event.result);
      comeFrom(frame, event.result, outcomesOfCall(frame, event));
      holdSites(frame, state, event.args, event.callee);
      const result = call(frame, state, event, block, at);
      state.env.set(event.result, result);
      if (saysFailure(frame, block, event)) giveUp(state, true);
      if (frame.harmless) return;
      for (const [key, ways] of frame.throwing) previous.ways.set(key, ways);
      fail(work, block, frame.removals.has(event.id) ? untidy(previous) : previous);
      return;
    }
    case "yield":
      escape(frame, state, evaluate(frame, state, event.value), momentOf(frame, event.span, block, at));
      return;
    case "dispose":
      dispose(frame, state, event.value, momentOf(frame, event.span, block, at));
  }
}

/** `reject(error)`; in a `catch`, `done(error)` and `next(error)`, too: whoever waits hears of a failure. */
function saysFailure(frame: Frame, block: Block, { callee, args }: Event & { event: "call" }): boolean {
  if (callee.op !== "name" || args.length === 0) return false;
  const name = frame.module.written[callee.name] ?? "";
  return /^(?:reject|rej)$/i.test(name) || (block.caught === true && /^(?:done|next|cb|callback|fail)$/i.test(name));
}

/** `promises.push(upload(p))`: whoever waits for the list waits for the upload. */
function holdSites(frame: Frame, _state: State, args: readonly Operand[], callee: Operand): void {
  if (callee.op !== "member" || !/^(?:push|unshift|add|set)$/.test(callee.name)) return;
  const sites = args.flatMap((arg) => [...sitesOf(frame, arg)]);
  for (const name of operandNames(callee.of)) {
    waitFor(frame, name, new Set(sites));
    comeFrom(frame, name, new Set(args.flatMap((arg) => [...outcomesOf(frame, arg)])));
  }
}

/** Calls that one name can wait for: a text that a thousand calls have gone into waits for none in particular. */
const MOST_SITES = 48;

function waitFor(frame: Frame, name: string, sites: ReadonlySet<number>): void {
  if (sites.size === 0) return;
  const own = frame.sites.get(name) ?? new Set();
  const size = own.size;
  for (const site of sites) if (own.size < MOST_SITES) own.add(site);
  frame.sites.set(name, own);
  if (own.size !== size) frame.changes += 1;
}

function comeFrom(frame: Frame, name: string, sites: ReadonlySet<number>): void {
  if (sites.size === 0) return;
  const own = frame.outcomes.get(name) ?? new Set();
  const size = own.size;
  for (const site of sites) if (own.size < MOST_SITES) own.add(site);
  frame.outcomes.set(name, own);
  if (own.size !== size) frame.changes += 1;
}

/** A call's own outcome, that of what it is a method of, and of promises that it was given: `withTimeout(upload(p))`. */
function outcomesOfCall(frame: Frame, event: Event & { event: "call" }): ReadonlySet<number> {
  const sites = new Set([event.id]);
  const passes = event.callee.op === "global" || (event.callee.op === "member" && event.callee.of.op === "global");
  for (const site of outcomesOf(frame, event.callee)) sites.add(site);
  for (const arg of event.args)
    if (passes || (arg.op === "name" && frame.promised.has(arg.name))) for (const site of outcomesOf(frame, arg)) sites.add(site);
  return sites;
}

/** A deletion throws: what is left behind then is no slip of the code. */
function untidy(state: State): State {
  const ways = new Map<string, Ways>();
  for (const [key, own] of state.ways)
    ways.set(
      key,
      mapWays(own, (way) => way | UNTIDY),
    );
  return { env: state.env, ways };
}

/** What is waited for throws: the uploads that were under way have failed. */
function refused(frame: Frame, state: State, sites: ReadonlySet<number>): State {
  if (sites.size === 0) return state;
  const ways = new Map(state.ways);
  for (const record of frame.files.values()) {
    if (![...record.sites].some((site) => sites.has(site))) continue;
    const own = waysOf(state, record.value);
    if (own.some((way) => way & PENDING))
      ways.set(
        record.value.key,
        mapWays(own, (way) => (way & PENDING ? (way & ~(UPLOADED | PENDING)) | REFUSED : way)),
      );
  }
  return { env: state.env, ways };
}

function settle(frame: Frame, state: State, sites: ReadonlySet<number>): boolean {
  if (sites.size === 0) return false;
  let settled = false;
  for (const record of frame.files.values()) {
    if (![...record.sites].some((site) => sites.has(site))) continue;
    const ways = waysOf(state, record.value);
    if (!ways.some((way) => way & PENDING)) continue;
    settled = true;
    state.ways.set(
      record.value.key,
      mapWays(ways, (way) => way & ~PENDING),
    );
  }
  return settled;
}

function store(frame: Frame, state: State, event: Event & { event: "store" }, block: Block, at: number): void {
  const values = evaluate(frame, state, event.value);
  // `user.avatar = url` does not make the user wait for the upload; a list of promises does.
  if (event.name === undefined)
    for (const name of operandNames(event.object)) {
      waitFor(frame, name, sitesOf(frame, event.value));
      comeFrom(frame, name, outcomesOf(frame, event.value));
    }
  for (const object of evaluate(frame, state, event.object)) {
    put(frame, object, event.name, values);
    // What is put into something that outlives the function is handed on; a parameter's field is the caller's to follow.
    if (!thingOf(frame, object)) escape(frame, state, values, momentOf(frame, event.span, block, at));
  }
}

function dispose(frame: Frame, state: State, operand: Operand, moment: Moment): void {
  for (const value of evaluate(frame, state, operand)) {
    const held = thingOf(frame, value);
    const paths = held ? unionAll(held.fields.values()) : [value];
    const temporary = paths.filter((path) => path.kind === "symbol" && path.temporary === true);
    remove(frame, state, temporary, moment, { recursive: true, caught: true });
  }
}

function momentOf(frame: Frame, span: Span, block: Block, blockIndex: number): Moment {
  const step = { file: frame.module.file, span, statement: span, written: "", function: frame.ref };
  return {
    step,
    block,
    blockIndex,
    call: { event: "call", id: -1, result: "", callee: { op: "nothing" }, args: [], span, statement: span },
  };
}

const NO_SPAN: Span = { start: -1, end: -1 };
const NO_ENV: State["env"] = new Map();

/** An exception here: goes to the block's handler, or leaves the function. */
function fail(work: Run, block: Block, state: State): void {
  if (block.handler === undefined && state.ways.size === 0) return;
  const after = failed(state);
  if (block.handler === undefined)
    addExit(work, { how: "throw", span: NO_SPAN, state: { env: NO_ENV, ways: after.ways }, values: NOTHING, caught: false, block: -1 });
  else flowTo(work, block.handler, after);
}

function leave(work: Run, block: Block, at: number, state: State): void {
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

/** Deletions where nobody gets to: what they were meant for is told by the names. */
function lookAtDeadCode(work: Run): void {
  const { frame } = work;
  const dead = frame.fn.blocks.flatMap((block, index) =>
    work.before[index] === undefined && block.events.length > 0 ? [{ block, index }] : [],
  );
  if (dead.length === 0 || frame.files.size === 0) return;
  const env = new Map<string, Values>();
  // What the names were anywhere: also those that were set in the very block that returns.
  for (const state of [...work.before, ...[...work.exits.values()].map((exit) => exit.state)])
    if (state) for (const [name, values] of state.env) env.set(name, union(env.get(name) ?? NOTHING, values));
  frame.inDeadCode = true;
  const exits = new Map(work.exits);
  for (const { block, index } of dead) {
    const state: State = { env: new Map(env), ways: new Map() };
    for (const event of block.events) runEvent(work, { ...block, handler: -1 }, index, event, state);
    for (const [name, values] of state.env) env.set(name, union(env.get(name) ?? NOTHING, values));
  }
  frame.inDeadCode = false;
  work.exits.clear();
  for (const [key, exit] of exits) work.exits.set(key, exit);
}
