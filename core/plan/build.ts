/** Turns files and catalog into a plan. Pure: no clock, no disk. */
import { createHash } from "node:crypto";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Catalog } from "../catalog/catalog.ts";
import { looksLikeState } from "../catalog/state.ts";
import type { Config, TemplatedStore } from "../config/config.ts";
import { matchTemplate } from "../config/template.ts";
import type { AutoCleanup, FileEntry, Identity, Output, Plan, PlanItem, Pressure, Problem, Totals, Verdict } from "../model.ts";
import type { Uploads } from "../uploads.ts";
import { brakeOf } from "./brake.ts";
import { type Circumstances, decide, type Facts, type OwnerFacts } from "./decide.ts";
import { type Pins, pinOf } from "./pins.ts";

/** A plan is good for ten minutes (R16). */
export const PLAN_LIFETIME_MS = 10 * 60_000;

const WORKS = new Set([
  "mp4",
  "mov",
  "m4v",
  "m4a",
  "mkv",
  "webm",
  "matroska",
  "mp3",
  "wav",
  "aac",
  "flac",
  "ogg",
  "opus",
  "avi",
  "ts",
  "mpg",
  "mpeg",
  "wmv",
]);
const IMAGES = new Set(["jpeg", "jpg", "png", "gif", "webp", "avif"]);

/** What a decision needs to know beside the file. */
export interface DecisionContext {
  readonly config: Config;
  readonly catalog: Catalog;
  readonly nowMs: number;
  readonly mode: "manual" | "automatic";
  readonly orphans: boolean;
  readonly pins: Pins;
  /** Absolute paths that git tracks, in NFC, and why git could not be asked (then everything is kept). */
  readonly tracked: ReadonlySet<string>;
  readonly trackedUnknown?: string;
  readonly clock?: string;
  /** Twins by absolute path (R11). */
  readonly twins?: ReadonlyMap<string, string>;
  /** Why the catalog cannot be believed, beyond what it says itself (no projects while the tree is full). */
  readonly doubt?: string;
  /** The projects that were asked for: a shared file is shown under the first of them that uses it. */
  readonly projects?: readonly string[];
  /** What is known of the remote copies of uploads. */
  readonly uploads: Uploads;
  /** Absolute paths of what an undo put back lately, and when, milliseconds since 1970. */
  readonly undone?: ReadonlyMap<string, number>;
}

export type Decider = (file: FileEntry) => PlanItem;

export function createDecider(context: DecisionContext): Decider {
  const stores = new Map(context.config.stores.map((store) => [store.name, store]));
  const finalsOf = groupFinals(context.catalog.outputs, context.config.stores);
  const circumstances = new Map(context.config.stores.map((store) => [store.name, circumstancesFor(store, context)]));
  const circumstancesOf = (store: TemplatedStore): Circumstances => circumstances.get(store.name) ?? circumstancesFor(store, context);
  return (file) => {
    const store = stores.get(file.store);
    if (!store) throw new Error(`there is no store ${file.store}`);
    const { facts, owner } = factsOf(file, store, context, finalsOf);
    return toItem(file, store, owner, facts, decide(facts, circumstancesOf(store)));
  };
}

/** The policy as it is for one store. */
function circumstancesFor(store: TemplatedStore, context: DecisionContext): Circumstances {
  const { policy } = context.config;
  return {
    policy: { ...policy, retentionMs: store.retentionMs ?? policy.retentionMs, graceMs: store.graceMs ?? policy.graceMs },
    mode: context.mode,
    orphans: context.orphans,
    automatic: store.automatic,
    listed: policy.fileTypes?.includes(store.name) ?? true,
    limited: store.maxBytes !== undefined,
    ...(store.maxAgeMs !== undefined && { maxAgeMs: store.maxAgeMs }),
    ...(context.clock !== undefined && { clock: context.clock }),
  };
}

