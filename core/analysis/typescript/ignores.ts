/** Comments that silence findings: `offcut-ignore-next-line`, `offcut-ignore-line`, `offcut-ignore-file`. */
import { ts } from "ts-morph";
import type { FlowModule } from "../flow.ts";

type Ignore = FlowModule["ignores"][number];

const MARK = "offcut-ignore-";
const DIRECTIVE = /offcut-ignore-(next-line|line|file)(?![\w-])([^\r\n]*)/uy;
const COMMENT_START = /(?:\/\/+|\/\*+|^\s*\*)\s*$/u;

export function findIgnores(source: ts.SourceFile, lineStarts: readonly number[]): Ignore[] {
  const { text } = source;
  const ignores: Ignore[] = [];
  for (let at = text.indexOf(MARK); at >= 0; at = text.indexOf(MARK, at + 1)) {
    DIRECTIVE.lastIndex = at;
    const [, kind, rest] = DIRECTIVE.exec(text) ?? [];
    if (kind === undefined || rest === undefined) continue;
    const line = lineAt(lineStarts, at);
    if (!COMMENT_START.test(text.slice(lineStarts[line - 1], at)) || !isInComment(source, at)) continue;
    const named = listOf(rest, DIRECTIVE.lastIndex - rest.length);
    if (kind === "line") ignores.push({ line, ...named });
    else if (kind === "next-line") ignores.push({ line: nextCode(text, lineStarts, at), ...named });
    else if (at < source.getStart() || source.statements.length === 0) ignores.push({ line: 0, ...named });
  }
  return ignores;
}

/** `rule-a, rule-b -- reason`; a block comment may end on the way. */
function listOf(rest: string, offset: number): Pick<Ignore, "rules" | "listed"> {
  const [list = ""] = rest.split(/--|\*\//u);
  const start = offset + (/^[\s,]*/u.exec(list)?.[0].length ?? 0);
  const end = offset + list.replace(/[\s,]+$/u, "").length;
  return { rules: list.split(/[\s,]+/u).filter((rule) => rule !== ""), listed: { start: Math.min(start, end), end } };
}

/** The line, from 1, that holds the offset. */
function lineAt(lineStarts: readonly number[], offset: number): number {
  let low = 0;
  let high = lineStarts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((lineStarts[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return low + 1;
}

/** Whether the offset lies between tokens: what looks like a comment in a string or in the text of JSX is none. */
function isInComment(source: ts.SourceFile, offset: number): boolean {
  for (let node: ts.Node | undefined = source; node;) {
    const inner: ts.Node | undefined = ts.forEachChild(node, (child) => (child.pos <= offset && offset < child.end ? child : undefined));
    if (!inner) return !isToken(node) || offset < node.getStart(source);
    if (offset < inner.getStart(source)) return true;
    node = inner;
  }
  return false;
}

function isToken(node: ts.Node): boolean {
  return ts.isToken(node) || ts.isJsxText(node);
}

/** The first line after the one of the comment's end that holds more than comments. */
function nextCode(text: string, lineStarts: readonly number[], comment: number): number {
  const line = lineAt(lineStarts, comment);
  const isBlock = /\/?\*+\s*$/u.test(text.slice(lineStarts[line - 1], comment));
  const end = isBlock ? text.indexOf("*/", comment) : comment;
  let at = lineStarts[lineAt(lineStarts, end < 0 ? text.length : end)] ?? text.length;
  while (at < text.length) {
    const next = text.slice(at, at + 2);
    if (next === "//") at = endOf(text, "\n", at);
    else if (next === "/*") at = endOf(text, "*/", at);
    else if (next.trimStart().length < next.length) at++;
    else break;
  }
  return lineAt(lineStarts, at);
}

function endOf(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from);
  return at < 0 ? text.length : at + mark.length;
}

export function findLineStarts(text: string): number[] {
  const starts = [0];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 10 || (code === 13 && text.charCodeAt(at + 1) !== 10)) starts.push(at + 1);
  }
  return starts;
}
