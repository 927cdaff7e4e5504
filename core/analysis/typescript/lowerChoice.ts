/** Conditions, and values that depend on them. */
import { ts } from "ts-morph";
import type { Operand, Test } from "../flow.ts";
import { branch, createLabel, emit, goTo, place } from "./blocks.ts";
import { effects, mayAct, value } from "./dispatch.ts";
import { either, named, NOTHING, text } from "./operands.ts";
import { resolve } from "./scope.ts";
import { DEEPEST, spanOf, temporary, unwrap, type FunctionState, type Label } from "./state.ts";

const NULL: Operand = { op: "literal", value: null };

/** Goes to `yes` or `no`, whichever the expression decides. */
export function condition(flow: FunctionState, node: ts.Expression, yes: Label, no: Label): void {
  let inner = unwrap(node);
  let [then, otherwise] = [yes, no];
  while (ts.isPrefixUnaryExpression(inner) && inner.operator === ts.SyntaxKind.ExclamationToken) {
    inner = unwrap(inner.operand);
    [then, otherwise] = [otherwise, then];
  }
  if (ts.isBinaryExpression(inner) && flow.depth < DEEPEST) {
    const operator = inner.operatorToken.kind;
    if (isShortCircuit(operator)) {
      flow.depth++;
      const sides = operandsOf(inner, operator);
      for (const [position, side] of sides.entries()) {
        if (position === sides.length - 1) {
          condition(flow, side, then, otherwise);
        } else {
          const next = createLabel(flow);
          if (operator === ts.SyntaxKind.AmpersandAmpersandToken) condition(flow, side, next, otherwise);
          else condition(flow, side, then, next);
          place(flow, next);
        }
      }
      flow.depth--;
      return;
    }
    if (operator === ts.SyntaxKind.CommaToken) {
      effects(flow, inner.left);
      inner = unwrap(inner.right);
    } else if (isEquality(operator)) {
      const test = equality(flow, inner);
      // `typeof x === "undefined"` is told the other way round: whether the name is defined.
      if (isInequality(operator) !== (test.test === "defined")) [then, otherwise] = [otherwise, then];
      branch(flow, test, then, otherwise, spanOf(flow, inner));
      return;
    }
    const written = ts.tokenToString(operator) ?? "";
    if (ts.isBinaryExpression(inner) && COMPARES.test(written)) {
      const of = [value(flow, inner.left), value(flow, inner.right), text(written)];
      branch(flow, { test: "unknown", of }, then, otherwise, spanOf(flow, inner));
      return;
    }
  }
  const of = value(flow, inner);
  branch(flow, { test: "truthy", of }, then, otherwise, spanOf(flow, inner));
}

/** The operator is told along, so that the same comparison is known again. */
const COMPARES = /^(?:[<>]=?|instanceof|in)$/;

function isShortCircuit(operator: ts.SyntaxKind): boolean {
  return operator === ts.SyntaxKind.AmpersandAmpersandToken || operator === ts.SyntaxKind.BarBarToken;
}

function isEquality(operator: ts.SyntaxKind): boolean {
  return operator === ts.SyntaxKind.EqualsEqualsEqualsToken || operator === ts.SyntaxKind.EqualsEqualsToken || isInequality(operator);
}

function isInequality(operator: ts.SyntaxKind): boolean {
  return operator === ts.SyntaxKind.ExclamationEqualsEqualsToken || operator === ts.SyntaxKind.ExclamationEqualsToken;
}

function equality(flow: FunctionState, node: ts.BinaryExpression): Test {
  return declaredness(flow, node.left, node.right) ?? declaredness(flow, node.right, node.left) ?? equal(flow, node.left, node.right);
}

function equal(flow: FunctionState, left: ts.Expression, right: ts.Expression): Test {
  return { test: "equal", left: value(flow, left), right: value(flow, right) };
}

/** What `typeof x` beside `"undefined"` asks. */
function declaredness(flow: FunctionState, left: ts.Expression, right: ts.Expression): Test | undefined {
  const tested = unwrap(left);
  if (!ts.isTypeOfExpression(tested) || !ts.isStringLiteralLike(right) || right.text !== "undefined") return undefined;
  const name = unwrap(tested.expression);
  if (!ts.isIdentifier(name)) return undefined;
  const found = resolve(flow.scope, name.text);
  return { test: "defined", of: found ?? { op: "global", name: name.text }, written: name.text, declared: found !== undefined };
}

