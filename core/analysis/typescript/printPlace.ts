/** Where statements are put into a source file, and what has to give way: blocks for bodies without braces, names for results. */
import { ts } from "ts-morph";
import type { Span } from "../flow.ts";
import { functionAround, freeName, mayAwait } from "./printScope.ts";
import { ended, endsLine, endWithComments, indentAt, lineStart, type PrintStyle, startsLine } from "./printStyle.ts";

/** A stretch of the text and what comes in its place. */
export interface Change {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A statement, or the expression that is the body of an arrow function. */
export type Place = ts.Statement | (ts.Expression & { readonly parent: ts.ArrowFunction });

/** The innermost place that the span is part of. */
export function placeAt(source: ts.SourceFile, span: Span): Place | undefined {
  let found: Place | undefined;
  const visit = (node: ts.Node): void => {
    if (node.getStart(source) > span.start || node.end < span.end) return;
    if (isPlace(node)) found = node;
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(source, visit);
  return found;
}

export function isPlace(node: ts.Node): node is Place {
  if (ts.isStatement(node)) return !ts.isBlock(node);
  return node.parent !== undefined && ts.isArrowFunction(node.parent) && node.parent.body === node;
}

/** The ancestor of `inner` (or itself) that stands beside `place`. */
export function siblingAround(inner: ts.Node, place: ts.Node): Place | undefined {
  for (let at: ts.Node | undefined = inner; at; at = at.parent)
    if (at.parent === place.parent && isPlace(at)) return inSameList(at, place) ? at : undefined;
  return undefined;
}

function inSameList(a: ts.Node, b: ts.Node): boolean {
  return a === b || !ts.isIfStatement(a.parent);
}

/** Whether only one of two places is passed through: the branches of an `if`, the cases of a `switch`, `try` and `catch`. */
export function areExclusive(a: ts.Node, b: ts.Node): boolean {
  const above = new Map<ts.Node, ts.Node>();
  for (let at = a; at.parent; at = at.parent) above.set(at.parent, at);
  for (let at = b; at.parent; at = at.parent) {
    const other = above.get(at.parent);
    if (!other) continue;
    const { parent } = at;
    if (other === at) return false;
    if (ts.isIfStatement(parent)) return other !== parent.expression && at !== parent.expression;
    if (ts.isConditionalExpression(parent)) return other !== parent.condition && at !== parent.condition;
    if (ts.isCaseBlock(parent)) return true;
    return ts.isTryStatement(parent) && (ts.isCatchClause(other) || ts.isCatchClause(at));
  }
  return false;
}

/** Whether the place runs after a failure, too; one from before the `call` does not count. */
export function isAfterFailure(place: ts.Node, call?: ts.Node): boolean {
  const isBefore = (at: ts.Node): boolean => call !== undefined && at.pos <= call.pos && call.end <= at.end;
  for (let at = place; at.parent && !ts.isFunctionLike(at); at = at.parent)
    if ((ts.isCatchClause(at) && !isBefore(at)) || (ts.isTryStatement(at.parent) && at.parent.finallyBlock === at)) return true;
  return false;
}

export function isInFinally(place: ts.Node): boolean {
  for (let at = place; at.parent; at = at.parent) if (ts.isTryStatement(at.parent) && at.parent.finallyBlock === at) return true;
  return false;
}

/** Puts statements behind a place. They come without semicolons. `upload` is what the place may return. */
export function putAfter(
  source: ts.SourceFile,
  style: PrintStyle,
  place: Place,
  statements: readonly string[],
  upload: Span,
): readonly Change[] | undefined {
  if (!ts.isStatement(place)) return intoArrow(source, style, place, statements);
  if (ts.isReturnStatement(place)) {
    const { expression } = place;
    if (!expression) return undefined;
    const name = freeName(source, "result", place);
    const value = withType(source, place, expression, settled(source, expression, upload));
    if (value === undefined) return undefined;
    const type = typeFor(source, place, expression);
    return replace(source, style, place, [`const ${name}${type} = ${value}`, ...statements, `return ${name}`]);
  }
  if (ts.isThrowStatement(place) || ts.isBreakStatement(place) || ts.isContinueStatement(place)) return undefined;
  if (!isListed(place)) return replace(source, style, place, [undefined, ...statements]);
  const { text } = source;
  const end = endWithComments(text, place.end);
  if (endsLine(text, end)) {
    const indent = indentAt(text, place.getStart(source));
    return [
      {
        start: end,
        end,
        text: statements
          .map((statement) => `${style.lineEnd}${indent}${ended(indented(statement, indent, style), style.semicolon)}`)
          .join(""),
      },
    ];
  }
  const open = text[place.end - 1] === ";" || text[place.end - 1] === "}" ? "" : ";";
  return [
    { start: place.end, end: place.end, text: `${open}${statements.map((statement) => ` ${ended(flat(statement), ";")}`).join("")}` },
  ];
}

/** Puts statements before one. */
export function putBefore(
  source: ts.SourceFile,
  style: PrintStyle,
  place: Place,
  statements: readonly string[],
): readonly Change[] | undefined {
  if (!ts.isStatement(place)) return undefined;
  if (!isListed(place)) return replace(source, style, place, [...statements, undefined]);
  const { text } = source;
  const start = place.getStart(source);
  const indent = indentAt(text, start);
  if (startsLine(text, start))
    return [
      {
        start,
        end: start,
        text: statements
          .map((statement) => `${ended(indented(statement, indent, style), style.semicolon)}${style.lineEnd}${indent}`)
          .join(""),
      },
    ];
  return [{ start, end: start, text: statements.map((statement) => `${ended(flat(statement), ";")} `).join("") }];
}

/** On one line, without the comments that would swallow the rest of it. */
function flat(statement: string): string {
  return statement
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => !line.startsWith("//"))
    .join(" ");
}

/** Takes a statement out, with its line and the comments right above it. */
export function takeOut(source: ts.SourceFile, place: Place): { readonly change: Change; readonly written: string } | undefined {
  if (!ts.isStatement(place)) return undefined;
  const { text } = source;
  const start = place.getStart(source);
  const written = text.slice(start, place.end);
  if (!isListed(place)) return { change: { start, end: place.end, text: "{}" }, written };
  const end = endWithComments(text, place.end);
  if (!startsLine(text, start) || !endsLine(text, end)) {
    const space = /[ \t]*$/.exec(text.slice(0, start))?.[0].length ?? 0;
    return { change: { start: start - space, end: place.end, text: "" }, written };
  }
  let from = lineStart(text, start);
  for (const comment of (ts.getLeadingCommentRanges(text, place.getFullStart()) ?? []).toReversed()) {
    if (!startsLine(text, comment.pos) || /\n[ \t]*\r?\n/.test(text.slice(comment.end, from))) break;
    from = lineStart(text, comment.pos);
  }
  const after = /^[ \t]*(?:\r?\n)?/.exec(text.slice(end))?.[0].length ?? 0;
  return { change: { start: from, end: end + after, text: "" }, written: text.slice(from + indentAt(text, from).length, end) };
}

/** Whether the statement stands in a list of statements. */
export function isListed(place: ts.Node): boolean {
  const { parent } = place;
  return ts.isBlock(parent) || ts.isSourceFile(parent) || ts.isModuleBlock(parent) || ts.isCaseClause(parent) || ts.isDefaultClause(parent);
}

/** Lines of a statement that come from elsewhere, brought to this depth. */
function indented(statement: string, indent: string, style: PrintStyle): string {
  const lines = statement.split(/\r?\n/);
  const [, ...rest] = lines;
  const depth = rest
    .filter((line) => line.trim() !== "")
    .reduce((least, line) => Math.min(least, /^[ \t]*/.exec(line)?.[0].length ?? 0), Infinity);
  return lines
    .map((line, index) => (index === 0 ? line : line.trim() === "" ? "" : indent + line.slice(Math.min(depth, line.length))))
    .join(style.lineEnd);
}

/** Puts statements in the place of one; `undefined` among them is the statement itself. */
function replace(
  source: ts.SourceFile,
  style: PrintStyle,
  place: ts.Statement,
  statements: readonly (string | undefined)[],
): readonly Change[] | undefined {
  const { text } = source;
  const { lineEnd, semicolon } = style;
  const start = place.getStart(source);
  const own = text.slice(start, place.end);
  if (isListed(place)) {
    const alone = startsLine(text, start);
    const indent = indentAt(text, start);
    const written = statements.map((statement) =>
      statement === undefined ? own : alone ? ended(indented(statement, indent, style), semicolon) : ended(flat(statement), ";"),
    );
    return [{ start, end: place.end, text: written.join(alone ? `${lineEnd}${indent}` : " ") }];
  }
  const { parent } = place;
  if (!ts.isIfStatement(parent) && !ts.isIterationStatement(parent, false)) return undefined;
  const outer = indentAt(text, startsLine(text, start) ? parent.getStart(source) : start);
  const indent = outer + style.indent;
  const before = text.slice(0, start).trimEnd().length;
  // A comment between the head and the body stays where it is.
  const from = (ts.getLeadingCommentRanges(text, place.getFullStart())?.length ?? 0) > 0 ? start : before;
  const end = endWithComments(text, place.end);
  const moved = startsLine(text, start) ? own : own.replaceAll("\n", `\n${style.indent}`);
  const written = statements.map(
    (statement) =>
      lineEnd +
      indent +
      (statement === undefined ? moved + text.slice(place.end, end) : ended(indented(statement, indent, style), semicolon)),
  );
  const rest = /^\s+(?=else\b|while\b)/.exec(text.slice(end))?.[0];
  const joins =
    rest !== undefined &&
    ((ts.isIfStatement(parent) && parent.thenStatement === place && parent.elseStatement) || ts.isDoStatement(parent));
  return [
    {
      start: from,
      end: joins ? end + rest.length : end,
      text: `${from === before ? " " : ""}{${written.join("")}${lineEnd}${outer}}${joins ? " " : ""}`,
    },
  ];
}

/** `async (p) => upload(p)` gets a body with a `return`. */
function intoArrow(
  source: ts.SourceFile,
  style: PrintStyle,
  body: ts.Expression & { readonly parent: ts.ArrowFunction },
  statements: readonly string[],
): readonly Change[] | undefined {
  const arrow = body.parent;
  const { text } = source;
  const { lineEnd, semicolon } = style;
  const name = freeName(source, "result", body);
  const isAsync = mayAwait(body, source);
  const value = ts.isAwaitExpression(body) || !canBePromise(body) ? body.getText(source) : `await ${operandText(source, body)}`;
  const outer = indentAt(text, arrow.equalsGreaterThanToken.end);
  const inner = outer + style.indent;
  const deeper = value.includes("\n") && indentAt(text, body.getStart(source)) === outer ? style.indent : "";
  const written = [`const ${name} = ${value.replaceAll("\n", `\n${deeper}`)}`, ...statements, `return ${name}`].map(
    (statement, index) => lineEnd + inner + ended(index === 0 ? statement : indented(statement, inner, style), semicolon),
  );
  const start = arrow.getStart(source);
  return [
    // It returned a promise before, and does so now.
    ...(isAsync ? [] : [{ start, end: start, text: "async " }]),
    { start: arrow.equalsGreaterThanToken.end, end: body.end, text: ` {${written.join("")}${lineEnd}${outer}}` },
  ];
}

/** What a `return` returns, once the upload in it is over. */
function settled(source: ts.SourceFile, expression: ts.Expression, upload: Span): string | undefined {
  const written = expression.getText(source);
  if (functionAround(expression) === undefined) return undefined;
  if (ts.isAwaitExpression(expression) || !canBePromise(expression)) return written;
  let waits = false;
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isAwaitExpression(node) && node.end > upload.start) waits = true;
    ts.forEachChild(node, visit);
  };
  visit(expression);
  return waits ? written : `await ${operandText(source, expression)}`;
}

