/** The statement that deletes a file, with what the source file already has for it, and the import that it may need. */
import { ts } from "ts-morph";
import type { Deletion } from "../fix/plan.ts";
import type { Change } from "./printPlace.ts";
import { declarationOf, isCommonJs, mayAwait } from "./printScope.ts";
import { endWithComments, type PrintStyle } from "./printStyle.ts";

const RUNTIME = "offcut";
const FUNCTION = "deleteLocalFileAfterUpload";

export interface PrintedDeletion {
  /** Without a semicolon. */
  readonly statement: string;
  readonly changes: readonly Change[];
}

/** What a top-level name of the file stands for: `name` of a module, or all of it (`*`). */
interface Binding {
  readonly module: string;
  readonly name: string;
  readonly local: ts.Identifier;
}

export function printDeletion(
  source: ts.SourceFile,
  style: PrintStyle,
  plan: Deletion,
  at: ts.Node,
  offset: number,
): PrintedDeletion | undefined {
  const awaits = mayAwait(at, source);
  const bindings = bindingsOf(source).filter((binding) => declarationOf(binding.local.text, at, offset) === binding.local);
  const { subject, helper } = plan;
  const local = helper && localOf(helper, bindings, source, at, offset);
  if (helper && local !== undefined && (helper.async || !helper.throws))
    return {
      statement: `${helper.async ? (awaits ? "await " : "void ") : ""}${local}(${subject})${helper.throws ? ".catch(() => undefined)" : ""}`,
      changes: [],
    };
  const known = withFileSystem(bindings, subject, awaits);
  if (known !== undefined) return { statement: known, changes: [] };
  const runtime = bindings.find((binding) => binding.module === RUNTIME && binding.name === FUNCTION);
  const statement = `${awaits ? "await" : "void"} ${runtime?.local.text ?? FUNCTION}(${subject})`;
  if (runtime) return { statement, changes: [] };
  // The name means something else here.
  if (new RegExp(`\\b${FUNCTION}\\b`).test(source.text)) return undefined;
  return { statement, changes: [importRuntime(source, style)] };
}

function localOf(
  helper: NonNullable<Deletion["helper"]>,
  bindings: readonly Binding[],
  source: ts.SourceFile,
  at: ts.Node,
  offset: number,
): string | undefined {
  if (helper.from !== undefined)
    return bindings.find((binding) => binding.module === helper.from && binding.name === helper.name)?.local.text;
  const declared = declarationOf(helper.name, at, offset);
  const statement = declared && statementOf(declared);
  return statement?.parent === source ? helper.name : undefined;
}

function statementOf(node: ts.Node): ts.Node {
  let at = node;
  while (!ts.isStatement(at) && at.parent) at = at.parent;
  return at;
}

const NEVER_MIND = ".catch(() => undefined)";

function withFileSystem(bindings: readonly Binding[], subject: string, awaits: boolean): string | undefined {
  const wait = awaits ? "await " : "void ";
  const find = (module: string, names: readonly string[]): string | undefined =>
    bindings.find((binding) => binding.module === module && names.includes(binding.name))?.local.text;
  const named = find("fs/promises", ["unlink", "rm"]);
  if (named !== undefined) return `${wait}${named}(${subject})${NEVER_MIND}`;
  const promises = find("fs/promises", ["*"]) ?? find("fs", ["promises"]);
  if (promises !== undefined) return `${wait}${promises}.unlink(${subject})${NEVER_MIND}`;
  const fs = find("fs", ["*"]);
  if (fs !== undefined)
    return awaits ? `await ${fs}.promises.unlink(${subject})${NEVER_MIND}` : `${fs}.unlink(${subject}, () => undefined)`;
  const extra = find("fs-extra", ["*"]);
  return extra === undefined ? undefined : `${wait}${extra}.remove(${subject})${NEVER_MIND}`;
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
    } else if (ts.isVariableStatement(statement) && statement.declarationList.flags & ts.NodeFlags.Const) {
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

function importRuntime(source: ts.SourceFile, style: PrintStyle): Change {
  const { text } = source;
  const { lineEnd, quote, semicolon } = style;
  const common = isCommonJs(source);
  const line = common
    ? `const { ${FUNCTION} } = require(${quote}${RUNTIME}${quote})${semicolon}`
    : `import { ${FUNCTION} } from ${quote}${RUNTIME}${quote}${semicolon}`;
  const isImport = (statement: ts.Statement): boolean =>
    common
      ? ts.isVariableStatement(statement) &&
        statement.declarationList.declarations.some(
          (one) => one.initializer && /^(?:await\s+)?require\(/.test(one.initializer.getText(source)),
        )
      : ts.isImportDeclaration(statement);
  const existing = common
    ? undefined
    : source.statements.find(
        (statement) =>
          ts.isImportDeclaration(statement) && ts.isStringLiteral(statement.moduleSpecifier) && statement.moduleSpecifier.text === RUNTIME,
      );
  if (existing && ts.isImportDeclaration(existing) && !existing.importClause?.isTypeOnly) {
    const named = existing.importClause?.namedBindings;
    const last = named && ts.isNamedImports(named) ? named.elements.at(-1) : undefined;
    if (last) return { start: last.end, end: last.end, text: `, ${FUNCTION}` };
  }
  const last = source.statements.findLast((statement) => isImport(statement) || ts.isImportEqualsDeclaration(statement));
  const directive = source.statements.findLast(
    (statement, index) =>
      ts.isExpressionStatement(statement) &&
      ts.isStringLiteral(statement.expression) &&
      source.statements.slice(0, index).every((before) => ts.isExpressionStatement(before) && ts.isStringLiteral(before.expression)),
  );
  const after = last ?? directive;
  if (after) {
    const at = endWithComments(text, after.end);
    return { start: at, end: at, text: `${lineEnd}${line}` };
  }
  const at = startOfCode(source);
  return { start: at, end: at, text: `${line}${lineEnd}${/^\s/.test(text.slice(at)) ? "" : lineEnd}` };
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
