/** Everything that gives a name or a property its value: declarations, assignments, destructuring. */
import { ts } from "ts-morph";
import type { Operand } from "../flow.ts";
import { createLabel, emit, goTo, place } from "./blocks.ts";
import { effects, mayAct, value } from "./dispatch.ts";
import { decide, withDefault } from "./lowerChoice.ts";
import { exportCommonJs } from "./lowerExports.ts";
import { namedValue } from "./namedValue.ts";
import { concat, either, member, named, NOTHING, opaque } from "./operands.ts";
import { propertyName } from "./propertyName.ts";
import { resolve, setConstant } from "./scope.ts";
import { DEEPEST, spanOf, temporary, unwrap, type FunctionState } from "./state.ts";
import { typeOperand } from "./lowerType.ts";

/** `constant`: a declaration among the statements of the module, where a name may have its only value. */
type Mode = "assign" | "declare" | "constant";

export function lowerDeclarations(flow: FunctionState, list: ts.VariableDeclarationList, mode: Mode): void {
  for (const declaration of list.declarations) {
    const { name, initializer } = declaration;
    if (!initializer) continue;
    if (!ts.isIdentifier(name)) {
      assign(flow, name, value(flow, initializer), declaration, mode);
      continue;
    }
    const type = typeOperand(flow, declaration.type);
    setName(flow, name.text, namedValue(flow, initializer, name.text), declaration, mode, type);
  }
}

function setName(flow: FunctionState, name: string, operand: Operand, node: ts.Node, mode: Mode, type?: Operand): Operand {
  const target = resolve(flow.scope, name);
  if (target?.op !== "name") return operand;
  const span = spanOf(flow, node);
  emit(
    flow,
    type ? { event: "set", name: target.name, value: operand, span, type } : { event: "set", name: target.name, value: operand, span },
  );
  if (mode === "constant") setConstant(flow, target.name, operand);
  else if (mode === "assign" || flow.module.top.names.get(name) === target) flow.module.reassigned.add(target.name);
  return target;
}

/** Gives what `target` names (a name, a property, a pattern) the value. */
export function assign(flow: FunctionState, target: ts.Node, operand: Operand, node: ts.Node, mode: Mode): void {
  if (flow.depth >= DEEPEST) return;
  flow.depth++;
  switch (target.kind) {
    case ts.SyntaxKind.Identifier:
      setName(flow, (target as ts.Identifier).text, operand, node, mode);
      break;
    case ts.SyntaxKind.ObjectBindingPattern:
      assignObjectPattern(flow, (target as ts.ObjectBindingPattern).elements, operand, mode);
      break;
    case ts.SyntaxKind.ArrayBindingPattern:
    case ts.SyntaxKind.ArrayLiteralExpression:
      assignArrayPattern(flow, (target as ts.ArrayBindingPattern | ts.ArrayLiteralExpression).elements, operand, mode);
      break;
    case ts.SyntaxKind.ObjectLiteralExpression:
      assignObjectLiteral(flow, (target as ts.ObjectLiteralExpression).properties, operand, mode);
      break;
    case ts.SyntaxKind.PropertyAccessExpression:
    case ts.SyntaxKind.ElementAccessExpression:
      store(flow, propertyOf(flow, target as Property), operand, node);
      break;
    case ts.SyntaxKind.BinaryExpression: {
      // `[a = 1] = list`: a default inside of an assignment pattern.
      const { left, right, operatorToken } = target as ts.BinaryExpression;
      if (operatorToken.kind === ts.SyntaxKind.EqualsToken) assign(flow, left, withDefault(flow, operand, right, target), target, mode);
      break;
    }
    default: {
      const inner = unwrap(target as ts.Expression);
      if (inner !== target) assign(flow, inner, operand, node, mode);
    }
  }
  flow.depth--;
}

function assignObjectPattern(flow: FunctionState, elements: readonly ts.BindingElement[], operand: Operand, mode: Mode): void {
  for (const element of elements) {
    const part = element.dotDotDotToken ? opaque([operand]) : partOf(flow, operand, element.propertyName ?? element.name);
    assign(flow, element.name, withDefault(flow, part, element.initializer, element), element, mode);
  }
}

function assignArrayPattern(
  flow: FunctionState,
  elements: readonly (ts.ArrayBindingElement | ts.Expression)[],
  operand: Operand,
  mode: Mode,
): void {
  for (const [index, element] of elements.entries()) {
    if (ts.isOmittedExpression(element)) continue;
    const part: Operand = { op: "element", of: operand, key: { op: "literal", value: index } };
    if (ts.isSpreadElement(element)) assign(flow, element.expression, opaque([operand]), element, mode);
    else if (!ts.isBindingElement(element)) assign(flow, element, part, element, mode);
    else if (element.dotDotDotToken) assign(flow, element.name, opaque([operand]), element, mode);
    else assign(flow, element.name, withDefault(flow, part, element.initializer, element), element, mode);
  }
}

