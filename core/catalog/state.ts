/**
 * What is never media: the project database with its logs, the configuration, the environment files. A directory that holds one is
 * mixed, and these files stay whatever its store says.
 */
import path from "node:path";
import { CONFIG_FILES } from "../config/file.ts";
import type { Config, TemplatedStore } from "../config/config.ts";

/** Absolute paths of the files that this workspace depends on. */
export function stateFiles(config: Config): readonly string[] {
  const databases = config.databases.flatMap(({ path: file }) => ["", "-wal", "-shm", "-journal"].map((suffix) => file + suffix));
  return [...databases, ...[...CONFIG_FILES, ".env", ".env.local"].map((name) => path.join(config.root, name))];
}

const STATE_NAME = /(^offcut\.(json|ya?ml)$|^\.env(\.|$)|^\.git(keep|ignore|attributes|modules)$|\.(db3?|sqlite3?)(-wal|-shm|-journal)?$)/i;

/** Whether a file is state by its name. A store that names its files to their extension means what it says. */
export function looksLikeState(store: TemplatedStore, file: string): boolean {
  const last = store.template.segments.at(-1);
  const open = store.template.deep || last?.source.endsWith("*") === true || last?.source.endsWith("}") === true;
  return open && STATE_NAME.test(path.basename(file));
}
