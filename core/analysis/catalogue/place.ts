/**
 * Where something is in a call. A place is a root and steps from there, alternatives are separated by `|`:
 * - roots: `0`, `1` … (an argument), `last` (the last one), `2+` (that one and all after it), `@Body` (a named argument),
 *   `receiver`, `result`; `=files`: something that nobody names, and that is called so;
 * - steps: `.Body` (a field), `[]` (each element), `(1)` (what the second parameter of a function becomes).
 */
export type Root =
  | { readonly root: "argument"; readonly index: number; readonly rest?: true }
  | { readonly root: "last" }
  | { readonly root: "named"; readonly name: string }
  | { readonly root: "given"; readonly name: string }
  | { readonly root: "receiver" }
  | { readonly root: "result" };

export type Step =
  | { readonly step: "field"; readonly name: string }
  | { readonly step: "each" }
  | { readonly step: "parameter"; readonly index: number };

export type Place = Root & { readonly steps: readonly Step[] };

const PLACE = /^(?:(\d+)(\+)?|([@=])([A-Za-z_]\w*)|(last|receiver|result))((?:\.[\w$-]+|\[\]|\(\d+\))*)$/;
const known = new Map<string, readonly Place[]>();

/** Throws for a text that is no place: data is at fault, not a user. */
export function placesOf(text: string): readonly Place[] {
  const found = known.get(text);
  if (found) return found;
  const places = text.split("|").map(parsePlace);
  known.set(text, places);
  return places;
}

function parsePlace(text: string): Place {
  const match = PLACE.exec(text);
  if (!match) throw new Error(`"${text}" is no place in a call`);
  const [, index, rest, sign, name, word, steps = ""] = match;
  return { ...rootOf({ index, rest, sign, name, word }), steps: [...steps.matchAll(/\.([\w$-]+)|\[\]|\((\d+)\)/g)].map(stepOf) };
}

function rootOf({
  index,
  rest,
  sign,
  name,
  word,
}: Readonly<Record<"index" | "rest" | "sign" | "name" | "word", string | undefined>>): Root {
  if (index !== undefined) return { root: "argument", index: Number(index), ...(rest !== undefined && { rest: true }) };
  if (name !== undefined) return { root: sign === "=" ? "given" : "named", name };
  return { root: word as "last" | "receiver" | "result" };
}

function stepOf([, field, parameter]: RegExpMatchArray): Step {
  if (field !== undefined) return { step: "field", name: field };
  return parameter === undefined ? { step: "each" } : { step: "parameter", index: Number(parameter) };
}
