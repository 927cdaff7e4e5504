/**
 * Finds one assignment in a `.env` file, with its place. The grammar is dotenv's own (motdotla/dotenv, lib/main.js, `LINE`), so that
 * Offcut reads what the pipeline reads. The text is expected one character per byte: bytes above 127 are never white space.
 */

export interface Assignment {
  readonly value: string;
  /** Of the name, from 1. */
  readonly line: number;
  /** Where the value, without its quotes, starts and ends in the text. */
  readonly start: number;
  readonly end: number;
}

const SPACE = "[ \\t\\r\\n\\v\\f]";
const BYTE_ORDER_MARK = "(?:\\xEF\\xBB\\xBF|\\uFEFF)?";
const HEAD = `^${BYTE_ORDER_MARK}${SPACE}*(?:export${SPACE}+)?([\\w.-]+)(?:${SPACE}*=${SPACE}*?|:${SPACE}+?)`;
/** Quotes may go over several lines. Text behind the closing quote makes the quotes part of a plain value. */
const VALUE = `(${SPACE}*'(?:\\\\'|[^'])*'|${SPACE}*"(?:\\\\"|[^"])*"|${SPACE}*\`(?:\\\\\`|[^\`])*\`|[^#\\r\\n]+)?`;
const ASSIGNMENT = new RegExp(`${HEAD}${VALUE}${SPACE}*(?:#.*)?$`, "gmd");
const TRIM = new RegExp(`^${SPACE}+|${SPACE}+$`, "g");

/** The last assignment wins, as it does for dotenv. */
export function findAssignment(text: string, name: string): Assignment | undefined {
  let found: Assignment | undefined;
  for (const match of text.matchAll(ASSIGNMENT)) {
    if (match[1] !== name) continue;
    const [nameStart, nameEnd] = match.indices?.[1] ?? [0, 0];
    const written = match[2] ?? "";
    const trimmed = written.replace(TRIM, "");
    const inner = /^(["'`])([\s\S]*)\1$/.exec(trimmed)?.[2];
    // Without a value the place for one is right behind the sign.
    const from = match.indices?.[2]?.[0] ?? nameEnd + /^[^=:]*[=:]/.exec(text.slice(nameEnd))![0].length;
    const start = from + (trimmed === "" ? 0 : written.indexOf(trimmed)) + (inner === undefined ? 0 : 1);
    const value = inner ?? trimmed;
    found = { value, line: text.slice(0, nameStart).split("\n").length, start, end: start + value.length };
  }
  return found;
}