function canBePromise(expression: ts.Expression): boolean {
  const node = ts.skipPartiallyEmittedExpressions(expression);
  if (ts.isParenthesizedExpression(node)) return canBePromise(node.expression);
  return !(
    ts.isObjectLiteralExpression(node) ||
    ts.isArrayLiteralExpression(node) ||
    ts.isTemplateExpression(node) ||
    ts.isLiteralExpression(node) ||
    ts.isAwaitExpression(node)
  );
}

/** The expression as the operand of `await`. */
export function operandText(source: ts.SourceFile, expression: ts.Expression): string {
  const written = expression.getText(source);
  return ts.isLeftHandSideExpression(expression) ? written : `(${written})`;
}

/** `new Promise(…)` gets the type that the `return` gave it. */
function withType(source: ts.SourceFile, place: ts.Node, expression: ts.Expression, written: string | undefined): string | undefined {
  const node = ts.isAwaitExpression(expression) ? expression.expression : expression;
  const declared = functionAround(place)?.type;
  const inner = declared && ts.isTypeReferenceNode(declared) ? declared.typeArguments?.[0] : undefined;
  if (!inner || !ts.isNewExpression(node) || node.typeArguments || node.expression.getText(source) !== "Promise") return written;
  return written?.replace("new Promise(", `new Promise<${inner.getText(source)}>(`);
}

/** The type that a literal would otherwise lose: `return { ok: true }` in a function that declares what it returns. */
function typeFor(source: ts.SourceFile, place: ts.Node, expression: ts.Expression): string {
  const declared = functionAround(place)?.type;
  if (!declared || canBePromise(expression) || ts.isAwaitExpression(expression)) return "";
  if (!ts.isTypeReferenceNode(declared)) return "";
  const [inner] = declared.typeArguments ?? [];
  return inner && declared.typeName.getText(source) === "Promise" && !ts.isToken(inner) ? `: ${inner.getText(source)}` : "";
}
