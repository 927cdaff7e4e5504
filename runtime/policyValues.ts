/** The fields of a cleanup policy, their defaults and what they may be. No disk. */
import { t } from "@vscode/l10n";

export interface PolicyValues {
  /** Whether anything is cleaned automatically. `AUTO_CLEANUP_ENABLED` in the environment has the last word. */
  readonly enabled: boolean;
  /** How long temporary files stay after the job ended. */
  readonly retentionHours: number;
  /** The kinds that automatic cleaning may take: names of stores. Absent: all. An empty list is none (R21). */
  readonly fileTypesToClean?: readonly string[] | undefined;
  /** Everything of a failed job is kept. */
  readonly preserveOnFailure: boolean;
  /** Nothing is cleaned automatically while `DEBUG` or `OFFCUT_DEBUG` is set. */
  readonly debugModeDisables: boolean;
}

export const DEFAULT_POLICY: PolicyValues = { enabled: true, retentionHours: 24, preserveOnFailure: true, debugModeDisables: true };

export interface Mistake {
  /** As it is written. */
  readonly key: string;
  readonly message: string;
}

/** A thousand years: longer is a mistake, and dates end. */
const LONGEST_HOURS = 1000 * 366 * 24;

/** Completes what is written, in snake_case or camelCase, by the defaults. Names every mistake. */
export function readPolicy(written: unknown): { readonly policy: PolicyValues; readonly mistakes: readonly Mistake[] } {
  const mistakes: Mistake[] = [];
  const policy: { -readonly [Key in keyof PolicyValues]: PolicyValues[Key] } = { ...DEFAULT_POLICY };
  if (written === null || written === undefined) return { policy, mistakes };
  if (typeof written !== "object" || Array.isArray(written))
    return { policy, mistakes: [{ key: "", message: t("is no list of settings; write e.g. retention_hours: 24") }] };
  const seen = new Map<string, string>();
  for (const [key, value] of Object.entries(written)) {
    const name = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const before = seen.get(name);
    if (before !== undefined) mistakes.push({ key, message: t("says the same as {0}; keep one", before) });
    seen.set(name, key);
    const message = readField(policy, name, value);
    if (message !== undefined) mistakes.push({ key, message });
  }
  return { policy, mistakes };
}

type Draft = { -readonly [Key in keyof PolicyValues]: PolicyValues[Key] };

function readField(policy: Draft, name: string, value: unknown): string | undefined {
  switch (name) {
    case "enabled":
    case "preserveOnFailure":
    case "debugModeDisables":
      if (typeof value !== "boolean") return t("must be true or false");
      policy[name] = value;
      return undefined;
    case "retentionHours":
      if (typeof value !== "number" || !(value >= 0) || value > LONGEST_HOURS) return t("must be a number of hours, 0 or more");
      policy.retentionHours = value;
      return undefined;
    case "fileTypesToClean":
      if (value === undefined) return undefined;
      if (!Array.isArray(value) || !value.every((one) => typeof one === "string" && one !== ""))
        return t("must be a list of kinds, e.g. [slides, videos]");
      policy.fileTypesToClean = value as string[];
      return undefined;
    default:
      return t("is not known; there are {0}", "enabled, retention_hours, file_types_to_clean, preserve_on_failure, debug_mode_disables");
  }
}
