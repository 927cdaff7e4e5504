/** Tells the client when the configuration, `.env` or a database changed. Media directories are never watched. */
import path from "node:path";
import { type Disposable, DidChangeWatchedFilesNotification, type FileSystemWatcher } from "vscode-languageserver/node";
import type { Config } from "../core/config/config.ts";
import { CONFIG_FILE } from "../core/config/load.ts";
import { pathOf, uriOf } from "./convert.ts";
import type { Session } from "./session.ts";

/** At the top of a folder. */
const WATCHED = [CONFIG_FILE, ".env", ".env.local"];

/** Pipelines write their database in bursts. The first change starts the clock, so that a steady writer is told about too. */
const CALM_MS = 300;

interface Watching {
  /** Databases by folder, and the registration that watches them. */
  readonly databases: Map<string, { readonly key: string; readonly files: readonly string[]; readonly registration: Disposable }>;
  readonly due: Map<string, NodeJS.Timeout>;
}

const watchings = new WeakMap<Session, Watching>();

function watchingOf(session: Session): Watching {
  const known = watchings.get(session) ?? { databases: new Map(), due: new Map() };
  watchings.set(session, known);
  return known;
}

/** Watches the files of each folder that decide what a plan says. */
export async function watchFolders(session: Session, folders: readonly string[]): Promise<void> {
  const watchers = folders.flatMap((root) => WATCHED.flatMap((name) => watcherOf(session, path.join(root, name))));
  if (session.abilities.watchFiles && watchers.length > 0)
    await session.connection.client.register(DidChangeWatchedFilesNotification.type, { watchers });
}

/** Watches what the plan of a folder was read from. A `-shm` is left out: reading changes it. */
export async function watchDatabases(session: Session, root: string, config: Config): Promise<void> {
  const { databases } = watchingOf(session);
  const files = config.databases.map((database) => database.path);
  const key = files.join("\n");
  const before = databases.get(root);
  if (!session.abilities.watchFiles || (before?.key ?? "") === key) return;
  before?.registration.dispose();
  const watchers = files.flatMap((file) => [file, `${file}-wal`]).flatMap((file) => watcherOf(session, file));
  databases.set(root, {
    key,
    files,
    registration: await session.connection.client.register(DidChangeWatchedFilesNotification.type, { watchers }),
  });
}

/** A pattern relative to the file's directory keeps the editor from watching everything below. */
function watcherOf(session: Session, file: string): FileSystemWatcher[] {
  const name = path.basename(file).replaceAll(/[[\]{}*?]/g, "?");
  if (session.abilities.relativePatterns) return [{ globPattern: { baseUri: uriOf(path.dirname(file)), pattern: name } }];
  return [{ globPattern: `**/${name}` }];
}

/** What the client reports; each folder that it concerns is told about once the burst is over. */
export function filesChanged(session: Session, uris: readonly string[]): void {
  const { due, databases } = watchingOf(session);
  for (const uri of uris) {
    const file = pathOf(uri);
    const roots = session.folders.filter(
      (root) =>
        (path.dirname(file) === root && WATCHED.includes(path.basename(file))) ||
        databases.get(root)?.files.some((database) => file === database || file === `${database}-wal`),
    );
    for (const root of roots) {
      if (due.has(root)) continue;
      const timer = setTimeout(() => {
        due.delete(root);
        session.changed(root);
      }, CALM_MS).unref();
      due.set(root, timer);
    }
  }
}
