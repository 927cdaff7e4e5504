/** Where a call is known to be over: the place that waits for it, out of loops and callbacks that come back to it. */
import { ts } from "ts-morph";
import type { Span } from "../flow.ts";
import { readsOf, rootOf } from "./printInline.ts";
import { isListed, isPlace, type Place } from "./printPlace.ts";
import { asyncOffset, declarationOf, functionAround, mayAwait } from "./printScope.ts";

export interface Over {
  readonly place: Place;
  /** Where `async` has to be added first. */
  readonly asyncAt?: number;
}

/** What these call once they may call again, whenever. */
const AGAIN = /^(?:setInterval|schedule\w*|subscribe|watch\w*)$/;

const REPEATS = /^(?:map|forEach|flatMap|reduce|filter|some|every|find|each\w*|map(?:Limit|Series)|times\w*|add|push)$/;

/** The node that a call's span is of. */
export function callAt(source: ts.SourceFile, span: Span): ts.Expression | undefined {
  let found: ts.Expression | undefined;
  const visit = (node: ts.Node): void => {
    if (node.pos > span.start || node.end < span.end || node.getStart(source) > span.start) return;
    if (node.getStart(source) === span.start && node.end === span.end && ts.isExpression(node)) found = node;
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Undefined: nothing in the code of the owner of `subject` waits for the call, or a failure is swallowed on the way there. */
export function whereOver(source: ts.SourceFile, call: ts.Expression, subject: string, settlesLater: boolean): Over | undefined {
  const declared = innermost(readsOf(subject).map((read) => declarationOf(rootOf(read), call, call.getStart(source))));
  let node: ts.Node = call;
  for (let depth = 0; depth < 8; depth += 1) {
    let waits = !settlesLater;
    while (!isPlace(node)) {
      if (!node.parent) return undefined;
      node = node.parent;
      // Whoever is first ends it; the upload may go on.
      if (ts.isCallExpression(node) && /^Promise\s*\.\s*(?:race|any)$/.test(node.expression.getText(source))) return undefined;
      waits ||= ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier !== undefined);
    }
    const place: Place = node;
    const around = functionAround(place);
    const isOutside = declared === undefined || !around || !isWithin(declared, around);
    if (isOutside && around !== undefined && AGAIN.test(takerOf(around))) return undefined;
    const repeated = isOutside && around !== undefined && REPEATS.test(methodTaking(around) ?? "");
    if (!repeated) {
      const over = waits ? { place } : returned(source, call, place);
      if (over) return outOfLoops(over, declared);
      const later = place.parent && laterWait(source, place);
      if (later) return outOfLoops({ place: later }, declared);
    }
    const outer = around && callTaking(around);
    if (!outer || (!repeated && !isOutside)) return undefined;
    node = outer;
  }
  return undefined;
}

/** Of several names the one that is declared last is known in the fewest places. */
function innermost(declarations: readonly (ts.Identifier | undefined)[]): ts.Identifier | undefined {
  let last: ts.Identifier | undefined;
  for (const one of declarations) if (one && (!last || one.pos > last.pos)) last = one;
  return last;
}

/** `return upload(p)`: what is returned can be waited for where the function is async, or may become so. */
function returned(source: ts.SourceFile, call: ts.Expression, place: Place): Over | undefined {
  if (ts.isStatement(place) && !ts.isReturnStatement(place)) return undefined;
  if (!isPromise(call)) return undefined;
  if (mayAwait(place, source)) return { place };
  const asyncAt = asyncOffset(place, source);
  return asyncAt === undefined ? undefined : { place, asyncAt };
}

/** Not what takes callbacks or listeners. */
function isPromise(call: ts.Expression): boolean {
  if (ts.isNewExpression(call)) return true;
  for (let at: ts.Expression = call; ts.isCallExpression(at) || ts.isPropertyAccessExpression(at); at = at.expression) {
    if (ts.isPropertyAccessExpression(at) && /^(?:on|once|save|run|pipe)$/.test(at.name.text)) return false;
    if (ts.isCallExpression(at) && at === call && at.arguments.some((one) => ts.isArrowFunction(one) || ts.isFunctionExpression(one)))
      return isChained(at);
  }
  return true;
}

function isChained(call: ts.CallExpression): boolean {
  return ts.isPropertyAccessExpression(call.expression) && /^(?:then|catch|finally)$/.test(call.expression.name.text);
}

/** `const done = upload(p); …; await done;` */
function laterWait(source: ts.SourceFile, place: Place): Place | undefined {
  if (!ts.isStatement(place) || !ts.isVariableStatement(place) || !isListed(place) || !mayAwait(place, source)) return undefined;
  const [declaration] = place.declarationList.declarations;
  if (!declaration || !ts.isIdentifier(declaration.name)) return undefined;
  const name = declaration.name.text;
  const { statements } = place.parent as ts.Block;
  return statements.find((statement) => statement.pos >= place.end && waitsFor(statement, name));
}

function waitsFor(node: ts.Node, name: string): boolean {
  if (ts.isFunctionLike(node)) return false;
  if (ts.isAwaitExpression(node)) return mentions(node.expression, name);
  if (ts.isReturnStatement(node)) return node.expression !== undefined && ts.isIdentifier(node.expression) && node.expression.text === name;
  return ts.forEachChild(node, (child) => waitsFor(child, name) || undefined) === true;
}

export function mentions(node: ts.Node, name: string): boolean {
  return (ts.isIdentifier(node) && node.text === name) || ts.forEachChild(node, (child) => mentions(child, name) || undefined) === true;
}

/** A file from outside of a loop is needed until the loop is over, unless the way leaves the loop here. */
function outOfLoops(over: Over, declared: ts.Identifier | undefined): Over | undefined {
  let { place } = over;
  let leaves = isLeft(place);
  let swallowed = false;
  for (let node: ts.Node = place; node.parent && !ts.isFunctionLike(node); node = node.parent) {
    const { parent } = node;
    if (ts.isTryStatement(parent) && parent.tryBlock === node && parent.catchClause) swallowed ||= !endsInLeaving(parent.catchClause.block);
    if (!ts.isIterationStatement(parent, false) || parent.statement !== node) continue;
    if (leaves || (declared && isWithin(declared, parent))) break;
    if (swallowed) return undefined;
    place = parent;
    leaves = isLeft(place);
  }
  return place === over.place ? over : { place };
}

/** Whether `break` or `return` comes next. */
function isLeft(place: Place): boolean {
  if (!ts.isStatement(place)) return true;
  if (ts.isReturnStatement(place)) return true;
  if (!isListed(place)) return false;
  const { statements } = place.parent as ts.Block;
  const next = statements.slice(statements.indexOf(place) + 1).find((one) => !ts.isExpressionStatement(one));
  return next !== undefined && (ts.isReturnStatement(next) || ts.isBreakStatement(next));
}

function endsInLeaving(body: ts.Block): boolean {
  const last = body.statements.at(-1);
  return last !== undefined && (ts.isThrowStatement(last) || ts.isReturnStatement(last) || ts.isBreakStatement(last));
}

/** The method that a function is an argument of. */
/** What a function is handed to, by its last name. */
function takerOf({ parent }: ts.Node): string {
  if (!ts.isCallExpression(parent)) return "";
  return /\w*$/.exec(parent.expression.getText())?.[0] ?? "";
}

function methodTaking(fn: ts.Node): string | undefined {
  const { parent } = fn;
  return ts.isCallExpression(parent) && parent.expression !== fn && ts.isPropertyAccessExpression(parent.expression)
    ? parent.expression.name.text
    : undefined;
}

/** The promise that is settled by a function: its executor, or a step of its chain. */
function callTaking(fn: ts.Node): ts.Expression | undefined {
  const { parent } = fn;
  if (ts.isNewExpression(parent) && ts.isIdentifier(parent.expression) && parent.expression.text === "Promise") return parent;
  const method = methodTaking(fn) ?? "";
  return /^(?:then|catch|finally)$/.test(method) || REPEATS.test(method) ? (parent as ts.CallExpression) : undefined;
}

function isWithin(node: ts.Node, outer: ts.Node): boolean {
  return outer.pos <= node.pos && node.end <= outer.end;
}
