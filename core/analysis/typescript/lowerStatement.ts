/** Statements but for loops and `try`. */
import { ts } from "ts-morph";
import type { Exit, Field, Operand } from "../flow.ts";
import { blockOf, createLabel, emit, exit, goTo, leave, place } from "./blocks.ts";
import { effects, statement, value } from "./dispatch.ts";
import { lowerDeclarations } from "./lowerAssignment.ts";
import { condition } from "./lowerChoice.ts";
import { lowerClass } from "./lowerClass.ts";
import { exportWhole } from "./lowerExports.ts";
import { isUsing } from "./lowerLoop.ts";
import { lowerUsing } from "./lowerTry.ts";
import { namedValue } from "./namedValue.ts";
import { member, opaque, THIS } from "./operands.ts";
import { propertyName } from "./propertyName.ts";
import { bindVariables, enterScope, resolve, setConstant } from "./scope.ts";
import { addFunction, createScope, DEEPEST, hasModifier, setStatement, spanOf, type FunctionState, type Label, type Way } from "./state.ts";

/** Lowers statements of which each may put the rest of them under the care of a `using`. */
export function statements(flow: FunctionState, nodes: readonly ts.Statement[], from = 0): void {
  for (let at = from; at < nodes.length; at++) {
    const node = nodes[at];
    if (!node) return;
    statement(flow, node);
    if (ts.isVariableStatement(node) && isUsing(node.declarationList) && flow.depth < DEEPEST) {
      setStatement(flow, node);
      flow.depth++;
      lowerUsing(flow, node.declarationList, () => statements(flow, nodes, at + 1));
      flow.depth--;
      return;
    }
  }
}

export function lowerBlock(flow: FunctionState, node: ts.Block): void {
  const outer = enterScope(flow, node.statements);
  statements(flow, node.statements);
  flow.scope = outer;
}

export function lowerExpressionStatement(flow: FunctionState, node: ts.ExpressionStatement): void {
  effects(flow, node.expression);
}

export function lowerVariables(flow: FunctionState, node: ts.VariableStatement): void {
  if (hasModifier(node, ts.SyntaxKind.DeclareKeyword)) return;
  // Depth 1: a statement of the module itself.
  const mode = flow.depth === 1 && flow.scope === flow.module.top ? "constant" : "declare";
  lowerDeclarations(flow, node.declarationList, mode);
}

export function lowerIf(flow: FunctionState, node: ts.IfStatement): void {
  const after = createLabel(flow);
  for (let at = node; ;) {
    const yes = createLabel(flow);
    const no = at.elseStatement ? createLabel(flow) : after;
    setStatement(flow, at);
    condition(flow, at.expression, yes, no);
    place(flow, yes);
    statement(flow, at.thenStatement);
    goTo(flow, after);
    if (!at.elseStatement) break;
    place(flow, no);
    if (!ts.isIfStatement(at.elseStatement)) {
      statement(flow, at.elseStatement);
      goTo(flow, after);
      break;
    }
    at = at.elseStatement;
  }
  place(flow, after);
}

export function lowerSwitch(flow: FunctionState, node: ts.SwitchStatement): void {
  const { clauses } = node.caseBlock;
  const { ways } = flow;
  value(flow, node.expression);
  const outer = enterScope(
    flow,
    clauses.flatMap((clause) => [...clause.statements]),
  );
  const after = createLabel(flow);
  const labels: Label[] = clauses.map(() => createLabel(flow));
  for (const clause of clauses) if (ts.isCaseClause(clause)) value(flow, clause.expression);
  if (flow.current >= 0) {
    const to = labels.map((label) => blockOf(flow, label));
    if (clauses.every((clause) => ts.isCaseClause(clause))) to.push(blockOf(flow, after));
    exit(flow, { exit: "any", to });
  }
  flow.ways = { way: "target", outer: ways, labels: [], breakTo: after };
  for (const [position, clause] of clauses.entries()) {
    const label = labels[position];
    if (label) place(flow, label);
    statements(flow, clause.statements);
  }
  flow.ways = ways;
  flow.scope = outer;
  goTo(flow, after);
  place(flow, after);
}

export function lowerLabeled(flow: FunctionState, node: ts.LabeledStatement): void {
  const { ways } = flow;
  const after = createLabel(flow);
  // Several labels of one statement count as one.
  const outer = ways?.way === "target" && ways.labelled === node ? ways.labels : [];
  flow.ways = { way: "target", outer: ways, labels: [...outer, node.label.text], breakTo: after, labelled: node.statement };
  statement(flow, node.statement);
  flow.ways = ways;
  place(flow, after);
}

export function lowerBreak(flow: FunctionState, node: ts.BreakStatement): void {
  jump(flow, node, (way) => (isMeant(way, node) ? way.breakTo : undefined));
}

export function lowerContinue(flow: FunctionState, node: ts.ContinueStatement): void {
  jump(flow, node, (way) => (!way.labelled && isMeant(way, node) ? way.continueTo : undefined));
}

