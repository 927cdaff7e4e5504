/** What a cleanup came to, for pipelines. */
import type { CleanResult, ItemError } from "../core/model.ts";

export interface CleanupResult {
  /** Files that are no longer at their place. */
  readonly deletedFiles: number;
  /** Bytes measured as freed; 0 while the files are held for undo. */
  readonly freedSpace: number;
  /** Bytes held for undo (`policy.undo`). */
  readonly heldSpace: number;
  /** Every file that should have gone and stayed, with its reason (P8). */
  readonly errors: readonly ItemError[];
}

export const NOTHING_CLEANED: CleanupResult = { deletedFiles: 0, freedSpace: 0, heldSpace: 0, errors: [] };

export function resultOf({ deletedFiles, freedSpace, heldSpace, errors }: CleanResult): CleanupResult {
  return { deletedFiles, freedSpace, heldSpace, errors };
}
