/** "Always keep": a file, a store or a project that no cleaning touches, whatever the rules say (R29). */
import path from "node:path";

export interface Pin {
  readonly kind: "file" | "store" | "project";
  /** A path relative to the workspace (or absolute), a store's name, a project's id. */
  readonly value: string;
  readonly added: string;
  readonly note?: string;
}

export interface Pins {
  /** Absolute path of the workspace. */
  readonly root: string;
  readonly list: readonly Pin[];
}

/** The pin that holds a file, in words. A pin on a directory holds everything below it. */
export function pinOf(
  pins: Pins,
  file: { readonly root: string; readonly path: string; readonly store: string; readonly owners: readonly string[] },
): string | undefined {
  if (pins.list.length === 0) return undefined;
  const absolute = path.join(file.root, file.path);
  const pin = pins.list.find((candidate) => {
    if (candidate.kind === "store") return candidate.value === file.store;
    if (candidate.kind === "project") return file.owners.includes(candidate.value);
    const pinned = path.resolve(pins.root, candidate.value);
    return absolute === pinned || absolute.startsWith(pinned + path.sep);
  });
  return pin && `${pin.kind} ${pin.value}${pin.note === undefined ? "" : ` (${pin.note})`}`;
}
