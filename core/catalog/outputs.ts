/** Finished works: which file stands at their paths, and whether it is complete. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { MediaCheck, Output, Owner } from "../model.ts";
import type { UseRow } from "./contents.ts";
import { checkMedia } from "./media/check.ts";
import { statKey } from "./paths.ts";

/** Media checks of files that did not change since. */
export type MediaCache = Map<string, MediaCheck>;

const CHECKS_AT_ONCE = 4;

/** An output with its path without links in its directories, and as the database has it. */
/** An output as a database or a manifest names it. */
export interface NamedOutput {
  readonly row: UseRow;
  readonly path: string;
  readonly spelled: string;
  readonly refused?: string;
  /** Its size when its job ended. */
  readonly recordedBytes?: number;
  /** It protects what is in it, and is no proof that anything was made. */
  readonly directory?: true;
}

/** The spelling of a stored path that is on the disk, else the first. */
export function existing(candidates: readonly string[]): string {
  return candidates.find((candidate) => fs.existsSync(candidate)) ?? candidates[0] ?? "";
}

/** Looks into the outputs of finished owners, several at a time; with `finalsOf` only into those of these owners. */
export async function checkOutputs(
  outputs: readonly NamedOutput[],
  owners: ReadonlyMap<string, Owner>,
  options: { readonly signal?: AbortSignal; readonly mediaCache?: MediaCache; readonly finalsOf?: readonly string[] },
): Promise<readonly Output[]> {
  const cache: MediaCache = options.mediaCache ?? new Map<string, MediaCheck>();
  const checked: Output[] = [];
  const check = async (output: NamedOutput): Promise<MediaCheck> => {
    const format = path.extname(output.path).slice(1).toLowerCase();
    if (output.refused !== undefined) return { status: "unknown", format, bytes: 0, detail: t("its path {0}", output.refused) };
    if (output.directory) return { status: "unknown", format, bytes: 0, detail: t("a directory, which is not looked into") };
    // Only a finished project is ever cleaned, so only its final has to be looked into.
    if (owners.get(output.row.owner)?.state !== "succeeded")
      return { status: "unknown", format, bytes: 0, detail: t("not looked at: its project is not finished") };
    // Of an owner that is finished this must be a doubt, whatever else it has made.
    if (options.finalsOf?.includes(output.row.owner) === false)
      return { status: "incomplete", format, bytes: 0, detail: t("not looked at: its owner is not what is cleaned") };
    const key = `${output.path}\0${statKey(output.path)}`;
    const known = cache.get(key);
    if (known) return known;
    const fresh = await checkMedia(output.path, options.signal && { signal: options.signal });
    if (fresh.status === "complete") cache.set(key, fresh);
    return fresh;
  };
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < outputs.length; i = next++) {
      options.signal?.throwIfAborted();
      const output = outputs[i]!;
      const { row, path: file, recordedBytes } = output;
      checked[i] = {
        owner: row.owner,
        path: file,
        source: row.source,
        check: agree(await check(output), recordedBytes),
        ...(recordedBytes !== undefined && { recordedBytes }),
      };
    }
  };
  await Promise.all(Array.from({ length: Math.min(CHECKS_AT_ONCE, outputs.length) }, work));
  return checked;
}

/** What is no medium that Offcut knows is whole when it has the size that the job noted at its end; any other size is a doubt. */
function agree(check: MediaCheck, recordedBytes: number | undefined): MediaCheck {
  if (recordedBytes === undefined || check.status === "missing" || check.status === "incomplete") return check;
  if (check.identity && check.bytes !== recordedBytes)
    return { ...check, status: "incomplete", detail: t("it has {0} bytes, and had {1} when its job ended", check.bytes, recordedBytes) };
  if (check.status === "complete" || check.bytes === 0 || check.bytes !== recordedBytes) return check;
  return { ...check, status: "complete", detail: t("{0} bytes, as when its job ended", recordedBytes) };
}

/** The inode of the file, and of what it points to when it is a link: both stay. */
export function inodeOf(file: string): string[] {
  const found = [fs.lstatSync, fs.statSync].map((look) => lookAt(file, look));
  return [...new Set(found.filter((stat) => stat !== undefined).map((stat) => `${stat.dev}:${stat.ino}`))];
}

function lookAt(file: string, look: typeof fs.lstatSync): fs.BigIntStats | undefined {
  try {
    return look(file, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined; // A link in a circle, or a directory that may not be read or is none: the path is protected all the same.
  }
}
