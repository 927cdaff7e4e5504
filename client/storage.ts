/** Storage in words: stores that are too large, uploads that are not verified. */
import * as vscode from "vscode";
import type { Pressure } from "../core/model.ts";
import type { Group } from "../server/protocol.ts";
import { labelOfBlock } from "./reasons.ts";
import { countFiles, formatBytes } from "./words.ts";

/** `clips: 1.2 GB of 1.0 GB`. */
export function wordPressure({ store, usedBytes, maxBytes }: Pressure): string {
  return vscode.l10n.t("{0}: {1} of {2}", store, formatBytes(usedBytes), formatBytes(maxBytes));
}

const CELLS = 8;

/** What a store has, as a bar: empty is what cleaning frees. */
export function barOf({ usedBytes, freeBytes }: Pressure): string {
  const share = usedBytes === 0 ? 0 : Math.min(1, freeBytes / usedBytes);
  // Something is never shown as nothing, nor a part as all.
  const free = share === 0 || share === 1 ? share * CELLS : Math.min(CELLS - 1, Math.max(1, Math.round(share * CELLS)));
  return "▰".repeat(CELLS - free) + "▱".repeat(free);
}

/** The figures, and what keeps the store from its target. */
export function factsOfPressure(pressure: Pressure): readonly string[] {
  const { usedBytes, maxBytes, targetBytes, unmanagedBytes, heldBytes, freeBytes, blocked } = pressure;
  return [
    vscode.l10n.t("{0} in use, the limit is {1}", formatBytes(usedBytes), formatBytes(maxBytes)),
    ...(unmanagedBytes > 0 ? [vscode.l10n.t("{0} of it are files that Offcut does not manage", formatBytes(unmanagedBytes))] : []),
    ...(heldBytes > 0 ? [vscode.l10n.t("{0} of it are held for undo", formatBytes(heldBytes))] : []),
    vscode.l10n.t("Cleaning up frees {0}", formatBytes(freeBytes)),
    ...(blocked.length === 0
      ? [vscode.l10n.t("The target of {0} is within reach", formatBytes(targetBytes))]
      : [vscode.l10n.t("The target of {0} is out of reach. What stays:", formatBytes(targetBytes)), ...blocked.map(wordBlocker)]),
  ];
}

/** `not managed by Offcut: 3 files, 1.4 MB, the largest: tmp/raw.mp4 (1.0 MB)` (R56). */
function wordBlocker({ reason, files, bytes, largest }: Pressure["blocked"][number]): string {
  const what = `${labelOfBlock(reason)}: ${countFiles(files)}, ${formatBytes(bytes)}`;
  if (largest.length === 0) return what;
  const named = largest.map((file) => `${file.path} (${formatBytes(file.bytes)})`).join(", ");
  return largest.length < files ? vscode.l10n.t("{0}, the largest: {1}", what, named) : `${what}: ${named}`;
}

type UploadStatus = NonNullable<Group["uploads"]>[number]["status"];

export const UPLOAD_WORDS: Readonly<Record<UploadStatus, () => string>> = {
  verified: () => vscode.l10n.t("verified"),
  different: () => vscode.l10n.t("the remote object is another one"),
  missing: () => vscode.l10n.t("there is no remote object"),
  unproven: () => vscode.l10n.t("the remote object proves nothing"),
  unreachable: () => vscode.l10n.t("the storage could not be asked"),
  unknown: () => vscode.l10n.t("nothing says where the remote object is"),
};

/** How many uploads of a group stay because nothing proves that they arrived. */
export function unverifiedIn({ reasons }: Group): number {
  return reasons.find(({ reason }) => reason === "upload-unverified")?.files ?? 0;
}
