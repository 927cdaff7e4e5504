/** What each event of a block does to the state. */
import { call } from "./call.ts";
import { put } from "./collections.ts";
import { type Moment, remove } from "./effects.ts";
import { escape, handOn } from "./escapes.ts";
import { evaluate } from "./evaluate.ts";
import type { Block, Event, Operand, Span } from "./flow.ts";
import { type Frame, type State, thingOf } from "./frame.ts";
import { fail } from "./leave.ts";
import { elementsOf } from "./members.ts";
import { giveUp, operandNames, outcomesOf, sitesOf } from "./refine.ts";
import type { Run } from "./solve.ts";
import { unionAll } from "./value.ts";
import { comeFrom, holdSites, outcomesOfCall, refused, settle, untidy, waitFor } from "./waits.ts";

export function runEvent(work: Run, block: Block, at: number, event: Event, state: State): void {
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

function store(frame: Frame, state: State, event: Event & { event: "store" }, block: Block, at: number): void {
  const values = evaluate(frame, state, event.value);
  // `user.avatar = url` does not make the user wait for the upload; a list of promises does.
  if (event.name === undefined)
    for (const name of operandNames(event.object)) {
      waitFor(frame, name, sitesOf(frame, event.value));
      comeFrom(frame, name, outcomesOf(frame, event.value));
    }
  const objects = evaluate(frame, state, event.object);
  for (const object of objects) put(frame, object, event.name, values);
  handOn(frame, state, objects, values, momentOf(frame, event.span, block, at));
}

function dispose(frame: Frame, state: State, operand: Operand, moment: Moment): void {
  for (const value of evaluate(frame, state, operand)) {
    const held = thingOf(frame, value);
    const paths = held ? unionAll(held.fields.values()) : [value];
    const temporary = paths.filter((path) => path.kind === "symbol" && path.temporary === true);
    remove(frame, state, temporary, moment, { recursive: true, caught: true });
  }
}

export function momentOf(frame: Frame, span: Span, block: Block, blockIndex: number): Moment {
  const step = { file: frame.module.file, span, statement: span, written: "", function: frame.ref };
  return {
    step,
    block,
    blockIndex,
    call: { event: "call", id: -1, result: "", callee: { op: "nothing" }, args: [], span, statement: span },
  };
}
