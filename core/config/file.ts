/** Where the configuration of a workspace is written. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { ConfigError } from "./config.ts";

/** The names that it may have, one of them at a time. */
export const CONFIG_FILES: readonly string[] = ["offcut.json", "offcut.yaml", "offcut.yml"];

export interface ConfigText {
  /** Absolute path. */
  readonly file: string;
  /** One of {@link CONFIG_FILES}. */
  readonly name: string;
  readonly text: string;
}

/**
 * The configuration file in the directory `root`; undefined when there is none. Throws a {@link ConfigError} when it cannot be read
 * and when there are two: nobody could tell which one counts.
 */
export function findConfigFile(root: string): ConfigText | undefined {
  const found = CONFIG_FILES.flatMap((name) => {
    const file = path.join(root, name);
    const content = readText(file);
    return content === undefined ? [] : [{ file, name, ...content }];
  });
  const [first, second] = found;
  if (first && second) {
    const message = t("stands beside {0}, and only one of them can count; delete or rename one", first.name);
    throw new ConfigError([{ severity: "error", source: second.name, message }]);
  }
  if (first?.failure !== undefined)
    throw new ConfigError([{ severity: "error", source: first.name, message: t("cannot be read: {0}", first.failure) }]);
  return first && { file: first.file, name: first.name, text: first.text };
}

/** Where the settings of a workspace are, or would be written. Looks at names only. */
export function configFileOf(root: string): { readonly file: string; readonly name: string } {
  const name = CONFIG_FILES.find((candidate) => fs.existsSync(path.join(root, candidate))) ?? CONFIG_FILES[0] ?? "offcut.json";
  return { file: path.join(root, name), name };
}

/** Undefined when it is not there. */
function readText(file: string): { readonly text: string; readonly failure?: string } | undefined {
  try {
    return { text: fs.readFileSync(file, "utf8") };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? undefined : { text: "", failure: message };
  }
}
