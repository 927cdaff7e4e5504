/** What one event does to files: marks on their ways, and steps on their traces. */
import { callsAny } from "./roots.ts";
import type { Block, CallEvent, Exit } from "./flow.ts";
import { isTemporary } from "./leaks.ts";
import { type FileRecord, type Frame, type Observation, type State, thingOf } from "./frame.ts";
import {
  ABSENT,
  addStep,
  DELETED,
  ESCAPED,
  FAILED,
  FOUND,
  KEPT,
  LATER,
  MADE,
  mapWays,
  NO_TRACE,
  OTHERS,
  OUTPUT,
  PENDING,
  READ,
  REFUSED,
  RETURNED,
  SERVED,
  type Step,
  type Trace,
  UPLOADED,
  type Ways,
} from "./summary.ts";
import {
  dirnameOf,
  type Atom,
  atomsOf,
  basenameOf,
  fits,
  isBelow,
  isHandedIn,
  isPattern,
  joined,
  listedIn,
  NOTHING,
  text,
  TMP,
  union,
  unionAll,
  type Value,
  type Values,
  isCut,
} from "./value.ts";

/** The event that is being looked at. */
export interface Moment {
  readonly step: Step;
  readonly call: CallEvent;
  readonly block: Block;
  readonly blockIndex: number;
  /** How a function that was passed on is called: see `When` of the catalogue. */
  readonly deferred?: boolean;
}

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

const NO_FILE = /^(?:https?:|data:|rtmps?:|blob:|ftp:|s3:|gs:|pipe:|-$|\/dev\/|NUL$|\s*$)|^[^/.]{0,3}$|\n/i;