function assignObjectLiteral(flow: FunctionState, properties: readonly ts.ObjectLiteralElementLike[], operand: Operand, mode: Mode): void {
  for (const property of properties) {
    if (ts.isShorthandPropertyAssignment(property)) {
      const part = withDefault(flow, member(operand, property.name.text), property.objectAssignmentInitializer, property);
      setName(flow, property.name.text, part, property, mode);
    } else if (ts.isPropertyAssignment(property)) {
      assign(flow, property.initializer, partOf(flow, operand, property.name), property, mode);
    } else if (ts.isSpreadAssignment(property)) {
      assign(flow, property.expression, opaque([operand]), property, mode);
    }
  }
}

function partOf(flow: FunctionState, operand: Operand, name: ts.PropertyName | ts.BindingName): Operand {
  const known = propertyName(name as ts.PropertyName);
  if (known !== undefined) return member(operand, known);
  const key = ts.isComputedPropertyName(name) ? value(flow, name.expression) : NOTHING;
  return { op: "element", of: operand, key };
}

type Property = ts.PropertyAccessExpression | ts.ElementAccessExpression;
/** A property that is assigned to, its object and key evaluated. */
interface PropertyPlace {
  readonly object: Operand;
  readonly name?: string;
  readonly key?: Operand;
}

function propertyOf(flow: FunctionState, node: Property): PropertyPlace {
  const object = value(flow, node.expression);
  if (ts.isPropertyAccessExpression(node)) return { object, name: node.name.text };
  if (ts.isStringLiteralLike(node.argumentExpression)) return { object, name: node.argumentExpression.text };
  return { object, key: value(flow, node.argumentExpression) };
}

function read(at: PropertyPlace): Operand {
  if (at.name !== undefined) return member(at.object, at.name);
  return { op: "element", of: at.object, key: at.key ?? NOTHING };
}

function store(flow: FunctionState, at: PropertyPlace, operand: Operand, node: ts.Node): void {
  const { object, name } = at;
  const span = spanOf(flow, node);
  emit(
    flow,
    name === undefined ? { event: "store", object, value: operand, span } : { event: "store", object, name, value: operand, span },
  );
  if (name !== undefined) exportCommonJs(flow, object, name, operand);
}

/** `a = b` and its compound sisters. */
export function lowerAssignment(flow: FunctionState, node: ts.BinaryExpression): Operand {
  const target = unwrap(node.left);
  const isProperty = ts.isPropertyAccessExpression(target) || ts.isElementAccessExpression(target);
  if (node.operatorToken.kind !== ts.SyntaxKind.EqualsToken) return lowerCompound(flow, node, target);
  if (ts.isIdentifier(target)) {
    return setName(flow, target.text, namedValue(flow, node.right, target.text), node, "assign");
  }
  if (isProperty) {
    const at = propertyOf(flow, target);
    const operand = namedValue(flow, node.right, at.name ?? "closure");
    store(flow, at, operand, node);
    return operand;
  }
  let operand = value(flow, node.right);
  if (operand.op === "list") {
    // `[a, b] = [b, a]`: what is on the right is read before anything on the left is written.
    const name = temporary(flow, node);
    emit(flow, { event: "set", name, value: operand, span: spanOf(flow, node) });
    operand = named(name);
  }
  assign(flow, target, operand, node, "assign");
  return operand;
}

function lowerCompound(flow: FunctionState, node: ts.BinaryExpression, target: ts.Expression): Operand {
  const operator = node.operatorToken.kind;
  const isName = ts.isIdentifier(target);
  if (!isName && !ts.isPropertyAccessExpression(target) && !ts.isElementAccessExpression(target)) {
    effects(flow, node.right);
    return opaque([]);
  }
  const at = isName ? undefined : propertyOf(flow, target);
  const before = at ? read(at) : value(flow, target);
  const write = (operand: Operand): Operand => {
    if (isName) return setName(flow, target.text, operand, node, "assign");
    if (at) store(flow, at, operand, node);
    return operand;
  };
  if (!isConditional(operator)) {
    const right = value(flow, node.right);
    return write(operator === ts.SyntaxKind.PlusEqualsToken ? concat([before, right]) : opaque([before, right]));
  }
  if (!mayAct(node.right)) return write(either([before, value(flow, node.right)]));
  const right = createLabel(flow);
  const past = createLabel(flow);
  decide(flow, operator, before, right, past, node);
  place(flow, right);
  const after = write(value(flow, node.right));
  goTo(flow, past);
  place(flow, past);
  return isName ? before : either([before, after]);
}

function isConditional(operator: ts.SyntaxKind): boolean {
  return (
    operator === ts.SyntaxKind.QuestionQuestionEqualsToken ||
    operator === ts.SyntaxKind.BarBarEqualsToken ||
    operator === ts.SyntaxKind.AmpersandAmpersandEqualsToken
  );
}

/** `x++`: the value before is of no more interest than the one after. */
export function lowerStep(flow: FunctionState, node: ts.PrefixUnaryExpression | ts.PostfixUnaryExpression): Operand {
  const target = unwrap(node.operand);
  const after = opaque([value(flow, target)]);
  assign(flow, target, after, node, "assign");
  return after;
}
