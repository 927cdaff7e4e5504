/** What a rule gives: a finding before it has lines, severity and words of the editor. */
import type { RuleId } from "../finding.ts";
import type { FixPlan } from "../fix/plan.ts";
import type { Leak } from "../leaks.ts";
import type { Callers } from "../overview.ts";
import type { Span } from "../flow.ts";
import type { Program } from "../program.ts";
import type { Report } from "../solve.ts";
import type { Step } from "../summary.ts";
import type { Value } from "../value.ts";

export interface Mark {
  readonly file: string;
  readonly span: Span;
  readonly message: string;
}

export interface Draft {
  readonly rule: RuleId;
  readonly file: string;
  readonly span: Span;
  readonly message: string;
  readonly subject: string;
  readonly related: readonly Mark[];
  readonly value?: Value;
  /** Weighs less than usual: a warning becomes information. */
  readonly mild?: true;
  /** Worked out when somebody asks for it. */
  readonly fix?: () => FixPlan | undefined;
  readonly step?: Step;
}

export interface RuleContext {
  readonly program: Program;
  readonly report: Report;
  /** Of all functions that were run. */
  readonly reports: readonly Report[];
  readonly callers: Callers;
  readonly leaks: readonly Leak[];
  /** Directories that a function empties by the clock or at the start. */
  readonly swept: readonly Value[];
  /** Whether the workspace knows the switch at all. */
  readonly gated: boolean;
}

/** Calls `make` once at most. */
export function once<Made>(make: () => Made): () => Made {
  let made: { readonly it: Made } | undefined;
  return () => (made ??= { it: make() }).it;
}

export type Rule = (context: RuleContext) => readonly Draft[];