function isPath(value: Value): boolean {
  const [first] = atomsOf(value);
  if (value.kind === "text" || value.kind === "joined")
    return first !== undefined && !(first.kind === "text" && NO_FILE.test(value.kind === "text" ? first.text : `${first.text}____`));
  return (value.kind === "symbol" && value.key !== TMP.key && !value.key.startsWith("?")) || value.kind === "derived";
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

/** Every file that can be reached from a value: through fields, elements and contents. */
export function reachable(frame: Frame, values: Values, into: Value[] = [], seen: Set<string> = new Set(), depth = 0): Value[] {
  for (const value of values) {
    if (seen.has(value.key) || depth > 10 || into.length > 60) continue;
    seen.add(value.key);
    const thing = thingOf(frame, value);
    if (thing) {
      for (const list of [...thing.fields.values(), thing.elements, thing.sent ? NOTHING : thing.carries, thing.rest])
        reachable(frame, list, into, seen, depth + 1);
    } else if (value.kind === "function") {
      for (const bound of value.before ?? []) reachable(frame, bound, into, seen, depth + 1);
    } else if (value.kind !== "literal" && value.kind !== "class" && value.kind !== "library") into.push(value);
  }
  return into;
}

/** Files on record that a value stands for: itself and, for an entry of a listed directory, what is known to lie there. */
export function meant(frame: Frame, state: State, value: Value): FileRecord[] {
  const own = fileAt(frame, state, value);
  const directory = listedIn(value);
  const result = own ? [own] : [];
  if (directory) for (const other of frame.files.values()) if (other !== own && isBelow(other.value, directory)) result.push(other);
  if (isPattern(value)) for (const other of frame.files.values()) if (other !== own && fits(other.value, value)) result.push(other);
  return result;
}

/** The same of what is deleted: the bare name of an entry is looked for where the program runs, not in the directory that it lies in. */
export function deletable(frame: Frame, state: State, value: Value): FileRecord[] {
  const isBare = value.kind === "derived" && value.how === "entry" && !callsAny(frame.program, frame.module, "chdir");
  // Of what lies in a directory that is emptied, what is made later is not meant.
  return isBare ? [] : meant(frame, state, value).filter((record) => record.value.key === value.key || isThere(state, record));
}

function isThere(state: State, { value, trace }: FileRecord): boolean {
  return trace.made.length + trace.output.length === 0 || waysOf(state, value).some((way) => way & (MADE | OUTPUT));
}

type List = keyof Trace;

function note(frame: Frame, record: FileRecord, list: List, step: Step): void {
  if (frame.inDeadCode) return;
  const steps = addStep(record.trace[list], step);
  if (steps === record.trace[list]) return;
  record.trace = { ...record.trace, [list]: steps };
  frame.changes += 1;
}

function change(state: State, record: FileRecord, how: (way: number) => number | readonly number[]): void {
  state.ways.set(record.value.key, mapWays(waysOf(state, record.value), how));
}

export function make(frame: Frame, state: State, values: Values, moment: Moment, output = false): void {
  for (const value of filesBehind(frame, values)) {
    const record = fileAt(frame, state, value);
    if (!record) continue;
    // A callback that was registered before removes the directory: it runs when the file is there.
    const later = [...frame.files.values()].some(
      (other) =>
        other.recursive && other !== record && waysOf(state, other.value).some((way) => way & LATER) && isBelow(value, other.value),
    );
    change(state, record, (way) => begun(way) | MADE | (output ? OUTPUT : 0) | (later ? LATER : 0));
    const mark = output ? frame.marks.get(value.key) : undefined;
    note(frame, record, output ? "output" : "made", mark ? { ...moment.step, mark } : moment.step);
  }
}

export function upload(
  frame: Frame,
  state: State,
  values: Values,
  moment: Moment,
  options: { readonly byValue: boolean; readonly pending: boolean; readonly inMemory?: boolean },
): void {
  for (const value of filesBehind(frame, values)) {
    if (options.inMemory !== true) observe(frame, state, "use", [value], moment);
    for (const record of meant(frame, state, value)) {
      frame.throwing.set(
        record.value.key,
        mapWays(waysOf(state, record.value), (way) => way | REFUSED | FAILED),
      );
      change(state, record, (way) => {
        // Another attempt that went well makes up for those that did not.
        const sent = (way & ~(REFUSED | FAILED)) | UPLOADED | (options.pending ? PENDING : 0);
        return options.byValue ? [sent, way | REFUSED] : sent;
      });
      note(frame, record, "uploaded", moment.step);
      record.sites.add(moment.call.id);
    }
  }
}

export function assemble(frame: Frame, state: State, inputs: Values, outputs: Values, moment: Moment): void {
  const named = unionAll(inputs.map((value) => frame.files.get(value.key)?.names ?? NOTHING));
  // Nothing is made from itself: where an input has the name of an output it is one that was made before.
  const made = new Set(outputs.map((output) => output.key));
  for (const value of filesBehind(frame, union(inputs, named))) {
    observe(frame, state, "use", [value], moment);
    for (const record of meant(frame, state, value)) {
      change(state, record, (way) => (made.has(record.value.key) && !(way & MADE) ? way : way | READ));
      note(frame, record, "read", moment.step);
    }
  }
  make(frame, state, outputs, moment, true);
}

/** Sent to the one who has asked for it. Whether anybody can ask again is told by its name, where that is known. */
export function serve(frame: Frame, state: State, values: Values, moment: Moment): void {
  const known = new Set<string>();
  for (const value of filesBehind(frame, values)) {
    const record = value.kind === "derived" ? undefined : fileAt(frame, state, value);
    if (!record) continue;
    known.add(value.key);
    change(state, record, (way) => (way & ESCAPED ? way : way | ESCAPED | SERVED));
    note(frame, record, "served", moment.step);
  }
  escape(
    frame,
    state,
    values.filter((value) => !known.has(value.key)),
    moment,
  );
}

/** What the caller hands in as it is, or a function around this one has: that it is looked at here is worth to be known there. */
function isGiven(value: Value): boolean {
  return (
    value.kind === "symbol" &&
    (value.root === "parameter" || value.root === "captured") &&
    value.library === undefined &&
    value.type === undefined
  );
}

export function use(frame: Frame, state: State, values: Values, moment: Moment, checked = false): void {
  for (const value of filesBehind(frame, values)) {
    if (!frame.files.has(value.key) && value.kind !== "joined" && value.kind !== "text" && !isGiven(value)) continue;
    observe(frame, state, checked ? "mention" : "use", [value], moment);
    const record = fileAt(frame, state, value);
    if (!record) continue;
    note(frame, record, checked ? "checked" : "used", moment.step);
  }
}

export function escape(frame: Frame, state: State, values: Values, moment: Moment): void {
  if (frame.scratch) return;
  const all = reachable(frame, values);
  if (isCut(values)) loseSight(frame, state, all, ESCAPED);
  for (const value of all) {
    if (value.kind === "joined" || value.kind === "text") {
      const record = looksLikePath(value) ? fileAt(frame, state, value) : frame.files.get(value.key);
      if (record) escapeFile(frame, state, record, moment);
      escapeNamed(state, frame, value);
      continue;
    }
    for (const record of frame.files.values()) if (derivesFrom(record.value, value)) escapeFile(frame, state, record, moment);
    // `save(path.replace(ROOT, ""))`, `save(basename(path))`: the file is known under a part of its path.
    const whole = wholeOf(value);
    const known = whole === value ? undefined : frame.files.get(whole.key);
    if (known && known.trace.uploaded.length === 0) escapeFile(frame, state, known, moment);
    if (frame.escapes.size < MOST_ESCAPES && isHandedIn(value)) frame.escapes.set(value.key, value);
  }
}

/** `/renders/${name}` is what `${RENDERS}/${name}` is served as. Undefined: the file has no name of its own. */
function nameOf(file: Value): Value | undefined {
  const known = names.get(file);
  if (known) return known.name;
  const name = basenameOf(file);
  const found = atomsOf(name).some((part) => part.kind !== "text") ? name : undefined;
  names.set(file, { name: found });
  return found;
}

const names = new WeakMap<Value, { readonly name: Value | undefined }>();

/**
 * Files that are handed on under the address that they are served at: that is what an output is for that nothing else is done with.
 * Of others it is not known, and so no fix may delete them.
 */
export function escapeNamed(state: State, frame: Frame, address: Value, returned = false): void {
  if (address.kind !== "joined") return;
  const last = basenameOf(address).key;
  for (const record of frame.files.values()) {
    const { value, trace } = record;
    const name = nameOf(value)?.key;
    if (name === undefined || value.key === address.key || (name !== address.key && name !== last)) continue;
    // The bare name goes back to who knows the directory; an address has its server.
    const bit = returned && name === address.key ? RETURNED : ESCAPED;
    if (trace.output.length > 0 && trace.uploaded.length === 0 && trace.read.length === 0) change(state, record, (way) => way | bit);
    else if (!isTemporary(value)) record.named = true;
  }
}

const MOST_ESCAPES = 80;

/** What a part of a path was cut from. */
export function wholeOf(value: Value): Value {
  let at = value;
  while (at.kind === "derived" && (at.how === "basename" || (at.how === "call" && CUTS.test(at.name)))) at = at.of;
  return at;
}

const CUTS = /^(?:replace|replaceAll|slice|substring|substr|split|pop|relative|trim|toString|normalize|resolve)$/;

function escapeFile(frame: Frame, state: State, record: FileRecord, moment: Moment): void {
  change(state, record, (way) => (way & ~SERVED) | ESCAPED);
  note(frame, record, "escaped", moment.step);
}

/** Whether the file's path is the value, one of its fields, or one of its elements. */
function derivesFrom(file: Value, value: Value): boolean {
  let at: Value = file;
  for (let depth = 0; depth < 8; depth += 1) {
    if (at.key === value.key) return true;
    if (at.kind !== "derived" || at.how === "dirname") return false;
    at = at.of;
  }
  return false;
}

export function looksLikePath(value: Value): boolean {
  return atomsOf(value).some((part) => part.kind === "text" && /\/|\.\w{2,5}$/.test(part.text));
}

export interface Removal {
  readonly recursive: boolean;
  /** Only what is in the directory. */
  readonly contents?: boolean;
  readonly later?: boolean;
  readonly caught?: boolean;
  readonly awaited?: boolean;
}

export function remove(frame: Frame, state: State, values: Values, moment: Moment, removal: Removal): void {
  const bit = removal.later ? LATER : DELETED;
  const files = filesBehind(frame, values);
  observe(frame, state, "delete", files, moment, removal);
  if (files.length > 0) frame.removals.add(moment.call.id);
  if (isCut(values)) loseSight(frame, state, files, LATER);
  for (const value of files) {
    for (const record of deletable(frame, state, value)) {
      if (removal.recursive) record.recursive = true;
      frame.throwing.set(
        record.value.key,
        mapWays(waysOf(state, record.value), (way) => way | bit | FAILED),
      );
      change(state, record, (way) => (way & ~(removal.later ? 0 : PENDING)) | bit);
      note(frame, record, "deleted", moment.step);
    }
    if (removal.recursive || removal.contents) removeBelow(frame, state, value, moment, bit);
  }
}

/** Something happened to more files than can be told apart: it may be any of those that lie beside the known ones. */
export function loseSight(frame: Frame, state: State, known: Values, bit: number): void {
  const directories = new Set(known.map((value) => dirnameOf(value).key));
  for (const record of frame.files.values())
    if (directories.has(dirnameOf(record.value).key))
      change(state, record, (way) => (way & (MADE | OUTPUT | UPLOADED | READ) ? way | bit : way));
}

function removeBelow(frame: Frame, state: State, directory: Value, moment: Moment, bit: number): void {
  for (const record of frame.files.values()) {
    if (record.value.key === directory.key || !isBelow(record.value, directory) || !isThere(state, record)) continue;
    frame.throwing.set(
      record.value.key,
      mapWays(waysOf(state, record.value), (way) => way | bit | FAILED),
    );
    change(state, record, (way) => way | bit);
    note(frame, record, "deleted", moment.step);
  }
}

/** A deletion that ends elsewhere, seen as a whole: what a called function did to one of our files. */
export function compose(way: number, effect: number): number {
  const after = (effect & MADE && !(effect & (DELETED | LATER)) ? begun(way) : way) | effect;
  return isKeptElsewhere(way) || isKeptElsewhere(effect) ? after & ~SERVED : after;
}

function isKeptElsewhere(way: number): boolean {
  return (way & (ESCAPED | SERVED)) === ESCAPED;
}

/** A file that is made begins anew: what went wrong before there was one is not about it, nor is what was read of one that was there. */
function begun(way: number): number {
  // What is sent or deleted when it is there was said by a function that is called then: its failures are about this file.
  const anew = way & MADE ? 0 : (way & (UPLOADED | LATER) ? 0 : FAILED) | (way & FOUND ? READ : 0);
  return way & ~(DELETED | ABSENT | FOUND | anew);
}

export function applyBelow(frame: Frame, state: State, directory: Value, ways: Ways, step: Step): void {
  const bits = DELETED | LATER | UPLOADED | READ | ABSENT | KEPT;
  for (const record of frame.files.values()) {
    if (record.value.key === directory.key || !isBelow(record.value, directory)) continue;
    state.ways.set(
      record.value.key,
      mapWays(waysOf(state, record.value), (way) => ways.map((effect) => way | (effect & bits))),
    );
    if (ways.some((effect) => effect & (DELETED | LATER))) note(frame, record, "deleted", step);
  }
}

/** All files as they are when an exception is thrown here. */
export function failed(state: State): State {
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

/** Whether whoever catches an exception throws it on, or hands it to a callback: `catch (error) { done(error); }`. */
function isHandedOn(frame: Frame, handler: number): boolean {
  const { blocks } = frame.fn;
  const seen = new Set<number>();
  for (let at: number | undefined = handler; at !== undefined && !seen.has(at);) {
    seen.add(at);
    const block: Block | undefined = blocks[at];
    if (!block?.caught) return false;
    for (const event of block.events)
      if (
        event.event === "call" &&
        event.args.length > 0 &&
        event.callee.op === "name" &&
        /^(?:done|next|cb|callback|reject|fail)$/i.test(frame.module.written[event.callee.name] ?? "")
      )
        return true;
    const exit: Exit = block.exit;
    if (exit.exit === "throw") return block.handler === undefined;
    at = exit.exit === "goto" ? exit.to : undefined;
  }
  return false;
}

function waysBelow(frame: Frame, state: State, directories: Values): ReadonlyMap<string, Ways> {
  const below = new Map<string, Ways>();
  for (const { value } of frame.files.values())
    if (directories.some((directory) => isBelow(value, directory))) below.set(value.key, waysOf(state, value));
  return below;
}

export function observe(frame: Frame, state: State, what: Observation["what"], files: Values, moment: Moment, removal?: Removal): void {
  if (frame.scratch) return;
  if (frame.inDeadCode && what !== "delete") return;
  const keys = files.map((file) => file.key);
  const observation: Observation = {
    what,
    step: moment.step,
    files: keys,
    ways: files.map((file) => waysOf(state, file)),
    block: moment.blockIndex,
    values: files,
    direct: moment.step.inner === undefined,
    ...(removal?.recursive && { below: waysBelow(frame, state, files) }),
    ...(removal && {
      recursive: removal.recursive,
      escapes: removal.caught !== true && (moment.block.handler === undefined || isHandedOn(frame, moment.block.handler)),
      guarded: removal.caught === true,
      awaited: removal.awaited ?? true,
      caught: moment.block.caught === true,
    }),
  };
  const list = frame.inDeadCode ? frame.dead : frame.observed;
  const at = list.findIndex((other) => other.what === what && other.step === moment.step && other.block === moment.blockIndex);
  if (at >= 0) list[at] = observation;
  else list.push(observation);
}

/** What a file's text names: paths between quotes, blanks and line ends. */
export function pathsInText(frame: Frame, values: Values, depth = 0): Values {
  const result: Value[] = [];
  for (const value of values) {
    const thing = thingOf(frame, value);
    if (thing && depth < 4)
      result.push(
        ...pathsInText(frame, thing.elements, depth + 1),
        ...[...thing.fields.values()].flatMap((field) => pathsInText(frame, field, depth + 1)),
      );
    else if (value.kind === "joined") result.push(...wordsIn(value.parts));
    else if (value.kind === "derived") result.push(unescaped(value));
  }
  return result;
}

function wordsIn(parts: readonly Atom[]): Value[] {
  const words: Atom[][] = [[]];
  for (const part of parts) {
    if (part.kind !== "text") {
      words.at(-1)?.push(unescaped(part) as Atom);
      continue;
    }
    const [first = "", ...rest] = part.text.split(/['"\s]/);
    if (first !== "") words.at(-1)?.push(text(first));
    for (const piece of rest) words.push(piece === "" ? [] : [text(piece)]);
  }
  return words.filter((word) => word.some((part) => part.kind !== "text")).map((word) => joined(word));
}

/** `p.replace(/'/g, "…")` is still about `p`. */
export function unescaped(value: Value): Value {
  let at = value;
  while (at.kind === "derived" && at.how === "call" && /^(?:replace|replaceAll|trim|toString|normalize|resolve|join)$/.test(at.name))
    at = at.of;
  return at;
}
