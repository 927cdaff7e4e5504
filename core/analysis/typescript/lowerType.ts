/** Interfaces, and which class or interface a type annotation names. Nothing else of types is looked at. */
import { ts } from "ts-morph";
import type { Operand } from "../flow.ts";
import { imported, member } from "./operands.ts";
import { propertyName } from "./propertyName.ts";
import { DEEPEST, reserveInterface, type FunctionState, type MutableClass, type Scope, type TypeAlias } from "./state.ts";

const PROMISES: ReadonlySet<string> = new Set(["Promise", "PromiseLike", "Awaited"]);
/** Aliases of aliases; more than this many are a cycle. */
const MOST_ALIASES = 20;

export function typeOperand(flow: FunctionState, annotation: ts.TypeNode | undefined): Operand | undefined {
  return annotation && follow(flow, flow.scope, annotation, 0);
}

/** What is written after `extends` and `implements`. */
export function heritageOperand(flow: FunctionState, node: ts.ExpressionWithTypeArguments): Operand | undefined {
  const names: string[] = [];
  let at: ts.Expression = node.expression;
  for (; ts.isPropertyAccessExpression(at); at = at.expression) names.push(at.name.text);
  return ts.isIdentifier(at) ? qualified(flow, flow.scope, at.text, names.reverse(), 0) : undefined;
}

function follow(flow: FunctionState, scope: Scope, annotation: ts.TypeNode, aliases: number): Operand | undefined {
  if (aliases > MOST_ALIASES) return undefined;
  if (ts.isTypeReferenceNode(annotation)) {
    const names: string[] = [];
    let at: ts.EntityName = annotation.typeName;
    for (; ts.isQualifiedName(at); at = at.left) names.push(at.right.text);
    const [argument] = annotation.typeArguments ?? [];
    if (names.length === 0 && argument && PROMISES.has(at.text)) return follow(flow, scope, argument, aliases + 1);
    return qualified(flow, scope, at.text, names.reverse(), aliases);
  }
  if (ts.isParenthesizedTypeNode(annotation)) return follow(flow, scope, annotation.type, aliases + 1);
  if (ts.isUnionTypeNode(annotation)) {
    const [only, ...others] = annotation.types.filter((type) => !isEmpty(type));
    return only && others.length === 0 ? follow(flow, scope, only, aliases + 1) : undefined;
  }
  if (ts.isTypeLiteralNode(annotation)) return literalOperand(flow, scope, annotation);
  if (ts.isImportTypeNode(annotation) && !annotation.isTypeOf && annotation.qualifier && ts.isIdentifier(annotation.qualifier)) {
    const { argument } = annotation;
    if (ts.isLiteralTypeNode(argument) && ts.isStringLiteral(argument.literal))
      return imported(argument.literal.text, annotation.qualifier.text);
  }
  return undefined;
}

function isEmpty(type: ts.TypeNode): boolean {
  if (ts.isLiteralTypeNode(type)) return type.literal.kind === ts.SyntaxKind.NullKeyword;
  return type.kind === ts.SyntaxKind.UndefinedKeyword || type.kind === ts.SyntaxKind.VoidKeyword;
}

function qualified(flow: FunctionState, scope: Scope, first: string, names: readonly string[], aliases: number): Operand | undefined {
  let operand = lookUp(scope, first);
  if (operand?.op === "alias") return names.length === 0 ? follow(flow, operand.scope, operand.type, aliases + 1) : undefined;
  if (names.length > 0 && operand?.op !== "import") return undefined;
  for (const name of names) if (operand) operand = member(operand, name);
  return operand;
}

function lookUp(scope: Scope, name: string): Operand | TypeAlias | undefined {
  for (let at: Scope | undefined = scope; at; at = at.outer) {
    const type = at.types.get(name);
    if (type) return type;
    const value = at.names.get(name);
    if (value?.op === "import") return value;
  }
  return undefined;
}

/** `{ storage: Storage }` in place of a name: an interface without one, if it says anything about classes. */
function literalOperand(flow: FunctionState, scope: Scope, node: ts.TypeLiteralNode): Operand | undefined {
  const { module } = flow;
  const known = module.classIndexes.get(node);
  if (known !== undefined) return { op: "class", index: known };
  if (flow.depth >= DEEPEST) return undefined;
  flow.depth++;
  const members = membersOf(flow, scope, node.members);
  flow.depth--;
  if (members.abstract.length === 0 && members.fields.every(({ type }) => type === undefined)) return undefined;
  const index = reserveInterface(module, node, "type");
  addMembers(module.classes[index], members);
  return { op: "class", index };
}

/** What an interface or a named object type says its values have. */
export function lowerInterface(flow: FunctionState, node: ts.InterfaceDeclaration | ts.TypeAliasDeclaration): void {
  const { module } = flow;
  const index = module.classIndexes.get(node);
  const made = index === undefined ? undefined : module.classes[index];
  if (!made || module.loweredClasses.has(node)) return;
  module.loweredClasses.add(node);
  if (ts.isInterfaceDeclaration(node)) {
    for (const type of node.heritageClauses?.flatMap((clause) => [...clause.types]) ?? []) {
      const base = heritageOperand(flow, type);
      if (base) made.bases.push(base);
    }
    addMembers(made, membersOf(flow, flow.scope, node.members));
  } else if (ts.isTypeLiteralNode(node.type)) {
    addMembers(made, membersOf(flow, flow.scope, node.type.members));
  }
}

type Members = Pick<MutableClass, "abstract" | "fields">;

function addMembers(made: MutableClass | undefined, { abstract, fields }: Members): void {
  if (!made) return;
  made.abstract.push(...abstract);
  made.fields.push(...fields);
}

function membersOf(flow: FunctionState, scope: Scope, elements: readonly ts.TypeElement[]): Members {
  const members: Members = { abstract: [], fields: [] };
  for (const element of elements) {
    const name = propertyName(element.name);
    if (name === undefined) continue;
    if (ts.isMethodSignature(element)) {
      members.abstract.push({ name, parameters: element.parameters.length });
    } else if (ts.isPropertySignature(element)) {
      const { type: annotation } = element;
      if (annotation && ts.isFunctionTypeNode(annotation)) members.abstract.push({ name, parameters: annotation.parameters.length });
      const type = annotation && follow(flow, scope, annotation, 0);
      members.fields.push(type ? { name, type } : { name });
    }
  }
  return members;
}
