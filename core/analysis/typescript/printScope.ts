/** Which declaration a name means at a place of the syntax tree, for fixes: no types, no other files. */
import { ts } from "ts-morph";

/** The declared identifier that the name means at the place; undefined: nothing in the file declares it, or only later. */
export function declarationOf(name: string, at: ts.Node, offset: number): ts.Identifier | undefined {
  for (let node: ts.Node | undefined = at; node; node = node.parent) {
    const found = declaredIn(node, name);
    if (!found) continue;
    // Within one function a `const` or `let` can only be used after it.
    const later = found.getStart() >= offset && isBlockScoped(found) && functionAround(found) === functionAround(at);
    return later ? undefined : found;
  }
  return undefined;
}

function declaredIn(node: ts.Node, name: string): ts.Identifier | undefined {
  if (ts.isSourceFile(node) || ts.isBlock(node) || ts.isModuleBlock(node) || ts.isCaseClause(node) || ts.isDefaultClause(node)) {
    for (const statement of node.statements) {
      const found = declaredBy(statement, name);
      if (found) return found;
    }
  }
  if (ts.isFunctionLike(node)) {
    for (const parameter of node.parameters) {
      const found = inBinding(parameter.name, name);
      if (found) return found;
    }
    if (ts.isFunctionExpression(node) && node.name?.text === name) return node.name;
    return "body" in node && node.body ? hoistedIn(node.body, name) : undefined;
  }
  if (ts.isSourceFile(node)) return hoistedIn(node, name);
  if (ts.isCatchClause(node)) return node.variableDeclaration && inBinding(node.variableDeclaration.name, name);
  if (
    (ts.isForStatement(node) || ts.isForOfStatement(node) || ts.isForInStatement(node)) &&
    node.initializer &&
    ts.isVariableDeclarationList(node.initializer)
  )
    return inList(node.initializer, name);
  if (ts.isClassExpression(node) && node.name?.text === name) return node.name;
  if (ts.isCaseBlock(node))
    for (const clause of node.clauses)
      for (const statement of clause.statements) {
        const found = declaredBy(statement, name);
        if (found) return found;
      }
  return undefined;
}

function declaredBy(statement: ts.Statement, name: string): ts.Identifier | undefined {
  if (ts.isVariableStatement(statement)) return inList(statement.declarationList, name);
  if (
    (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement) || ts.isEnumDeclaration(statement)) &&
    statement.name?.text === name
  )
    return statement.name;
  if (ts.isImportEqualsDeclaration(statement) && statement.name.text === name) return statement.name;
  if (!ts.isImportDeclaration(statement) || !statement.importClause) return undefined;
  const { importClause } = statement;
  if (importClause.name?.text === name) return importClause.name;
  const bindings = importClause.namedBindings;
  if (bindings && ts.isNamespaceImport(bindings)) return bindings.name.text === name ? bindings.name : undefined;
  return bindings?.elements.find((element) => element.name.text === name)?.name;
}

function inList(list: ts.VariableDeclarationList, name: string): ts.Identifier | undefined {
  for (const declaration of list.declarations) {
    const found = inBinding(declaration.name, name);
    if (found) return found;
  }
  return undefined;
}

function inBinding(binding: ts.BindingName, name: string): ts.Identifier | undefined {
  if (ts.isIdentifier(binding)) return binding.text === name ? binding : undefined;
  for (const element of binding.elements) {
    const found = ts.isBindingElement(element) ? inBinding(element.name, name) : undefined;
    if (found) return found;
  }
  return undefined;
}

/** `var`s of inner blocks. */
function hoistedIn(node: ts.Node, name: string): ts.Identifier | undefined {
  return ts.forEachChild(node, (child): ts.Identifier | undefined => {
    if (ts.isFunctionLike(child) || ts.isClassLike(child)) return undefined;
    if (ts.isVariableDeclarationList(child) && !(child.flags & ts.NodeFlags.BlockScoped)) {
      const found = inList(child, name);
      if (found) return found;
    }
    return hoistedIn(child, name);
  });
}

