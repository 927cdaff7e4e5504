/** `try`, `catch`, `finally`, `using`. */
import { ts } from "ts-morph";
import type { Operand } from "../flow.ts";
import { addBlock, copy, createLabel, emit, enterBlock, exit, finalize, goTo, mayCopy, place } from "./blocks.ts";
import { statement } from "./dispatch.ts";
import { assign } from "./lowerAssignment.ts";
import { UNKNOWN } from "./operands.ts";
import { bindPattern, resolve } from "./scope.ts";
import { createScope, spanOf, type FunctionState } from "./state.ts";

export function lowerTry(flow: FunctionState, node: ts.TryStatement): void {
  const { finallyBlock } = node;
  if (finallyBlock)
    withFinalizer(
      flow,
      () => lowerCatch(flow, node),
      () => statement(flow, finallyBlock),
    );
  else lowerCatch(flow, node);
}

function lowerCatch(flow: FunctionState, node: ts.TryStatement): void {
  const { catchClause } = node;
  if (!catchClause) return statement(flow, node.tryBlock);
  const { handler, caught, scope } = flow;
  const after = createLabel(flow);
  const start = addBlock(flow, handler, true);
  flow.handler = start;
  enterBlock(flow);
  statement(flow, node.tryBlock);
  flow.handler = handler;
  goTo(flow, after);
  flow.current = start;
  flow.caught = true;
  const pattern = catchClause.variableDeclaration?.name;
  if (pattern) {
    flow.scope = createScope(scope);
    bindPattern(flow, flow.scope, pattern);
    assign(flow, pattern, UNKNOWN, pattern, "declare");
  }
  statement(flow, catchClause.block);
  flow.scope = scope;
  flow.caught = caught;
  goTo(flow, after);
  place(flow, after);
}

/** Lowers `body` so that `run` runs on every way out of it. */
function withFinalizer(flow: FunctionState, body: () => void, run: () => void): void {
  const { handler, caught, ways, scope } = flow;
  const failed = addBlock(flow, handler, true);
  flow.handler = failed;
  flow.ways = { way: "finalizer", outer: ways, handler, scope, run };
  enterBlock(flow);
  body();
  flow.handler = handler;
  flow.ways = ways;
  flow.scope = scope;
  if (flow.current >= 0) {
    enterBlock(flow);
    finalize(flow, run);
  }
  const after = flow.current;
  flow.current = failed;
  flow.caught = true;
  if (mayCopy(flow)) copy(flow, run);
  exit(flow, { exit: "throw", span: spanOf(flow, flow.statement) });
  flow.caught = caught;
  flow.current = after;
}

/** What is declared with `using` is disposed of when the statements after it, `rest`, are left. */
export function lowerUsing(flow: FunctionState, list: ts.VariableDeclarationList, rest: () => void): void {
  const held: Operand[] = [];
  for (const { name } of list.declarations) {
    const operand = ts.isIdentifier(name) ? resolve(flow.scope, name.text) : undefined;
    if (operand) held.push(operand);
  }
  const span = spanOf(flow, list);
  withFinalizer(flow, rest, () => {
    for (const operand of held.toReversed()) emit(flow, { event: "dispose", value: operand, span });
  });
}
