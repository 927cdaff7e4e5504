/**
 * Functions that call each other. What one of them does hangs on what the others do, so all are run again until none says anything new:
 * whichever of them is asked for first, the answer is the same, as long as that is not too much work. Only the one that was asked for first begins again; the others run
 * once in each round.
 */
import type { Program } from "./program.ts";
import type { Summary } from "./summary.ts";

export interface Recursion {
  /** Functions that are being run, each with its place in the chain of those that wait for each other. */
  readonly running: Map<string, number>;
  /** Functions that ran with what one that is still running was known to do so far, and the place of the first such one. */
  readonly unsettled: Map<string, number>;
  /** What is known of them from the round before. */
  readonly guesses: Map<string, Summary>;
  /** Place of the first running function that the work at hand relies on; infinite: it relies on none. */
  first: number;
}

export function newRecursion(): Recursion {
  return { running: new Map(), unsettled: new Map(), guesses: new Map(), first: Number.POSITIVE_INFINITY };
}

/** Whether the function is being run. Whoever asks relies on what will come of it. */
export function isRunning({ recursion }: Program, key: string): boolean {
  const place = recursion.running.get(key);
  recursion.first = Math.min(recursion.first, place ?? recursion.unsettled.get(key) ?? Number.POSITIVE_INFINITY);
  return place !== undefined;
}

/** Whether what `work` finds out is final: nothing that it asked for may still change. */
export function settles<Result>({ recursion }: Program, work: () => Result): { readonly result: Result; readonly settled: boolean } {
  const outer = recursion.first;
  recursion.first = Number.POSITIVE_INFINITY;
  try {
    const result = work();
    return { result, settled: recursion.first === Number.POSITIVE_INFINITY };
  } finally {
    recursion.first = Math.min(outer, recursion.first);
  }
}

const ROUNDS = 4;
/** Of those that take more work, and of those that have nothing to do with files, only the first is run again. */
const MOST_WORK = 2_000;

/** Runs a function, and those that it calls and that call it, until nothing new is learnt. */
export function solveTogether(program: Program, key: string, solve: () => Summary): Summary {
  const { recursion } = program;
  const place = recursion.running.size;
  const outer = recursion.first;
  recursion.running.set(key, place);
  try {
    for (let round = 1; ; round += 1) {
      recursion.first = Number.POSITIVE_INFINITY;
      const summary = solve();
      const { first } = recursion;
      if (first < place) {
        // Whoever relies on this one relies on that one, too.
        for (const [other, at] of recursion.unsettled) if (at === place) recursion.unsettled.set(other, first);
        recursion.unsettled.set(key, first);
        return summary;
      }
      if (first > place) return summary;
      const members = [...recursion.unsettled].flatMap(([other, at]) => (at === place ? [other] : []));
      const all = [key, ...members];
      const isSettled = all.every((one) => isSame(program.summaries.get(one), recursion.guesses.get(one)));
      for (const one of members) recursion.unsettled.delete(one);
      const together = all.some((one) => touchesFiles(program.summaries.get(one))) && workOf(program, all) <= MOST_WORK;
      if (isSettled || round >= (together ? ROUNDS : 2)) {
        for (const one of all) recursion.guesses.delete(one);
        recursion.first = Number.POSITIVE_INFINITY;
        return summary;
      }
      setBack(program, key);
      for (const one of together ? members : []) {
        setBack(program, one);
        program.bases.delete(one);
      }
    }
  } finally {
    recursion.running.delete(key);
    recursion.first = Math.min(outer, recursion.first);
  }
}

/** How long it takes to run them, about: blocks, each with what is known of the files. */
function workOf(program: Program, keys: readonly string[]): number {
  let work = 0;
  for (const key of keys) {
    const report = program.reports.get(key);
    work += (report?.fn.blocks.length ?? 0) * (10 + (report?.frame.files.size ?? 0));
  }
  return work;
}

function touchesFiles(summary: Summary | undefined): boolean {
  return summary !== undefined && summary.effects.length + summary.commands.length > 0;
}

/** What was found out becomes a guess. */
function setBack(program: Program, key: string): void {
  const summary = program.summaries.get(key);
  if (summary) program.recursion.guesses.set(key, summary);
  program.summaries.delete(key);
  program.reports.delete(key);
}

function isSame(a: Summary | undefined, b: Summary | undefined): boolean {
  return a !== undefined && b !== undefined && textOf(a) === textOf(b);
}

const texts = new WeakMap<Summary, string>();

function textOf(summary: Summary): string {
  const known = texts.get(summary);
  if (known !== undefined) return known;
  const text = JSON.stringify(summary, inFull);
  texts.set(summary, text);
  return text;
}

function inFull(_key: string, value: unknown): unknown {
  return value instanceof Map || value instanceof Set ? [...(value as Iterable<unknown>)] : value;
}
