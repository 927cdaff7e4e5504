/**
 * What a file imports and passes on, read without parsing it. Reading is generous: what looks like an import within a string
 * counts as one, which costs a look at a file too many and hides nothing.
 */

export interface ImportFacts {
  /** `import`, `export … from`, `require("…")` and `import("…")`, in the order of the text. */
  readonly imports: readonly ImportEntry[];
  /** What is exported but comes from elsewhere: `export { name as as } from`, or imported and then exported. */
  readonly reexports: readonly Reexport[];
  /** `export * from`, `module.exports = require("…")`. */
  readonly exportsAll: readonly string[];
}

export interface ImportEntry {
  readonly specifier: string;
  /** Names as the other file exports them, `default` included; `*`: the whole module. Empty: imported for its effects. */
  readonly names: readonly string[] | "*";
}

export interface Reexport {
  readonly specifier: string;
  /** `*` for the whole module as one object. */
  readonly name: string;
  readonly as: string;
}

/** The same with room to add. */
interface Findings {
  readonly imports: ImportEntry[];
  readonly reexports: Reexport[];
  readonly exportsAll: string[];
  /** What the file's own names were imported as. */
  readonly locals: Map<string, { readonly specifier: string; readonly name: string }>;
  /** Own names that are exported, and as what. */
  readonly exported: { readonly local: string; readonly as: string }[];
}

/** Names between braces: as the module has them, and as they are called here. */
interface Clause {
  readonly names: readonly { readonly name: string; readonly as: string }[];
  /** Words outside of braces: default import, `* as ns`. */
  readonly outside: readonly string[];
  readonly braces: boolean;
}

interface Token {
  readonly kind: "word" | "string" | "sign" | "end";
  readonly text: string;
}

