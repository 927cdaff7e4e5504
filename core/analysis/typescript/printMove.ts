/** Fixes that change the order of statements: what came too early or too late, and what nobody waited for. */
import { ts } from "ts-morph";
import type { FixPlan } from "../fix/plan.ts";
import type { Span } from "../flow.ts";
import { callbackOf, placeInCallback } from "./printCallback.ts";
import { isKnown } from "./printCleanup.ts";
import { successOf } from "./printCondition.ts";
import { isMeantAlike } from "./printDelete.ts";
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
import { endsLine, endWithComments, type PrintStyle, startsLine } from "./printStyle.ts";
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
    return [{ start: call.end, end: call.end, text: `.then(() => ${promised(source, moved.expression)})` }, taken.change];
  }
  const place = placeInCallback(source, style, callback, []);
  if (!place || !taken || !isMeantAlike(moved, moved, place.place, place.offset)) return undefined;
  const waits = ts.isAwaitExpression(moved.expression) && !mayAwait(place.place, source);
  const isStep = ts.isCallExpression(callback.fn.parent) && callback.fn.parent !== call;
  const start = callback.fn.getStart(source);
  const written = waits && !isStep ? caught(promised(source, moved.expression)) : moved.expression.getText(source);
  const puts = place.put(place.onlyIf === undefined ? written : `if (${place.onlyIf}) ${written}`);
  return puts && [...(waits && isStep ? [{ start, end: start, text: "async " }] : []), ...puts, taken.change];
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

export function moveAfter(source: ts.SourceFile, style: PrintStyle, statement: Span, after: Span): readonly Change[] | undefined {
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
  const written = isReturn ? taken.written.replace(/;\s*$/, "") : taken.written;
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
