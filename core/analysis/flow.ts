/**
 * The flow graph: what a front end makes of a source file, and all that the rest of the analysis knows of it. It is plain
 * data without syntax, the same for every language: blocks of events over operands. A front end says what is written;
 * what it means (which call uploads, where a path leads, who owns a file) is found out by the solver.
 *
 * Conventions that every front end keeps:
 * - Operands have no effects. Whatever can act or fail is an event, in the order of execution; its result has a name.
 * - A block may fail at any of its events; `handler` says where control goes then. Blocks of a `catch` and of the copies of
 *   a `finally` that run after an exception are `caught`.
 * - Loops run at least once (body first, then back or out): what a loop makes or deletes counts as made or deleted.
 * - `finally`, `with` and `using` are copied into every way out: normal, exceptional, return, break, continue.
 * - Short-circuit tests are branches; `a ?? b`, `a || b` and `c ? a : b` as values are `either`.
 * - Code that cannot be reached is lowered too, into blocks that no block leads to.
 */

/** A stretch of one file: UTF-16 offsets from its start. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A variable: unique within its module, the same in every function that captures it. */
export type Name = string;

/** Something that can be read without effect. */
export type Operand =
  | { readonly op: "text"; readonly text: string }
  | { readonly op: "literal"; readonly value: number | boolean | null }
  | { readonly op: "nothing" }
  | { readonly op: "name"; readonly name: Name }
  /** The object that the method belongs to. Arrow functions see that of the function around them. */
  | { readonly op: "this" }
  /** What `name` of the module `from` is: `default`, `*` for the whole module, or an exported name. `as`: how this file calls it. */
  | { readonly op: "import"; readonly from: string; readonly name: string; readonly as?: string }
  /** A name that nothing in the file declares: `process`, `console`, `__dirname`. */
  | { readonly op: "global"; readonly name: string }
  /** Text put together: templates, `+`, f-strings. */
  | { readonly op: "concat"; readonly parts: readonly Operand[] }
  | { readonly op: "member"; readonly of: Operand; readonly name: string }
  /** `a[key]`. */
  | { readonly op: "element"; readonly of: Operand; readonly key: Operand }
  | { readonly op: "object"; readonly fields: readonly Field[]; readonly spreads: readonly Operand[] }
  /** Items in their order; one that is spread stands among them as `spread`, and once more in `spreads`. */
  | { readonly op: "list"; readonly items: readonly Operand[]; readonly spreads: readonly Operand[] }
  | { readonly op: "spread"; readonly of: Operand }
  | { readonly op: "either"; readonly of: readonly Operand[] }
  /** A closure: index into the module's `functions`. */
  | { readonly op: "function"; readonly index: number }
  /** A class or interface: index into the module's `classes`. */
  | { readonly op: "class"; readonly index: number }
  /** Made from these in a way that is not followed: arithmetic, comparison, a regular expression. */
  | { readonly op: "opaque"; readonly of: readonly Operand[] };

export interface Field {
  readonly name: string;
  readonly value: Operand;
}

export interface CallEvent {
  readonly event: "call";
  /** Unique within the module; copies of a `finally` repeat it. */
  readonly id: number;
  /** Holds what the call returns (a promise, where it does). */
  readonly result: Name;
  /** `member` for a method call, so that its `of` is the receiver. */
  readonly callee: Operand;
  readonly args: readonly Operand[];
  /** Named arguments, in languages that have them. */
  readonly named?: readonly Field[];
  /** Arguments that are spread, by position from the first spread one on. */
  readonly spreads?: readonly Operand[];
  readonly construct?: true;
  /** The call's text, callee to closing parenthesis. */
  readonly span: Span;
  /** The statement that the call is part of: fixes go after it. */
  readonly statement: Span;
  /** A promise that nobody can wait for: the statement is the call itself, neither awaited, returned nor kept. */
  readonly floating?: true;
}

export type Event =
  | { readonly event: "set"; readonly name: Name; readonly value: Operand; readonly span: Span; readonly type?: Operand }
  /** `object.name = value`; without `name`: an element with an unknown or computed key. */
  | { readonly event: "store"; readonly object: Operand; readonly name?: string; readonly value: Operand; readonly span: Span }
  /** `name` becomes one element of `of` (a loop over it). `keys`: its index or key instead. */
  | { readonly event: "each"; readonly name: Name; readonly of: Operand; readonly keys?: true; readonly span: Span }
  | CallEvent
  /** Waits until the promises in `value` are settled; `name` becomes what they hold. */
  | { readonly event: "await"; readonly name: Name; readonly value: Operand; readonly span: Span }
  | { readonly event: "yield"; readonly value: Operand; readonly span: Span }
  /** Leaving the scope of a `using` or `with`: what `value` holds is disposed of. */
  | { readonly event: "dispose"; readonly value: Operand; readonly span: Span };

