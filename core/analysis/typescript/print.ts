/** Writes a fix down in TypeScript or JavaScript, in the style of the file. */
import { ts } from "ts-morph";
import type { Finding, TextEdit } from "../finding.ts";
import type { Deletion, FixPlan, Success } from "../fix/plan.ts";
import type { FlowModule, Span } from "../flow.ts";
import { rangeOf } from "../report.ts";
import { printDeletion } from "./printDelete.ts";
import {
  areExclusive,
  type Change,
  isAfterFailure,
  isInFinally,
  isListed,
  isPlace,
  operandText,
  type Place,
  placeAt,
  putAfter,
  putBefore,
  siblingAround,
  takeOut,
} from "./printPlace.ts";
import { declarationOf, freeName, functionAround, isReassigned, mayAwait } from "./printScope.ts";
import { endsLine, endWithComments, type PrintStyle, startsLine, styleOf } from "./printStyle.ts";

interface Parsed {
  readonly text: string;
  readonly source: ts.SourceFile;
  readonly style: PrintStyle;
}

/** Several findings of one text are printed one after the other. */
const parsed = new WeakMap<FlowModule, Parsed>();

export function printFix(
  _finding: Finding,
  plan: FixPlan,
  module: FlowModule,
  text: string,
): readonly { readonly file: string; readonly edits: readonly TextEdit[] }[] | undefined {
  const { source, style } = parse(module, text);
  const changes = changesOf(source, style, plan);
  if (!changes) return undefined;
  const edits = changes.map((change) => ({ range: rangeOf(module, change), text: change.text }));
  return [{ file: plan.file, edits }];
}

function parse(module: FlowModule, text: string): Parsed {
  const known = parsed.get(module);
  if (known?.text === text) return known;
  const source = ts.createSourceFile(module.file, text, ts.ScriptTarget.Latest, true);
  const made = { text, source, style: styleOf(source) };
  parsed.set(module, made);
  return made;
}

function changesOf(source: ts.SourceFile, style: PrintStyle, plan: FixPlan): readonly Change[] | undefined {
  switch (plan.kind) {
    case "delete-after":
      return deleteAfter(source, style, plan);
    case "delete-before":
      return deleteBefore(source, style, plan);
    case "await":
      return waitFor(source, plan.call);
    case "move-after":
      return moveAfter(source, style, plan.statement, plan.after);
    case "move-before":
      return moveBefore(source, style, plan.statement, plan.before);
    case "guard":
      return guard(source, plan);
    case "remove": {
      const place = placeAt(source, plan.statement);
      const taken = place && !isInFinally(place) ? takeOut(source, place) : undefined;
      return taken && [taken.change];
    }
  }
}

function deleteAfter(source: ts.SourceFile, style: PrintStyle, plan: FixPlan & { kind: "delete-after" }): readonly Change[] | undefined {
  const upload = placeIn(source, plan.upload, plan.owner);
  if (!upload || isAfterFailure(upload) || (plan.settlesLater && !mayAwait(upload, source))) return undefined;
  let anchor: Place = upload;
  for (const span of plan.uses) {
    const use = placeAt(source, span);
    if (!use) return undefined;
    const sibling = siblingAround(use, upload);
    if (sibling) anchor = sibling.end > anchor.end ? sibling : anchor;
    // Another use further out: up to there the file is needed, and from there on not every way has uploaded it.
    else if (!areExclusive(use, upload)) return undefined;
  }
  const dead = plan.instead === undefined ? undefined : takeOutDead(source, plan.instead);
  const success = plan.success && successOf(source, upload, plan.success);
  if (plan.success && !success) return undefined;
  const tested = success && testAfter(upload, success.onlyIf);
  if (tested && tested.end > anchor.end) anchor = tested;
  const put = deletionAt(source, style, plan, anchor, anchor.end, tested ? undefined : success);
  if (!put) return undefined;
  const places = putAfter(source, style, anchor, [put.statement], plan.upload);
  return places && [...put.changes, ...places, ...(dead ? [dead] : [])];
}

function takeOutDead(source: ts.SourceFile, span: Span): Change | undefined {
  const place = placeAt(source, span);
  return place && isListed(place) && !isInFinally(place) ? takeOut(source, place)?.change : undefined;
}

function deleteBefore(source: ts.SourceFile, style: PrintStyle, plan: FixPlan & { kind: "delete-before" }): readonly Change[] | undefined {
  const place = placeAt(source, plan.before);
  const upload = placeIn(source, plan.upload, plan.owner);
  if (!place || !upload || isAfterFailure(place) || (plan.settlesLater && !mayAwait(place, source))) return undefined;
  // Whatever leads to the return has been past the upload only if that stands in a block around it.
  if (![...ancestors(place)].some((node) => isPlace(node) && siblingAround(node, upload) === node)) return undefined;
  const success = plan.success && successOf(source, upload, plan.success);
  if (plan.success && !success) return undefined;
  const tested = success && testAfter(upload, success.onlyIf);
  const start = place.getStart(source);
  const put = deletionAt(source, style, plan, place, start, tested && tested.end <= start ? undefined : success);
  const places = put && putBefore(source, style, place, [put.statement]);
  return places && [...put.changes, ...places];
}

function* ancestors(node: ts.Node): Generator<ts.Node> {
  for (let at: ts.Node | undefined = node; at; at = at.parent) yield at;
}

