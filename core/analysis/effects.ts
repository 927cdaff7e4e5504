/** What one event does to files: marks on their ways, and steps on their traces. */
import { escape } from "./escapes.ts";
import type { Block, CallEvent } from "./flow.ts";
import type { Frame, State } from "./frame.ts";
import { observe } from "./observe.ts";
import { dirnameOf, isBelow } from "./paths.ts";
import { change, deletable, fileAt, filesBehind, isThere, meant, note, waysOf } from "./records.ts";
import {
  ABSENT,
  DELETED,
  ESCAPED,
  FAILED,
  FOUND,
  KEPT,
  LATER,
  MADE,
  mapWays,
  OUTPUT,
  PENDING,
  READ,
  REFUSED,
  SERVED,
  type Step,
  UNTIDY,
  UPLOADED,
  type Ways,
} from "./summary.ts";
import { isCut, NOTHING, union, unionAll, type Value, type Values } from "./value.ts";

/** The event that is being looked at. */
export interface Moment {
  readonly step: Step;
  readonly call: CallEvent;
  readonly block: Block;
  readonly blockIndex: number;
  /** How a function that was passed on is called: see `When` of the catalogue. */
  readonly deferred?: boolean;
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
  const before = effect & MADE && !(effect & (DELETED | LATER)) ? begun(way) : way;
  // Another attempt that went well makes up for those that did not.
  const after = (effect & UPLOADED && !(effect & (REFUSED | FAILED)) ? before & ~(REFUSED | FAILED) : before) | effect;
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
  // Where another deletion failed before, the directory stays, and that is no successful way.
  const bits = DELETED | LATER | UPLOADED | READ | ABSENT | KEPT | FAILED | UNTIDY;
  for (const record of frame.files.values()) {
    if (record.value.key === directory.key || !isBelow(record.value, directory)) continue;
    state.ways.set(
      record.value.key,
      mapWays(waysOf(state, record.value), (way) => ways.map((effect) => way | (effect & bits))),
    );
    if (ways.some((effect) => effect & (DELETED | LATER))) note(frame, record, "deleted", step);
  }
}
