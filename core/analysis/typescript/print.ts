/** Writes a fix down in TypeScript or JavaScript, in the style of the file. */
import { ts } from "ts-morph";
import type { Finding, TextEdit } from "../finding.ts";
import type { Deletion, FixPlan } from "../fix/plan.ts";
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
import { declarationOf, isReassigned, mayAwait } from "./printScope.ts";
import { type PrintStyle, styleOf } from "./printStyle.ts";

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
      return guard(source, plan.statement, plan.onlyIf);
    case "remove": {
      const place = placeAt(source, plan.statement);
      const taken = place && !isInFinally(place) ? takeOut(source, place) : undefined;
      return taken && [taken.change];
    }
  }
}

function deleteAfter(source: ts.SourceFile, style: PrintStyle, plan: FixPlan & { kind: "delete-after" }): readonly Change[] | undefined {
  const upload = placeAt(source, plan.upload);
  if (!upload || isAfterFailure(upload)) return undefined;
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
  const tested = plan.onlyIf === undefined ? undefined : testAfter(source, upload, plan.onlyIf);
  if (tested && tested.end > anchor.end) anchor = tested;
  const put = deletionAt(source, style, plan, anchor, anchor.end, tested === undefined ? plan.onlyIf : undefined);
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
  const upload = placeAt(source, plan.upload);
  if (!place || !upload || isAfterFailure(place)) return undefined;
  // Whatever leads to the return has been past the upload only if that stands in a block around it.
  if (![...ancestors(place)].some((node) => isPlace(node) && siblingAround(node, upload) === node)) return undefined;
  const tested = plan.onlyIf === undefined ? undefined : testAfter(source, upload, plan.onlyIf);
  const start = place.getStart(source);
  const put = deletionAt(source, style, plan, place, start, tested && tested.end <= start ? undefined : plan.onlyIf);
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
  onlyIf: string | undefined,
): { readonly statement: string; readonly changes: readonly Change[] } | undefined {
  if (!isKnown(plan.subject, place, offset) || (onlyIf !== undefined && !isKnown(onlyIf, place, offset))) return undefined;
  if (isReassigned(source, plan.subject, plan.upload.start, offset)) return undefined;
  const printed = printDeletion(source, style, plan, place, offset);
  if (!printed) return undefined;
  return onlyIf === undefined ? printed : { ...printed, statement: `if (${onlyIf}) ${printed.statement}` };
}

function isKnown(expression: string, place: ts.Node, offset: number): boolean {
  const root = /[\p{ID_Start}$_][\p{ID_Continue}$]*/u.exec(expression)?.[0];
  return root === "this" || (root !== undefined && declarationOf(root, place, offset) !== undefined);
}

/** The statement behind the upload that looks at its result and leaves when it failed. */
function testAfter(source: ts.SourceFile, upload: Place, onlyIf: string): Place | undefined {
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
  if (!moved || !target || !ts.isStatement(moved) || !isListed(moved) || isInFinally(moved) || isAfterFailure(target)) return undefined;
  // From before: behind the statement beside it that reads the file. From behind a `try`: into it, right after the upload.
  const anchor = target.pos > moved.pos ? siblingAround(target, moved) : target;
  const taken = takeOut(source, moved);
  if (!anchor || anchor === moved || !taken || (ts.isStatement(anchor) && !isListed(anchor))) return undefined;
  const written = taken.written.replace(/;$/, "");
  if (ts.isVariableStatement(moved) || /\/\/[^\n]*$/.test(written)) return undefined;
  const places = putAfter(source, style, anchor, [written], after);
  return places && [taken.change, ...places];
}

function moveBefore(source: ts.SourceFile, style: PrintStyle, statement: Span, before: Span): readonly Change[] | undefined {
  const target = placeAt(source, before);
  const dead = placeAt(source, statement);
  const moved = target && dead && siblingAround(dead, target);
  if (!moved || !ts.isStatement(moved) || !isListed(moved) || isInFinally(moved) || isAfterFailure(moved) || ts.isVariableStatement(moved))
    return undefined;
  const taken = takeOut(source, moved);
  if (!taken || /\/\/[^\n]*$/.test(taken.written)) return undefined;
  const ends = taken.written.endsWith("}") && !style.semicolon ? taken.written : taken.written.replace(/;$/, "");
  const block = moved.getText(source).endsWith("}");
  const places = putBefore(source, block ? { ...style, semicolon: "" } : style, target, [ends]);
  return places && [...places, taken.change];
}

/** `if (…)` around a statement. */
function guard(source: ts.SourceFile, statement: Span, onlyIf: string): readonly Change[] | undefined {
  const place = placeAt(source, statement);
  if (!place || !ts.isStatement(place) || isAfterFailure(place) || ts.isVariableStatement(place) || ts.isReturnStatement(place))
    return undefined;
  const start = place.getStart(source);
  if (!isKnown(onlyIf, place, start)) return undefined;
  return ts.isExpressionStatement(place) ? [{ start, end: start, text: `if (${onlyIf}) ` }] : undefined;
}
