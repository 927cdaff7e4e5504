/** What the analysis asks of a language. One object for each language and workspace; everything else knows no syntax. */
import type { Finding, TextEdit } from "./finding.ts";
import type { FlowModule } from "./flow.ts";
import type { FixPlan } from "./fix/plan.ts";
import type { Sources } from "./scan.ts";

export interface FrontEnd {
  /**
   * Files that may hold an upload or an assembly, and those that may empty directories: their deletions may be unsafe, or be what
   * sweeps the files of others. Throws the signal's reason when it is aborted.
   */
  candidates(options: {
    readonly signal?: AbortSignal | undefined;
    readonly onFile?: ((done: number, total: number) => void) | undefined;
  }): readonly string[];
  /** Whether the file is one of them. */
  isCandidate(file: string): boolean;
  /** The flow graph of a file; the same object as long as its text is the same. */
  lower(file: string): FlowModule;
  /** The flow graph that the file would have with another text; nothing is remembered. */
  parse(file: string, text: string): FlowModule;
  /** Whether the file may say anything about files, paths or the types of what handles them. */
  isRelevant(file: string): boolean;
  resolve(from: string, specifier: string): string | undefined;
  /** Whether the package is imported by the file or is a dependency of the workspace. */
  uses(file: string, module: string): boolean;
  /** Whether some file of the same package imports it, declared or not. Looks for them all: for few modules only. */
  isBeside(file: string, module: string): boolean;
  /** Says that imports may have changed: what the workspace depends on is looked up anew. */
  importsChanged(): void;
  /** Files that import what `file` exports as `name`. */
  importersOf(file: string, name: string): readonly string[];
  /** Files that contain one of the first words and one of the second. */
  containing(words: readonly string[], also: readonly string[]): readonly string[];
  /** The same of one file. */
  contains(file: string, words: readonly string[], also: readonly string[]): boolean;
  /** What a file imports and passes on, as a text to compare. */
  importsOf(file: string): string;
  /** Files that contain the word. */
  mentioning(word: string): readonly string[];
  /** The edits that carry out a plan, in the file's own style. Undefined: it cannot be done here. */
  print(
    finding: Finding,
    plan: FixPlan,
    module: FlowModule,
  ): readonly { readonly file: string; readonly edits: readonly TextEdit[]; readonly create?: true }[] | undefined;
  readonly sources: Sources;
}
