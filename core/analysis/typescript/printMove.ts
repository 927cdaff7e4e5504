/** Fixes that change the order of statements: what came too early or too late, and what nobody waited for. */
import { ts } from "ts-morph";
import type { FixPlan } from "../fix/plan.ts";
import type { Span } from "../flow.ts";
import { callbackOf, placeInCallback } from "./printCallback.ts";
import { isKnown } from "./printCleanup.ts";
import { onCondition, successOf } from "./printCondition.ts";
import { isMeantAlike, never, printTry } from "./printDelete.ts";
import {
  type Change,
  isAfterFailure,
  isInFinally,
  isListed,
  operandText,
  type Place,
  placeAt,
  putAfter,
  putBefore,
  siblingAround,
  takeOut,
} from "./printPlace.ts";
import { functionAround, mayAwait } from "./printScope.ts";
import { block, endsLine, endWithComments, indentAt, type PrintStyle, startsLine } from "./printStyle.ts";
import { callAt, whereOver } from "./printWait.ts";

/** Waits for a call; where nothing can wait, `early`, what came too early, moves to where the call is over. */
export function waitFor(source: ts.SourceFile, style: PrintStyle, span: Span, early: Span): readonly Change[] | undefined {
  const found = callAt(source, span);
  if (!found) return undefined;
  const late = moveBehindWait(source, style, found, early) ?? waitForAll(source, found, early);
  if (late) return late;
  // Who waits for what catches its own failure learns nothing of it.
  if (!mayAwait(found, source) || isSwallowed(found)) return moveIntoCallback(source, style, found, early);
  let call: ts.Expression = found;
  // `upload(p).then(…).catch(…)` is one promise.
  while (
    ts.isPropertyAccessExpression(call.parent) &&
    /^(?:then|catch|finally)$/.test(call.parent.name.text) &&
    ts.isCallExpression(call.parent.parent)
  )
    call = call.parent.parent;
  const awaited = awaitBefore(source, call);
  return awaited && [...awaited, ...bestEffort(source, style, early)];
}

function awaitBefore(source: ts.SourceFile, call: ts.Expression): readonly Change[] | undefined {
  const { parent } = call;
  if (ts.isAwaitExpression(parent)) return undefined;
  const start = call.getStart(source);
  if (ts.isVoidExpression(parent)) return [{ start: parent.getStart(source), end: start, text: "await " }];
  const inner =
    (ts.isPropertyAccessExpression(parent) ||
      ts.isElementAccessExpression(parent) ||
      ts.isCallExpression(parent) ||
      ts.isNonNullExpression(parent)) &&
    parent.expression === call;
  if (inner) return [{ start, end: call.end, text: `(await ${operandText(source, call)})` }];
  return [{ start, end: start, text: "await " }];
}

/** The deletion as it cannot fail what comes before it, once that is waited for. */
function bestEffort(source: ts.SourceFile, style: PrintStyle, span: Span): readonly Change[] {
  const place = placeAt(source, span);
  if (!place) return [];
  const start = place.getStart(source);
  const lines = forgiving(source, style, place, source.text.slice(start, place.end))?.split("\n");
  if (!lines || (lines.length > 1 && !(isListed(place) && startsLine(source.text, start)))) return [];
  return [{ start, end: place.end, text: lines.join(style.lineEnd + indentAt(source.text, start)) }];
}

