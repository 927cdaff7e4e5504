/** Values that are written down: names, literals, templates, arrays, objects, JSX; and what operators make of values. */
import { ts } from "ts-morph";
import type { Field, Operand } from "../flow.ts";
import { effects, value } from "./dispatch.ts";
import { namedValue } from "./namedValue.ts";
import { concat, member, NOTHING, opaque, text, THIS, UNKNOWN } from "./operands.ts";
import { propertyName } from "./propertyName.ts";
import { resolveOrGlobal } from "./scope.ts";
import { addFunction, unwrap, type FunctionState } from "./state.ts";

export function lowerIdentifier(flow: FunctionState, node: ts.Identifier): Operand {
  return node.text === "" ? UNKNOWN : resolveOrGlobal(flow.scope, node.text);
}

export function lowerText(_: FunctionState, node: ts.StringLiteralLike): Operand {
  return text(node.text);
}

export function lowerNumber(_: FunctionState, node: ts.NumericLiteral): Operand {
  return { op: "literal", value: Number(node.text) };
}

export function lowerTemplate(flow: FunctionState, node: ts.TemplateExpression): Operand {
  const parts: Operand[] = [text(node.head.text)];
  for (const span of node.templateSpans) parts.push(value(flow, span.expression), text(span.literal.text));
  return concat(parts);
}

/** `import.meta`; `new.target` says nothing. */
export function lowerMeta(_: FunctionState, node: ts.MetaProperty): Operand {
  return node.keywordToken === ts.SyntaxKind.ImportKeyword ? { op: "global", name: "import.meta" } : UNKNOWN;
}

/** `a + b + c` joins texts, unless numbers are written and no text. */
export function lowerSum(flow: FunctionState, node: ts.BinaryExpression): Operand {
  const parts = sidesOf(node).map((side) => value(flow, side));
  return isSum(parts) ? opaque(parts) : concat(parts);
}

/** `i + 1`: a number among what is no text. */
function isSum(parts: readonly Operand[]): boolean {
  const isNumber = (part: Operand): boolean => part.op === "literal" && typeof part.value === "number";
  return parts.some(isNumber) && !parts.some((part) => part.op === "text" || part.op === "concat");
}

/** Comparison and arithmetic. */
export function lowerOperation(flow: FunctionState, node: ts.BinaryExpression): Operand {
  return opaque(sidesOf(node).map((side) => value(flow, side)));
}

function sidesOf(node: ts.BinaryExpression): ts.Expression[] {
  const sides: ts.Expression[] = [];
  let at: ts.Expression = node;
  for (; ts.isBinaryExpression(at) && at.operatorToken.kind === node.operatorToken.kind; at = at.left) sides.push(at.right);
  sides.push(at);
  return sides.reverse();
}

export function lowerComma(flow: FunctionState, node: ts.BinaryExpression): Operand {
  const sides = sidesOf(node);
  const last = sides.pop();
  for (const side of sides) effects(flow, side);
  return last ? value(flow, last) : NOTHING;
}

export function commaEffects(flow: FunctionState, node: ts.BinaryExpression): void {
  for (const side of sidesOf(node)) effects(flow, side);
}

export function lowerPrefix(flow: FunctionState, node: ts.PrefixUnaryExpression): Operand {
  const operand = value(flow, node.operand);
  if (node.operator === ts.SyntaxKind.MinusToken && operand.op === "literal" && typeof operand.value === "number") {
    return { op: "literal", value: -operand.value };
  }
  return opaque([operand]);
}

export function lowerTypeOf(flow: FunctionState, node: ts.TypeOfExpression): Operand {
  return opaque([value(flow, node.expression)]);
}

export function lowerDelete(flow: FunctionState, node: ts.DeleteExpression): Operand {
  value(flow, node.expression);
  return UNKNOWN;
}

export function lowerVoid(flow: FunctionState, node: ts.VoidExpression): Operand {
  effects(flow, node.expression);
  return NOTHING;
}

export function voidEffects(flow: FunctionState, node: ts.VoidExpression): void {
  effects(flow, node.expression);
}

export function lowerSpread(flow: FunctionState, node: ts.SpreadElement): Operand {
  return opaque([value(flow, node.expression)]);
}

export function lowerArray(flow: FunctionState, node: ts.ArrayLiteralExpression): Operand {
  const items: Operand[] = [];
  const spreads: Operand[] = [];
  for (const element of node.elements) {
    if (ts.isSpreadElement(element)) {
      const of = value(flow, element.expression);
      items.push({ op: "spread", of });
      spreads.push(of);
    } else items.push(ts.isOmittedExpression(element) ? NOTHING : value(flow, element));
  }
  return { op: "list", items, spreads };
}

export function lowerObject(flow: FunctionState, node: ts.ObjectLiteralExpression): Operand {
  const fields: Field[] = [];
  const spreads: Operand[] = [];
  for (const property of node.properties) {
    if (ts.isShorthandPropertyAssignment(property)) {
      fields.push({ name: property.name.text, value: resolveOrGlobal(flow.scope, property.name.text) });
      continue;
    }
    if (ts.isSpreadAssignment(property)) {
      spreads.push(value(flow, property.expression));
      continue;
    }
    const name = propertyName(property.name);
    const key = ts.isComputedPropertyName(property.name) && name === undefined ? value(flow, property.name.expression) : NOTHING;
    const held = propertyValue(flow, property, name ?? "[computed]");
    if (name === undefined) spreads.push(opaque([key, held]));
    else if (!ts.isSetAccessor(property)) fields.push({ name, value: held });
  }
  return { op: "object", fields, spreads };
}

function propertyValue(
  flow: FunctionState,
  property: ts.PropertyAssignment | ts.MethodDeclaration | ts.AccessorDeclaration,
  name: string,
): Operand {
  if (ts.isPropertyAssignment(property)) return namedValue(flow, property.initializer, name);
  if (!property.body) return UNKNOWN;
  const self = flow.inClass ? UNKNOWN : THIS;
  const operand: Operand = { op: "function", index: addFunction(flow, property, { name, kind: "method", self }) };
  return ts.isMethodDeclaration(property) ? operand : opaque([operand]);
}

export function lowerJsx(flow: FunctionState, node: ts.JsxElement | ts.JsxSelfClosingElement | ts.JsxFragment): Operand {
  const parts: Operand[] = [];
  const opening = ts.isJsxElement(node) ? node.openingElement : node;
  if (!ts.isJsxFragment(opening)) {
    parts.push(component(flow, opening.tagName));
    for (const attribute of opening.attributes.properties) {
      if (ts.isJsxSpreadAttribute(attribute)) parts.push(value(flow, attribute.expression));
      else if (attribute.initializer) parts.push(value(flow, attribute.initializer));
    }
  }
  if (!ts.isJsxSelfClosingElement(node)) {
    for (const child of node.children) if (!ts.isJsxText(child)) parts.push(value(flow, child));
  }
  return opaque(parts);
}

/** `<video>` is a word, `<Video>` and `<ui.Video>` are values. */
function component(flow: FunctionState, tag: ts.JsxTagNameExpression): Operand {
  if (ts.isJsxNamespacedName(tag)) return UNKNOWN;
  if (ts.isIdentifier(tag)) return /^[a-z]/u.test(tag.text) ? UNKNOWN : lowerIdentifier(flow, tag);
  if (ts.isPropertyAccessExpression(tag)) return member(value(flow, tag.expression), tag.name.text);
  return value(flow, unwrap(tag));
}

export function lowerJsxExpression(flow: FunctionState, node: ts.JsxExpression): Operand {
  return node.expression ? value(flow, node.expression) : NOTHING;
}
