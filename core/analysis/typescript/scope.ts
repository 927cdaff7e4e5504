/** Which name means what: declarations of a block or function are bound before its code is lowered. */
import { ts } from "ts-morph";
import type { Name, Operand } from "../flow.ts";
import { emit } from "./blocks.ts";
import { imported, named, NOTHING, THIS, UNKNOWN } from "./operands.ts";
import {
  addFunction,
  createScope,
  DEEPEST,
  hasModifier,
  numberOf,
  reserveClass,
  reserveInterface,
  spanOf,
  type FunctionState,
  type Scope,
} from "./state.ts";

export function resolve(scope: Scope, name: string): Operand | undefined {
  for (let at: Scope | undefined = scope; at; at = at.outer) {
    const operand = at.names.get(name);
    if (operand) return operand;
  }
  return undefined;
}

export function resolveOrGlobal(scope: Scope, name: string): Operand {
  return resolve(scope, name) ?? (name === "undefined" ? NOTHING : { op: "global", name });
}

/** Makes a name for what is declared here. A second declaration in the same scope (`var`, overloads) is the same name. */
export function bind(flow: FunctionState, scope: Scope, identifier: ts.Identifier): Name {
  const known = scope.names.get(identifier.text);
  if (known?.op === "name") return known.name;
  const name: Name = `${identifier.text}@${numberOf(flow, identifier)}`;
  if (identifier.text === "") return name;
  scope.names.set(identifier.text, named(name));
  flow.declares.add(name);
  flow.module.written[name] = identifier.text;
  return name;
}

export function bindPattern(flow: FunctionState, scope: Scope, pattern: ts.BindingName, depth = 0): void {
  if (ts.isIdentifier(pattern)) {
    bind(flow, scope, pattern);
  } else if (depth < DEEPEST) {
    for (const element of pattern.elements) {
      if (!ts.isOmittedExpression(element)) bindPattern(flow, scope, element.name, depth + 1);
    }
  }
}

/**
 * Opens the scope of a block: binds what its statements declare, and sets function declarations, which are hoisted.
 * Returns the scope that was open before.
 */
export function enterScope(flow: FunctionState, statements: readonly ts.Statement[], scope?: Scope): Scope {
  const outer = flow.scope;
  let inner = scope;
  let functions: ts.FunctionDeclaration[] | undefined;
  for (const statement of statements) {
    if (!declares(statement)) continue;
    inner ??= createScope(outer);
    bindDeclaration(flow, inner, statement);
    if (ts.isFunctionDeclaration(statement) && statement.body) (functions ??= []).push(statement);
  }
  if (inner) flow.scope = inner;
  if (functions) for (const node of functions) setFunction(flow, node);
  return outer;
}

function declares(statement: ts.Statement): boolean {
  switch (statement.kind) {
    case ts.SyntaxKind.ExpressionStatement:
    case ts.SyntaxKind.IfStatement:
    case ts.SyntaxKind.ReturnStatement:
      return false;
    case ts.SyntaxKind.VariableStatement:
      return ((statement as ts.VariableStatement).declarationList.flags & ts.NodeFlags.BlockScoped) !== 0;
    case ts.SyntaxKind.FunctionDeclaration:
    case ts.SyntaxKind.ClassDeclaration:
    case ts.SyntaxKind.InterfaceDeclaration:
    case ts.SyntaxKind.TypeAliasDeclaration:
    case ts.SyntaxKind.EnumDeclaration:
    case ts.SyntaxKind.ModuleDeclaration:
    case ts.SyntaxKind.ImportDeclaration:
    case ts.SyntaxKind.ImportEqualsDeclaration:
      return true;
    default:
      return false;
  }
}

function bindDeclaration(flow: FunctionState, scope: Scope, node: ts.Statement): void {
  if (ts.isVariableStatement(node)) {
    for (const declaration of node.declarationList.declarations) bindPattern(flow, scope, declaration.name);
  } else if (ts.isFunctionDeclaration(node)) {
    if (node.name) bind(flow, scope, node.name);
  } else if (ts.isClassDeclaration(node)) {
    if (!node.name) return;
    bind(flow, scope, node.name);
    scope.types.set(node.name.text, { op: "class", index: reserveClass(flow.module, node, node.name.text) });
  } else if (ts.isInterfaceDeclaration(node)) {
    const known = scope.types.get(node.name.text);
    if (known?.op === "class") flow.module.classIndexes.set(node, known.index);
    else scope.types.set(node.name.text, { op: "class", index: reserveInterface(flow.module, node, node.name.text) });
  } else if (ts.isTypeAliasDeclaration(node)) {
    scope.types.set(
      node.name.text,
      ts.isTypeLiteralNode(node.type)
        ? { op: "class", index: reserveInterface(flow.module, node, node.name.text) }
        : { op: "alias", type: node.type, scope },
    );
  } else if (ts.isEnumDeclaration(node)) {
    bind(flow, scope, node.name);
  } else if (ts.isModuleDeclaration(node)) {
    if (ts.isIdentifier(node.name) && !hasModifier(node, ts.SyntaxKind.DeclareKeyword)) bind(flow, scope, node.name);
  } else if (ts.isImportDeclaration(node)) {
    bindImport(scope, node);
  } else if (ts.isImportEqualsDeclaration(node)) {
    const { moduleReference } = node;
    if (!ts.isExternalModuleReference(moduleReference)) bind(flow, scope, node.name);
    else if (ts.isStringLiteralLike(moduleReference.expression)) {
      scope.names.set(node.name.text, imported(moduleReference.expression.text, "*"));
    }
  }
}