/** The deletion as it would be written at a place; undefined: a name that it needs is not known there, or means something else by then. */
function deletionAt(
  source: ts.SourceFile,
  style: PrintStyle,
  plan: Deletion,
  place: Place,
  offset: number,
  success: Told | undefined,
): { readonly statement: string; readonly changes: readonly Change[] } | undefined {
  if (!isKnown(plan.subject, place, offset) || (success && success.changes.length === 0 && !isKnown(success.onlyIf, place, offset)))
    return undefined;
  if (isReassigned(source, plan.subject, plan.upload.start, offset)) return undefined;
  const printed = printDeletion(source, style, plan, place, offset);
  if (!printed) return undefined;
  return success
    ? { statement: `if (${success.onlyIf}) ${printed.statement}`, changes: [...printed.changes, ...success.changes] }
    : printed;
}

/** The place in the owner's own code: a callback in it counts as the statement that waits for it. */
function placeIn(source: ts.SourceFile, span: Span, owner: Span): Place | undefined {
  let place = placeAt(source, span);
  for (
    let around = place && functionAround(place);
    around && (around.getStart(source) > owner.start || around.end < owner.end);
    around = place && functionAround(place)
  ) {
    let at: ts.Node = around;
    let waits = false;
    while (at.parent && !isPlace(at)) {
      at = at.parent;
      waits ||= ts.isAwaitExpression(at);
    }
    if (!isPlace(at) || (!waits && !ts.isReturnStatement(at) && ts.isStatement(at))) return undefined;
    place = at;
  }
  return place;
}

/** What says that the upload went well, and the change that gives its result a name. */
interface Told {
  readonly onlyIf: string;
  readonly changes: readonly Change[];
}

function successOf(source: ts.SourceFile, upload: Place, success: Success): Told | undefined {
  if ("onlyIf" in success) return { onlyIf: success.onlyIf, changes: [] };
  if (!ts.isStatement(upload) || !ts.isExpressionStatement(upload) || !isListed(upload) || !ts.isAwaitExpression(upload.expression))
    return undefined;
  const name = freeName(source, "uploaded");
  const start = upload.getStart(source);
  const whole = success.path === "" ? name : `${name}.${success.path}`;
  return { onlyIf: success.good ? whole : `!${whole}`, changes: [{ start, end: start, text: `const ${name} = ` }] };
}

function isKnown(expression: string, place: ts.Node, offset: number): boolean {
  const root = /[\p{ID_Start}$_][\p{ID_Continue}$]*/u.exec(expression)?.[0];
  return root === "this" || (root !== undefined && declarationOf(root, place, offset) !== undefined);
}

/** The statement behind the upload that looks at its result and leaves when it failed. */
function testAfter(upload: Place, onlyIf: string): Place | undefined {
  const root = /[\p{ID_Start}$_][\p{ID_Continue}$]*/u.exec(onlyIf)?.[0];
  if (root === undefined || !isListed(upload)) return undefined;
  const { statements } = upload.parent as ts.Block;
  return statements.find(
    (statement) =>
      statement.pos >= upload.end &&
      ts.isIfStatement(statement) &&
      !statement.elseStatement &&
      mentions(statement.expression, root) &&
      leaves(statement.thenStatement),
  );
}

function mentions(node: ts.Node, name: string): boolean {
  return (ts.isIdentifier(node) && node.text === name) || ts.forEachChild(node, (child) => mentions(child, name) || undefined) === true;
}

function leaves(statement: ts.Statement): boolean {
  const last = ts.isBlock(statement) ? statement.statements.at(-1) : statement;
  return (
    last !== undefined &&
    (ts.isReturnStatement(last) || ts.isThrowStatement(last) || ts.isContinueStatement(last) || ts.isBreakStatement(last))
  );
}

function waitFor(source: ts.SourceFile, span: Span): readonly Change[] | undefined {
  let found: ts.Expression | undefined;
  const visit = (node: ts.Node): void => {
    if (node.getStart(source) > span.start || node.end < span.end) return;
    if (node.getStart(source) === span.start && node.end === span.end && (ts.isCallExpression(node) || ts.isNewExpression(node)))
      found ??= node;
    ts.forEachChild(node, visit);
  };
  visit(source);
  if (!found || !mayAwait(found, source)) return undefined;
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

function moveAfter(source: ts.SourceFile, style: PrintStyle, statement: Span, after: Span): readonly Change[] | undefined {
  const moved = placeAt(source, statement);
  const target = placeAt(source, after);
  if (!moved || !target || !isMovable(moved) || isAfterFailure(target)) return undefined;
  // From before: behind the statement beside it that reads the file. From behind a `try`: into it, right after the upload.
  const anchor = target.pos > moved.pos ? siblingAround(target, moved) : target;
  const taken = takeOut(source, moved);
  if (
    !anchor ||
    anchor === moved ||
    !taken ||
    !isListed(anchor) ||
    ts.isReturnStatement(anchor) ||
    !endsLine(source.text, endWithComments(source.text, anchor.end))
  )
    return undefined;
  const places = putAfter(source, { ...style, semicolon: "" }, anchor, [taken.written], after);
  return places && [taken.change, ...places];
}

function moveBefore(source: ts.SourceFile, style: PrintStyle, statement: Span, before: Span): readonly Change[] | undefined {
  const target = placeAt(source, before);
  const dead = placeAt(source, statement);
  const moved = target && dead && siblingAround(dead, target);
  if (!moved || !isMovable(moved) || isAfterFailure(moved) || !startsLine(source.text, target.getStart(source))) return undefined;
  const taken = takeOut(source, moved);
  const places = taken && putBefore(source, { ...style, semicolon: "" }, target, [taken.written]);
  return places && [...places, taken.change];
}

/** A statement of a list that declares nothing, and not of a `finally`. */
function isMovable(place: Place): boolean {
  return ts.isStatement(place) && isListed(place) && !isInFinally(place) && !ts.isVariableStatement(place);
}

/** `if (…)` before a statement. */
function guard(source: ts.SourceFile, plan: FixPlan & { kind: "guard" }): readonly Change[] | undefined {
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
