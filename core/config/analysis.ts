/** The section `analysis` of `offcut.json`, with what is not written filled in. */
import type { AnalysisSettings } from "../analysis/check.ts";
import type { ConfigFile } from "./schema.ts";

export function resolveAnalysis(written: ConfigFile["analysis"]): AnalysisSettings {
  // A key without a value does not occur in JSON, though the schema's type allows it.
  const given = (written ?? {}) as Partial<AnalysisSettings>;
  return { uploads: [], assemblies: [], cleanups: [], rules: {}, exclude: [], ...given };
}