function factsOf(
  file: FileEntry,
  store: TemplatedStore,
  context: DecisionContext,
  finalsOf: FinalsOf,
): { readonly facts: Facts; readonly owner: string | undefined } {
  const { catalog } = context;
  const absolute = absoluteOf(file);
  const captures = matchTemplate(store.template, file.path) ?? {};
  const inode = `${file.dev}:${file.ino}`;
  const own = store.ownerCapture === undefined ? undefined : captures[store.ownerCapture];
  const changedMs = Math.max(file.mtimeMs, file.ctimeMs);
  const uses = catalog.usersOf(store, absolute, captures).filter((use) => use.untilMs === undefined || changedMs <= use.untilMs);
  const owners: OwnerFacts[] = [];
  if (own !== undefined) owners.push(ownerFacts(own, "path", catalog, finalsOf));
  for (const use of uses) {
    if (!owners.some((owner) => owner.id === use.owner)) owners.push(ownerFacts(use.owner, { table: use.source }, catalog, finalsOf));
  }
  const output = catalog.outputAt(absolute, inode);
  let ended = 0;
  for (const owner of owners) ended = Math.max(ended, catalog.owners.get(owner.id)?.endedMs ?? 0);
  for (const use of uses) ended = Math.max(ended, use.eventMs ?? 0);
  const unavailable = catalog.unavailable ?? context.doubt ?? context.trackedUnknown ?? catalog.blockedStores.get(store.name);
  const pinned =
    context.pins.list.length === 0
      ? undefined
      : pinOf(context.pins, { path: file.path, root: file.root, store: store.name, owners: owners.map((one) => one.id) });
  const twin = context.twins?.get(absolute);
  const undoneMs = context.undone?.get(absolute);
  const upload = store.role === "upload" ? context.uploads.of(store, file, captures) : undefined;
  const facts: Facts = {
    role: store.role,
    store: store.name,
    type: file.type,
    links: file.links,
    ownerWord: store.ownerCapture === "job" || owners.some((one) => catalog.owners.get(one.id)?.kind === "job") ? t("job") : t("project"),
    owners,
    ageMs: context.nowMs - Math.max(ended, file.mtimeMs, file.ctimeMs),
    gitTracked: context.tracked.size > 0 && context.tracked.has(absolute.normalize("NFC")),
    state: catalog.isState(absolute, inode) || looksLikeState(store, file.path),
    ...(undoneMs !== undefined && { undoneAgoMs: context.nowMs - undoneMs }),
    ...(pinned !== undefined && { pinned }),
    ...(twin !== undefined && { twin }),
    ...(unavailable !== undefined && { unavailable }),
    ...(upload && { upload }),
    ...(output
      ? { output: t("an output of {0} ({1})", output.owner, output.source) }
      : store.role === "final" && { output: t('a final: the store "{0}" is never cleaned', store.name) }),
  };
  const chosen = uses.find((use) => context.projects?.includes(use.owner)) ?? uses[0];
  return { facts, owner: own ?? chosen?.owner };
}

/** The walk gives plain relative paths, so nothing has to be normalised; that matters a hundred thousand times. */
function absoluteOf({ root, path: relative }: { readonly root: string; readonly path: string }): string {
  return path.sep === "/" ? `${root === "/" ? "" : root}/${relative}` : path.join(root, relative);
}

function ownerFacts(id: string, by: OwnerFacts["by"], catalog: Catalog, finalsOf: FinalsOf): OwnerFacts {
  const owner = catalog.owners.get(id);
  return {
    id,
    state: owner?.state ?? "absent",
    status: owner?.status ?? "",
    source: owner?.source ?? "",
    ...(owner?.lease !== undefined && { lease: owner.lease }),
    ...(owner?.released && { released: true }),
    ...(owner?.makesNoFinal && { makesNoFinal: true }),
    by,
    finals: finalsOf.get(id) ?? [],
  };
}

type FinalsOf = ReadonlyMap<string, OwnerFacts["finals"]>;

/**
 * The outputs that prove a project done: its videos and sounds, or its pictures when it makes only pictures. Where a store says
 * that finals are videos, a thumbnail beside a final that the database does not name (NULL) proves nothing (R34).
 */
function groupFinals(outputs: readonly Output[], stores: readonly TemplatedStore[]): FinalsOf {
  const makesWorks = stores.some((store) => store.role === "final" && WORKS.has(path.extname(store.path).slice(1).toLowerCase()));
  const grouped = new Map<string, Output[]>();
  for (const output of outputs) {
    const list = grouped.get(output.owner);
    if (list) list.push(output);
    else grouped.set(output.owner, [output]);
  }
  return new Map(
    [...grouped].map(([owner, list]) => {
      const kinds = makesWorks || list.some((output) => WORKS.has(output.check.format)) ? WORKS : IMAGES;
      return [
        owner,
        list.map((output) => ({
          name: path.basename(output.path),
          // What is not there, or no file, is a doubt whatever it is called; a missing thumbnail beside a whole film is none.
          work:
            (output.recordedBytes !== undefined && !makesWorks && !list.some((one) => WORKS.has(one.check.format))) ||
            kinds.has(output.check.format) ||
            (!IMAGES.has(output.check.format) && ["missing", "incomplete"].includes(output.check.status)),
          status: output.check.status,
          bytes: output.check.bytes,
          detail: output.check.detail,
        })),
      ];
    }),
  );
}

