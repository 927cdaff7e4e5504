/** Where the manifests of jobs are, by the settings of a root. */
import fs from "node:fs";
import path from "node:path";
import { CONFIG_FILES } from "../core/config/file.ts";
import { configOf } from "./configOf.ts";
import { LAYOUT } from "./layout.ts";

export interface Place {
  /** Absolute. */
  readonly directory: string;
  readonly leaseMs: number;
}

/** Throws when the settings cannot be read. */
export function placeOf(root: string): Place {
  return configOf(root, LAYOUT).jobs;
}

/** Changes with the settings file. One look at each name that it may have, no reading. */
export function settingsSignature(root: string): string {
  return CONFIG_FILES.map((name) => {
    try {
      const stat = fs.statSync(path.join(root, name), { bigint: true, throwIfNoEntry: false });
      return stat ? [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(":") : "";
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code);
    }
  }).join("\n");
}
