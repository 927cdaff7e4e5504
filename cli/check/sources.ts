/** The lines of source files, for code frames. */
import fs from "node:fs";
import path from "node:path";

/** A file's lines without their ends; none for a file that cannot be read any more. */
export type Sources = (file: string) => readonly string[];

export function openSources(root: string): Sources {
  const known = new Map<string, readonly string[]>();
  return (file) => {
    const lines = known.get(file) ?? readLines(path.join(root, file));
    known.set(file, lines);
    return lines;
  };
}

function readLines(file: string): readonly string[] {
  try {
    return fs
      .readFileSync(file, "utf8")
      .replace(/^\uFEFF/, "")
      .split(/\r\n|\r|\n/);
  } catch {
    return []; // Gone since it was looked at: the finding is shown without its code.
  }
}
