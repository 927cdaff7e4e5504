/** Everything that is known about owners, references and outputs, from all databases, ready to be asked about one file. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Config, TemplatedStore } from "../config/config.ts";
import { isSafeId, matchTemplate } from "../config/template.ts";
import type { Output, Owner, OwnerState, Problem } from "../model.ts";
import { type DatabaseContents, readContents, type UploadRow, type UseRow } from "./contents.ts";
import { type JobFacts, readJobs } from "../jobs/owners.ts";
import { checkOutputs, existing, inodeOf, type MediaCache, type NamedOutput } from "./outputs.ts";
import { stateFiles } from "./state.ts";
import { canonicalKey, createKeys, createResolver, ignoresCase, refusePath, resolveStored, spellingsOf } from "./paths.ts";

/** One row that says that an owner uses a file. */
export interface Use {
  readonly owner: string;
  readonly source: string;
  readonly eventMs?: number;
  /** The owner ended then, and said nothing of single files: what was written into its directory later is not its own. */
  readonly untilMs?: number;
}

export interface Catalog {
  readonly owners: ReadonlyMap<string, Owner>;
  /** Who uses the file, by its path, a directory above it, or the ids in it. */
  usersOf(store: TemplatedStore, absolutePath: string, captures: Readonly<Record<string, string>>): readonly Use[];
  /** The output that stands at this path or above it, or is this very file (R28). */
  outputAt(absolutePath: string, inode: string): Output | undefined;
  /** Whether it is a database, its log, or a settings file of this workspace. */
  isState(absolutePath: string, inode: string): boolean;
  readonly outputs: readonly Output[];
  /** What a database says of the upload of a file of this store. */
  uploadAt(store: string, absolutePath: string): UploadRow | undefined;
  /** Canonical paths and inodes that the sink refuses. */
  readonly protectedPaths: readonly string[];
  readonly protectedInodes: readonly string[];
  /** Why nothing can be decided at all. */
  readonly unavailable?: string;
  /** Why nothing can be decided about one store: an unfinished project refers to something in it that cannot be resolved. */
  readonly blockedStores: ReadonlyMap<string, string>;
  readonly override?: { readonly value: string; readonly source: string };
  /** A database that might override the switch and cannot be read. */
  readonly overrideUnknown?: string;
  /** Databases that should list projects and list none. */
  readonly withoutOwners: readonly string[];
  /** Changes with whatever was read (R16). */
  readonly generation: string;
  readonly problems: readonly Problem[];
}

export interface CatalogOptions {
  readonly signal?: AbortSignal;
  readonly mediaCache?: MediaCache;
  /** The owners whose finals are looked into; those of others count as not verified. Absent: everybody's. */
  readonly finalsOf?: readonly string[];
  /** Look for damaged pages too. Needed once per plan, not for every look during a run. */
  readonly checkPages?: boolean;
  /** Milliseconds since 1970; leases are measured by it. */
  readonly nowMs?: number;
}

