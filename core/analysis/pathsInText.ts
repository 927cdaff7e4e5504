/** Paths that a text names. */
import { type Frame, thingOf } from "./frame.ts";
import { type Atom, joined, text, type Value, type Values } from "./value.ts";

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
