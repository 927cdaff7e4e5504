/** What a program tells whoever runs it of the files that it has made. */
import { type Frame, thingOf } from "./frame.ts";
import { wholeOf } from "./escapes.ts";
import { isBelow } from "./paths.ts";
import { reachable } from "./records.ts";
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

/** `console.log("Saved to", film)` of what somebody runs by hand: what it makes, or where, unless it goes further. */
export function announce(frame: Frame, args: readonly Values[]): void {
  if (frame.scratch || frame.files.size === 0 || !describePlace(frame.module.file).lenient) return;
  const parts = args.flat().flatMap((value) => (value.kind === "text" ? [] : [value, ...atomsOf(value)]));
  const said = (args[0] ?? NOTHING).some((value) => atomsOf(value).some((part) => part.kind === "text" && KEPT_AT.test(part.text)));
  for (const record of frame.files.values()) {
    const { value, trace } = record;
    if (trace.output.length === 0) continue;
    record.announced ||= parts.some((part) => part.key === value.key || ends(value, part) || (said && isBelow(value, part)));
  }
}

/** Whether what is printed is the end of the path: its name, or the whole of it within a message. */
function ends(path: Value, printed: Value): boolean {
  return printed.kind === "joined" && path.kind === "joined" && printed.key.endsWith(path.key);
}

const KEPT_AT = /\b(?:outputs?|saved?|wr[io]t\w*|kept|keep|created|generated|extracted|results?|open|done)\b/i;
