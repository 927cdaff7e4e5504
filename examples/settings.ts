/** Settings of the example workspaces. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const SCHEMA = "../../schema/offcut.schema.json";

/** The text of a configuration beside an example, for a workspace elsewhere: its schema is found from there, too. */
export function readConfig(file: URL, root: string): string {
  const schema = relative(root, fileURLToPath(new URL(SCHEMA, file))).replaceAll("\\", "/");
  return readFileSync(file, "utf8").replace(SCHEMA, () => schema);
}

/** Writes a file of which there are several versions, the first one now. A version that is there is replaced, what somebody edited stays. */
export function writeVersion(file: string, versions: readonly [string, ...string[]]): void {
  if (!existsSync(file) || versions.includes(readFileSync(file, "utf8"))) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, versions[0]);
  }
}

/** Writes files of a workspace, by name. Those that are there already stay as they are: they may have been edited. */
export function writeMissing(root: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const file = join(root, name);
    mkdirSync(dirname(file), { recursive: true });
    if (!existsSync(file)) writeFileSync(file, text);
  }
}
