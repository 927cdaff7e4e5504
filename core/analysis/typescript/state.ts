/** What the lowering of one file keeps in mind. */
import { ts } from "ts-morph";
import type { Block, Event, Exit, FlowClass, FlowFunction, FlowModule, Name, Operand, Span } from "../flow.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };
export type MutableBlock = Omit<Mutable<Block>, "events"> & { events: Event[] };
export type MutableClass = Omit<Mutable<FlowClass>, "fields"> & { fields: Mutable<FlowClass["fields"][number]>[] };

/** A type alias is looked through only when something is declared to be of that type. */
export interface TypeAlias {
  readonly op: "alias";
  readonly type: ts.TypeNode;
  readonly scope: Scope;
}

export interface Scope {
  readonly names: Map<string, Operand>;
  readonly types: Map<string, Operand | TypeAlias>;
  readonly outer: Scope | undefined;
}

/** A place to jump to, which gets a block when the first jump to it is lowered. */
export interface Label {
  /** -1: nothing has jumped here yet. */
  block: number;
  readonly handler: number | undefined;
  readonly caught: boolean;
}

/** What lies between a statement and the end of its function: targets of jumps, and what has to run on every way out. */
export type Way =
  | {
      readonly way: "target";
      readonly outer: Way | undefined;
      readonly labels: readonly string[];
      readonly breakTo: Label;
      readonly continueTo?: Label;
      /** What the labels stand before; such a target is left by its labels only. */
      readonly labelled?: ts.Statement;
    }
  | {
      readonly way: "finalizer";
      readonly outer: Way | undefined;
      readonly handler: number | undefined;
      readonly scope: Scope;
      readonly run: () => void;
    };

export type FunctionNode =
  | ts.FunctionDeclaration
  | ts.FunctionExpression
  | ts.ArrowFunction
  | ts.MethodDeclaration
  | ts.ConstructorDeclaration
  | ts.AccessorDeclaration
  /** Stands for a constructor that nobody wrote but that has fields to initialise. */
  | ts.ClassLikeDeclaration;

/** A function that was met and is lowered when the one around it is done. */
export interface PendingFunction {
  readonly index: number;
  readonly node: FunctionNode;
  readonly name: string;
  readonly kind: FlowFunction["kind"];
  readonly class?: number;
  readonly static?: true;
  readonly parent: number;
  readonly scope: Scope;
  readonly self: Operand;
  readonly inClass: boolean;
  /** Constructors: fields whose initialisers act. */
  readonly fields?: readonly ts.PropertyDeclaration[];
}

type Lowering<Result> = (flow: FunctionState, node: never) => Result;

/** How each kind of node is lowered, by `ts.SyntaxKind`. The tables let files call each other without importing each other. */
export interface Lowerings {
  readonly values: readonly (Lowering<Operand> | undefined)[];
  /** Expressions whose value nobody looks at; what is not listed is lowered as a value. */
  readonly effects: readonly (Lowering<void> | undefined)[];
  readonly statements: readonly (Lowering<void> | undefined)[];
}

export interface ModuleState {
  readonly source: ts.SourceFile;
  /** The scope of the module itself. */
  readonly top: Scope;
  readonly lowerings: Lowerings;
  readonly functions: FlowFunction[];
  readonly pending: PendingFunction[];
  readonly classes: MutableClass[];
  readonly written: Record<Name, string>;
  readonly exports: Map<string, Operand>;
  readonly reexports: FlowModule["reexports"][number][];
  readonly constants: Map<Name, Operand>;
  /** Names that get a value outside their declaration. */
  readonly reassigned: Set<Name>;
  readonly functionIndexes: Map<ts.Node, number>;
  readonly classIndexes: Map<ts.Node, number>;
  readonly loweredClasses: Set<ts.Node>;
  /** Of what is declared, and of temporaries in a `finally`, which is lowered more than once under the same names. */
  readonly repeated: Map<ts.Node, number>;
  functionCount: number;
}

export interface FunctionState {
  readonly module: ModuleState;
  readonly index: number;
  readonly blocks: MutableBlock[];
  readonly declares: Set<Name>;
  /** Whether a class lies around the function, so that `this` of a plain function inside is none of its business. */
  readonly inClass: boolean;
  /** -1: what comes next cannot be reached and has no block yet. */
  current: number;
  handler: number | undefined;
  caught: boolean;
  ways: Way | undefined;
  scope: Scope;
  self: Operand;
  depth: number;
  /** The innermost statement, and its span once somebody has asked for it. */
  statement: ts.Node;
  statementSpan: Span | undefined;
  /** How many `finally` the code that is being lowered lies in. */
  finalizing: number;
  /** How many copies of a `finally` lie around the code that is being lowered. */
  copying: number;
  /** How many numbers were given away: what changes in one function leaves the names of the others as they are. */
  numbers: number;
  /** How often `return` and jumps out of several statements at once were met. */
  departures: number;
}

