/** `node cleanerChild.ts ROOT [REMOTE]` (forked): a process that cleans, once or again and again, and one that undoes and frees. */
import { setImmediate } from "node:timers/promises";
import { cleanUp } from "../../core/cleanUp.ts";
import { loadConfig } from "../../core/config/load.ts";
import { enforce } from "../../core/enforce.ts";
import { makePlan, type PlanOptions } from "../../core/makePlan.ts";
import type { CleanResult } from "../../core/model.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import type { PurgeResult } from "../../core/reclaim/purge.ts";
import { purge, undo } from "../../core/runs.ts";
import { createDirectoryVerifier } from "./remote.ts";
import { serve } from "./worker.ts";

export type Verb = "enforce" | "clean" | "delete" | "undo" | "purge";

/** `later`: how much later than it is, milliseconds. `store`: only this one. `loop` enforces until `stop`, which answers with a sum. */
export interface CleanerTask {
  readonly verb: Verb | "loop" | "stop";
  readonly later?: number;
  readonly store?: string;
}

export interface Told {
  /** That of a round; `done` of anything else. */
  readonly outcome: string;
  readonly message: string;
  /** Files that are no longer at their place. */
  readonly moved: number;
  readonly restored: number;
  /** Of earlier runs. */
  readonly purged: number;
  /** Bytes. */
  readonly freed: number;
  readonly errors: readonly string[];
}

const [root = "", remote] = process.argv.slice(2);
const environment = {};
const verifier = remote === undefined ? undefined : createDirectoryVerifier(remote);
const nothing: Told = { outcome: "done", message: "", moved: 0, restored: 0, purged: 0, freed: 0, errors: [] };
let looping: Promise<readonly Told[]> | undefined;
let stop = new AbortController();

serve<CleanerTask>(async ({ verb, later = 0, store }) => {
  const options = {
    environment,
    now: () => Date.now() + later,
    ...(verifier && { verifier }),
    ...(store && { selection: { stores: [store] } }),
  };
  if (verb === "stop") {
    stop.abort();
    return (await looping) ?? [];
  }
  if (verb !== "loop") return act(verb, options);
  stop = new AbortController();
  looping = loop(options, stop.signal);
  return {};
});

async function loop(options: PlanOptions, signal: AbortSignal): Promise<readonly Told[]> {
  const told: Told[] = [];
  do {
    told.push(await act("enforce", options));
    // A round with nothing to do waits for nothing, and who never waits never hears that it shall stop.
    await setImmediate();
  } while (!signal.aborted);
  return told;
}

async function act(verb: Verb, options: PlanOptions): Promise<Told> {
  try {
    switch (verb) {
      case "enforce": {
        const { outcome, message, result, purged } = await enforce(root, options);
        return add({ ...nothing, outcome, message }, result, purged);
      }
      case "clean":
      case "delete": {
        const config = loadConfig(root);
        const plan = await makePlan(config, options);
        return add(nothing, await cleanUp(config, plan, { ...options, ...(verb === "delete" && { undoMs: 0 }) }), []);
      }
      case "undo": {
        const { restoredFiles, errors, renamed } = await undo(loadConfig(root), undefined);
        return { ...nothing, restored: restoredFiles, errors: [...errors, ...renamed].map((one) => JSON.stringify(one)) };
      }
      default:
        return add(nothing, undefined, await purge(root));
    }
  } catch (error) {
    if (error instanceof Refusal) return { ...nothing, outcome: "refused", message: error.message };
    throw error;
  }
}

function add(told: Told, result: CleanResult | undefined, purged: readonly PurgeResult[]): Told {
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  return {
    ...told,
    moved: result?.deletedFiles ?? 0,
    purged: sum(purged.map((one) => one.deletedFiles)),
    freed: (result?.freedSpace ?? 0) + sum(purged.map((one) => one.freedSpace)),
    errors: [...(result?.errors ?? []), ...purged.flatMap((one) => one.errors)].map((one) => `${one.path}: ${one.message}`),
  };
}
