/** Reads the file of a cleanup policy, with the lines of what is wrong. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { ConfigError } from "../core/config/config.ts";
import { type ConfigDocument, parseDocument } from "../core/config/document.ts";
import { readYaml } from "../core/config/yaml.ts";
import { explainErrno } from "../core/reclaim/retry.ts";
import { type PolicyValues, readPolicy } from "./policyValues.ts";

const SECTION = "cleanup";

/** Without a policy the problems say why there is none. */
export function readPolicyFile(file: string): { readonly policy?: PolicyValues; readonly problems: readonly string[] } {
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === "ENOENT" ? t("is not there; write it, or name the right file") : explainErrno(error);
    return { problems: [`${file}: ${why}`] };
  }
  try {
    return readDocument(path.extname(file).toLowerCase() === ".json" ? parseJson(text, file) : readYaml(text, file));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { problems: error.message.split("\n") };
  }
}

/** An empty file says nothing, in JSON as in YAML. */
function parseJson(text: string, file: string): ConfigDocument {
  return text.trim() === "" ? { label: file, value: null, lineOf: () => 1 } : parseDocument(text, file);
}

function readDocument(document: ConfigDocument): { readonly policy?: PolicyValues; readonly problems: readonly string[] } {
  const { value } = document;
  const nested = typeof value === "object" && value !== null && Object.hasOwn(value, SECTION);
  const base = nested ? [SECTION] : [];
  const { policy, mistakes } = readPolicy(nested ? (value as Record<string, unknown>)[SECTION] : value);
  if (mistakes.length === 0) return { policy, problems: [] };
  return {
    problems: mistakes.map(({ key, message }) => {
      const where = key === "" ? base : [...base, key];
      return `${document.label}:${document.lineOf(where)}: ${[...where, ""].join(".").replace(/\.$/, "")}: ${message}`.replace(
        ": : ",
        ": ",
      );
    }),
  };
}
