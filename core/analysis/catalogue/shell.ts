/**
 * Reads a command line as a shell would, holes included: what stands between quotes, which words make one command, and
 * what connects the commands. Expansions that only a running shell knows become pieces of which nothing is known.
 */

/** A stretch of a word: text that is known, or a value that is not. */
export interface Piece<T> {
  readonly text?: string;
  readonly value?: T;
  /** How the value is written: a variable's name may tell which program it is. */
  readonly written?: string;
  /** Stands for one word, several or none: a list that is spread, a hole outside of quotes. */
  readonly many?: "spread" | "unquoted";
}

/** A word with its pieces in order; the empty word has none. */
export type Word<T> = readonly Piece<T>[];

export interface Redirection<T> {
  readonly mode: "read" | "write" | "append";
  readonly to: Word<T>;
}

export interface Command<T> {
  readonly argv: readonly Word<T>[];
  /** When it runs: at once, after the one before succeeded (`&&`), failed (`||`), ended (`;`), or beside it (`|`, `&`). */
  readonly after: "start" | "success" | "failure" | "end" | "beside";
  readonly redirections: readonly Redirection<T>[];
}

/** The whole text of a word, if it is known. */
export function textOf(word: Word<unknown>): string | undefined {
  let text = "";
  for (const piece of word) {
    if (piece.text === undefined) return undefined;
    text += piece.text;
  }
  return text;
}

/** Splits texts and holes, in the order in which they stand in the template, into commands. */
export function readCommand<T>(parts: readonly Piece<T>[]): readonly Command<T>[] {
  const reading: Reading<T> = { commands: [], argv: [], redirections: [], after: "start", quote: "none", comment: false };
  for (const part of parts) {
    if (part.text === undefined) addHole(reading, part);
    else readText(reading, part.text);
  }
  endCommand(reading, "end");
  return reading.commands;
}

/** What has been read so far: a hole may stand anywhere, also between quotes. */
interface Reading<T> {
  readonly commands: Command<T>[];
  argv: Word<T>[];
  redirections: Redirection<T>[];
  after: Command<T>["after"];
  word?: Piece<T>[] | undefined;
  quote: "none" | "single" | "double";
  /** The next word is where a redirection leads. */
  redirecting?: Redirection<T>["mode"] | undefined;
  /** Lines up to the one that is the delimiter are a here-document. */
  here?: { readonly delimiter: string; line: string } | undefined;
  comment: boolean;
}

function addHole<T>(reading: Reading<T>, piece: Piece<T>): void {
  if (reading.comment || reading.here) return;
  const unquoted = reading.quote === "none" && piece.many === undefined;
  (reading.word ??= []).push(unquoted ? { ...piece, many: "unquoted" } : piece);
}

function readText<T>(reading: Reading<T>, text: string): void {
  for (let at = 0; at < text.length; at = step(reading, text, at));
}

/** Takes what stands at `at` and says where to go on. */
function step<T>(reading: Reading<T>, text: string, at: number): number {
  const char = text[at]!;
  if (reading.here) return skipHereDocument(reading, reading.here, char, at);
  if (reading.comment) {
    reading.comment = char !== "\n";
    return reading.comment ? at + 1 : at;
  }
  if (reading.quote === "single") {
    if (char === "'") reading.quote = "none";
    else addText(reading, char);
    return at + 1;
  }
  if (char === "\\") return escape(reading, text, at);
  if (char === "$" || char === "`") return expand(reading, text, at);
  if (char === '"') {
    reading.quote = reading.quote === "double" ? "none" : "double";
    reading.word ??= [];
    return at + 1;
  }
  if (reading.quote === "double") {
    addText(reading, char);
    return at + 1;
  }
  return stepBare(reading, text, at);
}

/** Outside of quotes. */
function stepBare<T>(reading: Reading<T>, text: string, at: number): number {
  const char = text[at]!;
  const double = text[at + 1] === char;
  switch (char) {
    case "'":
      reading.quote = "single";
      reading.word ??= [];
      return at + 1;
    case " ":
    case "\t":
    case "\r":
      endWord(reading);
      return at + 1;
    case "\n":
    case ";":
    case "(":
    case ")":
      endCommand(reading, "end");
      return at + 1;
    case "&":
      if (text[at + 1] === ">") return redirect(reading, text, at + 1);
      endCommand(reading, double ? "success" : "beside");
      return at + (double ? 2 : 1);
    case "|":
      endCommand(reading, double ? "failure" : "beside");
      return at + (double || text[at + 1] === "&" ? 2 : 1);
    case ">":
    case "<":
      return redirect(reading, text, at);
    case "#":
      if (reading.word) addText(reading, char);
      else reading.comment = true;
      return at + 1;
    default:
      addText(reading, char);
      return at + 1;
  }
}

