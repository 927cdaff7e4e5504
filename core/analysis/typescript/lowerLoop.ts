/** Loops, whose bodies run at least once. */
import { ts } from "ts-morph";
import type { Event, Operand } from "../flow.ts";
import { blockOf, createLabel, emit, enterBlock, exit, goTo, place } from "./blocks.ts";
import { effects, statement, value } from "./dispatch.ts";
import { assign, lowerDeclarations } from "./lowerAssignment.ts";
import { lowerUsing } from "./lowerTry.ts";
import { named } from "./operands.ts";
import { bindPattern, resolve } from "./scope.ts";
import { createScope, spanOf, temporary, unwrap, type FunctionState } from "./state.ts";

interface Loop {
  readonly node: ts.IterationStatement;
  /** Runs at the start of each round. */
  readonly start?: () => void;
  readonly body?: () => void;
  /** Runs at the end of each round. */
  readonly step?: () => void;
  /** Nothing but `break` and `return` ends it. */
  readonly endless?: boolean;
}

function lowerLoop(flow: FunctionState, loop: Loop): void {
  const { ways, departures } = flow;
  const entry = flow.current;
  const after = createLabel(flow);
  const next = createLabel(flow);
  const first = enterBlock(flow);
  loop.start?.();
  const labels = ways?.way === "target" && ways.labelled === loop.node ? ways.labels : [];
  flow.ways = { way: "target", outer: ways, labels, breakTo: after, continueTo: next };
  if (loop.body) loop.body();
  else statement(flow, loop.node.statement);
  flow.ways = ways;
  goTo(flow, next);
  place(flow, next);
  const goesRound = flow.current >= 0;
  loop.step?.();
  // A loop without a condition that is left in its middle does not end here; one that is never left is taken to end somewhere.
  const isLeft = after.block >= 0 || flow.departures > departures;
  if (loop.endless && isLeft) {
    exit(flow, { exit: "goto", to: first });
  } else {
    exit(flow, { exit: "any", to: [first, blockOf(flow, after)] });
    // The body always leaves: that there was no round at all is the only way past it.
    const before = flow.blocks[entry];
    if (!goesRound && before && !loop.endless) before.exit = { exit: "any", to: [first, blockOf(flow, after)] };
  }
  place(flow, after);
}

export function lowerWhile(flow: FunctionState, node: ts.WhileStatement): void {
  lowerLoop(flow, { node, start: () => value(flow, node.expression), endless: isTrue(node.expression) });
}

export function lowerDo(flow: FunctionState, node: ts.DoStatement): void {
  lowerLoop(flow, { node, step: () => value(flow, node.expression), endless: isTrue(node.expression) });
}

export function lowerFor(flow: FunctionState, node: ts.ForStatement): void {
  const { initializer, condition, incrementor } = node;
  const { scope } = flow;
  if (initializer && ts.isVariableDeclarationList(initializer)) {
    openScope(flow, initializer);
    lowerDeclarations(flow, initializer, "declare");
  } else if (initializer) {
    effects(flow, initializer);
  }
  lowerLoop(flow, {
    node,
    start: () => condition && value(flow, condition),
    step: () => incrementor && effects(flow, incrementor),
    endless: !condition || isTrue(condition),
  });
  flow.scope = scope;
}

export function lowerForEach(flow: FunctionState, node: ts.ForOfStatement | ts.ForInStatement): void {
  const { initializer } = node;
  const { scope } = flow;
  const of = value(flow, node.expression);
  if (ts.isVariableDeclarationList(initializer)) openScope(flow, initializer);
  const body = (): void => statement(flow, node.statement);
  lowerLoop(flow, {
    node,
    start: () => startRound(flow, node, of),
    body: isUsing(initializer) ? () => lowerUsing(flow, initializer, body) : body,
  });
  flow.scope = scope;
}

function startRound(flow: FunctionState, node: ts.ForOfStatement | ts.ForInStatement, of: Operand): void {
  const { initializer } = node;
  const declares = ts.isVariableDeclarationList(initializer);
  const target = declares ? initializer.declarations[0]?.name : initializer;
  if (!target) return;
  const span = spanOf(flow, initializer);
  const operand = ts.isIdentifier(target) ? resolve(flow.scope, target.text) : undefined;
  const waits = ts.isForOfStatement(node) && node.awaitModifier !== undefined;
  const direct = operand?.op === "name" && !waits;
  const name = direct ? operand.name : temporary(flow, initializer);
  const keys = ts.isForInStatement(node);
  const each: Event = keys ? { event: "each", name, of, keys, span } : { event: "each", name, of, span };
  emit(flow, each);
  if (direct) {
    flow.module.reassigned.add(name);
    return;
  }
  let element = named(name);
  if (waits) {
    const settled = temporary(flow, node);
    emit(flow, { event: "await", name: settled, value: element, span });
    element = named(settled);
  }
  assign(flow, target, element, initializer, declares ? "declare" : "assign");
}

function openScope(flow: FunctionState, list: ts.VariableDeclarationList): void {
  if ((list.flags & ts.NodeFlags.BlockScoped) === 0) return;
  flow.scope = createScope(flow.scope);
  for (const declaration of list.declarations) bindPattern(flow, flow.scope, declaration.name);
}

export function isUsing(node: ts.Node): node is ts.VariableDeclarationList {
  // `await using` is told by the flags of both `const` and `using`.
  return ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.Using) !== 0;
}

function isTrue(node: ts.Expression): boolean {
  const inner = unwrap(node);
  return inner.kind === ts.SyntaxKind.TrueKeyword || (ts.isNumericLiteral(inner) && Number(inner.text) !== 0);
}
