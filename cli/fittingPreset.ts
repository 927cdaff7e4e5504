/** Which preset describes what lies in a workspace that has no configuration yet. */
import fs from "node:fs";
import path from "node:path";
import { PRESETS } from "../core/config/config.ts";
import { parseConfig } from "../core/config/load.ts";

export interface Fit {
  readonly preset: (typeof PRESETS)[number];
  /** What is there of it, relative to the workspace. */
  readonly found: readonly string[];
}

const MANIFESTS = ".offcut/jobs";

/** Manifests tell of jobs for certain; else the preset of which the most places are there. Undefined when nothing fits. */
export function findFittingPreset(root: string): Fit | undefined {
  if (fs.existsSync(path.join(root, MANIFESTS))) return { preset: "job-manifests", found: [MANIFESTS] };
  const fits = PRESETS.map((preset): Fit => {
    const { stores, databases } = parseConfig(root, JSON.stringify({ preset }));
    const places = new Set([...databases.map((database) => database.label), ...stores.map((store) => store.template.prefix)]);
    return { preset, found: [...places].filter((place) => place !== "" && fs.existsSync(path.join(root, place))) };
  });
  return fits.filter((fit) => fit.found.length > 0).toSorted((a, b) => b.found.length - a.found.length)[0];
}