export async function readCatalog(config: Config, options: CatalogOptions = {}): Promise<Catalog> {
  const contents = config.databases.map((database) => ({ database, ...readContents(database, { check: options.checkPages !== false }) }));
  const jobs = readJobs(config, { wallMs: options.nowMs ?? Date.now(), uptimeMs: Math.round(os.uptime() * 1000) });
  const owners = mergeOwners([...contents.flatMap((one) => one.owners), ...jobs.owners]);
  const problems: Problem[] = [...contents.flatMap((one) => one.problems), ...jobs.problems];
  const real = createResolver();
  const keys = createKeys(real, ignoresCase(config.root));
  const { keyOf } = keys;

  const byKey = new Map<string, Use[]>();
  const byIds = new Map<string, Map<string, Use[]>>();
  const blockedStores = new Map<string, string>();
  const outputs: NamedOutput[] = [];
  for (const one of contents) {
    for (const [name, rows] of one.references) {
      const store = config.stores.find((candidate) => candidate.name === name);
      const lacking = store && rows[0] && lackingColumns(rows[0], store, name);
      if (lacking !== undefined) {
        problems.push({
          severity: "error",
          source: one.database.label,
          message: t("{0}. Everything in the store is kept until then.", lacking),
        });
        blockedStores.set(name, lacking);
        continue;
      }
      for (const row of rows) {
        const refused =
          addUse(row, one.database.base, store, keyOf, byKey, byIds) ??
          (owners.get(row.owner)?.state === "succeeded" ? undefined : whyNowhere(row, one.database.base, config));
        if (refused === undefined) continue;
        problems.push({
          severity: "warning",
          source: one.database.label,
          message: t("{0} of {1}: {2}; the row is not used.", row.source, row.owner || t("nobody"), refused),
        });
        if (owners.get(row.owner)?.state !== "succeeded")
          blockedStores.set(name, t("{0} has a row of {1} that cannot be resolved: {2}", row.source, row.owner || t("nobody"), refused));
      }
    }
    for (const row of one.outputs) {
      if (row.path === undefined) continue;
      const refused = refusePath(row.path);
      const spelled =
        refused === undefined ? existing(spellingsOf(row.path).map((spelling) => resolveStored(spelling, one.database.base))) : row.path;
      outputs.push({ row, spelled, path: refused === undefined ? real(spelled) : row.path, ...(refused !== undefined && { refused }) });
    }
  }

  for (const use of jobs.references)
    append(byKey, keyOf(use.path), {
      owner: use.owner,
      source: use.source,
      ...(use.eventMs !== undefined && { eventMs: use.eventMs }),
      ...(use.untilMs !== undefined && { untilMs: use.untilMs }),
    });
  for (const { owner, path: file, source, bytes, directory } of jobs.outputs)
    outputs.push({
      row: { owner, source, path: file },
      spelled: file,
      path: real(file),
      ...(bytes !== undefined && { recordedBytes: bytes }),
      ...(directory && { directory }),
    });
  const uploads = indexUploads(contents, keyOf);

  const checked = await checkOutputs(outputs, owners, options);
  const byOutputKey = new Map(checked.map((output) => [keyOf(output.path), output]));
  const inodes = new Map(checked.flatMap((output) => inodeOf(output.path).map((inode) => [inode, output] as const)));
  const state = stateFiles(config);
  const stateKeys = new Set(state.map(keyOf));
  const stateInodes = new Set(state.flatMap(inodeOf));
  const unavailable = contents.map((one) => one.unavailable).find((reason) => reason !== undefined) ?? jobs.unavailable;
  const override = contents.map((one) => one.override).find((one) => one !== undefined);
  const nobody = contents.every((one) => one.owners.length === 0);
  /** It should list projects and lists none: alone that says enough, beside others only when there is nothing else in it either. */
  const looksEmptied = ({ database, owners: own, references, outputs: made, unavailable: why }: (typeof contents)[number]): boolean =>
    database.owners !== undefined &&
    why === undefined &&
    own.length === 0 &&
    (nobody || ([...references.values()].every((rows) => rows.length === 0) && made.length === 0));
  const silent = contents.find((one) => one.database.autoCleanup !== undefined && one.unavailable !== undefined);
  return {
    owners,
    usersOf(store, absolutePath, captures) {
      const named = byKey.size === 0 ? NOBODY : keys.withAbove(absolutePath).flatMap((key) => byKey.get(key) ?? NOBODY);
      const identified = byIds.get(store.name)?.get(idsKey(store, captures)) ?? NOBODY;
      return identified.length === 0 ? named : [...named, ...identified];
    },
    outputAt(absolutePath, inode) {
      if (checked.length === 0) return undefined;
      const key = keys.withAbove(absolutePath).find((one) => byOutputKey.has(one));
      return key === undefined ? inodes.get(inode) : byOutputKey.get(key);
    },
    isState: (absolutePath, inode) => stateKeys.has(keyOf(absolutePath)) || stateInodes.has(inode),
    outputs: checked,
    uploadAt: (store, absolutePath) => uploads.get(store)?.get(keyOf(absolutePath)),
    // The sink knows a file by its path below the root, which may lead there through links.
    protectedPaths: [
      ...new Set([...stateKeys, ...byOutputKey.keys(), ...outputs.map((output) => canonicalKey(output.spelled, ignoresCase(config.root)))]),
    ],
    protectedInodes: [...new Set([...inodes.keys(), ...stateInodes])],
    ...(unavailable !== undefined && { unavailable }),
    blockedStores,
    ...(override && { override }),
    ...(silent && { overrideUnknown: silent.database.label }),
    withoutOwners: contents.filter(looksEmptied).map((one) => one.database.label),
    generation: hashOf(contents, jobs),
    problems,
  };
}

const NOBODY: readonly Use[] = [];

/** One id in two databases, or in a database and a manifest: the state that protects more wins. */
function mergeOwners(all: readonly Owner[]): Map<string, Owner> {
  const order: readonly OwnerState[] = ["succeeded", "failed", "unknown", "running"];
  const owners = new Map<string, Owner>();
  for (const owner of all) {
    const known = owners.get(owner.id);
    const stronger = !known || order.indexOf(owner.state) > order.indexOf(known.state) ? owner : known;
    const endedMs = Math.max(owner.endedMs ?? 0, known?.endedMs ?? 0);
    owners.set(owner.id, known && endedMs > 0 ? { ...stronger, endedMs } : stronger);
  }
  return owners;
}

