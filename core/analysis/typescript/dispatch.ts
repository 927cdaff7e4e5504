/** Lowers a node by its kind, as deep as the stack can bear. */
import { ts } from "ts-morph";
import type { Operand } from "../flow.ts";
import { UNKNOWN } from "./operands.ts";
import { DEEPEST, setStatement, type FunctionState } from "./state.ts";

export function value(flow: FunctionState, node: ts.Expression): Operand {
  const lower = flow.module.lowerings.values[node.kind];
  if (!lower || flow.depth >= DEEPEST) return UNKNOWN;
  flow.depth++;
  const operand = lower(flow, node as never);
  flow.depth--;
  return operand;
}

/** Lowers an expression whose value nobody looks at. */
export function effects(flow: FunctionState, node: ts.Expression): void {
  const lower = flow.module.lowerings.effects[node.kind];
  if (!lower) {
    value(flow, node);
  } else if (flow.depth < DEEPEST) {
    flow.depth++;
    lower(flow, node as never);
    flow.depth--;
  }
}

export function statement(flow: FunctionState, node: ts.Statement): void {
  const lower = flow.module.lowerings.statements[node.kind];
  if (!lower || flow.depth >= DEEPEST) return;
  const { statement: outer, statementSpan } = flow;
  setStatement(flow, node);
  flow.depth++;
  lower(flow, node as never);
  flow.depth--;
  flow.statement = outer;
  flow.statementSpan = statementSpan;
}

/** How many nodes are looked at before something is taken to act. */
const MOST_NODES = 5000;

/** Whether anything in the expression acts: then it needs branches where it is conditional. */
export function mayAct(node: ts.Expression): boolean {
  const nodes: ts.Node[] = [node];
  const push = (child: ts.Node): void => void nodes.push(child);
  for (let looked = 0, next = nodes.pop(); next; next = nodes.pop()) {
    if (++looked > MOST_NODES) return true;
    switch (next.kind) {
      case ts.SyntaxKind.Identifier:
      case ts.SyntaxKind.StringLiteral:
      case ts.SyntaxKind.FunctionExpression:
      case ts.SyntaxKind.ArrowFunction:
      case ts.SyntaxKind.MethodDeclaration:
      case ts.SyntaxKind.GetAccessor:
      case ts.SyntaxKind.SetAccessor:
        continue;
      case ts.SyntaxKind.CallExpression:
        if (requiredModule(next as ts.CallExpression) === undefined) return true;
        continue;
      case ts.SyntaxKind.NewExpression:
      case ts.SyntaxKind.AwaitExpression:
      case ts.SyntaxKind.YieldExpression:
      case ts.SyntaxKind.TaggedTemplateExpression:
      case ts.SyntaxKind.ClassExpression:
      case ts.SyntaxKind.PostfixUnaryExpression:
        return true;
      case ts.SyntaxKind.PrefixUnaryExpression: {
        const { operator } = next as ts.PrefixUnaryExpression;
        if (operator === ts.SyntaxKind.PlusPlusToken || operator === ts.SyntaxKind.MinusMinusToken) return true;
        break;
      }
      case ts.SyntaxKind.BinaryExpression:
        if (isAssignment((next as ts.BinaryExpression).operatorToken.kind)) return true;
        break;
      default:
    }
    ts.forEachChild(next, push);
  }
  return false;
}

export function isAssignment(operator: ts.SyntaxKind): boolean {
  return operator >= ts.SyntaxKind.FirstAssignment && operator <= ts.SyntaxKind.LastAssignment;
}

/** The module that `require("x")` names. */
export function requiredModule(node: ts.CallExpression): string | undefined {
  const [argument] = node.arguments;
  if (!argument || !ts.isStringLiteralLike(argument) || node.expression.kind !== ts.SyntaxKind.Identifier) return undefined;
  return (node.expression as ts.Identifier).text === "require" ? argument.text : undefined;
}