/** Where a statement or call may start that leads to another module. */
const HEAD = /(?<![\w$#])(?:import|export|require)(?![\w$])/g;
const TOKEN = /([\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*)|"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|`([^`\\$]*)`|([\s\S])/uy;
const SPACE = /\s+/y;
const COMMENT_BEFORE = /^\s*(?:\/\/|\*(?!\/)|\/\*(?!.*\*\/))/;
/** Words that begin another statement: what was read as `import` before them was prose. */
const STATEMENT = /^(?:import|export|const|let|var|function|class|return|if)$/;
/** More than any list of names in one statement is read. */
const LONGEST_CLAUSE = 20_000;
const LONGEST_LOOK_BACK = 400;
const LONGEST_COMMENT = 4000;

export function readImports(text: string): ImportFacts {
  const findings: Findings = { imports: [], reexports: [], exportsAll: [], locals: new Map(), exported: [] };
  const head = new RegExp(HEAD);
  for (let match = head.exec(text); match; match = head.exec(text)) {
    if (isMember(text, match.index) || COMMENT_BEFORE.test(lineBefore(text, match.index))) continue;
    const reader = openReader(text, head.lastIndex);
    if (match[0] === "import") readImport(reader, findings);
    else if (match[0] === "export") readExport(reader, findings);
    else readRequire(reader, findings, text, match.index);
  }
  readExportsObject(text, findings);
  const { imports, reexports, exportsAll, locals, exported } = findings;
  for (const { local, as } of exported) {
    const origin = locals.get(local);
    if (origin) reexports.push({ ...origin, as });
  }
  return { imports, reexports, exportsAll };
}

function readImport(reader: Reader, { imports, locals }: Findings): void {
  const specifier = reader.readCall();
  if (specifier !== undefined) {
    imports.push({ specifier, names: "*" });
    return;
  }
  const effects = reader.take("string");
  if (effects !== undefined) {
    imports.push({ specifier: effects, names: [] });
    return;
  }
  const clause = reader.readClause();
  const from = clause && reader.take("string");
  if (!clause || from === undefined || clause.outside.at(-1) !== "from") return;
  const outside = clause.outside.slice(0, -1);
  // `type`, `defer` and `source` may be names, too: then nothing else is imported.
  if (/^(?:type|defer|source)$/.test(outside[0] ?? "") && (outside.length > 1 || clause.braces)) outside.shift();
  const star = outside.indexOf("*");
  const names = clause.names.map(({ name }) => name);
  for (const { name, as } of clause.names) locals.set(as, { specifier: from, name });
  if (star >= 0) locals.set(outside[star + 2] ?? "", { specifier: from, name: "*" });
  if (outside[0] !== undefined && star !== 0) {
    names.unshift("default");
    locals.set(outside[0], { specifier: from, name: "default" });
  }
  imports.push({ specifier: from, names: star >= 0 ? "*" : names });
}

function readExport(reader: Reader, { imports, reexports, exportsAll, exported }: Findings): void {
  const clause = reader.readClause();
  if (!clause) return;
  const outside = clause.outside[0] === "type" ? clause.outside.slice(1) : clause.outside;
  const [first, second, third] = outside;
  if (first === "default" && second !== undefined) {
    exported.push({ local: second, as: "default" });
    return;
  }
  const from = outside.at(-1) === "from" ? reader.take("string") : undefined;
  if (from === undefined) {
    if (clause.braces) exported.push(...clause.names.map(({ name, as }) => ({ local: name, as })));
    return;
  }
  if (first === "*") {
    imports.push({ specifier: from, names: "*" });
    if (second === "as" && third !== undefined) reexports.push({ specifier: from, name: "*", as: third });
    else exportsAll.push(from);
  } else if (clause.braces) {
    imports.push({ specifier: from, names: clause.names.map(({ name }) => name) });
    reexports.push(...clause.names.map(({ name, as }) => ({ specifier: from, name, as })));
  }
}

function readRequire(reader: Reader, { imports, reexports, exportsAll, locals }: Findings, text: string, at: number): void {
  const specifier = reader.readCall();
  if (specifier === undefined) return;
  const before = text.slice(Math.max(0, at - LONGEST_LOOK_BACK), at);
  const member = /^\s*\??\.\s*([\p{ID_Start}$_][\p{ID_Continue}$]*)/u.exec(text.slice(reader.end(), reader.end() + 200))?.[1];
  const destructured = /\{([^{}]*)\}\s*=\s*$/.exec(before)?.[1];
  const names = destructured === undefined || member !== undefined ? undefined : readProperties(destructured);
  imports.push({ specifier, names: member === undefined ? (names?.map(({ name }) => name) ?? "*") : [member] });

  for (const { name, as } of names ?? []) locals.set(as, { specifier, name });
  const local = /(?:const|let|var)\s+([\w$]+)\s*=\s*$/.exec(before)?.[1];
  if (local !== undefined) locals.set(local, { specifier, name: member ?? "*" });
  const exported = /(?:^|[^\w$])exports\s*(?:\.\s*([\w$]+)\s*=|=\s*\{[^{}]*?([\w$]+)\s*:)\s*$/.exec(before);
  const as = exported?.[1] ?? exported?.[2];
  if (as !== undefined) reexports.push({ specifier, name: member ?? "*", as });
  else if (/(?:\bexports\s*=(?:\s*\{[^}]*\.\.\.)?|\b__exportStar\s*\(|\b__export\s*\()\s*$/.test(before)) exportsAll.push(specifier);
}

/** `module.exports = { a, b: c }` exports names as a list in braces does. */
function readExportsObject(text: string, { exported }: Findings): void {
  if (!text.includes("module.exports")) return;
  const list = /\bmodule\.exports\s*=\s*\{([^{}]*)\}/.exec(text)?.[1] ?? "";
  exported.push(...readProperties(list).map(({ name, as }) => ({ local: as, as: name })));
  const single = /\bmodule\.exports\s*=\s*([\w$]+)\s*(?:;|$)/m.exec(text)?.[1];
  if (single !== undefined) exported.push({ local: single, as: "default" });
}

/** `a, b: c` of an object or its destructuring: `b` is the property, `c` the variable. */
function readProperties(text: string): Clause["names"] {
  return text.split(",").flatMap((part) => {
    const [, name, as = name] = /^\s*([\w$]+)\s*(?::\s*([\w$]+)\s*)?(?:=[^]*)?$/.exec(part) ?? [];
    return name === undefined || as === undefined ? [] : [{ name, as }];
  });
}

interface Reader {
  /** Reads past a token of this kind, if one is next. */
  take(kind: Token["kind"]): string | undefined;
  /** The one argument of a call, if it is a text and nothing is added to it. */
  readCall(): string | undefined;
  /** Words, stars and lists in braces up to the first thing that is none of these. */
  readClause(): Clause | undefined;
  /** Where the next token starts. */
  end(): number;
}

function openReader(text: string, start: number): Reader {
  let end = start;
  /** The token at `from`, and where it ends. */
  const peek = (from: number): Token & { readonly end: number } => {
    TOKEN.lastIndex = skipSpace(text, from);
    const [, word, double, single, template, sign] = TOKEN.exec(text) ?? [];
    const string = double ?? single ?? template;
    if (word !== undefined) return { kind: "word", text: word, end: TOKEN.lastIndex };
    if (string !== undefined) return { kind: "string", text: string, end: TOKEN.lastIndex };
    return sign === undefined ? { kind: "end", text: "", end: text.length } : { kind: "sign", text: sign, end: TOKEN.lastIndex };
  };
  return {
    end: () => end,
    take(kind) {
      const token = peek(end);
      if (token.kind !== kind) return undefined;
      ({ end } = token);
      return token.text;
    },
    readCall() {
      const open = peek(end);
      const argument = open.text === "(" && open.kind === "sign" ? peek(open.end) : undefined;
      const close = argument?.kind === "string" ? peek(argument.end) : undefined;
      if (!argument || !close || close.kind !== "sign" || !/[),]/.test(close.text)) return undefined;
      ({ end } = close);
      return argument.text;
    },
    readClause() {
      const outside: string[] = [];
      const names: { readonly name: string; readonly as: string }[] = [];
      let braces = false;
      let words: string[] | undefined;
      for (let token = peek(end); token.end - start < LONGEST_CLAUSE; token = peek(end)) {
        const { kind, text } = token;
        if (words) {
          if (kind === "sign" && (text === "," || text === "}")) {
            const name = readName(words);
            if (name) names.push(name);
            words = text === "}" ? undefined : [];
          } else if (kind === "word" || kind === "string") words.push(text);
          else return undefined;
        } else if (kind === "word" || (kind === "sign" && text === "*")) {
          if (STATEMENT.test(text)) return { outside, names, braces };
          outside.push(text);
          // A name that is exported by default ends there; no clause has more words than `type a, * as b from`.
          if (outside[0] === "default" && outside.length === 2) return { outside, names, braces };
          if (outside.length > 6) return undefined;
        } else if (kind === "sign" && text === "{" && !braces && outside[0] !== "default") {
          braces = true;
          words = [];
        } else if (kind !== "sign" || text !== ",") return { outside, names, braces };
        ({ end } = token);
        if (outside.at(-1) === "from" && peek(end).kind === "string") return { outside, names, braces };
      }
      return undefined;
    },
  };
}

/** Where the space and the comments from `at` on end. */
function skipSpace(text: string, at: number): number {
  for (let from = at; ;) {
    SPACE.lastIndex = from;
    if (SPACE.test(text)) from = SPACE.lastIndex;
    else if (text.startsWith("//", from)) from = endOf(text, "\n", from);
    else if (text.startsWith("/*", from)) from = endOf(text, "*/", from + 2);
    else return from;
  }
}

/** The end of the next `mark`. A comment that is longer than any within an import ends the text, so that no text takes long. */
function endOf(text: string, mark: string, from: number): number {
  const found = text.slice(from, from + LONGEST_COMMENT).indexOf(mark);
  return found < 0 ? text.length : from + found + mark.length;
}

/** `a`, `a as b`, `type a as b`. */
function readName(words: readonly string[]): Clause["names"][number] | undefined {
  const typed = words[0] === "type" && (words.length === 2 || words.length === 4);
  const [name, , as] = typed ? words.slice(1) : words;
  return name === undefined ? undefined : { name, as: as ?? name };
}

/** `object.require(…)`, but not `...require(…)`. */
function isMember(text: string, at: number): boolean {
  return text[at - 1] === "." && text.slice(at - 3, at) !== "...";
}

/** The line up to `at`. Of very long lines (in minified code) only the last part, which begins with no comment. */
function lineBefore(text: string, at: number): string {
  const start = Math.max(0, at - LONGEST_LOOK_BACK);
  const before = text.slice(start, at);
  const line = before.lastIndexOf("\n");
  return line < 0 && start > 0 ? "" : before.slice(line + 1);
}
