/**
 * Asks the catalog again right before each move (R17). What it knows is taken as current while nothing it was read from changed:
 * the databases with their logs, the finals that prove a project done, and the pins.
 */
import fs from "node:fs";
import path from "node:path";
import { databaseSignature } from "./catalog/open.ts";
import { identityKey, statKey } from "./catalog/paths.ts";
import type { Config } from "./config/config.ts";
import { matchTemplate } from "./config/template.ts";
import { type PlanOptions, readContext } from "./makePlan.ts";
import type { FileEntry, PlanItem } from "./model.ts";
import { createDecider, type Decider } from "./plan/build.ts";
import { pinsFile } from "./reclaim/records.ts";

export interface Recheck {
  readonly generation: string;
  readonly protectedPaths: readonly string[];
  readonly protectedInodes: readonly string[];
  /** Why the file stays; undefined when it may still go. */
  ask(item: PlanItem): Promise<string | undefined>;
}

/** Filesystems stamp times in ticks of some milliseconds: a file that changed just now may change again unseen. */
const RACY_MS = 25;

export async function createRecheck(config: Config, options: PlanOptions, now: () => number): Promise<Recheck> {
  const signature = (): string =>
    [...config.databases.map((database) => databaseSignature(database.path)), statKey(pinsFile(config.root))].join("\n");
  const read = async (checkPages: boolean): Promise<Knowledge> => {
    const taken = signature();
    const readAt = Date.now();
    const { context } = await readContext(config, { ...options, checkPages }, now());
    const outputs = new Map<string, string[]>();
    for (const output of context.catalog.outputs) outputs.set(output.owner, [...(outputs.get(output.owner) ?? []), output.path]);
    // What was looked into, not what stands there a moment later.
    const finals = new Map(
      context.catalog.outputs.map(({ path: file, check }) => [file, check.identity ? identityKey(check.identity) : statKey(file)]),
    );
    return { taken, readAt, decide: createDecider(context), outputs, finals, catalog: context.catalog };
  };
  let known = await read(true);
  const first = known.catalog;
  return {
    generation: first.generation,
    protectedPaths: first.protectedPaths,
    protectedInodes: first.protectedInodes,
    async ask(item) {
      if (signature() !== known.taken || isRacy(config, known) || finalsChanged(config, item, known)) known = await read(false);
      const file = entryOf(item);
      if (!file) return "gone";
      const fresh = known.decide(file);
      return fresh.verdict === "reclaim" ? undefined : (fresh.evidence[0] ?? fresh.reason);
    },
  };
}

interface Knowledge {
  readonly taken: string;
  readonly readAt: number;
  readonly decide: Decider;
  readonly outputs: ReadonlyMap<string, readonly string[]>;
  readonly finals: ReadonlyMap<string, string>;
  readonly catalog: Awaited<ReturnType<typeof readContext>>["context"]["catalog"];
}

function isRacy(config: Config, known: Knowledge): boolean {
  return config.databases.some((database) =>
    [database.path, `${database.path}-wal`].some((file) => {
      const changed = fs.lstatSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      return Math.abs(known.readAt - changed) < RACY_MS;
    }),
  );
}

/** Of everybody who owns or uses the file: a shared one goes only when all of them are done. */
function finalsChanged(config: Config, item: PlanItem, known: Knowledge): boolean {
  const store = config.stores.find((candidate) => candidate.name === item.store);
  const captures = store && matchTemplate(store.template, item.path);
  const users = store && captures ? known.catalog.usersOf(store, path.join(item.root, item.path), captures).map((use) => use.owner) : [];
  const owners = new Set([item.owner ?? "", ...users]);
  return [...owners].some((owner) => (known.outputs.get(owner) ?? []).some((output) => statKey(output) !== known.finals.get(output)));
}

function entryOf(item: PlanItem): FileEntry | undefined {
  const stat = fs.lstatSync(path.join(item.root, item.path), { throwIfNoEntry: false });
  if (!stat) return undefined;
  return {
    store: item.store,
    root: item.root,
    path: item.path,
    bytes: stat.size,
    allocated: stat.blocks * 512,
    mtimeMs: stat.mtimeMs,
    ctimeMs: stat.ctimeMs,
    dev: stat.dev,
    ino: stat.ino,
    links: stat.nlink,
    type: stat.isFile() ? "file" : stat.isSymbolicLink() ? "link" : "other",
  };
}