/** What a branch looks at. `not`, `and`, `or` are lowered into branches. */
export type Test =
  | { readonly test: "truthy"; readonly of: Operand }
  | { readonly test: "equal"; readonly left: Operand; readonly right: Operand }
  /** The name may not be declared where it is tested (`typeof x !== "undefined"`): `declared` says whether it is in scope. */
  | { readonly test: "defined"; readonly of: Operand; readonly written: string; readonly declared: boolean }
  | { readonly test: "unknown"; readonly of: readonly Operand[] };

export type Exit =
  | { readonly exit: "goto"; readonly to: number }
  | { readonly exit: "branch"; readonly test: Test; readonly yes: number; readonly no: number; readonly span: Span }
  /** Any of these may follow (a `switch`, a loop's end). */
  | { readonly exit: "any"; readonly to: readonly number[] }
  | { readonly exit: "return"; readonly value?: Operand; readonly span: Span }
  | { readonly exit: "throw"; readonly value?: Operand; readonly span: Span }
  /** The end of the body was reached. */
  | { readonly exit: "end"; readonly span: Span };

export interface Block {
  readonly events: readonly Event[];
  readonly exit: Exit;
  /** Where an exception goes: index of a block. Absent: out of the function. */
  readonly handler?: number;
  readonly caught?: true;
}

export interface Parameter {
  readonly name: Name;
  /** As it is written; destructured parameters have a made-up one. */
  readonly written: string;
  /** A class or interface that the declaration names. */
  readonly type?: Operand;
  /** The declaration's type, and what marks it, as they are written. */
  readonly declared?: string;
  readonly rest?: true;
  readonly fallback?: Operand;
}

export interface FlowFunction {
  readonly index: number;
  /** For people: `uploadVideo`, `Storage.upload`, `callback`. */
  readonly name: string;
  readonly kind: "module" | "function" | "method" | "constructor" | "closure";
  /** The class it belongs to. */
  readonly class?: number;
  /** The function it is written in. */
  readonly parent?: number;
  readonly static?: true;
  readonly async?: true;
  readonly generator?: true;
  readonly parameters: readonly Parameter[];
  /** A class or interface that the declared result names, promises unwrapped. */
  readonly returns?: Operand;
  /** `blocks[0]` is where it starts. */
  readonly blocks: readonly Block[];
  /** Names that this function declares itself (parameters included); all others are captured. */
  readonly declares: readonly Name[];
  readonly span: Span;
}

export interface FlowClass {
  readonly index: number;
  readonly name: string;
  readonly interface?: true;
  /** Classes and interfaces it extends or implements. */
  readonly bases: readonly Operand[];
  readonly methods: readonly { readonly name: string; readonly function: number; readonly static?: true }[];
  /** Methods that are declared without a body (interfaces, abstract classes), with their number of parameters. */
  readonly abstract: readonly { readonly name: string; readonly parameters: number }[];
  readonly fields: readonly { readonly name: string; readonly type?: Operand; readonly value?: Operand; readonly static?: true }[];
  readonly constructor_?: number;
}

export interface FlowModule {
  /** Path from the workspace root, `/` between its parts. */
  readonly file: string;
  /** `functions[0]` is the code of the module itself. */
  readonly functions: readonly FlowFunction[];
  readonly classes: readonly FlowClass[];
  /** What it exports by name (`default` included); `module.exports = {…}` counts. */
  readonly exports: readonly Field[];
  /** `export * from` (name `*`) and `export { a as b } from`. */
  readonly reexports: readonly { readonly from: string; readonly name: string; readonly as: string }[];
  /** Module-level names whose only value this is: constants, functions, classes. */
  readonly constants: readonly Field[];
  /** How a name is written in the source. */
  readonly written: Readonly<Record<Name, string>>;
  /** Offset of each line's first character. */
  readonly lineStarts: readonly number[];
  /**
   * Lines (from 1; 0: all) on which findings are silenced, with the rules; an empty list silences all. `listed` is where the rules
   * stand in the comment.
   */
  readonly ignores: readonly { readonly line: number; readonly rules: readonly string[]; readonly listed: Span }[];
}