function isBlockScoped(identifier: ts.Identifier): boolean {
  for (let node: ts.Node | undefined = identifier.parent; node && !ts.isStatement(node); node = node.parent)
    if (ts.isVariableDeclarationList(node)) return (node.flags & ts.NodeFlags.BlockScoped) !== 0;
  return ts.isClassDeclaration(identifier.parent);
}

export function functionAround(node: ts.Node): ts.FunctionLikeDeclaration | undefined {
  for (let at = node.parent as ts.Node | undefined; at; at = at.parent) if (ts.isFunctionLike(at) && "body" in at) return at;
  return undefined;
}

/** Whether a statement at the place may wait: its innermost function is async, or it is code of an ECMAScript module. */
export function mayAwait(node: ts.Node, source: ts.SourceFile): boolean {
  const around = functionAround(node);
  if (around) return around.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.AsyncKeyword) === true;
  return !isCommonJs(source);
}

/**
 * Whether a function that is not async may become so: it does nothing but return what the place returns, a promise. Undefined where
 * that is not so; else the offset before which `async` goes.
 */
export function asyncOffset(place: ts.Node, source: ts.SourceFile): number | undefined {
  const around = functionAround(place);
  if (!around?.body || around.asteriskToken || ts.isConstructorDeclaration(around) || ts.isAccessor(around)) return undefined;
  if (ts.isArrowFunction(around) && around.body === place) return around.getStart(source);
  if (!ts.isReturnStatement(place)) return undefined;
  let returns = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isReturnStatement(node)) returns += 1;
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(around.body, visit);
  const declared = around.type && ts.isTypeReferenceNode(around.type) && around.type.typeName.getText(source) === "Promise";
  if (around.type ? !declared : returns !== 1) return undefined;
  const keyword = around.getChildren(source).find((child) => child.kind === ts.SyntaxKind.FunctionKeyword);
  return ts.isMethodDeclaration(around) ? around.name.getStart(source) : (keyword ?? around).getStart(source);
}

/** Whether what the file needs is required rather than imported. */
export function isCommonJs(source: ts.SourceFile): boolean {
  if (/\.c[jt]s$/.test(source.fileName)) return true;
  if (/\.m[jt]s$/.test(source.fileName)) return false;
  const isModule = source.statements.some(
    (statement) =>
      ts.isImportDeclaration(statement) ||
      ts.isExportDeclaration(statement) ||
      ts.isExportAssignment(statement) ||
      (ts.canHaveModifiers(statement) && statement.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword) === true),
  );
  return !isModule && /\brequire\(|\bmodule\.exports\b|\bexports\.\w/.test(source.text);
}

/** Whether the name gets another value between two places. */
export function isReassigned(source: ts.SourceFile, text: string, from: number, to: number): boolean {
  const visit = (node: ts.Node): boolean => {
    if (node.end <= from || node.pos >= to) return false;
    const target =
      ts.isBinaryExpression(node) &&
      node.operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
      node.operatorToken.kind <= ts.SyntaxKind.LastAssignment
        ? node.left
        : ts.isPostfixUnaryExpression(node) || ts.isPrefixUnaryExpression(node)
          ? node.operand
          : undefined;
    if (target && node.getStart(source) >= from && isSameOrPrefix(target.getText(source), text)) return true;
    return ts.forEachChild(node, (child) => visit(child) || undefined) === true;
  };
  return visit(source);
}

function isSameOrPrefix(written: string, text: string): boolean {
  return text === written || text.startsWith(`${written}.`) || text.startsWith(`${written}[`);
}

/** A name that nothing has in the function around the place. */
export function freeName(source: ts.SourceFile, wanted: string, place: ts.Node): string {
  const text = (functionAround(place) ?? source).getText(source);
  const isFree = (name: string): boolean => !new RegExp(`(?<![\\w$])${name}(?![\\w$])`).test(text);
  if (isFree(wanted)) return wanted;
  for (let number = 2; ; number += 1) if (isFree(`${wanted}${number}`)) return `${wanted}${number}`;
}
