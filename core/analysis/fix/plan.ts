/** What a fix does, in no language: the front end writes it down. */
import type { Span } from "../flow.ts";

export type FixPlan =
  /** Deletes the file after a statement, best-effort. */
  | {
      readonly kind: "delete-after";
      readonly file: string;
      /** The last statement on the way that uses the file. */
      readonly after: Span;
      /** How the code calls the file there. */
      readonly subject: string;
      readonly awaits: boolean;
      /** A name whose truth says that the upload went well. */
      readonly onlyIf?: string;
      /** A helper of the project that deletes a file, and where it is exported. */
      readonly helper?: { readonly name: string; readonly from: string };
    }
  /** Waits for the call. */
  | { readonly kind: "await"; readonly file: string; readonly call: Span }
  /** Moves a statement behind another. */
  | { readonly kind: "move-after"; readonly file: string; readonly statement: Span; readonly after: Span }
  /** Removes a statement. */
  | { readonly kind: "remove"; readonly file: string; readonly statement: Span };
