/** Has the client tell of sources that change outside of the editor. */
import { DidChangeWatchedFilesNotification, WatchKind } from "vscode-languageserver/node";
import { uriOf } from "../convert.ts";
import type { Session } from "../session.ts";

/** Sources, and what decides how they find each other. */
const PATTERNS = ["**/*.{ts,tsx,mts,cts,js,jsx,mjs,cjs}", "**/{package.json,tsconfig*.json,jsconfig.json,.gitignore}"];

export async function watchSources(session: Session, root: string): Promise<void> {
  await watch(session, root, PATTERNS);
}

export async function watchBaseline(session: Session, root: string, file: string): Promise<void> {
  await watch(session, root, [file.replaceAll("\\", "/")]);
}

async function watch(session: Session, root: string, patterns: readonly string[]): Promise<void> {
  if (!session.abilities.watchFiles) return;
  const watchers = patterns.map((pattern) => ({
    globPattern: session.abilities.relativePatterns ? { baseUri: uriOf(root), pattern } : pattern,
    kind: WatchKind.Create | WatchKind.Change | WatchKind.Delete,
  }));
  await session.connection.client.register(DidChangeWatchedFilesNotification.type, { watchers });
}