/** Nesting beyond this is not followed: people do not write it, and the stack has to last. */
export const DEEPEST = 200;

export const NO_EXIT: Exit = { exit: "end", span: Object.freeze({ start: 0, end: 0 }) };

export function createScope(outer: Scope | undefined): Scope {
  return { names: new Map(), types: new Map(), outer };
}

export function createFunction(
  module: ModuleState,
  start: { readonly index: number; readonly scope: Scope; readonly self: Operand; readonly inClass: boolean; readonly statement: ts.Node },
): FunctionState {
  return {
    module,
    index: start.index,
    blocks: [{ events: [], exit: NO_EXIT }],
    declares: new Set(),
    inClass: start.inClass,
    current: 0,
    handler: undefined,
    caught: false,
    ways: undefined,
    scope: start.scope,
    self: start.self,
    depth: 0,
    statement: start.statement,
    statementSpan: undefined,
    finalizing: 0,
    copying: 0,
    numbers: 0,
    departures: 0,
  };
}

export function spanOf(flow: FunctionState, node: ts.Node): Span {
  return { start: node.getStart(flow.module.source), end: node.end };
}

export function statementSpan(flow: FunctionState): Span {
  return (flow.statementSpan ??= spanOf(flow, flow.statement));
}

export function setStatement(flow: FunctionState, node: ts.Node): void {
  flow.statement = node;
  flow.statementSpan = undefined;
}

/** A number that no other temporary of the module has. In copies of a `finally` the same node gets the same number. */
export function temporaryNumber(flow: FunctionState, node: ts.Node): number {
  const number = flow.finalizing === 0 ? nextNumber(flow) : numberOf(flow, node);
  flow.declares.add(`%${number}`);
  return number;
}

/** The same for the same node, however often it is lowered. */
export function numberOf(flow: FunctionState, node: ts.Node): number {
  const { repeated } = flow.module;
  const known = repeated.get(node);
  if (known !== undefined) return known;
  const number = nextNumber(flow);
  repeated.set(node, number);
  return number;
}

const NUMBERS = 1e6;

function nextNumber(flow: FunctionState): number {
  return flow.index * NUMBERS + flow.numbers++;
}

export function temporary(flow: FunctionState, node: ts.Node): Name {
  return `%${temporaryNumber(flow, node)}`;
}

/** Queues a function and says which index it gets. */
export function addFunction(
  flow: FunctionState,
  node: FunctionNode,
  as: Pick<PendingFunction, "name" | "kind" | "self"> & Partial<PendingFunction>,
): number {
  const { module } = flow;
  const known = flow.finalizing > 0 ? module.functionIndexes.get(node) : undefined;
  if (known !== undefined) return known;
  const index = module.functionCount++;
  if (flow.finalizing > 0) module.functionIndexes.set(node, index);
  module.pending.push({ parent: flow.index, scope: flow.scope, inClass: flow.inClass, ...as, index, node });
  return index;
}

export function reserveClass(module: ModuleState, node: ts.Node, name: string): number {
  const known = module.classIndexes.get(node);
  if (known !== undefined) return known;
  const index = module.classes.length;
  module.classes.push({ index, name, bases: [], methods: [], abstract: [], fields: [] });
  module.classIndexes.set(node, index);
  return index;
}

export function reserveInterface(module: ModuleState, node: ts.Node, name: string): number {
  const index = reserveClass(module, node, name);
  const made = module.classes[index];
  if (made) made.interface = true;
  return index;
}

export function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  const modifiers = (node as { readonly modifiers?: readonly ts.ModifierLike[] }).modifiers;
  return modifiers !== undefined && modifiers.some((modifier) => modifier.kind === kind);
}

/** Through parentheses and what only the type checker sees. */
export function unwrap(node: ts.Expression): ts.Expression {
  let inner = node;
  while (
    ts.isParenthesizedExpression(inner) ||
    ts.isAsExpression(inner) ||
    ts.isNonNullExpression(inner) ||
    ts.isSatisfiesExpression(inner) ||
    ts.isTypeAssertionExpression(inner)
  ) {
    inner = inner.expression;
  }
  return inner;
}
