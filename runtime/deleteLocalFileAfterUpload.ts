/**
 * Best-effort deletion of one local file after it was uploaded; the fixes of `missing-cleanup-after-upload` call it. A plain unlink on
 * purpose: the pipeline names one file that it made itself, so there is no plan, hold or journal as for what `core/reclaim` deletes.
 */
import { promises as fs } from "node:fs";

/**
 * Deletes the file at `path` (relative to the working directory) and returns whether nothing is there any more; a file that was
 * gone before counts. A link is removed, not what it leads to. A directory is left alone, and a missing or empty path is no path:
 * both give `false`, as does every error. Never throws, so that a cleanup never fails the upload that it follows (R88).
 */
export async function deleteLocalFileAfterUpload(path: string | null | undefined): Promise<boolean> {
  if (typeof path !== "string" || path === "") return false;
  try {
    // Some systems let a privileged process unlink a directory.
    if ((await fs.lstat(path)).isDirectory()) return false;
    await fs.unlink(path);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT";
  }
}
