/** Parameters and bodies of functions. */
import { ts } from "ts-morph";
import type { FlowFunction, Name, Operand, Parameter } from "../flow.ts";
import { branch, createLabel, emit, exit, goTo, place } from "./blocks.ts";
import { mayAct, value } from "./dispatch.ts";
import { assign } from "./lowerAssignment.ts";
import { statements } from "./lowerStatement.ts";
import { named, NOTHING, THIS } from "./operands.ts";
import { propertyName } from "./propertyName.ts";
import { bind, bindPattern, bindVariables, enterScope } from "./scope.ts";
import {
  createFunction,
  createScope,
  hasModifier,
  setStatement,
  spanOf,
  temporary,
  temporaryNumber,
  type FunctionNode,
  type FunctionState,
  type ModuleState,
  type PendingFunction,
  type Scope,
} from "./state.ts";
import { typeOperand } from "./lowerType.ts";

export function lowerModule(module: ModuleState): void {
  const { source, top } = module;
  const flow = createFunction(module, { index: 0, scope: top, self: THIS, inClass: false, statement: source });
  bindVariables(flow, top, source.statements);
  enterScope(flow, source.statements, top);
  statements(flow, source.statements);
  finish(flow, { name: "module", kind: "module", parameters: [], span: { start: 0, end: source.end } });
}

export function lowerFunction(module: ModuleState, pending: PendingFunction): void {
  const { node } = pending;
  const scope = createScope(aroundBody(pending));
  const flow = createFunction(module, { ...pending, scope, statement: node });
  const written = isClass(node) ? undefined : node;
  const parameters = written ? lowerParameters(flow, written.parameters) : passOn(flow, node);
  if (pending.kind === "constructor") initialise(flow, pending);
  if (written) lowerBody(flow, written.body);
  const returns = written && typeOperand(flow, written.type);
  finish(flow, {
    name: pending.name,
    kind: pending.kind,
    parent: pending.parent,
    parameters,
    span: spanOf(flow, node),
    ...(pending.class === undefined ? {} : { class: pending.class }),
    ...(pending.static ? { static: true } : {}),
    ...(hasModifier(node, ts.SyntaxKind.AsyncKeyword) ? { async: true } : {}),
    ...(written && "asteriskToken" in written && written.asteriskToken ? { generator: true } : {}),
    ...(returns ? { returns } : {}),
  });
}

/** A function expression's own name belongs to a scope around its parameters. */
function aroundBody({ node, scope, index }: PendingFunction): Scope {
  if (!ts.isFunctionExpression(node) || !node.name) return scope;
  const own = createScope(scope);
  own.names.set(node.name.text, { op: "function", index });
  return own;
}

function isClass(node: FunctionNode): node is ts.ClassLikeDeclaration {
  return ts.isClassDeclaration(node) || ts.isClassExpression(node);
}

function lowerBody(flow: FunctionState, body: ts.ConciseBody | undefined): void {
  if (!body) return;
  if (ts.isBlock(body)) {
    bindVariables(flow, flow.scope, body.statements);
    enterScope(flow, body.statements, flow.scope);
    statements(flow, body.statements);
    return;
  }
  setStatement(flow, body);
  const operand = value(flow, body);
  exit(flow, { exit: "return", value: operand, span: spanOf(flow, body) });
}

function finish(flow: FunctionState, of: Omit<FlowFunction, "index" | "blocks" | "declares">): void {
  exit(flow, { exit: "end", span: { start: Math.max(of.span.start, of.span.end - 1), end: of.span.end } });
  flow.module.functions[flow.index] = { index: flow.index, ...of, blocks: flow.blocks, declares: [...flow.declares] };
}

function lowerParameters(flow: FunctionState, nodes: readonly ts.ParameterDeclaration[]): Parameter[] {
  const written = nodes.filter(({ name }) => !(ts.isIdentifier(name) && name.text === "this"));
  for (const { name } of written) bindPattern(flow, flow.scope, name);
  return written.map((node, position) => lowerParameter(flow, node, position));
}