/** Undefined: it is so already, or there is no telling how. */
function forgiving(source: ts.SourceFile, style: PrintStyle, place: Place, written: string): string | undefined {
  if (!ts.isExpressionStatement(place) || isCaught(place)) return undefined;
  const { expression } = place;
  const call = (ts.isAwaitExpression(expression) ? expression.expression : expression).getText(source);
  if (ts.isAwaitExpression(expression))
    return ts.isCallExpression(expression.expression) && !/\.catch\(|force:/.test(call)
      ? written.replace(call, () => call + never(source))
      : undefined;
  return ts.isCallExpression(expression) && expression.expression.getText(source).endsWith("Sync") ? printTry(written, style) : undefined;
}

/** Whether an exception stays within the function. */
function isCaught(place: ts.Node): boolean {
  for (let at = place; at.parent && !ts.isFunctionLike(at); at = at.parent)
    if (ts.isTryStatement(at.parent) && at.parent.tryBlock === at && at.parent.catchClause) return true;
  return false;
}

/** `const sending = upload(p); unlinkSync(p); await sending;`: the wait is there. */
function moveBehindWait(source: ts.SourceFile, style: PrintStyle, call: ts.Expression, early: Span): readonly Change[] | undefined {
  const moved = placeAt(source, early);
  const over = whereOver(source, call, "", true);
  if (!moved || !over || over.asyncAt !== undefined || over.place.pos <= moved.pos) return undefined;
  return moveAfter(
    source,
    style,
    { start: moved.getStart(source), end: moved.end },
    { start: over.place.getStart(source), end: over.place.end },
    (written) => forgiving(source, style, moved, written) ?? written,
  );
}

/** `upload(p).then(…).catch(…)` */
function isSwallowed(call: ts.Expression): boolean {
  for (let at: ts.Node = call; ts.isPropertyAccessExpression(at.parent) && ts.isCallExpression(at.parent.parent); at = at.parent.parent)
    if (at.parent.name.text === "catch") return true;
  return false;
}

/** `files.map((file) => upload(file))` and `files.forEach(async …)`, which nobody waits for. */
function waitForAll(source: ts.SourceFile, call: ts.Expression, early: Span): readonly Change[] | undefined {
  const around = functionAround(call);
  const loop = around?.parent;
  if (!loop || !ts.isCallExpression(loop) || !ts.isExpressionStatement(loop.parent) || !mayAwait(loop, source)) return undefined;
  const { expression } = loop;
  if (!ts.isPropertyAccessExpression(expression) || !/^(?:map|forEach)$/.test(expression.name.text) || loop.end > early.start)
    return undefined;
  const isAsync = around.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.AsyncKeyword) === true;
  if (!isAsync && (!ts.isArrowFunction(around) || ts.isBlock(around.body))) return undefined;
  const start = loop.getStart(source);
  const name = expression.name;
  return [
    { start, end: start, text: "await Promise.all(" },
    ...(name.text === "map" ? [] : [{ start: name.getStart(source), end: name.end, text: "map" }]),
    { start: loop.end, end: loop.end, text: ")" },
  ];
}

function moveIntoCallback(source: ts.SourceFile, style: PrintStyle, call: ts.Expression, early: Span): readonly Change[] | undefined {
  const moved = placeAt(source, early);
  if (!moved || !ts.isExpressionStatement(moved) || !isMovable(moved)) return undefined;
  const taken = takeOut(source, moved);
  const callback = callbackOf(call);
  if (!callback) {
    // A promise that nobody waits for, in a function that cannot: the deletion becomes what follows it.
    const { parent } = call;
    if (!ts.isExpressionStatement(parent) || !taken || parent.parent !== moved.parent) return undefined;
    return [{ start: call.end, end: call.end, text: `.then(() => ${asStep(source, style, moved)})` }, taken.change];
  }
  const place = placeInCallback(source, style, callback, []);
  if (!place || !taken || !isMeantAlike(moved, moved, place.place, place.offset)) return undefined;
  const waits = ts.isAwaitExpression(moved.expression) && !mayAwait(place.place, source);
  const isStep = ts.isCallExpression(callback.fn.parent) && callback.fn.parent !== call;
  const start = callback.fn.getStart(source);
  const written = waits && !isStep ? caught(promised(source, moved.expression)) : moved.expression.getText(source);
  const statement = isStep ? written : (forgiving(source, style, moved, written + style.semicolon) ?? written);
  const indent = indentAt(source.text, place.offset).length;
  const puts = place.put(place.onlyIf === undefined ? statement : onCondition(source, style, [place.onlyIf], statement, indent));
  return puts && [...(waits && isStep ? [{ start, end: start, text: "async " }] : []), ...puts, taken.change];
}

/** What a statement does, as the body of an arrow function whose failure nobody sees. */
function asStep(source: ts.SourceFile, style: PrintStyle, moved: ts.ExpressionStatement): string {
  const statement = promised(source, moved.expression);
  const safe = forgiving(source, style, moved, statement + style.semicolon);
  if (safe === undefined) return statement;
  if (!safe.includes("\n")) return promised(source, moved.expression) + never(source);
  return block([safe], style).replaceAll("\n", style.lineEnd + indentAt(source.text, moved.getStart(source)));
}