/** Returns why the row cannot be used. */
function addUse(
  row: UseRow,
  base: string,
  store: TemplatedStore | undefined,
  keyOf: (absolute: string) => string,
  byKey: Map<string, Use[]>,
  byIds: Map<string, Map<string, Use[]>>,
): string | undefined {
  const use: Use = { owner: row.owner, source: row.source, ...(row.eventMs !== undefined && { eventMs: row.eventMs }) };
  if (row.path !== undefined) {
    const refused = refusePath(row.path);
    if (refused !== undefined) return t("the path {0} {1}", JSON.stringify(row.path.slice(0, 200)), refused);
    for (const spelling of spellingsOf(row.path)) append(byKey, keyOf(resolveStored(spelling, base)), use);
    return undefined;
  }
  if (!row.ids || !store) return undefined; // A path that is NULL: nothing was made yet.
  const ids = row.ids;
  const needed = placeholdersOf(store);
  const missing = needed.filter((capture) => typeof ids[capture] !== "string");
  if (missing.length === needed.length) return undefined;
  if (missing.length > 0) return t("it has no value for {0}", `{${missing.join("}, {")}}`);
  if (store.ownerCapture !== undefined && row.owner === "") return t("it has no value for {0}", `{${store.ownerCapture}}`);
  const unsafe = needed.find((capture) => !isSafeId(ids[capture] ?? ""));
  if (unsafe !== undefined)
    return t("{0} is {1}, which may not be part of a path", `{${unsafe}}`, JSON.stringify(ids[unsafe]?.slice(0, 200)));
  let index = byIds.get(store.name);
  if (!index) byIds.set(store.name, (index = new Map<string, Use[]>()));
  append(index, idsKey(store, store.ownerCapture === undefined ? ids : { ...ids, [store.ownerCapture]: row.owner }), use);
  return undefined;
}

/**
 * A path of an unfinished project that is not on the disk and fits no store may be a spelling of one that is: an address of a web
 * server, a list, a blank too many (R19). One that fits a store is a file that is not made yet.
 */
function whyNowhere(row: UseRow, base: string, config: Config): string | undefined {
  if (row.path === undefined) return undefined;
  const candidates = spellingsOf(row.path).map((spelling) => resolveStored(spelling, base));
  const fits = (absolute: string): boolean =>
    config.stores.some(
      (store) => matchTemplate(store.template, path.relative(store.root, absolute).split(path.sep).join("/")) !== undefined,
    );
  if (candidates.some((absolute) => fits(absolute) || fs.existsSync(absolute))) return undefined;
  return t("the path {0} is not there and fits no store", JSON.stringify(row.path.slice(0, 200)));
}

/** A query that names neither paths nor ids would look as if nobody used anything (R19). */
function lackingColumns(row: UseRow, store: TemplatedStore, name: string): string | undefined {
  const { ids } = row;
  if (ids === undefined) return undefined;
  const needed = placeholdersOf(store);
  const absent = needed.filter((capture) => !(capture in ids));
  if (needed.length > 0 && absent.length === 0) return undefined;
  return needed.length > 0
    ? t(
        'database.references.{0} gives no column "path", nor "{1}" for the placeholders of the store; name it with AS',
        name,
        absent.join('", "'),
      )
    : t('database.references.{0} gives no column "path"; name it with AS', name);
}

/** What a row has to fill beside its owner. */
function placeholdersOf(store: TemplatedStore): readonly string[] {
  return store.template.captures.filter((capture) => capture !== store.ownerCapture);
}

function idsKey(store: TemplatedStore, ids: Readonly<Record<string, string | null>>): string {
  return store.template.captures.map((capture) => ids[capture] ?? "").join("\0");
}

function append(index: Map<string, Use[]>, key: string, use: Use): void {
  const list = index.get(key);
  if (list) list.push(use);
  else index.set(key, [use]);
}

/** Rows whose path cannot be used prove nothing, so their files stay. */
function indexUploads(
  contents: readonly (DatabaseContents & { readonly database: { readonly base: string } })[],
  keyOf: (absolute: string) => string,
): ReadonlyMap<string, ReadonlyMap<string, UploadRow>> {
  const uploads = new Map<string, Map<string, UploadRow>>();
  for (const { database, uploads: byStore } of contents)
    for (const [store, rows] of byStore) {
      const index = uploads.get(store) ?? new Map<string, UploadRow>();
      uploads.set(store, index);
      for (const row of rows) if (refusePath(row.path) === undefined) index.set(keyOf(resolveStored(row.path, database.base)), row);
    }
  return uploads;
}

function hashOf(contents: readonly (DatabaseContents & { readonly database: { readonly path: string } })[], jobs: JobFacts): string {
  const hash = createHash("sha256");
  for (const { database, owners, references, outputs, uploads, override, unavailable } of contents) {
    hash.update(JSON.stringify([database.path, owners, [...references], outputs, [...uploads], override ?? null, unavailable ?? null]));
  }
  // What a running job adds only protects more, and is read again before each move.
  const running = new Set(jobs.owners.filter((owner) => owner.state === "running").map((owner) => owner.id));
  hash.update(
    JSON.stringify([
      jobs.owners.map(({ id, state, status, startedMs, endedMs }) => [id, state, status, startedMs ?? null, endedMs ?? null]),
      [...jobs.references, ...jobs.outputs].filter((use) => !running.has(use.owner)),
      jobs.unavailable ?? null,
    ]),
  );
  return hash.digest("hex").slice(0, 16);
}
