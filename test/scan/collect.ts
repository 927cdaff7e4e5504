/** What the tests of the walk share: a temporary tree, and a walk collected into plain lists. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseTemplate } from "../../core/config/template.ts";
import type { FileEntry, Problem, Role } from "../../core/model.ts";
import { walkStores } from "../../core/scan/walk.ts";
import type { WalkOptions, WalkStore } from "../../core/scan/walk.ts";

export interface Walked {
  readonly files: readonly FileEntry[];
  readonly problems: readonly Problem[];
  /** `store path`, sorted. */
  readonly found: readonly string[];
}

export async function walk(stores: readonly WalkStore[], options: WalkOptions = {}): Promise<Walked> {
  const files: FileEntry[] = [];
  const problems: Problem[] = [];
  for await (const batch of walkStores(stores, options)) {
    files.push(...batch.files);
    problems.push(...batch.problems);
  }
  return { files, problems, found: files.map((file) => `${file.store} ${file.path}`).sort() };
}

export function storeAt(root: string, name: string, path: string, role: Role = "intermediate"): WalkStore {
  return { name, role, root, template: parseTemplate(path) };
}

/** Writes files with their own name as content; a path with `/` at its end is an empty directory. */
export function plant(root: string, ...paths: readonly string[]): void {
  for (const path of paths) {
    mkdirSync(path.endsWith("/") ? join(root, path) : dirname(join(root, path)), { recursive: true });
    if (!path.endsWith("/")) writeFileSync(join(root, path), path);
  }
}

/** Runs `body` with a new directory, its real path, and removes it afterwards. */
export async function withTree(body: (root: string) => Promise<void> | void): Promise<void> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "offcut-walk-")));
  try {
    await body(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
