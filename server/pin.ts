/** "Always keep" (R29). */
import path from "node:path";
import { t } from "@vscode/l10n";
import { Refusal } from "../core/reclaim/home.ts";
import { addPin, readPins, removePin } from "../core/reclaim/records.ts";
import { pathOf, uriOf } from "./convert.ts";
import { requireTrust } from "./edge.ts";
import type { FolderParams, PinParams, PinsAnswer } from "./protocol.ts";
import type { Session } from "./session.ts";

export function changePin(session: Session, params: PinParams): null {
  requireTrust(session);
  const root = pathOf(params.folder);
  const value = params.kind === "file" ? relativeTo(root, pathOf(params.value)) : params.value;
  if (params.remove !== true) addPin(root, { kind: params.kind, value, added: new Date(session.now()).toISOString() });
  else if (!removePin(root, params.kind, value))
    throw new Refusal(t("{0} is not kept by itself; a pin on its kind, project or directory keeps it", value));
  session.changed(root);
  return null;
}

/** Looks only. */
export function listPins(_session: Session, { folder }: FolderParams): PinsAnswer {
  const root = pathOf(folder);
  return readPins(root).list.map(({ kind, value }) => ({
    kind,
    value: kind === "file" ? uriOf(path.resolve(root, value)) : value,
    name: value,
  }));
}

/** Pins travel with the workspace, so they name paths below it without it. */
function relativeTo(root: string, file: string): string {
  const relative = path.relative(root, file);
  return relative.startsWith("..") || path.isAbsolute(relative) ? file : relative.split(path.sep).join("/");
}