/** The operands of `a || b || c`, however many. */
function operandsOf(node: ts.BinaryExpression, operator: ts.SyntaxKind): ts.Expression[] {
  const sides: ts.Expression[] = [];
  let at: ts.Expression = node;
  while (ts.isBinaryExpression(at) && at.operatorToken.kind === operator) {
    sides.push(at.right);
    at = unwrap(at.left);
  }
  sides.push(at);
  return sides.reverse();
}

/** `a || b`, `a && b`, `a ?? b` as values. */
export function lowerShortCircuit(flow: FunctionState, node: ts.BinaryExpression): Operand {
  const operator = node.operatorToken.kind;
  const [first, ...rest] = operandsOf(node, operator);
  if (!first) return NOTHING;
  const start = value(flow, first);
  if (!rest.some(mayAct)) return either([start, ...rest.map((side) => value(flow, side))]);
  const name = temporary(flow, node);
  const after = createLabel(flow);
  let last = start;
  for (const side of rest) {
    emit(flow, { event: "set", name, value: last, span: spanOf(flow, node) });
    const next = createLabel(flow);
    decide(flow, operator, last, next, after, node);
    place(flow, next);
    last = value(flow, side);
  }
  emit(flow, { event: "set", name, value: last, span: spanOf(flow, node) });
  goTo(flow, after);
  place(flow, after);
  return named(name);
}

/** Goes on with the right side of a short-circuit operator, or past it. */
export function decide(flow: FunctionState, operator: ts.SyntaxKind, left: Operand, right: Label, past: Label, node: ts.Node): void {
  const span = spanOf(flow, node);
  if (operator === ts.SyntaxKind.QuestionQuestionToken || operator === ts.SyntaxKind.QuestionQuestionEqualsToken) {
    branch(flow, { test: "equal", left, right: NULL }, right, past, span);
  } else if (operator === ts.SyntaxKind.AmpersandAmpersandToken || operator === ts.SyntaxKind.AmpersandAmpersandEqualsToken) {
    branch(flow, { test: "truthy", of: left }, right, past, span);
  } else {
    branch(flow, { test: "truthy", of: left }, past, right, span);
  }
}

/** `a && f()` as a statement. */
export function shortCircuitEffects(flow: FunctionState, node: ts.BinaryExpression): void {
  const right = createLabel(flow);
  const past = createLabel(flow);
  const operator = node.operatorToken.kind;
  if (operator === ts.SyntaxKind.QuestionQuestionToken) decide(flow, operator, value(flow, node.left), right, past, node);
  else if (operator === ts.SyntaxKind.AmpersandAmpersandToken) condition(flow, node.left, right, past);
  else condition(flow, node.left, past, right);
  place(flow, right);
  effects(flow, node.right);
  goTo(flow, past);
  place(flow, past);
}

/** `c ? x : y` as a value. */
export function lowerConditional(flow: FunctionState, node: ts.ConditionalExpression): Operand {
  if (!mayAct(node.whenTrue) && !mayAct(node.whenFalse)) {
    value(flow, node.condition);
    return either([value(flow, node.whenTrue), value(flow, node.whenFalse)]);
  }
  const name = temporary(flow, node);
  choose(flow, node, (side) => emit(flow, { event: "set", name, value: value(flow, side), span: spanOf(flow, side) }));
  return named(name);
}

/** `c ? f() : g()` as a statement. */
export function conditionalEffects(flow: FunctionState, node: ts.ConditionalExpression): void {
  choose(flow, node, (side) => effects(flow, side));
}

function choose(flow: FunctionState, node: ts.ConditionalExpression, side: (expression: ts.Expression) => void): void {
  const yes = createLabel(flow);
  const no = createLabel(flow);
  const after = createLabel(flow);
  condition(flow, node.condition, yes, no);
  place(flow, yes);
  side(node.whenTrue);
  goTo(flow, after);
  place(flow, no);
  side(node.whenFalse);
  goTo(flow, after);
  place(flow, after);
}

/** `operand`, or what the default says when there is none: destructuring and parameters. */
export function withDefault(flow: FunctionState, operand: Operand, fallback: ts.Expression | undefined, node: ts.Node): Operand {
  if (!fallback) return operand;
  if (!mayAct(fallback)) return either([operand, value(flow, fallback)]);
  const name = temporary(flow, node);
  emit(flow, { event: "set", name, value: operand, span: spanOf(flow, node) });
  const missing = createLabel(flow);
  const after = createLabel(flow);
  branch(flow, { test: "equal", left: operand, right: NOTHING }, missing, after, spanOf(flow, node));
  place(flow, missing);
  emit(flow, { event: "set", name, value: value(flow, fallback), span: spanOf(flow, node) });
  goTo(flow, after);
  place(flow, after);
  return named(name);
}