function lowerParameter(flow: FunctionState, node: ts.ParameterDeclaration, position: number): Parameter {
  const { initializer } = node;
  const type = typeOperand(flow, node.type);
  const plain = ts.isIdentifier(node.name) ? node.name : undefined;
  const name = plain ? bind(flow, flow.scope, plain) : temporary(flow, node.name);
  const acts = initializer !== undefined && mayAct(initializer);
  const declared = declaration(flow, node);
  const parameter: Parameter = {
    name,
    written: plain ? plain.text : `parameter${position + 1}`,
    ...(type ? { type } : {}),
    ...(declared === "" ? {} : { declared }),
    ...(node.dotDotDotToken ? { rest: true } : {}),
    ...(initializer && !acts ? { fallback: value(flow, initializer) } : {}),
  };
  if (acts) setDefault(flow, name, initializer);
  if (!plain) assign(flow, node.name, named(name), node, "declare");
  if (plain && isField(node)) {
    emit(flow, { event: "store", object: THIS, name: plain.text, value: named(name), span: spanOf(flow, node) });
  }
  return parameter;
}

/** `@UploadedFiles() Express.Multer.File[]` */
function declaration(flow: FunctionState, { modifiers, type }: ts.ParameterDeclaration): string {
  const marks = (modifiers ?? []).filter((modifier) => ts.isDecorator(modifier));
  const written = [...marks, ...(type ? [type] : [])].map((node) => node.getText(flow.module.source)).join(" ");
  return written.length > LONGEST_DECLARATION ? "" : written;
}

const LONGEST_DECLARATION = 200;

function isField(node: ts.ParameterDeclaration): boolean {
  return node.modifiers !== undefined && node.modifiers.some((modifier) => !ts.isDecorator(modifier));
}

/** A default that acts (`dir = await mkdtemp(…)`) does so only when the argument is missing. */
function setDefault(flow: FunctionState, name: Name, initializer: ts.Expression): void {
  const missing = createLabel(flow);
  const after = createLabel(flow);
  const span = spanOf(flow, initializer);
  branch(flow, { test: "equal", left: named(name), right: NOTHING }, missing, after, span);
  place(flow, missing);
  emit(flow, { event: "set", name, value: value(flow, initializer), span });
  goTo(flow, after);
  place(flow, after);
}

/** Starts a constructor: fields whose initialisers act, in the scope of the class; then those that are parameters. */
function initialise(flow: FunctionState, { fields, class: index, scope, node }: PendingFunction): void {
  const made = index === undefined ? undefined : flow.module.classes[index];
  if (!made) return;
  const inner = flow.scope;
  flow.scope = scope;
  for (const field of fields ?? []) {
    if (!field.initializer) continue;
    setStatement(flow, field);
    const operand = value(flow, field.initializer);
    const name = propertyName(field.name);
    const span = spanOf(flow, field);
    emit(
      flow,
      name === undefined
        ? { event: "store", object: THIS, value: operand, span }
        : { event: "store", object: THIS, name, value: operand, span },
    );
    const declared = made.fields.find((known) => known.name === name && !known.static);
    if (declared) declared.value = operand;
  }
  flow.scope = inner;
  if (!ts.isConstructorDeclaration(node)) return;
  for (const parameter of node.parameters) {
    if (!ts.isIdentifier(parameter.name) || !isField(parameter)) continue;
    const type = typeOperand(flow, parameter.type);
    made.fields.push(type ? { name: parameter.name.text, type } : { name: parameter.name.text });
  }
}

/** The constructor that a derived class has when none is written: it hands its arguments on. */
function passOn(flow: FunctionState, node: FunctionNode): Parameter[] {
  const base = isClass(node) ? node.heritageClauses?.find((clause) => clause.token === ts.SyntaxKind.ExtendsKeyword) : undefined;
  if (!base) return [];
  const name = temporary(flow, node);
  const id = temporaryNumber(flow, base);
  const span = spanOf(flow, base);
  const callee: Operand = { op: "global", name: "super" };
  emit(flow, { event: "call", id, result: `%${id}`, callee, args: [], spreads: [named(name)], span, statement: span });
  return [{ name, written: "parameter1", rest: true }];
}
