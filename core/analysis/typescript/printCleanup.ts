/** Puts a deletion behind the last use of a file, on the way on which its upload or assembly went well. */
import { ts } from "ts-morph";
import type { Deletion, FixPlan } from "../fix/plan.ts";
import { callbackOf, isIn, placeInCallback } from "./printCallback.ts";
import { collect, forEachOf } from "./printCollect.ts";
import { type Manner, printDeletion } from "./printDelete.ts";
import { conditionOf, onCondition, successOf, testAfter, testOfResult, type Told } from "./printCondition.ts";
import { readsOf, rootOf } from "./printInline.ts";
import {
  areExclusive,
  type Change,
  isAfterFailure,
  isInFinally,
  isListed,
  isPlace,
  type Place,
  placeAt,
  putAfter,
  putBefore,
  siblingAround,
  takeOut,
} from "./printPlace.ts";
import { declarationOf, isReassigned, mayAwait } from "./printScope.ts";
import { isReadLater } from "./printLater.ts";
import { block, ended, indentAt, type PrintStyle } from "./printStyle.ts";
import { callAt, type Over, whereOver } from "./printWait.ts";

interface Written {
  readonly statement: string;
  readonly changes: readonly Change[];
}

export function deleteAfter(
  source: ts.SourceFile,
  style: PrintStyle,
  plan: FixPlan & { kind: "delete-after" },
): readonly Change[] | undefined {
  const call = callAt(source, plan.call);
  const uses = plan.uses.map((span) => placeAt(source, span));
  if (!call || !uses.every((use) => use !== undefined) || isReadLater(source, call, plan.subject)) return undefined;
  const over = whereOver(source, call, plan.subject, plan.settlesLater);
  const old = plan.instead && placeAt(source, plan.instead);
  const changes = over ? deleteBehind(source, style, plan, over, uses, old) : deleteInCallback(source, style, plan, call, uses);
  const gone = changes && old && takeOutOld(source, old);
  return gone && !changes.some((change) => change.start < gone.end && gone.start < change.end) ? [...changes, gone] : changes;
}

function deleteBehind(
  source: ts.SourceFile,
  style: PrintStyle,
  plan: Deletion,
  { place, asyncAt }: Over,
  uses: readonly Place[],
  old: Place | undefined,
): readonly Change[] | undefined {
  if (isAfterFailure(place, callAt(source, plan.call))) return undefined;
  const awaits = asyncAt !== undefined || mayAwait(place, source);
  if (plan.settlesLater && !awaits) return undefined;
  let anchor: Place = place;
  for (const use of uses) {
    if (use === old) continue;
    const sibling = siblingAround(use, place);
    if (sibling) anchor = sibling.end > anchor.end ? sibling : anchor;
    // Another use further out: up to there the file is needed, and from there on not every way has uploaded it.
    else if (!areExclusive(use, place)) return undefined;
  }
  const success = plan.success && successOf(source, place, plan.success);
  if (plan.success && !success) return undefined;
  const tested = (success && testAfter(place, success.onlyIf)) ?? testOfResult(place);
  if (tested && tested.end > anchor.end) anchor = tested;
  const at = { place: anchor, offset: anchor.end, manner: awaits ? ("await" as const) : ("sync" as const) };
  const other = success && anchor === place ? failureBranch(source, place, success.onlyIf) : undefined;
  const put = statementAt(source, style, plan, at, tested || other ? undefined : success);
  const swallowed = put && uses.length === 0 && anchor === place ? intoChain(source, plan, put) : undefined;
  if (swallowed) return swallowed;
  const places =
    put && (other ? elseOf(source, style, other, put.statement) : putAfter(source, style, anchor, [put.statement], plan.upload));
  if (!places) return undefined;
  const start = asyncAt !== undefined && ts.isStatement(anchor) ? [{ start: asyncAt, end: asyncAt, text: "async " }] : [];
  return [...put.changes, ...start, ...places];
}

/** `await upload(p).catch(log)`: only within the chain is it known whether the upload went well. */
function intoChain(source: ts.SourceFile, plan: Deletion, put: Written): readonly Change[] | undefined {
  const call = callAt(source, plan.call);
  const isCaught = call && ts.isPropertyAccessExpression(call.parent) && call.parent.name.text === "catch";
  const promise = /^await ([^\n]+)$/.exec(put.statement)?.[1];
  if (!isCaught || promise === undefined) return undefined;
  return [...put.changes, { start: call.end, end: call.end, text: `.then(() => ${promise})` }];
}

/** The `if` right behind the upload that is about its failure and goes on. */
function failureBranch(source: ts.SourceFile, upload: Place, onlyIf: string): ts.IfStatement | undefined {
  if (!isListed(upload)) return undefined;
  const { statements } = upload.parent as ts.Block;
  const next = statements.find((statement) => statement.pos >= upload.end);
  const isIt = next && ts.isIfStatement(next) && !next.elseStatement && ts.isBlock(next.thenStatement);
  return isIt && `!${next.expression.getText(source)}` === onlyIf ? next : undefined;
}

function elseOf(source: ts.SourceFile, style: PrintStyle, branch: ts.IfStatement, statement: string): readonly Change[] {
  const indent = indentAt(source.text, branch.getStart(source));
  const lines = block([ended(statement, style.semicolon)], style).split("\n");
  return [{ start: branch.end, end: branch.end, text: ` else ${lines.join(style.lineEnd + indent)}` }];
}

