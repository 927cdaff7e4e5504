/** Puts events into blocks and blocks behind each other. */
import type { Event, Exit, Span, Test } from "../flow.ts";
import { NO_EXIT, type FunctionState, type Label, type MutableBlock, type Way } from "./state.ts";

/** Copies of `finally` end here: what is nested so deeply, or left in so many ways, is given up instead of copied. */
const DEEPEST_COPY = 3;
const MOST_BLOCKS = 5000;

export function addBlock(flow: FunctionState, handler = flow.handler, caught = flow.caught): number {
  const block: MutableBlock = { events: [], exit: NO_EXIT };
  if (handler !== undefined) block.handler = handler;
  if (caught) block.caught = true;
  return flow.blocks.push(block) - 1;
}

export function emit(flow: FunctionState, event: Event): void {
  if (flow.current < 0) flow.current = addBlock(flow);
  flow.blocks[flow.current]?.events.push(event);
}

/** Ends the current block. Where nothing leads to there is nothing to end. */
export function exit(flow: FunctionState, way: Exit): void {
  const block = flow.blocks[flow.current];
  if (block) block.exit = way;
  flow.current = -1;
}

export function createLabel(flow: FunctionState): Label {
  return { block: -1, handler: flow.handler, caught: flow.caught };
}

export function blockOf(flow: FunctionState, label: Label): number {
  if (label.block < 0) {
    // Handlers of blocks are those of the place where the label stands, not of the jump.
    const block: MutableBlock = { events: [], exit: NO_EXIT };
    if (label.handler !== undefined) block.handler = label.handler;
    if (label.caught) block.caught = true;
    label.block = flow.blocks.push(block) - 1;
  }
  return label.block;
}

export function goTo(flow: FunctionState, label: Label): void {
  if (flow.current < 0 || flow.current === label.block) return;
  exit(flow, { exit: "goto", to: blockOf(flow, label) });
}

export function branch(flow: FunctionState, test: Test, yes: Label, no: Label, span: Span): void {
  if (flow.current < 0) return;
  exit(flow, { exit: "branch", test, yes: blockOf(flow, yes), no: blockOf(flow, no), span });
}

/** What follows stands at the label; who is on the way here arrives. */
export function place(flow: FunctionState, label: Label): void {
  if (label.block < 0) return;
  goTo(flow, label);
  flow.current = label.block;
}

/** Starts a block of its own, for example because its handler differs. */
export function enterBlock(flow: FunctionState): number {
  const block = addBlock(flow);
  if (flow.current >= 0) exit(flow, { exit: "goto", to: block });
  flow.current = block;
  return block;
}

/**
 * Leaves everything inside of `until` and then takes the exit that `last` makes, running each `finally` on the way. What is
 * lowered afterwards cannot be reached.
 */
export function leave(flow: FunctionState, until: Way | undefined, last: () => void): void {
  const { handler, caught, scope, ways } = flow;
  let gaveUp = false;
  for (let way = ways; way && way !== until; way = way.outer) {
    if (way.way !== "finalizer") continue;
    gaveUp = !mayCopy(flow);
    if (gaveUp) break;
    flow.ways = way.outer;
    flow.handler = way.handler;
    flow.scope = way.scope;
    // Where nothing leads to, the copy is made all the same: its events are looked at as unreachable code.
    if (flow.current >= 0) enterBlock(flow);
    copy(flow, way.run);
    if (flow.current < 0) break;
  }
  if (gaveUp) exit(flow, { exit: "throw", span: { start: flow.statement.pos, end: flow.statement.end } });
  else if (flow.current >= 0) last();
  flow.current = -1;
  flow.handler = handler;
  flow.caught = caught;
  flow.scope = scope;
  flow.ways = ways;
}

export function mayCopy(flow: FunctionState): boolean {
  return flow.copying < DEEPEST_COPY && flow.blocks.length < MOST_BLOCKS;
}

export function copy(flow: FunctionState, run: () => void): void {
  flow.copying++;
  finalize(flow, run);
  flow.copying--;
}

export function finalize(flow: FunctionState, run: () => void): void {
  const { statement, statementSpan } = flow;
  flow.finalizing++;
  run();
  flow.finalizing--;
  flow.statement = statement;
  flow.statementSpan = statementSpan;
}
