/** From a configuration to a plan: walks, reads, decides. Writes nothing (R13). */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { type Catalog, readCatalog } from "./catalog/catalog.ts";
import type { MediaCache } from "./catalog/outputs.ts";
import { canonicalKey } from "./catalog/paths.ts";
import { resolveAutoCleanup } from "./config/auto.ts";
import { type Config, rootsOf } from "./config/config.ts";
import { parseTemplate } from "./config/template.ts";
import { readReleases, type Releases } from "./jobs/release.ts";
import type { FileEntry, Owner, Plan, PlanItem, Problem, Totals } from "./model.ts";
import { buildPlan, createDecider, type Decider, type DecisionContext, type Selection } from "./plan/build.ts";
import { applyPressure, type Unmanaged, withLargest } from "./plan/pressure.ts";
import { identityOf } from "./reclaim/guard.ts";
import { compareRecords, readPins } from "./reclaim/records.ts";
import { holdOf } from "./reclaim/home.ts";
import { readRuns } from "./reclaim/recover.ts";
import { trackedFiles } from "./scan/git.ts";
import { walkStores, type WalkStore } from "./scan/walk.ts";
import { mapInSlices } from "./slices.ts";
import { readUndone } from "./undone.ts";
import { type Answers, findUnchecked, type KnownUploads, knowUploads, type UploadVerifier } from "./uploads.ts";

export type Phase = "catalog" | "scan" | "decide" | "uploads";

export interface PlanOptions {
  /** By hand (default), or by itself: then stores that are not automatic are kept. */
  readonly mode?: "manual" | "automatic";
  /** Take files without an owner too (R30). */
  readonly orphans?: boolean;
  readonly selection?: Selection;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** False in a workspace that the user does not trust: SQL from its files is not run, so everything is kept (R82). */
  readonly trusted?: boolean;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly phase: Phase; readonly files: number; readonly bytes: number }) => void;
  readonly mediaCache?: MediaCache;
  /** The owners whose finals are looked into; those of others count as not verified. Absent: everybody's. */
  readonly finalsOf?: readonly string[];
  /** Asks the remote storage about uploads. Without one only what the pipeline itself verified counts. */
  readonly verifier?: UploadVerifier;
}

export async function makePlan(config: Config, options: PlanOptions): Promise<Plan> {
  const nowMs = (options.now ?? Date.now)();
  const problems: Problem[] = [...config.problems];
  const tell = (phase: Phase, files: number, bytes: number): void => options.onProgress?.({ phase, files, bytes });

  tell("catalog", 0, 0);
  const { context, noticed, override } = await readContext(config, options, nowMs);
  problems.push(...noticed);
  const { auto, problems: autoProblems } = resolveAutoCleanup({
    root: config.root,
    environment: options.environment,
    ...(override && { override }),
    ...(context.catalog.overrideUnknown !== undefined && { unreadable: context.catalog.overrideUnknown }),
    debugModeDisables: config.policy.debugModeDisables,
    enabled: config.policy.enabled,
  });
  problems.push(...autoProblems);

  const { files, unmanaged } = await walkAll(context.config, options, problems, tell);
  tell("decide", files.length, 0);
  const doubt = context.doubt ?? emptyCatalog(context.catalog, files.length);
  if (doubt !== undefined && context.doubt === undefined)
    problems.push({
      severity: "error",
      source: context.catalog.withoutOwners[0] ?? t("database"),
      message: t("{0} Everything is kept.", doubt),
    });
  const decide = createDecider({ ...context, twins: twinsOf(files), ...(doubt !== undefined && { doubt }) });
  const decided = await mapInSlices(files, decide, options.signal);
  await askRemote(context.uploads, files, decided, decide, options, tell);
  problems.push(...findUnchecked(decided));
  const pressed = applyPressure({
    stores: context.config.stores,
    policy: config.policy,
    items: decided,
    unmanaged,
    held: heldByStore(context.config),
    // An undo changes the time of the last change of a file, not how old it is.
    ageMsOf: (item) => (context.undone?.has(path.join(item.root, item.path)) ? nowMs - Date.parse(item.modified) : undefined),
  });
  problems.push(...pressed.problems);
  const items = await mapInSlices(pressed.items, (item, i) => identify(item, files[i]!), options.signal);
  return buildPlan({
    config,
    catalog: context.catalog,
    nowMs,
    items,
    selection: options.selection ?? {},
    problems: dedupe(problems),
    autoCleanup: auto,
    pressures: pressed.pressures,
  });
}

type Tell = (phase: Phase, files: number, bytes: number) => void;

/**
 * All files of the stores, and of stores with a limit what else lies in their directories: it counts, too (R56). A store that takes
 * everything and comes last gets exactly what no other one matches.
 */
