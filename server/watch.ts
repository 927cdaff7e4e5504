/** Tells the client when the configuration, `.env`, a database or a job changed. Media directories are never watched. */
import path from "node:path";
import { type Disposable, DidChangeWatchedFilesNotification, type FileSystemWatcher } from "vscode-languageserver/node";
import type { Config } from "../core/config/config.ts";
import { CONFIG_FILES } from "../core/config/file.ts";
import { pathOf, uriOf } from "./convert.ts";
import { scheduleFile, tellSchedule } from "./schedule.ts";
import type { Session } from "./session.ts";

/** At the top of a folder. */
const WATCHED = [...CONFIG_FILES, ".env", ".env.local"];

/** Pipelines write their database in bursts. The first change starts the clock, so that a steady writer is told about too. */
const CALM_MS = 300;

interface Watching {
  /** What plans were read from, by folder, and the registration that watches it. */
  readonly facts: Map<string, Facts & { readonly key: string; readonly registration: Disposable }>;
  readonly due: Map<string, NodeJS.Timeout>;
}

interface Facts {
  readonly databases: readonly string[];
  /** The directory of the job manifests. */
  readonly jobs: string;
}

const watchings = new WeakMap<Session, Watching>();

function watchingOf(session: Session): Watching {
  const known = watchings.get(session) ?? { facts: new Map(), due: new Map() };
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
export async function watchFacts(session: Session, root: string, config: Config): Promise<void> {
  const { facts } = watchingOf(session);
  const databases = config.databases.map((database) => database.path);
  const jobs = config.jobs.directory;
  const key = [jobs, ...databases].join("\n");
  const before = facts.get(root);
  if (!session.abilities.watchFiles || before?.key === key) return;
  before?.registration.dispose();
  const watchers = [
    ...databases.flatMap((file) => [file, `${file}-wal`]).flatMap((file) => watcherOf(session, file)),
    ...watcherOf(session, scheduleFile(root)),
    watcherIn(session, jobs, "*.json", `**/${path.basename(jobs)}/*.json`),
  ];
  facts.set(root, {
    key,
    databases,
    jobs,
    registration: await session.connection.client.register(DidChangeWatchedFilesNotification.type, { watchers }),
  });
}

/** A pattern relative to the file's directory keeps the editor from watching everything below. */
function watcherOf(session: Session, file: string): FileSystemWatcher[] {
  const name = path.basename(file).replaceAll(/[[\]{}*?]/g, "?");
  return [watcherIn(session, path.dirname(file), name, `**/${name}`)];
}

/** `anywhere` is for clients that know no relative patterns. */
function watcherIn(session: Session, directory: string, pattern: string, anywhere: string): FileSystemWatcher {
  return { globPattern: session.abilities.relativePatterns ? { baseUri: uriOf(directory), pattern } : anywhere };
}

/** What the client reports; each folder that it concerns is told about once the burst is over. */
export function filesChanged(session: Session, uris: readonly string[]): void {
  const { due, facts } = watchingOf(session);
  for (const uri of uris) {
    const file = pathOf(uri);
    const noted = session.folders.find((root) => file === scheduleFile(root));
    if (noted !== undefined) tellSchedule(session, noted);
    const roots = session.folders.filter(
      (root) => (path.dirname(file) === root && WATCHED.includes(path.basename(file))) || isFact(facts.get(root), file),
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

function isFact(facts: Facts | undefined, file: string): boolean {
  if (!facts) return false;
  if (path.dirname(file) === facts.jobs && file.endsWith(".json")) return true;
  return facts.databases.some((database) => file === database || file === `${database}-wal`);
}
