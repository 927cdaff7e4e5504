/** A bare workspace for tests of other pipelines than the video generator: settings as given, files with an age. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

export interface Layout extends Disposable {
  readonly root: string;
  path(relative: string): string;
  /** Writes so many bytes; `ageMs` sets the modification time back. */
  write(relative: string, bytes?: number | Uint8Array | string, ageMs?: number): string;
  settings(value: object): void;
  /** Relative paths of all files, sorted, without `.offcut/`. */
  files(): string[];
}

export function makeLayout(settings: object): Layout {
  const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "offcut-layout-")));
  const at = (relative: string): string => path.join(root, relative);
  const layout: Layout = {
    root,
    path: at,
    write(relative, bytes = 1000, ageMs) {
      const file = at(relative);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, typeof bytes === "number" ? Buffer.alloc(bytes, relative) : bytes);
      if (ageMs !== undefined) fs.utimesSync(file, new Date(), new Date(Date.now() - ageMs));
      return file;
    },
    settings: (value) => fs.writeFileSync(at("offcut.json"), JSON.stringify(value, null, 2)),
    files: () =>
      fs
        .readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory())
        .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
        .filter((name) => !name.startsWith(`.offcut${path.sep}`) && name !== "offcut.json")
        .sort(),
    [Symbol.dispose]: () => fs.rmSync(root, { recursive: true, force: true }),
  };
  layout.settings(settings);
  return layout;
}
