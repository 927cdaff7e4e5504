/** Source files in a temporary directory. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export type Tree = Readonly<Record<string, string | Uint8Array>>;

export function withTree<Result>(tree: Tree, work: (root: string) => Result): Result {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "offcut-sources-")));
  try {
    for (const [path, content] of Object.entries(tree)) plant(root, path, content);
    return work(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

export function plant(root: string, path: string, content: string | Uint8Array = ""): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

/** A tree of empty files. */
export function empty(...paths: readonly string[]): Tree {
  return Object.fromEntries(paths.map((path) => [path, ""]));
}