async function walkAll(
  config: Config,
  options: PlanOptions,
  problems: Problem[],
  tell: Tell,
): Promise<{ readonly files: readonly FileEntry[]; readonly unmanaged: ReadonlyMap<string, Unmanaged> }> {
  const files: FileEntry[] = [];
  const unmanaged = new Map<string, Unmanaged>();
  const rest = new Map(
    config.stores
      .filter((store) => store.maxBytes !== undefined && store.template.prefix !== "")
      .map((store) => [`${UNMANAGED}${store.name}`, store]),
  );
  const catchAll = [...rest].map(([name, store]): WalkStore => {
    const { root, template } = store;
    return { name, role: "temp", root, template: parseTemplate(`${template.prefix}/`) };
  });
  for await (const batch of walkStores([...config.stores, ...catchAll], {
    ...(options.signal && { signal: options.signal }),
    onProgress: (seen) => tell("scan", seen.files, seen.bytes),
  })) {
    for (const file of batch.files) {
      if (!rest.has(file.store)) files.push(file);
      else if (file.type === "file") {
        // Several stores may share a directory: it counts for each of them.
        for (const store of rest.values()) {
          if (store.root !== file.root || !file.path.startsWith(`${store.template.prefix}/`)) continue;
          unmanaged.set(store.name, withLargest(unmanaged.get(store.name), file));
        }
      }
    }
    problems.push(...batch.problems);
  }
  return { files, unmanaged };
}

/** No store can have such a name: it would not be a key that somebody writes. */
const UNMANAGED = "\0";

/** Of the files that only their remote copy could free the remote storage is asked; they are decided again in place. */
async function askRemote(
  uploads: KnownUploads,
  files: readonly FileEntry[],
  decided: PlanItem[],
  decide: Decider,
  options: PlanOptions,
  tell: Tell,
): Promise<void> {
  const open = decided.flatMap((item, i) => (item.reason === "upload-unverified" || item.reason === "upload-verified" ? [i] : []));
  if (open.length === 0 || !options.verifier || options.trusted === false) return;
  await uploads.ask(
    open.map((i) => files[i]!),
    options.verifier,
    { ...(options.signal && { signal: options.signal }), onProgress: (done) => tell("uploads", done, 0) },
  );
  for (const i of open) decided[i] = decide(files[i]!);
}

/** What earlier runs hold of stores with a limit (R58). Journals are only read when there is one. */
function heldByStore(config: Config): ReadonlyMap<string, Totals> {
  const held = new Map<string, Totals>();
  const limited = new Set(config.stores.filter((store) => store.maxBytes !== undefined).map((store) => store.name));
  if (limited.size === 0) return held;
  for (const run of readRuns(config.root))
    for (const file of run.files) {
      // What somebody removed from the hold by hand is held no longer, whatever the journal says.
      if (file.state !== "held" || !limited.has(file.store) || !fs.existsSync(path.join(holdOf(file.root, run.run), file.path))) continue;
      const sum = held.get(file.store) ?? { files: 0, bytes: 0 };
      held.set(file.store, { files: sum.files + 1, bytes: sum.bytes + file.bytes });
    }
  return held;
}

/** Everything a decision needs beside the files themselves. A run reads it again. */
export async function readContext(
  config: Config,
  options: PlanOptions & { readonly checkPages?: boolean; readonly answers?: Answers },
  nowMs: number,
): Promise<{
  readonly context: DecisionContext & { readonly uploads: KnownUploads };
  readonly noticed: readonly Problem[];
  readonly override?: Catalog["override"];
}> {
  const trusted = options.trusted !== false;
  const outside = trusted ? [] : rootsOf(config).filter((root) => !isWithin(root, config.root));
  const visible = outside.length === 0 ? config : { ...config, stores: config.stores.filter((store) => !outside.includes(store.root)) };
  const remembered = compareRecords(config.root, rootsOf(visible), nowMs);
  const read = await readCatalog(trusted ? config : { ...config, databases: [] }, {
    ...(options.signal && { signal: options.signal }),
    ...(options.mediaCache && { mediaCache: options.mediaCache }),
    ...(options.finalsOf && { finalsOf: options.finalsOf }),
    checkPages: options.checkPages !== false,
    nowMs,
  });
  const undone = readUndone(config.root, nowMs);
  const releases = readReleases(config.root, nowMs);
  const catalog = { ...read, owners: markReleased(releases, read.owners) };
  const tracked = await askGit(visible, options.signal);
  const untrusted = trusted
    ? undefined
    : t("the workspace is not trusted, so the queries of offcut.json are not run and nothing is deleted");
  const doubt = untrusted ?? remembered.unreachable;
  const noticed: Problem[] = [...catalog.problems, ...remembered.problems, ...(releases.problem ? [releases.problem] : [])];
  if (untrusted !== undefined)
    noticed.push({
      severity: "warning",
      source: t("workspace"),
      message: t("{0}. Trust the workspace to see what is reclaimable.", untrusted),
    });
  for (const root of outside)
    noticed.push({
      severity: "warning",
      source: root,
      message: t("lies outside the workspace and is looked at only when the workspace is trusted"),
    });
  if (tracked.unknown !== undefined) noticed.push({ severity: "warning", source: "git", message: tracked.unknown });
  const context: DecisionContext & { readonly uploads: KnownUploads } = {
    config: visible,
    catalog,
    uploads: knowUploads(visible, catalog, options.answers ?? new Map()),
    nowMs,
    mode: options.mode ?? "manual",
    orphans: options.orphans ?? false,
    pins: readPins(config.root),
    tracked: tracked.files,
    ...(tracked.unknown !== undefined && { trackedUnknown: tracked.unknown }),
    ...(remembered.clock !== undefined && { clock: remembered.clock }),
    ...(doubt !== undefined && { doubt }),
    ...(undone.size > 0 && { undone }),
    ...(options.selection?.projects && { projects: options.selection.projects }),
  };
  return { context, noticed, override: catalog.override };
}

