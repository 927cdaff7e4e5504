/** How a source file is written, as far as a fix goes along with it. */
import { ts } from "ts-morph";

export interface PrintStyle {
  readonly lineEnd: string;
  /** One level. */
  readonly indent: string;
  readonly quote: string;
  readonly semicolon: string;
}

export function styleOf(source: ts.SourceFile): PrintStyle {
  const { text } = source;
  let single = 0;
  let double = 0;
  let ended = 0;
  let bare = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node) && !ts.isJsxAttribute(node.parent)) {
      if (text[node.getStart(source)] === "'") single += 1;
      else double += 1;
    }
    if (ts.isExpressionStatement(node) || ts.isVariableStatement(node) || ts.isImportDeclaration(node) || ts.isReturnStatement(node)) {
      if (text[node.end - 1] === ";") ended += 1;
      else bare += 1;
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  const ends = text.match(/\r?\n/g) ?? [];
  return {
    lineEnd: ends.filter((end) => end === "\r\n").length * 2 > ends.length ? "\r\n" : "\n",
    indent: indentOf(text),
    quote: single > double ? "'" : '"',
    semicolon: bare > ended ? "" : ";",
  };
}

/** The step by which lines are most often deeper than the one before. */
function indentOf(text: string): string {
  const steps = new Map<string, number>();
  let before = "";
  for (const [, space = ""] of text.matchAll(/^([ \t]*)[^\s*]/gm)) {
    if (space.length > before.length && space.startsWith(before)) {
      const step = space.slice(before.length);
      steps.set(step, (steps.get(step) ?? 0) + 1);
    }
    before = space;
  }
  return [...steps].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "  ";
}

/** White space at the start of the line that a place is on. */
export function indentAt(text: string, offset: number): string {
  return /^[ \t]*/.exec(text.slice(lineStart(text, offset)))?.[0] ?? "";
}

export function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

/** Whether nothing but white space is before the place on its line. */
export function startsLine(text: string, offset: number): boolean {
  return text.slice(lineStart(text, offset), offset).trim() === "";
}

/** The end of what follows a place on its line and belongs to it: comments. */
export function endWithComments(text: string, offset: number): number {
  const last = ts.getTrailingCommentRanges(text, offset)?.at(-1);
  return last && !text.slice(offset, last.end).includes("\n") ? last.end : offset;
}

/** Whether nothing follows on the line. */
export function endsLine(text: string, offset: number): boolean {
  return /^[ \t]*(?:\r?\n|$)/.test(text.slice(offset));
}

/** Statements between braces; the first line follows what comes before it. */
export function block(statements: readonly string[], style: PrintStyle): string {
  const lines = statements.flatMap((statement) => statement.split("\n")).map((line) => (line === "" ? line : style.indent + line));
  return ["{", ...lines, "}"].join("\n");
}

/** A statement as it ends: blocks need no semicolon. */
export function ended(statement: string, semicolon: string): string {
  return /^(?:if|for|try)\b/.test(statement) && statement.endsWith("}") ? statement : statement + semicolon;
}
