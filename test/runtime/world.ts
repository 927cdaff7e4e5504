/** What the tests of the runtime share: roots, a logger that remembers, and files. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { LogFields, Logger } from "../../runtime/index.ts";

export interface Line {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields | undefined;
}

export interface Listener {
  readonly logger: Logger;
  readonly lines: Line[];
  /** All lines with their fields, for messages of failing tests and for searching. */
  text(): string;
  /** The lines of one level. */
  of(level: Line["level"]): readonly Line[];
}

export function makeListener(): Listener {
  const lines: Line[] = [];
  const write =
    (level: Line["level"]) =>
    (message: string, fields?: LogFields): void =>
      void lines.push({ level, message, fields });
  return {
    logger: { info: write("info"), warn: write("warn"), error: write("error") },
    lines,
    text: () => lines.map((line) => `${line.level} ${line.message} ${JSON.stringify(line.fields ?? {})}`).join("\n"),
    of: (level) => lines.filter((line) => line.level === level),
  };
}

export interface Root extends Disposable {
  readonly root: string;
  /** Absolute. */
  path(relative: string): string;
  write(relative: string, content?: string | Uint8Array): string;
  /** All files and links below the root, relative, sorted, without `.offcut`. */
  files(): string[];
  /** The same of directories. */
  directories(): string[];
}

/** In memory where the system has a place for that: a property test makes thousands of files. */
const PLACE = fs.existsSync("/dev/shm") && process.platform === "linux" ? "/dev/shm" : os.tmpdir();

export function makeRoot(settings?: object, place = PLACE): Root {
  const root = fs.realpathSync(fs.mkdtempSync(path.join(place, "offcut-runtime-")));
  const at = (relative: string): string => path.join(root, relative);
  const write: Root["write"] = (relative, content = relative) => {
    fs.mkdirSync(path.dirname(at(relative)), { recursive: true });
    fs.writeFileSync(at(relative), content);
    return at(relative);
  };
  if (settings) write("offcut.json", JSON.stringify(settings));
  return {
    root,
    path: at,
    write,
    files: () => list(root, "", (entry) => !entry.isDirectory()),
    directories: () => list(root, "", (entry) => entry.isDirectory()),
    [Symbol.dispose]: () => fs.rmSync(root, { recursive: true, force: true }),
  };
}

function list(root: string, relative: string, wanted: (entry: fs.Dirent) => boolean): string[] {
  return fs
    .readdirSync(path.join(root, relative), { withFileTypes: true })
    .flatMap((entry) => {
      const name = relative + entry.name;
      if (name === ".offcut") return [];
      return [...(wanted(entry) ? [name] : []), ...(entry.isDirectory() ? list(root, `${name}/`, wanted) : [])];
    })
    .sort();
}

/** The preset, cleaned as soon as a job is done and without a way back. */
export const AT_ONCE = { preset: "job-manifests", policy: { retention: "0h", undo: "0h", grace: "0s" } };