function addText<T>(reading: Reading<T>, char: string): void {
  const word = (reading.word ??= []);
  const last = word.at(-1);
  if (last?.text === undefined) word.push({ text: char });
  else word[word.length - 1] = { text: last.text + char };
}

function escape<T>(reading: Reading<T>, text: string, at: number): number {
  const next = text[at + 1];
  if (next === "\n") return at + 2;
  if (next === "\r" && text[at + 2] === "\n") return at + 3;
  // Within double quotes a backslash stands for itself before most characters: "C:\clips".
  const itself = reading.quote === "double" && (next === undefined || !'"\\$`'.includes(next));
  if (itself) addText(reading, "\\");
  else if (next !== undefined) addText(reading, next);
  return itself || next === undefined ? at + 1 : at + 2;
}

/** `$NAME`, `${…}`, `$(…)` and backquotes: what comes out is not known. A `$` before anything else is a character. */
function expand<T>(reading: Reading<T>, text: string, at: number): number {
  const rest = text.slice(at);
  const simple = /^(?:\$\{[^}]*\}|\$[A-Za-z_]\w*|\$[0-9@*#?!$-]|`[^`]*`)/.exec(rest)?.[0];
  const written = simple ?? (rest.startsWith("$(") ? substitution(rest) : "");
  if (written === "") {
    addText(reading, text[at]!);
    return at + 1;
  }
  addHole(reading, { written });
  return at + written.length;
}

/** The digits before it (`2>`) say which stream, not which file. */
function redirect<T>(reading: Reading<T>, text: string, at: number): number {
  const operator = /^(?:<<<|<<-?|<>|<|>>|>\|?)(&\d|&-)?/.exec(text.slice(at))!;
  const descriptor = reading.word && textOf(reading.word);
  if (descriptor !== undefined && /^\d+$/.test(descriptor)) reading.word = undefined;
  endWord(reading);
  const end = at + operator[0].length;
  if (operator[1] !== undefined) return end;
  if (/^<<-?$/.test(operator[0])) return startHereDocument(reading, text, end);
  reading.redirecting = operator[0].startsWith(">>") ? "append" : operator[0].startsWith(">") ? "write" : "read";
  return end;
}

function startHereDocument<T>(reading: Reading<T>, text: string, at: number): number {
  const name = /^\s*(["']?)([\w-]+)\1/.exec(text.slice(at));
  if (!name) return at;
  const rest = text.slice(at + name[0].length);
  const line = rest.indexOf("\n");
  // What stands on the same line still belongs to the command.
  readText(reading, line < 0 ? rest : rest.slice(0, line));
  endCommand(reading, "end");
  reading.here = { delimiter: name[2]!, line: "" };
  return line < 0 ? text.length : text.length - rest.length + line + 1;
}

function skipHereDocument<T>(reading: Reading<T>, here: NonNullable<Reading<T>["here"]>, char: string, at: number): number {
  if (char !== "\n") here.line += char;
  else if (here.line.trim() === here.delimiter) reading.here = undefined;
  else here.line = "";
  return at + 1;
}

function endWord<T>(reading: Reading<T>): void {
  if (!reading.word) return;
  if (reading.redirecting) reading.redirections.push({ mode: reading.redirecting, to: reading.word });
  else reading.argv.push(reading.word);
  reading.redirecting = undefined;
  reading.word = undefined;
}

function endCommand<T>(reading: Reading<T>, next: Command<T>["after"]): void {
  endWord(reading);
  reading.redirecting = undefined;
  if (reading.argv.length > 0 || reading.redirections.length > 0) {
    reading.commands.push({ argv: reading.argv, after: reading.after, redirections: reading.redirections });
    reading.argv = [];
    reading.redirections = [];
    reading.after = next;
  } else if (reading.commands.length > 0 && next !== "end") reading.after = next;
}

/** `$(…)` up to the parenthesis that closes it, or all of the text. */
function substitution(text: string): string {
  let depth = 0;
  for (let i = 1; i < text.length; i++) {
    if (text[i] === "(") depth++;
    else if (text[i] === ")" && --depth === 0) return text.slice(0, i + 1);
  }
  return text;
}