function bindImport(scope: Scope, node: ts.ImportDeclaration): void {
  if (!node.importClause || !ts.isStringLiteral(node.moduleSpecifier)) return;
  const from = node.moduleSpecifier.text;
  const { name, namedBindings } = node.importClause;
  if (name) scope.names.set(name.text, imported(from, "default", name.text));
  if (!namedBindings) return;
  if (ts.isNamespaceImport(namedBindings)) scope.names.set(namedBindings.name.text, imported(from, "*", namedBindings.name.text));
  else
    for (const element of namedBindings.elements)
      scope.names.set(element.name.text, imported(from, (element.propertyName ?? element.name).text, element.name.text));
}

function setFunction(flow: FunctionState, node: ts.FunctionDeclaration): void {
  if (!node.name) return;
  const operand = flow.scope.names.get(node.name.text);
  if (operand?.op !== "name") return;
  const index = addFunction(flow, node, { name: node.name.text, kind: "function", self: flow.inClass ? UNKNOWN : THIS });
  emit(flow, { event: "set", name: operand.name, value: { op: "function", index }, span: spanOf(flow, node) });
  if (flow.scope === flow.module.top) setConstant(flow, operand.name, { op: "function", index });
}

/** Notes the only value of a name of the module; with a second value it is none. */
export function setConstant(flow: FunctionState, name: Name, value: Operand): void {
  const { constants, reassigned } = flow.module;
  if (constants.has(name)) reassigned.add(name);
  else constants.set(name, value);
}

/** Binds the `var`s of a function, wherever in its statements they stand. */
export function bindVariables(flow: FunctionState, scope: Scope, statements: readonly ts.Node[], depth = 0): void {
  if (depth > DEEPEST) return;
  for (const node of statements) bindVariablesOf(flow, scope, node, depth);
}

function bindVariablesOf(flow: FunctionState, scope: Scope, start: ts.Node, depth: number): void {
  const below = (node: ts.Node | undefined): void => {
    if (node) bindVariables(flow, scope, [node], depth + 1);
  };
  switch (start.kind) {
    case ts.SyntaxKind.ExpressionStatement:
    case ts.SyntaxKind.ReturnStatement:
      return;
    case ts.SyntaxKind.VariableStatement:
      return bindList(flow, scope, (start as ts.VariableStatement).declarationList);
    case ts.SyntaxKind.IfStatement:
      for (let node: ts.Statement | undefined = start as ts.Statement; node;) {
        if (!ts.isIfStatement(node)) return below(node);
        below(node.thenStatement);
        node = node.elseStatement;
      }
      return;
    case ts.SyntaxKind.Block:
      return bindVariables(flow, scope, (start as ts.Block).statements, depth + 1);
    case ts.SyntaxKind.ForStatement:
    case ts.SyntaxKind.ForOfStatement:
    case ts.SyntaxKind.ForInStatement: {
      const { initializer, statement } = start as ts.ForStatement | ts.ForOfStatement | ts.ForInStatement;
      if (initializer && ts.isVariableDeclarationList(initializer)) bindList(flow, scope, initializer);
      return below(statement);
    }
    case ts.SyntaxKind.WhileStatement:
    case ts.SyntaxKind.DoStatement:
    case ts.SyntaxKind.LabeledStatement:
    case ts.SyntaxKind.WithStatement:
      return below((start as ts.WhileStatement).statement);
    case ts.SyntaxKind.TryStatement: {
      const { tryBlock, catchClause, finallyBlock } = start as ts.TryStatement;
      below(tryBlock);
      below(catchClause?.block);
      return below(finallyBlock);
    }
    case ts.SyntaxKind.SwitchStatement:
      for (const clause of (start as ts.SwitchStatement).caseBlock.clauses) bindVariables(flow, scope, clause.statements, depth + 1);
      return;
    default:
  }
}

function bindList(flow: FunctionState, scope: Scope, list: ts.VariableDeclarationList): void {
  if ((list.flags & ts.NodeFlags.BlockScoped) !== 0) return;
  for (const declaration of list.declarations) bindPattern(flow, scope, declaration.name);
}
