/**
 * Asks the catalog again right before each move (R17). What it knows is taken as current while nothing it was read from changed:
 * the databases with their logs, the job manifests, the finals that prove a project done, releases and pins. Around each batch of
 * moves the manifests are held, so that a job that starts again and a cleaner exclude each other, and the remote storage is asked anew.
 */
import fs from "node:fs";
import path from "node:path";
import { databaseSignature } from "./catalog/open.ts";
import { identityKey, statKey } from "./catalog/paths.ts";
import type { Config } from "./config/config.ts";
import { matchTemplate } from "./config/template.ts";
import { manifestsSignature } from "./jobs/manifests.ts";
import { releasesFile } from "./jobs/release.ts";
import { takeTurn } from "./jobs/turn.ts";
import { emptyCatalog, type PlanOptions, readContext } from "./makePlan.ts";
import type { FileEntry, PlanItem } from "./model.ts";
import { createDecider, type Decider } from "./plan/build.ts";
import { isOnlyPressed } from "./plan/pressure.ts";
import { Refusal } from "./reclaim/home.ts";
import { pinsFile } from "./reclaim/records.ts";
import type { Answers } from "./uploads.ts";

export interface Recheck {
  readonly generation: string;
  readonly protectedPaths: readonly string[];
  readonly protectedInodes: readonly string[];
  /** Awaited before the files of a batch are asked about and moved; disposed of after the last of them. */
  claim(items: readonly PlanItem[]): Promise<Disposable>;
  /** Why the file stays; undefined when it may still go. `file` is what stands at its place now. A promise only after a change. */
  ask(item: PlanItem, file: FileEntry): Promise<string | undefined> | string | undefined;
}

/** Filesystems stamp times in ticks of some milliseconds: a file that changed just now may change again unseen. */
const RACY_MS = 25;

export async function createRecheck(config: Config, options: PlanOptions, now: () => number): Promise<Recheck> {
  const gate = createGate(config);
  const small = [pinsFile(config.root), releasesFile(config.root)];
  const signature = (): string =>
    [...config.databases.map((database) => databaseSignature(database.path)), gate.signature, ...small.map(statKey)].join("\n");
  const answers: Answers = new Map();
  const read = async (checkPages: boolean): Promise<Knowledge> => {
    const taken = signature();
    const readAt = Date.now();
    const { context } = await readContext(config, { ...options, checkPages, answers }, now());
    const outputs = new Map<string, string[]>();
    for (const output of context.catalog.outputs) outputs.set(output.owner, [...(outputs.get(output.owner) ?? []), output.path]);
    // What was looked into, not what stands there a moment later.
    const finals = new Map(
      context.catalog.outputs.map(({ path: file, check }) => [file, check.identity ? identityKey(check.identity) : statKey(file)]),
    );
    const doubt = context.doubt ?? emptyCatalog(context.catalog, 2);
    return { taken, readAt, decide: createDecider({ ...context, ...(doubt !== undefined && { doubt }) }), outputs, finals, context };
  };
  let known = await read(true);
  const first = known.context.catalog;
  const judge = (item: PlanItem, file: FileEntry): string | undefined => {
    const fresh = known.decide(file);
    // Pressure is a matter of the whole store: what has to hold of the single file is that nothing else keeps it.
    if (fresh.verdict === "reclaim" || (item.reason === "pressure" && isPressed(fresh))) return undefined;
    return fresh.evidence[0] ?? fresh.reason;
  };
  const readAgain = async (item: PlanItem): Promise<string | undefined> => {
    known = await read(false);
    const file = entryOf(item);
    return file ? judge(item, file) : "gone";
  };
  const isPressed = (item: PlanItem): boolean => {
    const store = config.stores.find((one) => one.name === item.store);
    return store !== undefined && isOnlyPressed(item, store, config.policy);
  };
  return {
    generation: first.generation,
    protectedPaths: first.protectedPaths,
    protectedInodes: first.protectedInodes,
    async claim(items) {
      const { verifier, signal } = options;
      if (verifier) await known.context.uploads.ask(items, verifier, { fresh: true, ...(signal && { signal }) });
      return gate.hold();
    },
    ask(item, file) {
      if (gate.shut !== undefined) return gate.shut;
      if (signature() !== known.taken || isRacy(config, known) || finalsChanged(config, item, known)) return readAgain(item);
      return judge(item, file);
    },
  };
}

interface Gate {
  /** Nobody changes a manifest from here on until it is disposed of. */
  hold(): Promise<Disposable>;
  /** Why the manifests could not be held: then any job might be starting with any file. */
  readonly shut: string | undefined;
  /** What the manifests were when they were held: while they are, nobody has to look again. */
  readonly signature: string;
}

function createGate({ jobs }: Config): Gate {
  let shut: string | undefined;
  let signature = manifestsSignature(jobs.directory);
  return {
    async hold() {
      shut = undefined;
      if (!fs.existsSync(jobs.directory)) return { [Symbol.dispose]() {} };
      try {
        const turn = await takeTurn(jobs.directory);
        signature = manifestsSignature(jobs.directory);
        return turn;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        shut = error.message;
        return { [Symbol.dispose]() {} };
      }
    },
    get shut() {
      return shut;
    },
    get signature() {
      return signature;
    },
  };
}

interface Knowledge {
  readonly taken: string;
  readonly readAt: number;
  readonly decide: Decider;
  readonly outputs: ReadonlyMap<string, readonly string[]>;
  readonly finals: ReadonlyMap<string, string>;
  readonly context: Awaited<ReturnType<typeof readContext>>["context"];
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
  if (known.outputs.size === 0) return false;
  const store = config.stores.find((candidate) => candidate.name === item.store);
  const captures = store && matchTemplate(store.template, item.path);
  const users =
    store && captures ? known.context.catalog.usersOf(store, path.join(item.root, item.path), captures).map((use) => use.owner) : [];
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
