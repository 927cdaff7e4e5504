/** What a fix does, in no language: the front end writes it down. */
import type { Operand, Span } from "../flow.ts";

/** A function of the project that deletes a file. */
export interface Helper {
  readonly name: string;
  /** The module specifier that it is imported from; absent: it is declared in the file itself. */
  readonly from?: string;
  readonly async: boolean;
  /** Its errors would reach the caller. */
  readonly throws: boolean;
}

/** Where the project gets a function of its own that deletes a file, for want of one. */
export interface HelperHome {
  /** From the workspace root; empty: the root itself. */
  readonly directory: string;
  /** Names of the files that are there, for the manner of naming them. */
  readonly names: readonly string[];
}

/** How the code can tell that the upload went well: by an expression, or by a part of a result that has no name yet. */
export type Success = { readonly onlyIf: string } | { readonly path: string; readonly good: boolean };

/** The deletion of a file, best-effort. */
export interface Deletion {
  readonly file: string;
  /** How the code calls the file there. */
  readonly subject: string;
  /** The code has no name for it, but puts it together from what has one. */
  readonly inline?: Operand;
  /** It is a directory that was made for temporary files, and goes with all that is in it. */
  readonly directory?: true;
  /** The statement that uploads or assembles: the deletion stays in its block. */
  readonly upload: Span;
  /** The call itself. */
  readonly call: Span;
  /** It goes on when the call returns: only who waits for it, or is called back, can delete the file. */
  readonly settlesLater: boolean;
  readonly success?: Success;
  /** What the assembly writes and nobody has looked at: without it, what it was made of has to stay. */
  readonly output?: { readonly written: string } | { readonly text: string } | { readonly inline: Operand };
  /** The workspace has a switch for automatic cleanup that has to be asked here. */
  readonly gated?: true;
  readonly helper?: Helper;
  /** Whether the package of the runtime can be imported: a manifest, or an import, says so. */
  readonly runtime: "yes" | "no";
  /** Set: the helper is made there, or used where it was made before. */
  readonly home?: HelperHome;
  /** A statement that deletes the same file elsewhere: what it calls is the project's manner. */
  readonly like?: Span;
}

export type FixPlan =
  /** Deletes the file after the last of the statements that use it. */
  | (Deletion & {
      readonly kind: "delete-after";
      /** Statements after the upload that use the file, in no order. */
      readonly uses: readonly Span[];
      /** A cleanup that is not needed beside this one and goes. */
      readonly instead?: Span;
    })
  /** Deletes the file before a statement that leaves. */
  | (Deletion & { readonly kind: "delete-before"; readonly before: Span })
  /** Waits for the call. */
  | { readonly kind: "await"; readonly file: string; readonly call: Span }
  /** Runs a statement when the promise of the call is fulfilled, before anything swallows its failure. */
  | { readonly kind: "chain"; readonly file: string; readonly statement: Span; readonly call: Span }
  /** Moves a statement behind another. */
  | { readonly kind: "move-after"; readonly file: string; readonly statement: Span; readonly after: Span }
  /** Moves a statement that is never reached before the one that leaves. */
  | { readonly kind: "move-before"; readonly file: string; readonly statement: Span; readonly before: Span }
  /** Runs a statement only when the expression holds. */
  | { readonly kind: "guard"; readonly file: string; readonly statement: Span; readonly upload: Span; readonly success: Success }
  /** Removes a statement. */
  | { readonly kind: "remove"; readonly file: string; readonly statement: Span };
