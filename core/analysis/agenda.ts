/** The order in which the blocks of a function are run: each after what leads to it, as far as loops allow. */
import type { Block, FlowFunction } from "./flow.ts";

export interface Agenda {
  add(block: number): void;
  /** Undefined: all is done. */
  next(): number | undefined;
}

/** An agenda with the function's first block on it. */
export function openAgenda(fn: FlowFunction): Agenda {
  const { order, places } = ordered(fn);
  const waiting = new Uint8Array(order.length);
  let from = 0;
  waiting[0] = 1;
  return {
    add(block) {
      const place = places[block] ?? 0;
      waiting[place] = 1;
      if (place < from) from = place;
    },
    next() {
      while (from < waiting.length && waiting[from] === 0) from += 1;
      if (from >= waiting.length) return undefined;
      waiting[from] = 0;
      return order[from];
    },
  };
}

/** Whether the function has a loop. */
export function isCyclic(fn: FlowFunction): boolean {
  return ordered(fn).cyclic;
}

interface Order {
  /** Blocks in reverse postorder: a branch before what follows it, exceptions after the normal way. */
  readonly order: readonly number[];
  /** Place of each block in it. */
  readonly places: readonly number[];
  readonly cyclic: boolean;
}

const known = new WeakMap<FlowFunction, Order>();

function ordered(fn: FlowFunction): Order {
  const there = known.get(fn);
  if (there) return there;
  const after: number[] = [];
  const seen = new Uint8Array(fn.blocks.length);
  const stack: { readonly block: number; readonly next: number[] }[] = [];
  const enter = (block: number): void => {
    seen[block] = 1;
    stack.push({ block, next: successors(fn.blocks[block]) });
  };
  enter(0);
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const to = top.next.pop();
    if (to === undefined) {
      after.push(top.block);
      stack.pop();
    } else if (seen[to] === 0) enter(to);
  }
  const order = after.reverse();
  const places: number[] = [];
  for (const [place, block] of order.entries()) places[block] = place;
  const cyclic = order.some((block, place) => successors(fn.blocks[block]).some((to) => (places[to] ?? 0) <= place));
  const result = { order, places, cyclic };
  known.set(fn, result);
  return result;
}

/** In the order in which they are to be run: the last one is followed first, and so comes last. */
function successors(block: Block | undefined): number[] {
  if (!block) return [];
  const { exit, handler } = block;
  const to = exit.exit === "goto" ? [exit.to] : exit.exit === "branch" ? [exit.yes, exit.no] : exit.exit === "any" ? [...exit.to] : [];
  return handler === undefined || handler < 0 ? to : [...to, handler];
}
