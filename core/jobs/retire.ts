/**
 * What follows a cleanup for the jobs in it: a manifest goes last, when nothing of its job is left to clean and nothing can come
 * back by an undo (R70). It stays as long as it is what protects a final.
 */
import fs from "node:fs";
import path from "node:path";
import { type Config, ConfigError, rootsOf, type TemplatedStore } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { isSafeId, matchTemplate } from "../config/template.ts";
import type { ItemError } from "../model.ts";
import { uptimeMs } from "../process.ts";
import { Refusal } from "../reclaim/home.ts";
import { compareRecords } from "../reclaim/records.ts";
import { readRuns } from "../reclaim/recover.ts";
import { explainErrno } from "../reclaim/retry.ts";
import { changeManifest, lockManifests, type ManifestFound, readManifest, readManifests, removeManifest } from "./manifests.ts";
import type { Manifest } from "./manifest.ts";
import { stateOfJob } from "./owners.ts";

/** Retires the jobs of which nothing is left; without a list all of them. What cannot be done now is done the next time. */
export async function retireJobs(config: Config, nowMs: number, only?: ReadonlySet<string>): Promise<readonly ItemError[]> {
  const { directory } = config.jobs;
  if (!fs.existsSync(directory)) return [];
  // A drive that is away looks as if nothing were left (R76).
  if (compareRecords(config.root, rootsOf(config), nowMs).unreachable !== undefined) return [];
  const found = only ? [...only].filter(isSafeId).flatMap((id) => readManifest(directory, id) ?? []) : readManifests(directory);
  if (found.length === 0) return [];
  const mayComeBack = ownersThatMayComeBack(config);
  const done = found.filter((one) => !mayComeBack.has(one.id) && mayGoFurther(config, one) && isDone(config, one, nowMs));
  if (done.length === 0) return [];
  const errors: ItemError[] = [];
  for (let from = 0; from < done.length; from += MOST_AT_ONCE) {
    const some = done.slice(from, from + MOST_AT_ONCE);
    using _turn = await lockManifests(
      directory,
      some.map((one) => one.id),
    );
    // Nobody moves a file of these jobs now, so the journals say everything.
    const comeBack = ownersThatMayComeBack(config);
    for (const { id, file } of some) {
      if (comeBack.has(id)) continue;
      try {
        await retire(config, id, nowMs);
      } catch (error) {
        if (!(error instanceof Refusal) && (error as NodeJS.ErrnoException).syscall === undefined) throw error;
        errors.push({ path: path.relative(config.root, file), message: error instanceof Refusal ? error.message : explainErrno(error) });
      }
    }
  }
  return errors;
}

/** Others wait for their turn meanwhile. */
const MOST_AT_ONCE = 50;

/** The caller holds the lock. */
async function retire(config: Config, id: string, nowMs: number): Promise<void> {
  const { directory } = config.jobs;
  // Asked again under the lock: the job may have started anew.
  const found = readManifest(directory, id);
  if (!found?.manifest || !isDone(config, found, nowMs)) return;
  const { manifest } = found;
  if (finalsAreSafe(config, manifest)) removeManifest(directory, id);
  else if (manifest.cleaned === undefined)
    await changeManifest(directory, id, (old) => ({ ...(old ?? manifest), cleaned: new Date(nowMs).toISOString() }));
}

/** It has ended, or nobody runs it any more, and nothing of it is left to clean. */
function isDone(config: Config, { manifest, heartbeat }: ManifestFound, nowMs: number): boolean {
  if (!manifest) return false;
  const { state } = stateOfJob({ manifest, ...(heartbeat && { heartbeat }) }, { wallMs: nowMs, uptimeMs: uptimeMs() });
  return (state === "succeeded" || state === "failed") && isEmpty(config, manifest);
}

/** What was noted as cleaned stays as it is for as long as it is what protects a final. */
function mayGoFurther(config: Config, { manifest }: ManifestFound): boolean {
  return manifest?.cleaned === undefined || finalsAreSafe(config, manifest);
}

/** By an undo, or because a crash came between intent and outcome. */
function ownersThatMayComeBack(config: Config): ReadonlySet<string> {
  const waiting = readRuns(config.root).flatMap((run) => run.files.filter((file) => file.state === "held" || file.state === "intended"));
  return new Set(waiting.flatMap((file) => file.owner ?? []));
}

/** After space was freed by hand: what no longer can come back needs no manifest. A configuration that is broken says nothing. */
export async function retireAfterPurge(root: string, nowMs: number): Promise<void> {
  try {
    await retireJobs(loadConfig(root), nowMs);
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof Refusal)) throw error;
  }
}

/** Nothing temporary is left: no file that it names, none in its directories, none in those that its id names. */
function isEmpty(config: Config, manifest: Manifest): boolean {
  const at = (relative: string): string => path.join(config.root, relative);
  return (
    manifest.files.every((file) => file.role === "final" || !isThere(at(file.path))) &&
    manifest.directories.every((directory) => directory.role === "final" || !holdsFiles(at(directory.path))) &&
    config.stores.every((store) => {
      const directory = directoryOf(store, manifest.job.id);
      return store.role === "final" || directory === undefined || !holdsFiles(directory);
    })
  );
}

/** The directory that a store has for one owner, when it has one of its own. */
function directoryOf(store: TemplatedStore, id: string): string | undefined {
  const { segments, deep } = store.template;
  const own = segments.findIndex((segment) => store.ownerCapture !== undefined && segment.source === `{${store.ownerCapture}}`);
  const names = segments.slice(0, own + 1);
  if (own === -1 || (own === segments.length - 1 && !deep)) return undefined;
  if (names.slice(0, own).some((segment) => segment.literal === undefined)) return undefined;
  const rest = segments.slice(own + 1);
  const literal = rest.slice(0, deep ? rest.length : -1);
  if (literal.some((segment) => segment.literal === undefined)) return undefined;
  return path.join(store.root, ...names.slice(0, own).map((segment) => segment.source), id, ...literal.map((segment) => segment.source));
}

/** Only what the system calls absent is; what cannot be looked at may well be there. */
function isThere(file: string): boolean {
  try {
    return fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

function holdsFiles(directory: string): boolean {
  let entries: fs.Dirent[];
  try {
    entries = fs.readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    return !["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
  }
  return entries.some((entry) => (entry.isDirectory() ? holdsFiles(path.join(directory, entry.name)) : true));
}

/** Finals in stores that are never cleaned need no manifest. */
function finalsAreSafe(config: Config, manifest: Manifest): boolean {
  return [...manifest.files, ...manifest.directories]
    .filter((entry) => entry.role === "final")
    .every((entry) => {
      const absolute = path.join(config.root, entry.path);
      return (
        !isThere(absolute) ||
        config.stores.some((store) => {
          const relative = path.relative(store.root, absolute).split(path.sep).join("/");
          return store.role === "final" && matchTemplate(store.template, relative) !== undefined;
        })
      );
    });
}
