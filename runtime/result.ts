/** What a cleanup came to, for pipelines. */
import type { CleanResult, ItemError, Skipped } from "../core/model.ts";

export interface CleanupResult {
  /** Files that are no longer at their place. */
  readonly deletedFiles: number;
  /** Bytes measured as freed; 0 while the files are held for undo. */
  readonly freedSpace: number;
  /** Bytes held for undo (`policy.undo`). */
  readonly heldSpace: number;
  /** Every file that could not go, with the reason. */
  readonly errors: readonly ItemError[];
  /** Every file that stayed although it was to go, without an error: it changed, or another program has it open. */
  readonly skipped: readonly Skipped[];
}

export const NOTHING_CLEANED: CleanupResult = { deletedFiles: 0, freedSpace: 0, heldSpace: 0, errors: [], skipped: [] };

export function resultOf({ deletedFiles, freedSpace, heldSpace, errors, skipped }: CleanResult): CleanupResult {
  return { deletedFiles, freedSpace, heldSpace, errors, skipped: skipped.filter((one) => one.reason !== "gone") };
}
