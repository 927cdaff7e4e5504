/** Runs one function over its flow graph: every way each of its files can go, to a fixpoint. */
import { type Agenda, isCyclic, openAgenda } from "./agenda.ts";
import { evaluate } from "./evaluate.ts";
import { runEvent } from "./events.ts";
import { type Facts, factsOf, unsettle } from "./facts.ts";
import type { FlowFunction, FlowModule } from "./flow.ts";
import { createFrame, type FileRecord, type Frame, libraryOf, type State } from "./frame.ts";
import { visit } from "./incremental.ts";
import { leave, type WayOut } from "./leave.ts";
import { typeOf } from "./members.ts";
import { functionOf, keyOf, newBasis, type Program } from "./program.ts";
import { isRunning, solveTogether } from "./recursion.ts";
import { summarize } from "./summarize.ts";
import {
  ABSENT,
  DELETED,
  ESCAPED,
  FAILED,
  KEPT,
  LATER,
  MADE,
  OUTPUT,
  READ,
  REFUSED,
  RETURNED,
  type Summary,
  UNSUCCESSFUL,
  UPLOADED,
} from "./summary.ts";
import { type FunctionRef, NOTHING, type Symbol_, union, type Values } from "./value.ts";

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

export interface Run {
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