function promised(source: ts.SourceFile, expression: ts.Expression): string {
  return (ts.isAwaitExpression(expression) ? expression.expression : expression).getText(source);
}

function caught(written: string): string {
  return written.includes(".catch(") ? written : `${written}.catch(() => undefined)`;
}

/** `upload(p).catch(log); rm(p)` becomes `upload(p).then(() => rm(p)).catch(log)`. */
export function moveIntoChain(source: ts.SourceFile, plan: FixPlan & { kind: "chain" }): readonly Change[] | undefined {
  const call = callAt(source, plan.call);
  const moved = placeAt(source, plan.statement);
  const target = call && placeAt(source, plan.call);
  if (!call || !target || !moved || !ts.isExpressionStatement(moved) || !isMovable(moved) || siblingAround(target, moved) !== target)
    return undefined;
  const swallowed = ts.isPropertyAccessExpression(call.parent) && call.parent.name.text === "catch";
  const settled = call.parent.parent;
  const isSettled =
    ts.isArrayLiteralExpression(call.parent) && ts.isCallExpression(settled) && settled.expression.getText(source) === "Promise.allSettled";
  const taken = takeOut(source, moved);
  if ((!swallowed && !isSettled) || !taken || !isMeantAlike(moved, moved, call, call.end)) return undefined;
  return [{ start: call.end, end: call.end, text: `.then(() => ${promised(source, moved.expression)})` }, taken.change];
}

export function moveAfter(
  source: ts.SourceFile,
  style: PrintStyle,
  statement: Span,
  after: Span,
  change = (written: string): string => written,
): readonly Change[] | undefined {
  const moved = placeAt(source, statement);
  const target = placeAt(source, after);
  if (!moved || !target || !isMovable(moved) || isAfterFailure(target)) return undefined;
  // From before: behind the statement beside it that reads the file. From behind a `try`: into it, right after the upload.
  const anchor = target.pos > moved.pos ? siblingAround(target, moved) : target;
  const taken = takeOut(source, moved);
  if (!anchor || anchor === moved || !taken || !isListed(anchor) || !endsLine(source.text, endWithComments(source.text, anchor.end)))
    return undefined;
  const isReturn = ts.isReturnStatement(anchor);
  if (isReturn && !mayAwait(anchor, source)) return undefined;
  const written = change(isReturn ? taken.written.replace(/;\s*$/, "") : taken.written);
  const places = putAfter(source, isReturn ? style : { ...style, semicolon: "" }, anchor, [written], after);
  return places && [taken.change, ...places];
}

export function moveBefore(source: ts.SourceFile, style: PrintStyle, statement: Span, before: Span): readonly Change[] | undefined {
  const target = placeAt(source, before);
  const dead = placeAt(source, statement);
  const moved = target && dead && siblingAround(dead, target);
  if (!moved || !isListed(moved) || isInFinally(moved) || isAfterFailure(moved) || !startsLine(source.text, target.getStart(source)))
    return undefined;
  // A declaration goes as well if all that it needs is there by then.
  if (ts.isVariableStatement(moved) ? !isMeantAlike(moved, moved, target, target.getStart(source)) : !isMovable(moved)) return undefined;
  const taken = takeOut(source, moved);
  const places = taken && putBefore(source, { ...style, semicolon: "" }, target, [taken.written]);
  return places && [...places, taken.change];
}

/** A statement of a list that declares nothing, and not of a `finally`. */
function isMovable(place: Place): boolean {
  return ts.isStatement(place) && isListed(place) && !isInFinally(place) && !ts.isVariableStatement(place);
}

/** `if (…)` before a statement. */
export function guard(source: ts.SourceFile, plan: FixPlan & { kind: "guard" }): readonly Change[] | undefined {
  const place = placeAt(source, plan.statement);
  const upload = placeAt(source, plan.upload);
  if (!place || !upload || !ts.isStatement(place) || !ts.isExpressionStatement(place) || isAfterFailure(place)) return undefined;
  const success = successOf(source, upload, plan.success);
  const start = place.getStart(source);
  // A name that is given to the result is known in the block of the upload.
  const known =
    success && (success.changes.length > 0 ? siblingAround(place, upload) !== undefined : isKnown(success.onlyIf, place, start));
  return known ? [...success.changes, { start, end: start, text: `if (${success.onlyIf}) ` }] : undefined;
}