function toItem(file: FileEntry, store: TemplatedStore, owner: string | undefined, facts: Facts, verdict: Verdict): PlanItem {
  const { ageMs, upload } = facts;
  return {
    path: file.path,
    root: file.root,
    store: store.name,
    role: store.role,
    ...(owner !== undefined && owner !== "" && { owner }),
    bytes: file.bytes,
    allocated: file.allocated,
    links: file.links,
    modified: new Date(file.mtimeMs).toISOString(),
    ageMs: Math.max(0, Math.round(ageMs)),
    ...verdict,
    ...(store.undoMs !== undefined && { undoMs: store.undoMs }),
    ...(upload && upload.status !== "unknown" && { remote: upload }),
  };
}

/** Which part of a plan is wanted. Absent is everything; an empty list is nothing (R21). */
export interface Selection {
  readonly projects?: readonly string[];
  readonly stores?: readonly string[];
  /** Absolute paths. */
  readonly paths?: readonly string[];
}

export function selects(selection: Selection, item: PlanItem): boolean {
  return (
    (selection.projects === undefined || (item.owner !== undefined && selection.projects.includes(item.owner))) &&
    (selection.stores === undefined || selection.stores.includes(item.store)) &&
    (selection.paths === undefined || selection.paths.includes(absoluteOf(item)))
  );
}

export interface PlanInput {
  readonly config: Config;
  readonly catalog: Catalog;
  readonly nowMs: number;
  /** Every decided file; those to reclaim with the identity that was seen. */
  readonly items: readonly PlanItem[];
  readonly selection: Selection;
  readonly problems: readonly Problem[];
  readonly autoCleanup: AutoCleanup;
  readonly pressures: readonly Pressure[];
}

export function buildPlan(input: PlanInput): Plan {
  const { config, catalog, nowMs } = input;
  const items = input.items.filter((item) => selects(input.selection, item)).sort(byOwnerStorePath);
  const taken = items.filter((item) => item.verdict === "reclaim");
  return {
    digest: `${digestOf(config, catalog, taken)}-${Math.floor(nowMs / 1000).toString(36)}`,
    created: new Date(nowMs).toISOString(),
    expires: new Date(nowMs + PLAN_LIFETIME_MS).toISOString(),
    configHash: config.hash,
    generation: catalog.generation,
    root: config.root,
    items,
    totals: { reclaim: totalOf(taken), keep: totalOf(items.filter((item) => item.verdict === "keep")) },
    problems: input.problems,
    owners: [...catalog.owners.values()],
    protectedPaths: catalog.protectedPaths,
    protectedInodes: catalog.protectedInodes,
    autoCleanup: input.autoCleanup,
    brake: brakeOf(config.policy.brake, input.items, taken, {
      named: input.selection.projects !== undefined,
      catalogued: config.databases.length + catalog.owners.size > 0,
    }),
    pressures: input.pressures,
  };
}

/**
 * A digest names what would be taken, what was read to decide it, and when: two plans that agree in the first part are the
 * same plan, and the second part, seconds since 1970 in base 36, lets a later process know that it expired.
 */
export function digestAge(digest: string, nowMs: number): { readonly content: string; readonly ageMs: number } | undefined {
  const match = /^([0-9a-f]{16})-([0-9a-z]{1,8})$/.exec(digest);
  return match ? { content: match[1]!, ageMs: nowMs - Number.parseInt(match[2]!, 36) * 1000 } : undefined;
}

function digestOf(config: Config, catalog: Catalog, taken: readonly PlanItem[]): string {
  const hash = createHash("sha256").update(`${config.root}\n${config.hash}\n${catalog.generation}\n`);
  for (const item of taken) hash.update(JSON.stringify([item.root, item.path, item.reason, item.identity]));
  return hash.digest("hex").slice(0, 16);
}

export function sameIdentity(a: Identity, b: Identity): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.bytes === b.bytes && a.mtimeNs === b.mtimeNs;
}

function totalOf(items: readonly PlanItem[]): Totals {
  return { files: items.length, bytes: items.reduce((sum, item) => sum + item.bytes, 0) };
}

function byOwnerStorePath(a: PlanItem, b: PlanItem): number {
  return compare(a.owner ?? "\uFFFF", b.owner ?? "\uFFFF") || compare(a.store, b.store) || compare(a.path, b.path);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
