/** The files that a run knows: which of them a value stands for, their ways and their traces. */
import { type FileRecord, type Frame, type State, thingOf } from "./frame.ts";
import { fits, isBelow, isPattern, listedIn } from "./paths.ts";
import { callsAny } from "./roots.ts";
import { addStep, MADE, mapWays, NO_TRACE, OTHERS, OUTPUT, type Step, type Trace, type Ways } from "./summary.ts";
import { atomsOf, NOTHING, TMP, type Value, type Values } from "./value.ts";

/** The file at a value, on record from now on. Undefined for what is no file: an address, a pipe, nothing at all. */
export function fileAt(frame: Frame, state: State, value: Value): FileRecord | undefined {
  if (frame.scratch || !isPath(value)) return undefined;
  let record = frame.files.get(value.key);
  if (!record) {
    record = {
      value,
      trace: NO_TRACE,
      directory: false,
      recursive: false,
      from: [],
      lopsided: false,
      named: false,
      announced: false,
      sites: new Set(),
      names: NOTHING,
    };
    frame.files.set(value.key, record);
    frame.changes += 1;
  }
  if (!state.ways.has(value.key)) state.ways.set(value.key, waysOf(state, value));
  return record;
}

export function waysOf(state: State, value: Value): Ways {
  const known = state.ways.get(value.key);
  if (known) return known;
  const others = state.ways.get(OTHERS);
  return others ? mapWays(initial(value), (way) => others.map((other) => way | other)) : initial(value);
}

function initial(value: Value): Ways {
  return value.kind === "symbol" && value.temporary && value.root === "fresh" ? [MADE] : [0];
}

const NO_FILE = /^(?:https?:|data:|rtmps?:|blob:|ftp:|s3:|gs:|pipe:|-$|\/dev\/|NUL$|\s*$)|^[^/.]{0,3}$/i;
/** Of a message: `Could not read: `. */
const PROSE = /[\r\n]|[:;!?]\s/;

/** Whether it may be the path of a file: no address, no message, nothing that is not there. */
export function isPath(value: Value): boolean {
  const parts = atomsOf(value);
  const [first] = parts;
  if (value.kind === "text" || value.kind === "joined")
    return (
      first !== undefined &&
      !(first.kind === "text" && NO_FILE.test(value.kind === "text" ? first.text : `${first.text}____`)) &&
      !parts.some((part) => part.kind === "text" && PROSE.test(part.text))
    );
  if (value.kind === "derived") return !/^=(?:null|undefined)\b/.test(value.key);
  return value.kind === "symbol" && value.key !== TMP.key && !value.key.startsWith("?");
}

/** The files that a value leads to: itself, or what its contents were read from. */
export function filesBehind(frame: Frame, values: Values, depth = 0): Values {
  const result: Value[] = [];
  for (const value of values) {
    const thing = thingOf(frame, value);
    if (!thing) {
      if (value.kind !== "literal" && value.kind !== "function" && value.kind !== "class" && value.kind !== "library") result.push(value);
    } else if (depth < 4) result.push(...filesBehind(frame, thing.carries, depth + 1));
  }
  return result;
}

/** What can be reached from values: through fields, elements and contents. What is nearer comes first, as there may be too much. */
export function reachable(frame: Frame, values: Values): Value[] {
  const found: Value[] = [];
  const seen = new Set<string>();
  let near: readonly Value[] = values;
  for (let depth = 0; near.length > 0 && depth <= DEEPEST_REACH; depth += 1) {
    const next: Value[] = [];
    for (const value of near) {
      if (seen.has(value.key)) continue;
      seen.add(value.key);
      const thing = thingOf(frame, value);
      if (thing) {
        for (const list of thing.fields.values()) next.push(...list);
        next.push(...thing.elements, ...(thing.sent ? NOTHING : thing.carries), ...thing.rest);
      } else if (value.kind === "function") next.push(...(value.before ?? []).flat());
      else if (value.kind !== "literal" && value.kind !== "class" && value.kind !== "library") found.push(value);
    }
    if (found.length > MOST_REACHED) break;
    near = next;
  }
  return found;
}

const DEEPEST_REACH = 10;
const MOST_REACHED = 60;

/** Files on record that a value stands for: itself and, for an entry of a listed directory, what is known to lie there. */
export function meant(frame: Frame, state: State, value: Value): FileRecord[] {
  const own = fileAt(frame, state, value);
  const directory = listedIn(value);
  const result = own ? [own] : [];
  const pattern = isPattern(value);
  if (directory || pattern)
    for (const other of frame.files.values()) {
      if (other === own) continue;
      // What is made later was not there.
      const fitting = (directory && isBelow(other.value, directory)) || (pattern && fits(other.value, value));
      if (fitting && isThere(state, other)) result.push(other);
    }
  return result;
}

/** The same of what is deleted: the bare name of an entry is looked for where the program runs, not in the directory that it lies in. */
export function deletable(frame: Frame, state: State, value: Value): FileRecord[] {
  const isBare = value.kind === "derived" && value.how === "entry" && !callsAny(frame.program, frame.module, "chdir");
  // Of what lies in a directory that is emptied, what is made later is not meant.
  return isBare ? [] : meant(frame, state, value).filter((record) => record.value.key === value.key || isThere(state, record));
}

export function isThere(state: State, { value, trace }: FileRecord): boolean {
  return trace.made.length + trace.output.length === 0 || waysOf(state, value).some((way) => way & (MADE | OUTPUT));
}

type List = keyof Trace;

export function note(frame: Frame, record: FileRecord, list: List, step: Step): void {
  if (frame.inDeadCode) return;
  const steps = addStep(record.trace[list], step);
  if (steps === record.trace[list]) return;
  record.trace = { ...record.trace, [list]: steps };
  frame.changes += 1;
}

export function change(state: State, record: FileRecord, how: (way: number) => number | readonly number[]): void {
  state.ways.set(record.value.key, mapWays(waysOf(state, record.value), how));
}

export function looksLikePath(value: Value): boolean {
  return atomsOf(value).some((part) => part.kind === "text" && /\/|\.\w{2,5}$/.test(part.text));
}
