/** What a program tells whoever runs it of the files that it has made. */
import { type Frame, type State, thingOf } from "./frame.ts";
import { wholeOf } from "./escapes.ts";
import { isBelow } from "./paths.ts";
import { isThere, reachable } from "./records.ts";
import { describePlace } from "./sources.ts";
import { atomsOf, NOTHING, type Value, type Values } from "./value.ts";

/** `console.log(JSON.stringify(result))`: a program's output. The files that it names and that were not sent are what it was run for. */
export function printedBy(frame: Frame, values: Values): Values {
  const data = values.flatMap((value) => thingOf(frame, value) ?? []).filter((thing) => thing.as === "path" && thing.rest.length > 0);
  return reachable(
    frame,
    data.flatMap((thing) => thing.rest),
  ).filter((value) => (frame.files.get(wholeOf(value).key)?.trace.uploaded.length ?? 0) === 0);
}

/** `console.log("Saved to", film)` of what somebody runs by hand: what it has made, or where, and has not used up. */
export function announced(frame: Frame, state: State, args: readonly Values[]): Values {
  if (frame.scratch || frame.files.size === 0 || !describePlace(frame.module.file).lenient) return NOTHING;
  const parts = args.flat().flatMap((value) => (value.kind === "text" ? [] : [value, ...atomsOf(value)]));
  const said = (args[0] ?? NOTHING).some((value) => atomsOf(value).some((part) => part.kind === "text" && KEPT_AT.test(part.text)));
  return [...frame.files.values()]
    .filter(({ trace }) => trace.output.length > 0 && trace.uploaded.length + trace.read.length === 0)
    .filter((record) => isThere(state, record))
    .filter(({ value }) => parts.some((part) => part.key === value.key || ends(value, part) || (said && isBelow(value, part))))
    .map(({ value }) => value);
}

/** Whether what is printed is the end of the path: its name, or the whole of it within a message. */
function ends(path: Value, printed: Value): boolean {
  return printed.kind === "joined" && path.kind === "joined" && printed.key.endsWith(path.key);
}

const KEPT_AT = /\b(?:outputs?|saved?|wr[io]t\w*|kept|keep|created|generated|extracted|results?|open|done)\b/i;
