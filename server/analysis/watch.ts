/** Has the client tell of sources that change outside of the editor, until the folder is left. */
import fs from "node:fs";
import path from "node:path";
import { type Disposable, DidChangeWatchedFilesNotification, WatchKind } from "vscode-languageserver/node";
import { uriOf } from "../convert.ts";
import type { Session } from "../session.ts";

/** Sources, what decides how they find each other, and where the switch of the automatic cleanup may stand. */
const PATTERNS = [
  "**/*.{ts,tsx,mts,cts,js,jsx,mjs,cjs}",
  "**/{package.json,tsconfig*.json,jsconfig.json,pnpm-workspace.yaml,.gitignore}",
  ".env*",
];
const CODE = /\.(?:[cm]?[jt]s|[jt]sx)$/;
const CONFIGURATION = /^(?:package\.json|[tj]sconfig.*\.json|pnpm-workspace\.yaml|\.gitignore|\.env.*)$/;

/** Files that are looked at as code; `.ts` is also an extension of videos, which the analysis tells apart by their bytes. */
export function isCode(file: string): boolean {
  return CODE.test(file);
}

/** Whether findings may be other ones after something happened to a file or directory; `file` is its path from the root, with `/`. */
export function matters(root: string, file: string): boolean {
  const directories = file.split("/");
  const name = directories.pop() ?? "";
  if (directories.some((one) => one.startsWith(".") || one === "node_modules")) return false;
  if (isCode(name) || CONFIGURATION.test(name)) return true;
  if (name.startsWith(".") || name === "node_modules") return false;
  const stat = fs.lstatSync(path.join(root, file), { throwIfNoEntry: false });
  // What is gone was perhaps a directory, when its name looks like one.
  return stat ? stat.isDirectory() : !name.includes(".");
}

/** A directory that goes or comes is told of by its own name only; files of code and directories are told apart later. */
const EVERYTHING = "**/*";

export type Watching = Promise<Disposable | undefined>;

export async function watchSources(session: Session, root: string): Watching {
  return watch(session, root, [
    ...PATTERNS.map((pattern) => ({ pattern, kind: WatchKind.Create | WatchKind.Change | WatchKind.Delete })),
    { pattern: EVERYTHING, kind: WatchKind.Create | WatchKind.Delete },
  ]);
}

export async function watchBaseline(session: Session, root: string, file: string): Watching {
  const pattern = path.relative(root, path.resolve(root, file)).replaceAll(path.sep, "/");
  return watch(session, root, [{ pattern, kind: WatchKind.Create | WatchKind.Change | WatchKind.Delete }]);
}

interface Watched {
  readonly pattern: string;
  readonly kind: WatchKind;
}

async function watch(session: Session, root: string, patterns: readonly Watched[]): Watching {
  if (!session.abilities.watchFiles) return undefined;
  const watchers = patterns.map(({ pattern, kind }) => ({
    globPattern: session.abilities.relativePatterns ? { baseUri: uriOf(root), pattern } : pattern,
    kind,
  }));
  return session.connection.client.register(DidChangeWatchedFilesNotification.type, { watchers });
}
