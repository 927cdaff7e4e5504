/** Finds one assignment in a `.env` file, with its place. The grammar is dotenv's: `export`, quotes over several lines, comments. */

export interface Assignment {
  readonly value: string;
  /** From 1. */
  readonly line: number;
  /** Where the value, without its quotes, starts and ends in the text. */
  readonly start: number;
  readonly end: number;
}

const QUOTED = /^(["'`])((?:\\[\s\S]|(?!\1)[\s\S])*)\1/;

/** The last assignment wins, as it does for dotenv. */
export function findAssignment(text: string, name: string): Assignment | undefined {
  let found: Assignment | undefined;
  const head = /^[ \t\uFEFF]*(?:\xEF\xBB\xBF)?(?:export[ \t]+)?([\w.-]+)[ \t]*(?:=|:[ \t])[ \t]*/gm;
  for (let match = head.exec(text); match; match = head.exec(text)) {
    const start = head.lastIndex;
    const quoted = QUOTED.exec(text.slice(start));
    const plain = /^[^#\r\n]*/.exec(text.slice(start))?.[0] ?? "";
    const value = quoted ? quoted[2]! : plain.trimEnd();
    const valueStart = quoted ? start + 1 : start;
    // A value in quotes may go on for lines that look like assignments: the search goes on behind it.
    head.lastIndex = start + (quoted ? quoted[0].length : plain.length);
    if (match[0] === "") head.lastIndex++;
    if (match[1] !== name) continue;
    found = { value, line: text.slice(0, start).split("\n").length, start: valueStart, end: valueStart + value.length };
  }
  return found;
}
