/** Deletes one local file after it was uploaded (S1.1); the fixes of `missing-cleanup-after-upload` call it. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { deleteSingle, type SingleFile, type SingleOutcome } from "../core/reclaim/single.ts";
import { shownAddress } from "../core/remote/address.ts";
import { forgetUploads } from "../core/uploads.ts";
import { loadEngine } from "./load.ts";
import { type Logger, loggerOr, messageOf } from "./logger.ts";
import { proveUpload, type VerifiedUpload } from "./verifiedUpload.ts";

export interface DeleteOptions {
  /** What the pipeline asked the remote storage, with a fresh HEAD. The local file must agree with it, or it stays. */
  readonly verified?: VerifiedUpload;
  /**
   * The directory with `offcut.json`. With it finals, outputs that a database or a manifest names, databases, settings, what git tracks,
   * what the user pinned and what another unfinished job uses stay, and a verified upload whose local copy could not be
   * deleted is remembered, so that a later cleanup can take it.
   */
  readonly root?: string;
  /** Default: `console`. */
  readonly logger?: Logger;
  readonly signal?: AbortSignal;
}

/**
 * Deletes the file at `path` (relative to the working directory) and returns whether nothing is there any more; a file that was
 * gone before counts. Only regular files go: a link is neither followed nor removed. Of two calls at once one deletes and the other
 * finds nothing, which is no error. Logs `local_file_deleted` with the size, `local_file_not_found` (a warning), `local_file_kept`
 * (a warning, with the reason) or `failed_to_delete_local_file` (an error). Never throws, so that a cleanup never fails the upload
 * that it follows (R88).
 */
export async function deleteLocalFileAfterUpload(file: string | null | undefined, options: DeleteOptions = {}): Promise<boolean> {
  const logger = loggerOr(options.logger);
  if (typeof file !== "string" || file === "") {
    logger.error("failed_to_delete_local_file", { path: String(file), error: t("it is no path") });
    return false;
  }
  try {
    const settled = await deleteAndTell(file, options, logger);
    if (settled.outcome === "failed") await remember(file, settled, options, logger);
    const done = settled.outcome === "deleted" || settled.outcome === "gone";
    if (done) forget(file, options, logger);
    return done;
  } catch (error) {
    if (options.signal?.aborted === true) logger.info("local_file_kept", { path: file, reason: t("cancelled") });
    else logger.error("failed_to_delete_local_file", { path: file, error: messageOf(error) });
    return false;
  }
}

/** What became of the file, and whether the pipeline's proof of the upload holds for it. */
type Settled = SingleOutcome & { readonly proof?: string; readonly real?: string };

async function deleteAndTell(file: string, options: DeleteOptions, logger: Logger): Promise<Settled> {
  options.signal?.throwIfAborted();
  let proof: string | undefined;
  let real: string | undefined;
  const mayGo = async (found: SingleFile): Promise<string | undefined> => {
    const { root, signal } = options;
    // Somebody asked for a proof and got none: a HEAD that found nothing, an error that was swallowed.
    if ("verified" in options && !options.verified) return t("nothing proves the upload");
    const refused = root === undefined ? undefined : await (await loadEngine()).whyProtected(path.resolve(root), found, signal);
    if (refused !== undefined || !options.verified) return refused;
    const proved = await proveUpload(found, options.verified, options.signal);
    if ("doubt" in proved) return proved.doubt;
    proof = proved.proof;
    real = found.path;
    return undefined;
  };
  const outcome = await deleteSingle(file, { mayGo, ...(options.signal && { signal: options.signal }) });
  if (outcome.outcome === "deleted") logger.info("local_file_deleted", { path: file, size: outcome.bytes, freed: outcome.freed });
  if (outcome.outcome === "gone") logger.warn("local_file_not_found", { path: file });
  if (outcome.outcome === "kept") logger.warn("local_file_kept", { path: file, reason: outcome.why });
  if (outcome.outcome === "failed" || outcome.outcome === "refused")
    logger.error("failed_to_delete_local_file", { path: file, error: outcome.why });
  return { ...outcome, ...(proof !== undefined && { proof }), ...(real !== undefined && { real }) };
}

/** The proof outlives this call: what resisted now is reclaimable later, without asking the remote storage again. */
async function remember(file: string, settled: Settled, options: DeleteOptions, logger: Logger): Promise<void> {
  const { root, verified } = options;
  if (root === undefined || !verified || settled.proof === undefined || settled.real === undefined) return;
  if (settled.outcome !== "failed" || !settled.identity) return;
  const { dev, ino, bytes, mtimeNs } = settled.identity;
  const url = shownAddress(verified.url);
  try {
    (await loadEngine()).recordUpload(path.resolve(root), {
      file: settled.real,
      identity: { dev, ino, bytes, mtimeNs },
      url,
      at: new Date().toISOString(),
      detail: settled.proof,
    });
    logger.info("verified_upload_recorded", { path: file, url });
  } catch (error) {
    logger.warn("verified_upload_not_recorded", { path: file, url, error: messageOf(error) });
  }
}

/** What an earlier call noted of this file is needed no longer. */
function forget(file: string, { root }: DeleteOptions, logger: Logger): void {
  if (root === undefined) return;
  try {
    forgetUploads(path.resolve(root), [realOf(path.resolve(file))]);
  } catch (error) {
    logger.warn("verified_upload_not_forgotten", { path: file, error: messageOf(error) });
  }
}

/** As it was noted: links of its directories resolved, which may be gone by now like the file itself. */
function realOf(absolute: string): string {
  try {
    return path.join(fs.realpathSync.native(path.dirname(absolute)), path.basename(absolute));
  } catch {
    return absolute;
  }
}