/** Failed owners whose files somebody let go. */
function markReleased({ isReleased }: Releases, owners: ReadonlyMap<string, Owner>): ReadonlyMap<string, Owner> {
  const released = [...owners].filter(([, owner]) => owner.state === "failed" && isReleased(owner));
  return released.length === 0
    ? owners
    : new Map([...owners, ...released.map(([id, owner]) => [id, { ...owner, released: true }] as const)]);
}

/** Whether a directory lies in another one, links resolved. */
function isWithin(directory: string, parent: string): boolean {
  const [inner, outer] = [directory, parent].map((one) => (fs.existsSync(one) ? fs.realpathSync(one) : one)) as [string, string];
  return inner === outer || inner.startsWith(outer + path.sep);
}

async function askGit(
  config: Config,
  signal: AbortSignal | undefined,
): Promise<{ readonly files: ReadonlySet<string>; readonly unknown?: string }> {
  const files = new Set<string>();
  let unknown: string | undefined;
  for (const root of rootsOf(config)) {
    const directories = [...new Set(config.stores.filter((store) => store.root === root).map((store) => store.template.prefix))];
    const tracked = await trackedFiles(root, directories, signal);
    for (const file of tracked.files) files.add(file.normalize("NFC"));
    unknown ??= tracked.unknown;
  }
  return { files, ...(unknown !== undefined && { unknown }) };
}

/** A database without projects beside a tree full of files is the wrong database, or an empty copy of the right one (R75). */
export function emptyCatalog(catalog: Catalog, files: number): string | undefined {
  if (catalog.withoutOwners.length === 0 || files === 0 || catalog.unavailable !== undefined) return undefined;
  const labels = catalog.withoutOwners.join(", ");
  return files === 1
    ? t("{0} lists no projects, but there is 1 file; is it the right database?", labels)
    : t("{0} lists no projects, but there are {1} files; is it the right database?", labels, files);
}

/** What will be taken is looked at once more, to the nanosecond: that is what the sink will insist on (R3). */
function identify(item: PlanItem, file: FileEntry): PlanItem {
  if (item.verdict === "keep") return item;
  const now = identityOf(path.join(item.root, item.path));
  if (!now?.isFile || now.bytes !== file.bytes || Number(now.ino) !== file.ino || Number(now.dev) !== file.dev) {
    return { ...item, verdict: "keep", reason: "changed", evidence: [t("it changed while it was looked at")] };
  }
  return { ...item, identity: { dev: now.dev, ino: now.ino, bytes: now.bytes, mtimeNs: now.mtimeNs } };
}

/** Files whose names differ only in how Unicode spells them (R11). Names in ASCII have one spelling. */
function twinsOf(files: readonly FileEntry[]): ReadonlyMap<string, string> {
  const byKey = new Map<string, FileEntry>();
  const twins = new Map<string, string>();
  for (const file of files) {
    // oxlint-disable-next-line no-control-regex -- ASCII is what is asked for
    if (/^[\x00-\x7f]*$/.test(file.path)) continue;
    const absolute = path.join(file.root, file.path);
    const key = canonicalKey(absolute, false);
    const other = byKey.get(key);
    if (other) {
      twins.set(absolute, other.path);
      twins.set(path.join(other.root, other.path), file.path);
    } else byKey.set(key, file);
  }
  return twins;
}

function dedupe(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Map(problems.map((problem) => [`${problem.source}\0${problem.line ?? ""}\0${problem.message}`, problem]));
  return [...seen.values()];
}
