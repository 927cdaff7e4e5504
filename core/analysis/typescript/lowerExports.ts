/** What a module offers to others. */
import { ts } from "ts-morph";
import type { Operand } from "../flow.ts";
import { imported } from "./operands.ts";
import { resolve } from "./scope.ts";
import { hasModifier, type FunctionState, type ModuleState, type Scope } from "./state.ts";

/** Notes `module.exports = …`, `module.exports.a = …` and `exports.a = …`. */
export function exportCommonJs(flow: FunctionState, object: Operand, name: string, operand: Operand): void {
  const { module } = flow;
  if (object.op === "global" && object.name === "module" && name === "exports") exportWhole(module, operand);
  else if (isExports(object) && operand.op !== "nothing") module.exports.set(name, operand);
}

function isExports(object: Operand): boolean {
  if (object.op === "global") return object.name === "exports";
  return object.op === "member" && object.name === "exports" && object.of.op === "global" && object.of.name === "module";
}

/** `module.exports = …` and `export = …`: the value is the default, and what it holds can be imported by name. */
export function exportWhole(module: ModuleState, operand: Operand): void {
  module.exports.set("default", operand);
  const held = operand.op === "name" ? module.constants.get(operand.name) : operand;
  if (held?.op === "import" && held.name === "*") module.reexports.push({ from: held.from, name: "*", as: "*" });
  if (held?.op !== "object") return;
  for (const field of held.fields) module.exports.set(field.name, field.value);
  for (const spread of held.spreads) {
    if (spread.op === "import" && spread.name === "*") module.reexports.push({ from: spread.from, name: "*", as: "*" });
  }
}

/** Notes the exports that are declarations; those with values of their own were noted as they were lowered. */
export function collectExports(module: ModuleState): void {
  for (const statement of module.source.statements) {
    if (ts.isExportDeclaration(statement)) collectExportDeclaration(module, statement);
    else if (hasModifier(statement, ts.SyntaxKind.ExportKeyword)) collectDeclaration(module, statement);
  }
}

function collectDeclaration(module: ModuleState, node: ts.Statement): void {
  if (ts.isVariableStatement(node)) {
    for (const declaration of node.declarationList.declarations) exportPattern(module, declaration.name, 0);
    return;
  }
  const { name } = node as { readonly name?: ts.Node };
  if (!name || !ts.isIdentifier(name)) return;
  const isDefault = hasModifier(node, ts.SyntaxKind.DefaultKeyword);
  exportName(module, name.text, isDefault ? "default" : name.text);
}

function exportPattern(module: ModuleState, pattern: ts.BindingName, depth: number): void {
  if (ts.isIdentifier(pattern)) return exportName(module, pattern.text, pattern.text);
  if (depth > MOST_NESTED) return;
  for (const element of pattern.elements) if (!ts.isOmittedExpression(element)) exportPattern(module, element.name, depth + 1);
}

const MOST_NESTED = 100;

function exportName(module: ModuleState, name: string, as: string): void {
  const operand = valueOrType(module.top, name);
  if (operand) module.exports.set(as, operand);
}

function valueOrType(scope: Scope, name: string): Operand | undefined {
  const value = resolve(scope, name);
  if (value) return value;
  const type = scope.types.get(name);
  return type && type.op !== "alias" ? type : undefined;
}

function collectExportDeclaration(module: ModuleState, node: ts.ExportDeclaration): void {
  const { moduleSpecifier, exportClause } = node;
  const from = moduleSpecifier && ts.isStringLiteral(moduleSpecifier) ? moduleSpecifier.text : undefined;
  if (!exportClause) {
    if (from !== undefined) module.reexports.push({ from, name: "*", as: "*" });
  } else if (ts.isNamespaceExport(exportClause)) {
    if (from !== undefined) module.exports.set(exportClause.name.text, imported(from, "*"));
  } else {
    for (const element of exportClause.elements) {
      const name = (element.propertyName ?? element.name).text;
      if (from === undefined) exportName(module, name, element.name.text);
      else module.reexports.push({ from, name, as: element.name.text });
    }
  }
}
