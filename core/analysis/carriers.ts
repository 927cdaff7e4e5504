/** Files behind what carries them: streams, contents, forms. */
import type { CallContext } from "./call.ts";
import type { Entry } from "./catalogue/entry.ts";
import { make, upload } from "./effects.ts";
import { valuesAt } from "./entries.ts";
import { put } from "./collections.ts";
import { type Frame, type State, thingOf } from "./frame.ts";
import { filesBehind } from "./records.ts";
import { NOTHING, unionAll, type Value, type Values } from "./value.ts";

/** The contents were read before: the file may go while they are sent. */
export function isInMemory(frame: Frame, values: Values, entry: Entry): boolean {
  if (entry.holds === undefined || entry.holds === "path") return false;
  const things = values.flatMap((value) => thingOf(frame, value) ?? []);
  return things.length > 0 && things.every((thing) => thing.as === "bytes");
}

export function filesOf(frame: Frame, values: Values, entry: Entry): Values {
  if (entry.holds === undefined || entry.holds === "path" || entry.holds === "either") return filesBehind(frame, values);
  return filesBehind(
    frame,
    values.filter((value) => value.kind !== "text" && value.kind !== "joined"),
  );
}

export function filesIn(frame: Frame, values: Values): Values {
  return filesBehind(frame, values);
}

/** Streams that write to a file. */
export function sinks(frame: Frame, values: Values): Values {
  return values.flatMap((value) => thingOf(frame, value)?.carries ?? []);
}

export function carry(frame: Frame, value: Value | undefined, files: Values, entry?: Entry): void {
  if (!value) return;
  put(frame, value, "#carries", files);
  const thing = thingOf(frame, value);
  if (thing && entry?.as) thing.as = entry.as;
}

export function pipe(frame: Frame, state: State, context: CallContext, entry: Entry, from: Values): void {
  const to = entry.to === undefined ? NOTHING : valuesAt(frame, context, entry.to);
  const sending = to.filter((value) => thingOf(frame, value)?.sink === true);
  const files = unionAll(from.map((value) => thingOf(frame, value)?.carries ?? NOTHING));
  if (sending.length > 0 && files.length > 0)
    upload(frame, state, files, context.moment, { byValue: false, pending: entry.settles !== "now" });
  for (const value of to) {
    const thing = thingOf(frame, value);
    if (thing && thing.sink !== true && thing.carries.length > 0) make(frame, state, thing.carries, context.moment);
  }
  // A transform that the stream goes through carries on what it gets.
  for (const value of to) if (thingOf(frame, value)?.sink !== true && files.length > 0) carry(frame, value, files);
}
