/** What decides how a folder is checked: the editor's settings, `offcut.json` as the editor shows it, the baseline. */
import fs from "node:fs";
import path from "node:path";
import { type Baseline, readBaseline } from "../../core/analysis/baseline.ts";
import { type Config, ConfigError } from "../../core/config/config.ts";
import { configFileOf } from "../../core/config/file.ts";
import { loadConfig, parseConfig } from "../../core/config/load.ts";
import { uriOf } from "../convert.ts";
import type { Session } from "../session.ts";
import type { FolderSettings } from "./messages.ts";
import { type CheckSettings, readSettings } from "./settings.ts";

export interface FolderSetup {
  readonly check: CheckSettings;
  readonly config: Config;
  readonly engine: FolderSettings;
  /** Differs when anything above does. */
  readonly key: string;
}

/** `textOf` gives the text of an open document. A configuration that is broken at the moment counts as it was `before`. */
export async function setUp(
  session: Session,
  root: string,
  textOf: (uri: string) => string | undefined,
  before: FolderSetup | undefined,
): Promise<FolderSetup> {
  const check = await readSettings(session, root);
  const config = readConfig(root, textOf, before);
  const baseline = readBaselineFile(session, root, check.baseline);
  const rules = { ...config.analysis.rules, ...check.rules };
  const engine = { settings: { ...config.analysis, rules }, ...(baseline && { baseline }) };
  return { check, config, engine, key: JSON.stringify([check, engine, config.hash]) };
}

function readConfig(root: string, textOf: (uri: string) => string | undefined, before: FolderSetup | undefined): Config {
  const { file, name } = configFileOf(root);
  const open = textOf(uriOf(file));
  try {
    return open === undefined ? loadConfig(root) : parseConfig(root, open, name);
  } catch (error) {
    if (error instanceof ConfigError) return before?.config ?? parseConfig(root, "{}");
    throw error;
  }
}

/** A baseline that cannot be read hides nothing: rather too many findings than none. */
function readBaselineFile(session: Session, root: string, name: string): Baseline | undefined {
  if (name === "") return undefined;
  try {
    return readBaseline(fs.readFileSync(path.resolve(root, name), "utf8"), name);
  } catch (error) {
    session.connection.console.warn(`offcut.check.baseline: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
