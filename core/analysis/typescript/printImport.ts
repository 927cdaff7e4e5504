/** What a source file imports, and one more name of it: from what is imported already, else in a line of its own. */
import { ts } from "ts-morph";
import type { Change } from "./printPlace.ts";
import { isCommonJs, declarationOf } from "./printScope.ts";
import { endWithComments, type PrintStyle } from "./printStyle.ts";

/** What a top-level name of the file stands for: `name` of a module, or all of it (`*`). Modules of Node come without `node:`. */
export interface Binding {
  readonly module: string;
  readonly name: string;
  readonly local: ts.Identifier;
}

/** How a name is written, and what has to change for it. */
export interface Named {
  readonly text: string;
  readonly changes: readonly Change[];
}

/** The bindings that mean the same at the place. */
export function bindingsAt(source: ts.SourceFile, at: ts.Node, offset: number): readonly Binding[] {
  return bindingsOf(source).filter((binding) => declarationOf(binding.local.text, at, offset) === binding.local);
}

export function findBinding(bindings: readonly Binding[], module: string, names: readonly string[]): string | undefined {
  return bindings.find((binding) => binding.module === module && names.includes(binding.name))?.local.text;
}

function bindingsOf(source: ts.SourceFile): Binding[] {
  const found: Binding[] = [];
  const add = (module: string, name: string, local: ts.Identifier): void => {
    found.push({ module: module.replace(/^node:/, ""), name: name === "default" && !module.startsWith(".") ? "*" : name, local });
  };
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement) && ts.isStringLiteral(statement.moduleSpecifier)) {
      const { importClause } = statement;
      const module = statement.moduleSpecifier.text;
      if (!importClause || importClause.isTypeOnly) continue;
      if (importClause.name) add(module, "default", importClause.name);
      const named = importClause.namedBindings;
      if (named && ts.isNamespaceImport(named)) add(module, "*", named.name);
      else
        for (const element of named?.elements ?? [])
          if (!element.isTypeOnly) add(module, (element.propertyName ?? element.name).text, element.name);
    } else if (
      ts.isImportEqualsDeclaration(statement) &&
      !statement.isTypeOnly &&
      ts.isExternalModuleReference(statement.moduleReference) &&
      ts.isStringLiteral(statement.moduleReference.expression)
    ) {
      add(statement.moduleReference.expression.text, "*", statement.name);
    } else if (ts.isVariableStatement(statement)) {
      for (const declaration of statement.declarationList.declarations) bindRequire(declaration, add);
    }
  }
  return found;
}

/** `const fs = require("fs")`, `const { unlink } = require("fs/promises")`, `const fs = require("fs").promises`. */
function bindRequire(
  { name, initializer }: ts.VariableDeclaration,
  add: (module: string, name: string, local: ts.Identifier) => void,
): void {
  if (!initializer) return;
  const member = ts.isPropertyAccessExpression(initializer) ? initializer.name.text : undefined;
  const module = requiredBy(ts.isPropertyAccessExpression(initializer) ? initializer.expression : initializer);
  if (module === undefined) return;
  if (ts.isIdentifier(name)) add(module, member ?? "*", name);
  else if (ts.isObjectBindingPattern(name))
    for (const element of name.elements) {
      const property = element.propertyName ?? element.name;
      if (!ts.isIdentifier(property) || !ts.isIdentifier(element.name) || element.dotDotDotToken) continue;
      if (member === undefined) add(module, property.text, element.name);
      else if (member === "promises") add(`${module}/promises`, property.text, element.name);
    }
}

function requiredBy(node: ts.Expression): string | undefined {
  if (!ts.isCallExpression(node) || !ts.isIdentifier(node.expression) || node.expression.text !== "require") return undefined;
  const [argument] = node.arguments;
  return argument && ts.isStringLiteral(argument) ? argument.text : undefined;
}

/** Where names of a module are listed: `import { a } from "m"`, `const { a } = require("m")`. */
interface NameList {
  readonly module: string;
  readonly elements: readonly (ts.ImportSpecifier | ts.BindingElement)[];
}

function nameListsOf(source: ts.SourceFile): NameList[] {
  const found: NameList[] = [];
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement) && ts.isStringLiteral(statement.moduleSpecifier) && !statement.importClause?.isTypeOnly) {
      const named = statement.importClause?.namedBindings;
      if (named && ts.isNamedImports(named)) found.push({ module: statement.moduleSpecifier.text, elements: named.elements });
    } else if (ts.isVariableStatement(statement))
      for (const { name, initializer } of statement.declarationList.declarations) {
        const module = initializer && requiredBy(initializer);
        if (module !== undefined && ts.isObjectBindingPattern(name)) found.push({ module, elements: name.elements });
      }
  }
  return found.filter(({ elements }) => elements.length > 0);
}

/** Whether names of the module are imported one by one. */
export function listsNamesOf(source: ts.SourceFile, module: string): boolean {
  return nameListsOf(source).some((list) => list.module.replace(/^node:/, "") === module);
}

/** Makes the name of a module known in the file. Undefined: the file has that name for something else. */
export function importName(source: ts.SourceFile, style: PrintStyle, module: string, name: string): Named | undefined {
  if (new RegExp(`(?<![\\w$.])${name}(?![\\w$])`).test(source.text)) return undefined;
  const list = nameListsOf(source).find((one) => one.module.replace(/^node:/, "") === module);
  if (list) return { text: name, changes: [addToList(source, list, name)] };
  const specifier = NODE.has(module.split("/")[0] ?? "") && usesPrefix(source) ? `node:${module}` : module;
  return { text: name, changes: [importLine(source, style, specifier, name)] };
}