function deleteInCallback(
  source: ts.SourceFile,
  style: PrintStyle,
  plan: Deletion,
  call: ts.Expression,
  uses: readonly Place[],
): readonly Change[] | undefined {
  const callback = plan.success ? undefined : callbackOf(call);
  if (!callback) return undefined;
  const place = placeInCallback(
    source,
    style,
    callback,
    uses.filter((use) => isIn(callback, use)),
  );
  if (!place || isAfterFailure(place.place)) return undefined;
  const manner = mayAwait(callback.fn.body ?? place.place, source) && isAsync(callback.fn) ? "await" : "callback";
  const told = place.onlyIf === undefined ? undefined : { onlyIf: place.onlyIf, changes: [] };
  const put = statementAt(source, style, plan, { ...place, manner }, told);
  const places = put && place.put(put.statement);
  return places && [...put.changes, ...places];
}

function isAsync(fn: ts.FunctionLikeDeclaration): boolean {
  return fn.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.AsyncKeyword) === true;
}

export function deleteBefore(
  source: ts.SourceFile,
  style: PrintStyle,
  plan: FixPlan & { kind: "delete-before" },
): readonly Change[] | undefined {
  const place = placeAt(source, plan.before);
  const call = callAt(source, plan.call);
  const upload = placeAt(source, plan.upload);
  if (!place || !call || !upload || isAfterFailure(place)) return undefined;
  const callback = callbackOf(call);
  const inside = callback !== undefined && isIn(callback, place);
  const awaits = mayAwait(place, source);
  if (plan.settlesLater && !awaits && !inside) return undefined;
  // Whatever leads to the return has been past the upload only if that stands in a block around it.
  if (!inside && ![...ancestors(place)].some((node) => isPlace(node) && siblingAround(node, upload) === node)) return undefined;
  const success = plan.success && successOf(source, upload, plan.success);
  if (plan.success && !success) return undefined;
  const tested = success && testAfter(upload, success.onlyIf);
  const start = place.getStart(source);
  const manner = awaits ? "await" : inside ? "callback" : "sync";
  const put = statementAt(source, style, plan, { place, offset: start, manner }, tested && tested.end <= start ? undefined : success);
  const places = put && putBefore(source, style, place, [put.statement]);
  return places && [...put.changes, ...places];
}

function* ancestors(node: ts.Node): Generator<ts.Node> {
  for (let at: ts.Node | undefined = node; at; at = at.parent) yield at;
}

/** The deletion as it would be written at a place; undefined: a name that it needs is not known there, or means something else by then. */
function statementAt(
  source: ts.SourceFile,
  style: PrintStyle,
  plan: Deletion,
  { place, offset, manner }: { readonly place: Place; readonly offset: number; readonly manner: Manner },
  success: Told | undefined,
): Written | undefined {
  if (success && success.changes.length === 0 && !isKnown(success.onlyIf, place, offset)) return undefined;
  const known = isKnown(plan.subject, place, offset);
  const collected = known ? undefined : collect(source, style, plan.subject, place);
  const changes = known && readsOf(plan.subject).some((read) => isReassigned(source, read, plan.upload.start, offset));
  if (changes || (!known && !collected)) return undefined;
  const printed = printDeletion(source, style, plan, place, offset, manner);
  if (!printed) return undefined;
  const condition = conditionOf(source, style, plan, place, offset, success);
  const each = collected ? forEachOf(collected.list, plan.subject, printed.statement, style) : printed.statement;
  const indent = indentAt(source.text, place.getStart(source)).length;
  return {
    statement: onCondition(source, style, condition.tests, each, indent),
    changes: [...condition.changes, ...printed.changes, ...(collected?.changes ?? []), ...(success?.changes ?? [])],
  };
}

export function isKnown(expression: string, place: ts.Node, offset: number): boolean {
  return readsOf(expression).every((read) => {
    const root = rootOf(read);
    return root === "this" || (root !== "" && declarationOf(root, place, offset) !== undefined);
  });
}

/** A cleanup that the new one makes needless: with the `if` around it, when that is about nothing else. */
function takeOutOld(source: ts.SourceFile, old: Place): Change | undefined {
  if (isInFinally(old) || !ts.isStatement(old)) return undefined;
  let place: ts.Statement = old;
  for (;;) {
    const block = ts.isBlock(place.parent) && place.parent.statements.length === 1 ? place.parent : place;
    const around = block.parent;
    if (!ts.isIfStatement(around) || around.thenStatement !== block || around.elseStatement || !isPlain(around.expression)) break;
    place = around;
  }
  return isListed(place) ? takeOut(source, place)?.change : undefined;
}

/** Without effects. */
function isPlain(node: ts.Node): boolean {
  if (ts.isCallExpression(node) || ts.isAwaitExpression(node) || ts.isNewExpression(node)) return false;
  if (ts.isBinaryExpression(node) && node.operatorToken.kind >= ts.SyntaxKind.FirstAssignment) {
    if (node.operatorToken.kind <= ts.SyntaxKind.LastAssignment) return false;
  }
  return ts.forEachChild(node, (child) => (isPlain(child) ? undefined : true)) !== true;
}