type Target = Extract<Way, { way: "target" }>;

function isMeant(way: Target, node: ts.BreakOrContinueStatement): boolean {
  return node.label ? way.labels.includes(node.label.text) : !way.labelled;
}

function jump(flow: FunctionState, node: ts.BreakOrContinueStatement, labelOf: (way: Target) => Label | undefined): void {
  if (node.label) flow.departures++;
  for (let way = flow.ways; way; way = way.outer) {
    const label = way.way === "target" ? labelOf(way) : undefined;
    if (!label) continue;
    leave(flow, way, () => goTo(flow, label));
    return;
  }
}

export function lowerReturn(flow: FunctionState, node: ts.ReturnStatement): void {
  const span = spanOf(flow, node);
  const operand = node.expression && value(flow, node.expression);
  flow.departures++;
  leave(flow, undefined, () => exit(flow, valued({ exit: "return", span }, operand)));
}

export function lowerThrow(flow: FunctionState, node: ts.ThrowStatement): void {
  const operand = value(flow, node.expression);
  exit(flow, valued({ exit: "throw", span: spanOf(flow, node) }, operand));
}

function valued(way: Extract<Exit, { exit: "return" | "throw" }>, operand: Operand | undefined): Exit {
  return operand ? { ...way, value: operand } : way;
}

export function lowerClassDeclaration(flow: FunctionState, node: ts.ClassDeclaration): void {
  if (hasModifier(node, ts.SyntaxKind.DeclareKeyword)) return;
  const operand = lowerClass(flow, node, "default");
  if (node.name) setDeclared(flow, node.name, operand, node);
  else flow.module.exports.set("default", operand);
}

function setDeclared(flow: FunctionState, identifier: ts.Identifier, operand: Operand, node: ts.Node): void {
  const target = resolve(flow.scope, identifier.text);
  if (target?.op !== "name") return;
  emit(flow, { event: "set", name: target.name, value: operand, span: spanOf(flow, node) });
  if (flow.scope === flow.module.top) setConstant(flow, target.name, operand);
}

/** Functions with names were set when their scope was opened. */
export function lowerFunctionDeclaration(flow: FunctionState, node: ts.FunctionDeclaration): void {
  if (node.name || !node.body) return;
  const index = addFunction(flow, node, { name: "default", kind: "function", self: THIS });
  flow.module.exports.set("default", { op: "function", index });
}

export function lowerEnum(flow: FunctionState, node: ts.EnumDeclaration): void {
  if (hasModifier(node, ts.SyntaxKind.DeclareKeyword)) return;
  const fields: Field[] = [];
  let count: number | undefined = 0;
  for (const { name, initializer } of node.members) {
    let held: Operand = count === undefined ? opaque([]) : { op: "literal", value: count };
    if (initializer) held = value(flow, initializer);
    count = held.op === "literal" && typeof held.value === "number" ? held.value + 1 : undefined;
    const known = propertyName(name);
    if (known !== undefined) fields.push({ name: known, value: held });
  }
  setDeclared(flow, node.name, { op: "object", fields, spreads: [] }, node);
}

export function lowerNamespace(flow: FunctionState, node: ts.ModuleDeclaration): void {
  const { body } = node;
  if (!body || !ts.isIdentifier(node.name) || hasModifier(node, ts.SyntaxKind.DeclareKeyword)) return;
  const outer = flow.scope;
  const inner = createScope(outer);
  const nodes = ts.isModuleBlock(body) ? body.statements : ts.isModuleDeclaration(body) ? [body] : [];
  bindVariables(flow, inner, nodes);
  enterScope(flow, nodes, inner);
  statements(flow, nodes);
  flow.scope = outer;
  const fields: Field[] = [];
  for (const [name, operand] of inner.names) fields.push({ name, value: operand });
  setDeclared(flow, node.name, { op: "object", fields, spreads: [] }, node);
}

/** `export default x` and `export = x`. */
export function lowerExportAssignment(flow: FunctionState, node: ts.ExportAssignment): void {
  const operand = namedValue(flow, node.expression, "default");
  if (node.isExportEquals) exportWhole(flow.module, operand);
  else flow.module.exports.set("default", operand);
}

/** `import a = b.c`. */
export function lowerImportEquals(flow: FunctionState, node: ts.ImportEqualsDeclaration): void {
  const names: string[] = [];
  const { moduleReference } = node;
  if (ts.isExternalModuleReference(moduleReference)) return;
  let at: ts.EntityName = moduleReference;
  for (; ts.isQualifiedName(at); at = at.left) names.push(at.right.text);
  let operand: Operand = resolve(flow.scope, at.text) ?? { op: "global", name: at.text };
  for (const name of names.reverse()) operand = member(operand, name);
  setDeclared(flow, node.name, operand, node);
}

export function lowerWith(flow: FunctionState, node: ts.WithStatement): void {
  value(flow, node.expression);
  statement(flow, node.statement);
}
