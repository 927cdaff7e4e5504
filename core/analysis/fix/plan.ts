/** What a fix does, in no language: the front end writes it down. */
import type { Span } from "../flow.ts";

/** A function of the project that deletes a file. */
export interface Helper {
  readonly name: string;
  /** The module specifier that it is imported from; absent: it is declared in the file itself. */
  readonly from?: string;
  readonly async: boolean;
  /** Its errors would reach the caller. */
  readonly throws: boolean;
}

/** How the code can tell that the upload went well: by an expression, or by a part of a result that has no name yet. */
export type Success = { readonly onlyIf: string } | { readonly path: string; readonly good: boolean };

/** The deletion of a file, best-effort. */
export interface Deletion {
  readonly file: string;
  /** How the code calls the file there. */
  readonly subject: string;
  /** The statement that uploads or assembles: the deletion stays in its block. */
  readonly upload: Span;
  /** The function that the file is made in or handed to. */
  readonly owner: Span;
  /** It goes on when the call returns: only a function that can wait can delete the file after it. */
  readonly settlesLater: boolean;
  readonly success?: Success;
  readonly helper?: Helper;
}

export type FixPlan =
  /** Deletes the file after the last of the statements that use it. */
  | (Deletion & {
      readonly kind: "delete-after";
      /** Statements after the upload that use the file, in no order. */
      readonly uses: readonly Span[];
      /** A cleanup that never runs and goes. */
      readonly instead?: Span;
    })
  /** Deletes the file before a statement that leaves. */
  | (Deletion & { readonly kind: "delete-before"; readonly before: Span })
  /** Waits for the call. */
  | { readonly kind: "await"; readonly file: string; readonly call: Span }
  /** Moves a statement behind another. */
  | { readonly kind: "move-after"; readonly file: string; readonly statement: Span; readonly after: Span }
  /** Moves a statement that is never reached before the one that leaves. */
  | { readonly kind: "move-before"; readonly file: string; readonly statement: Span; readonly before: Span }
  /** Runs a statement only when the expression holds. */
  | { readonly kind: "guard"; readonly file: string; readonly statement: Span; readonly upload: Span; readonly success: Success }
  /** Removes a statement. */
  | { readonly kind: "remove"; readonly file: string; readonly statement: Span };
