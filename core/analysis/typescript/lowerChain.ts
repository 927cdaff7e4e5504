/** Members and calls: `a.b(x).c[d](y)`, however long. */
import { ts } from "ts-morph";
import type { CallEvent, Operand } from "../flow.ts";
import { emit } from "./blocks.ts";
import { requiredModule, value } from "./dispatch.ts";
import { imported, member, named, THIS, UNKNOWN } from "./operands.ts";
import { DEEPEST, spanOf, statementSpan, temporaryNumber, unwrap, type FunctionState } from "./state.ts";

type Link = ts.PropertyAccessExpression | ts.ElementAccessExpression | ts.CallExpression;

export function lowerChain(flow: FunctionState, node: ts.Expression): Operand {
  return follow(flow, node, false);
}

/** A call that is a statement: nobody can wait for what it returns. */
export function floatingChain(flow: FunctionState, node: ts.Expression): void {
  follow(flow, node, true);
}

function follow(flow: FunctionState, node: ts.Expression, floating: boolean): Operand {
  const links: Link[] = [];
  let base = node;
  let members = 0;
  for (let inner: ts.Expression | undefined = node; inner;) {
    base = inner;
    switch (inner.kind) {
      case ts.SyntaxKind.PropertyAccessExpression:
      case ts.SyntaxKind.ElementAccessExpression:
        members++;
        links.push(inner as Link);
        inner = (inner as Link).expression;
        break;
      case ts.SyntaxKind.CallExpression:
        members = 0;
        links.push(inner as Link);
        inner = (inner as Link).expression;
        break;
      case ts.SyntaxKind.ParenthesizedExpression:
      case ts.SyntaxKind.NonNullExpression:
      case ts.SyntaxKind.AsExpression:
      case ts.SyntaxKind.SatisfiesExpression:
      case ts.SyntaxKind.TypeAssertionExpression:
      case ts.SyntaxKind.ExpressionWithTypeArguments:
        inner = (inner as ts.ParenthesizedExpression).expression;
        break;
      default:
        inner = undefined;
    }
  }
  // The operand gets as deep as there are members between the base and its first call.
  flow.depth += members;
  let operand = startOf(flow, base, links.at(-1));
  flow.depth -= members;
  let run = 0;
  for (let at = links.length - 1; at >= 0; at--) {
    const link = links[at];
    if (!link) break;
    if (ts.isCallExpression(link)) {
      run = 0;
      operand = call(flow, link, operand, floating && at === 0);
    } else {
      operand = ++run > DEEPEST ? UNKNOWN : access(flow, link, operand);
    }
  }
  return operand;
}

function startOf(flow: FunctionState, base: ts.Expression, first: Link | undefined): Operand {
  if (base.kind === ts.SyntaxKind.ImportKeyword) return { op: "global", name: "import" };
  if (base.kind !== ts.SyntaxKind.SuperKeyword) return value(flow, base);
  return first && ts.isCallExpression(first) ? { op: "global", name: "super" } : THIS;
}

function access(flow: FunctionState, node: ts.PropertyAccessExpression | ts.ElementAccessExpression, of: Operand): Operand {
  if (ts.isPropertyAccessExpression(node)) return member(of, node.name.text);
  const { argumentExpression } = node;
  if (ts.isStringLiteralLike(argumentExpression)) return member(of, argumentExpression.text);
  return { op: "element", of, key: value(flow, argumentExpression) };
}

function call(flow: FunctionState, node: ts.CallExpression, callee: Operand, floating: boolean): Operand {
  if (node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [argument] = node.arguments;
    if (argument && ts.isStringLiteralLike(argument)) return imported(argument.text, "*");
  }
  const required = requiredModule(node);
  if (required !== undefined) return imported(required, "*");
  return emitCall(flow, node, callee, lowerArguments(flow, node.arguments), floating ? { floating: true } : {});
}

function emitCall(
  flow: FunctionState,
  node: ts.Expression,
  callee: Operand,
  given: Pick<CallEvent, "args" | "spreads">,
  how: Pick<CallEvent, "floating" | "construct">,
): Operand {
  const id = temporaryNumber(flow, node);
  const result = `%${id}`;
  emit(flow, { event: "call", id, result, callee, ...given, span: spanOf(flow, node), statement: statementSpan(flow), ...how });
  return named(result);
}

function lowerArguments(flow: FunctionState, nodes: readonly ts.Expression[]): Pick<CallEvent, "args" | "spreads"> {
  const args: Operand[] = [];
  let spreads: Operand[] | undefined;
  for (const node of nodes) {
    if (ts.isSpreadElement(node)) (spreads ??= []).push(value(flow, node.expression));
    else if (spreads) spreads.push({ op: "list", items: [value(flow, node)], spreads: [] });
    else args.push(value(flow, node));
  }
  return spreads ? { args, spreads } : { args };
}

export function lowerNew(flow: FunctionState, node: ts.NewExpression): Operand {
  const callee = value(flow, node.expression);
  return emitCall(flow, node, callee, lowerArguments(flow, node.arguments ?? []), { construct: true });
}

export function lowerTagged(flow: FunctionState, node: ts.TaggedTemplateExpression): Operand {
  return tagged(flow, node, {});
}

export function floatingTagged(flow: FunctionState, node: ts.TaggedTemplateExpression): void {
  tagged(flow, node, { floating: true });
}

function tagged(flow: FunctionState, node: ts.TaggedTemplateExpression, how: Pick<CallEvent, "floating">): Operand {
  const callee = value(flow, node.tag);
  return emitCall(flow, node, callee, { args: [value(flow, node.template)] }, how);
}

export function lowerAwait(flow: FunctionState, node: ts.AwaitExpression): Operand {
  const operand = value(flow, node.expression);
  const inner = unwrap(node.expression);
  // `await import("x")` is the module.
  if (operand.op === "import" && ts.isCallExpression(inner)) return operand;
  const name = `%${temporaryNumber(flow, node)}`;
  emit(flow, { event: "await", name, value: operand, span: spanOf(flow, node) });
  return named(name);
}

export function lowerYield(flow: FunctionState, node: ts.YieldExpression): Operand {
  const operand: Operand = node.expression ? value(flow, node.expression) : { op: "nothing" };
  emit(flow, { event: "yield", value: operand, span: spanOf(flow, node) });
  return UNKNOWN;
}
