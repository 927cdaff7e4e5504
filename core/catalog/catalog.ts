/** Everything that is known about owners, references and outputs, from all databases, ready to be asked about one file. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Config, TemplatedStore } from "../config/config.ts";
import { isSafeId, matchTemplate } from "../config/template.ts";
import type { MediaCheck, Output, Owner, OwnerState, Problem } from "../model.ts";
import { type DatabaseContents, readContents, type UseRow } from "./contents.ts";
import { checkMedia } from "./media/check.ts";
import { stateFiles } from "./state.ts";
import { canonicalKey, createResolver, ignoresCase, pathsAbove, refusePath, resolveStored, spellingsOf, statKey } from "./paths.ts";

/** One row that says that an owner uses a file. */
export interface Use {
  readonly owner: string;
  readonly source: string;
  readonly eventMs?: number;
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
  /** Canonical paths and inodes that the sink refuses. */
  readonly protectedPaths: readonly string[];
  readonly protectedInodes: readonly string[];
  /** Why nothing can be decided at all. */
  readonly unavailable?: string;
  /** Why nothing can be decided about one store: an unfinished project refers to something in it that cannot be resolved. */
  readonly blockedStores: ReadonlyMap<string, string>;
  readonly override?: { readonly value: string; readonly source: string };
  /** Changes with whatever was read (R16). */
  readonly generation: string;
  readonly problems: readonly Problem[];
}

/** Media checks of files that did not change since. */
export type MediaCache = Map<string, MediaCheck>;

export interface CatalogOptions {
  readonly signal?: AbortSignal;
  readonly mediaCache?: MediaCache;
  /** Look for damaged pages too. Needed once per plan, not for every look during a run. */
  readonly checkPages?: boolean;
}

const CHECKS_AT_ONCE = 4;

export async function readCatalog(config: Config, options: CatalogOptions = {}): Promise<Catalog> {
  const contents = config.databases.map((database) => ({ database, ...readContents(database, { check: options.checkPages !== false }) }));
  const owners = mergeOwners(contents);
  const problems: Problem[] = contents.flatMap((one) => one.problems);
  const real = createResolver();
  const keyOf = (absolute: string): string => canonicalKey(real(absolute), ignoresCase(config.root));

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

  const checked = await checkOutputs(outputs, owners, options);
  const byOutputKey = new Map(checked.map((output) => [keyOf(output.path), output]));
  const inodes = new Map(checked.flatMap((output) => inodeOf(output.path).map((inode) => [inode, output] as const)));
  const state = stateFiles(config);
  const stateKeys = new Set(state.map(keyOf));
  const stateInodes = new Set(state.flatMap(inodeOf));
  const unavailable = contents.map((one) => one.unavailable).find((reason) => reason !== undefined);
  const override = contents.map((one) => one.override).find((one) => one !== undefined);
  return {
    owners,
    usersOf(store, absolutePath, captures) {
      const named = pathsAbove(keyOf(absolutePath)).flatMap((key) => byKey.get(key) ?? []);
      const identified = byIds.get(store.name)?.get(idsKey(store, captures)) ?? [];
      return identified.length === 0 ? named : [...named, ...identified];
    },
    outputAt(absolutePath, inode) {
      const key = pathsAbove(keyOf(absolutePath)).find((one) => byOutputKey.has(one));
      return key === undefined ? inodes.get(inode) : byOutputKey.get(key);
    },
    isState: (absolutePath, inode) => stateKeys.has(keyOf(absolutePath)) || stateInodes.has(inode),
    outputs: checked,
    // The sink knows a file by its path below the root, which may lead there through links.
    protectedPaths: [
      ...new Set([...stateKeys, ...byOutputKey.keys(), ...outputs.map((output) => canonicalKey(output.spelled, ignoresCase(config.root)))]),
    ],
    protectedInodes: [...new Set([...inodes.keys(), ...stateInodes])],
    ...(unavailable !== undefined && { unavailable }),
    blockedStores,
    ...(override && { override }),
    generation: hashOf(contents),
    problems,
  };
}

/** One id in two databases: the state that protects more wins. */
function mergeOwners(contents: readonly DatabaseContents[]): Map<string, Owner> {
  const order: readonly OwnerState[] = ["succeeded", "failed", "unknown", "running"];
  const owners = new Map<string, Owner>();
  for (const owner of contents.flatMap((one) => one.owners)) {
    const known = owners.get(owner.id);
    if (!known || order.indexOf(owner.state) > order.indexOf(known.state)) owners.set(owner.id, owner);
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

/** An output with its path without links in its directories, and as the database has it. */
interface NamedOutput {
  readonly row: UseRow;
  readonly path: string;
  readonly spelled: string;
  readonly refused?: string;
}

function existing(candidates: readonly string[]): string {
  return candidates.find((candidate) => fs.existsSync(candidate)) ?? candidates[0] ?? "";
}

async function checkOutputs(
  outputs: readonly NamedOutput[],
  owners: ReadonlyMap<string, Owner>,
  options: CatalogOptions,
): Promise<readonly Output[]> {
  const cache: MediaCache = options.mediaCache ?? new Map<string, MediaCheck>();
  const checked: Output[] = [];
  const check = async (output: NamedOutput): Promise<MediaCheck> => {
    const format = path.extname(output.path).slice(1).toLowerCase();
    if (output.refused !== undefined) return { status: "unknown", format, bytes: 0, detail: t("its path {0}", output.refused) };
    // Only a finished project is ever cleaned, so only its final has to be looked into.
    if (owners.get(output.row.owner)?.state !== "succeeded")
      return { status: "unknown", format, bytes: 0, detail: t("not looked at: its project is not finished") };
    const key = `${output.path}\0${statKey(output.path)}`;
    const known = cache.get(key);
    if (known) return known;
    const fresh = await checkMedia(output.path, options.signal && { signal: options.signal });
    if (fresh.status === "complete") cache.set(key, fresh);
    return fresh;
  };
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < outputs.length; i = next++) {
      options.signal?.throwIfAborted();
      const output = outputs[i]!;
      checked[i] = { owner: output.row.owner, path: output.path, source: output.row.source, check: await check(output) };
    }
  };
  await Promise.all(Array.from({ length: Math.min(CHECKS_AT_ONCE, outputs.length) }, work));
  return checked;
}

/** The inode of the file, and of what it points to when it is a link: both stay. */
function inodeOf(file: string): string[] {
  const found = [fs.lstatSync, fs.statSync].map((look) => lookAt(file, look));
  return [...new Set(found.filter((stat) => stat !== undefined).map((stat) => `${stat.dev}:${stat.ino}`))];
}

function lookAt(file: string, look: typeof fs.lstatSync): fs.BigIntStats | undefined {
  try {
    return look(file, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined; // A link in a circle, or a directory that may not be read or is none: the path is protected all the same.
  }
}

function hashOf(contents: readonly (DatabaseContents & { readonly database: { readonly path: string } })[]): string {
  const hash = createHash("sha256");
  for (const { database, owners, references, outputs, override, unavailable } of contents) {
    hash.update(JSON.stringify([database.path, owners, [...references], outputs, override ?? null, unavailable ?? null]));
  }
  return hash.digest("hex").slice(0, 16);
}
