/** Classes and interfaces: what they declare; their methods are queued. */
import { ts } from "ts-morph";
import type { Operand } from "../flow.ts";
import { emit } from "./blocks.ts";
import { mayAct, statement, value } from "./dispatch.ts";
import { THIS } from "./operands.ts";
import { propertyName } from "./propertyName.ts";
import {
  addFunction,
  createScope,
  hasModifier,
  reserveClass,
  setStatement,
  spanOf,
  unwrap,
  type FunctionState,
  type MutableClass,
} from "./state.ts";
import { heritageOperand, typeOperand } from "./lowerType.ts";

export function lowerClass(flow: FunctionState, node: ts.ClassLikeDeclaration, name: string): Operand {
  const { module } = flow;
  const index = reserveClass(module, node, node.name?.text ?? name);
  const made = module.classes[index];
  const operand: Operand = { op: "class", index };
  if (!made || module.loweredClasses.has(node)) return operand;
  module.loweredClasses.add(node);
  const { scope, self, statement: outer, statementSpan } = flow;
  lowerDecorators(flow, node);
  lowerHeritage(flow, node, made);
  if (ts.isClassExpression(node) && node.name) {
    flow.scope = createScope(scope);
    flow.scope.names.set(node.name.text, operand);
    flow.scope.types.set(node.name.text, operand);
  }
  lowerMembers({ flow, made, operand }, node);
  flow.scope = scope;
  flow.self = self;
  flow.statement = outer;
  flow.statementSpan = statementSpan;
  return operand;
}

interface ClassState {
  readonly flow: FunctionState;
  readonly made: MutableClass;
  readonly operand: Operand;
}

function lowerDecorators(flow: FunctionState, node: ts.Node): void {
  const modifiers = (node as { readonly modifiers?: readonly ts.ModifierLike[] }).modifiers;
  if (modifiers) for (const modifier of modifiers) if (ts.isDecorator(modifier)) value(flow, modifier.expression);
}

function lowerHeritage(flow: FunctionState, node: ts.ClassLikeDeclaration, made: MutableClass): void {
  for (const clause of node.heritageClauses ?? []) {
    for (const type of clause.types) {
      const base = clause.token === ts.SyntaxKind.ExtendsKeyword ? value(flow, type.expression) : heritageOperand(flow, type);
      if (base) made.bases.push(base);
    }
  }
}

function lowerMembers(state: ClassState, node: ts.ClassLikeDeclaration): void {
  const { flow, made } = state;
  const acting = node.members.filter(ts.isPropertyDeclaration).filter(initialisesByActing);
  let written: ts.ConstructorDeclaration | undefined;
  for (const element of node.members) {
    setStatement(flow, element);
    lowerDecorators(flow, element);
    if (ts.isConstructorDeclaration(element)) {
      if (element.body) written = element;
    } else if (ts.isMethodDeclaration(element) || ts.isAccessor(element)) {
      lowerMethod(state, element);
    } else if (ts.isPropertyDeclaration(element)) {
      lowerField(state, element);
    } else if (ts.isClassStaticBlockDeclaration(element)) {
      flow.self = state.operand;
      statement(flow, element.body);
      flow.self = THIS;
    }
  }
  if (!written && acting.length === 0) return;
  made.constructor_ = addFunction(flow, written ?? node, {
    name: `${made.name}.constructor`,
    kind: "constructor",
    class: made.index,
    self: THIS,
    inClass: true,
    fields: acting,
  });
}

/** Such fields are set where their calls happen: in the constructor. */
function initialisesByActing(field: ts.PropertyDeclaration): boolean {
  return field.initializer !== undefined && !isStatic(field) && mayAct(field.initializer);
}

function isStatic(element: ts.ClassElement): boolean {
  return hasModifier(element, ts.SyntaxKind.StaticKeyword);
}

function lowerMethod(state: ClassState, element: ts.MethodDeclaration | ts.AccessorDeclaration): void {
  const { flow, made } = state;
  const known = propertyName(element.name);
  if (known === undefined && ts.isComputedPropertyName(element.name)) value(flow, element.name.expression);
  const name = known ?? "[computed]";
  if (!element.body) {
    // Other methods without a body are overloads.
    if (hasModifier(element, ts.SyntaxKind.AbstractKeyword)) made.abstract.push({ name, parameters: element.parameters.length });
    return;
  }
  const ofClass = isStatic(element);
  const index = addFunction(flow, element, {
    name: `${made.name}.${name}`,
    kind: "method",
    class: made.index,
    self: ofClass ? state.operand : THIS,
    inClass: true,
    ...(ofClass ? { static: true } : {}),
  });
  made.methods.push(ofClass ? { name, function: index, static: true } : { name, function: index });
}

function lowerField(state: ClassState, element: ts.PropertyDeclaration): void {
  const { flow, made } = state;
  const known = propertyName(element.name);
  if (known === undefined && ts.isComputedPropertyName(element.name)) value(flow, element.name.expression);
  const name = known ?? "[computed]";
  const ofClass = isStatic(element);
  const field: MutableClass["fields"][number] = { name };
  const type = typeOperand(flow, element.type);
  if (type) field.type = type;
  if (ofClass) field.static = true;
  made.fields.push(field);
  if (hasModifier(element, ts.SyntaxKind.AbstractKeyword) && element.type && ts.isFunctionTypeNode(element.type)) {
    made.abstract.push({ name, parameters: element.type.parameters.length });
  }
  if (!element.initializer || initialisesByActing(element)) return;
  flow.self = ofClass ? state.operand : THIS;
  field.value = fieldValue(state, element, element.initializer, name, ofClass);
  if (ofClass && mayAct(element.initializer)) {
    emit(flow, { event: "store", object: state.operand, name, value: field.value, span: spanOf(flow, element) });
  }
}

function fieldValue(
  { flow, made }: ClassState,
  element: ts.PropertyDeclaration,
  initializer: ts.Expression,
  name: string,
  ofClass: boolean,
): Operand {
  const inner = unwrap(initializer);
  if (!ts.isArrowFunction(inner) && !ts.isFunctionExpression(inner)) return value(flow, initializer);
  const index = addFunction(flow, inner, {
    name: `${made.name}.${name}`,
    kind: "method",
    class: made.index,
    self: flow.self,
    inClass: true,
    ...(ofClass ? { static: true } : {}),
  });
  made.methods.push(ofClass ? { name, function: index, static: true } : { name, function: index });
  return { op: "function", index };
}