/** In its alphabetical place, if the list is in that order. */
function addToList(source: ts.SourceFile, { elements }: NameList, name: string): Change {
  const names = elements.map((element) => (ts.isIdentifier(element.name) ? element.name.text : "").toLowerCase());
  const isSorted = elements.length > 1 && names.every((one, index) => index === 0 || (names[index - 1] ?? "") <= one);
  const next = isSorted ? elements.find((_, index) => (names[index] ?? "") > name.toLowerCase()) : undefined;
  const lines = source.text.slice(elements[0]?.getFullStart(), elements.at(-1)?.end).includes("\n");
  if (next) {
    const at = next.getStart(source);
    const gap = lines ? source.text.slice(source.text.lastIndexOf("\n", at), at) : " ";
    return { start: at, end: at, text: `${name},${gap}` };
  }
  const last = elements[elements.length - 1];
  const at = last?.end ?? 0;
  const gap = lines && last ? (/\r?\n[ \t]*$/.exec(source.text.slice(0, last.getStart(source)))?.[0] ?? " ") : " ";
  return { start: at, end: at, text: `,${gap}${name}` };
}

const NODE = new Set(["fs", "os", "path", "util", "child_process", "crypto", "stream", "events", "http", "https", "url"]);

/** `node:fs` rather than `fs`: what the file does, and what is newer where it does neither. */
function usesPrefix(source: ts.SourceFile): boolean {
  const specifiers = [...source.text.matchAll(/(?:from|require\(|import)\s*(["'])((?:node:)?[\w/]+)\1/g)].map((match) => match[2] ?? "");
  const bare = specifiers.filter((one) => NODE.has(one.split("/")[0] ?? ""));
  const prefixed = specifiers.filter((one) => one.startsWith("node:"));
  return prefixed.length >= bare.length;
}

function importLine(source: ts.SourceFile, style: PrintStyle, specifier: string, name: string): Change {
  const { text } = source;
  const { lineEnd, quote, semicolon } = style;
  const common = isCommonJs(source);
  const line = common
    ? `const { ${name} } = require(${quote}${specifier}${quote})${semicolon}`
    : `import { ${name} } from ${quote}${specifier}${quote}${semicolon}`;
  const imports = source.statements.flatMap((statement) => {
    const module = importedBy(statement, common);
    return module === undefined ? [] : [{ statement, module }];
  });
  const isRelative = (module: string): boolean => module.startsWith(".") || module.startsWith("@/") || module.startsWith("~/");
  const isNode = (module: string): boolean => NODE.has(module.replace(/^node:/, "").split("/")[0] ?? "");
  const [builtIn, outer] = [
    imports.findLast(({ module }) => isNode(module)),
    imports.findLast(({ module }, index) => !isRelative(module) && imports.slice(0, index).every((one) => !isRelative(one.module))),
  ];
  const beside = isRelative(specifier) ? undefined : isNode(specifier) ? (builtIn ?? outer) : outer;
  const after = beside?.statement ?? imports.at(-1)?.statement ?? lastDirective(source);
  if (after) {
    const at = endWithComments(text, after.end);
    return { start: at, end: at, text: `${lineEnd}${imports.length === 0 ? lineEnd : ""}${line}` };
  }
  const at = startOfCode(source);
  return { start: at, end: at, text: `${line}${lineEnd}${/^\s/.test(text.slice(at)) ? "" : lineEnd}` };
}

/** The module that a statement imports, in the manner of the file. */
function importedBy(statement: ts.Statement, common: boolean): string | undefined {
  if (ts.isImportDeclaration(statement)) return ts.isStringLiteral(statement.moduleSpecifier) ? statement.moduleSpecifier.text : undefined;
  if (ts.isImportEqualsDeclaration(statement)) {
    const { moduleReference } = statement;
    return ts.isExternalModuleReference(moduleReference) && ts.isStringLiteral(moduleReference.expression)
      ? moduleReference.expression.text
      : undefined;
  }
  if (!common || !ts.isVariableStatement(statement)) return undefined;
  for (const { initializer } of statement.declarationList.declarations) {
    const match = initializer && /^(?:await\s+)?require\(\s*(["'])(.+?)\1/.exec(initializer.getText());
    if (match) return match[2];
  }
  return undefined;
}

/** `"use strict"`, `"use server"`: nothing may come before it. */
function lastDirective(source: ts.SourceFile): ts.Statement | undefined {
  const end = source.statements.findIndex((statement) => !ts.isExpressionStatement(statement) || !ts.isStringLiteral(statement.expression));
  return source.statements.slice(0, end < 0 ? undefined : end).at(-1);
}

/** Behind the line that names the interpreter, and behind comments that stand alone; before those that belong to the first statement. */
function startOfCode(source: ts.SourceFile): number {
  const { text } = source;
  const [first] = source.statements;
  if (!first) return text.length;
  let at = first.getStart(source);
  for (const comment of (ts.getLeadingCommentRanges(text, first.getFullStart()) ?? []).toReversed()) {
    const written = text.slice(comment.pos, comment.end);
    if (/\n\s*\n/.test(text.slice(comment.end, at)) || /^(?:\/\/|\/\*)\s*(?:@ts-|eslint)/.test(written)) break;
    at = comment.pos;
  }
  return at;
}
