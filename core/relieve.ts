/**
 * Under pressure what is held goes before any file does (R58): held bytes count as used, and nobody would delete a newer file to keep an
 * older one for an undo.
 */
import type { Config } from "./config/config.ts";
import type { Plan } from "./model.ts";
import type { PurgeResult } from "./reclaim/purge.ts";
import { listRecent, purge, readRun } from "./runs.ts";

/**
 * Frees the oldest holds of stores that are above their limit, until the target is met or nothing of the store is held. Only that
 * store's files: what others hold for undo presses nobody; and only of stores that automatic cleaning may touch (R33, P6).
 */
export async function relieve(config: Config, { pressures, items }: Plan, signal?: AbortSignal): Promise<readonly PurgeResult[]> {
  const purged: PurgeResult[] = [];
  for (const { store, usedBytes, heldBytes, maxBytes, targetBytes } of pressures) {
    if (!mayBeRelieved(config, store)) continue;
    const goes = items.filter((item) => item.store === store && item.verdict === "reclaim" && item.reason !== "pressure");
    let left = usedBytes - goes.reduce((sum, item) => sum + (item.undoMs === 0 ? item.bytes : 0), 0);
    if (heldBytes === 0 || left <= maxBytes) continue;
    for (const { run, state } of [...listRecent(config.root)].reverse()) {
      if (left <= targetBytes || signal?.aborted) break;
      const of = heldBytesOf(config.root, run, store);
      if (of === 0 || state === "unreachable") continue;
      purged.push(...(await purge(config.root, { run, store, tolerant: true }, signal && { signal })));
      left -= of;
    }
  }
  return purged;
}

export function mayBeRelieved({ policy, stores }: Config, store: string): boolean {
  const automatic = stores.some((one) => one.name === store && one.automatic);
  return automatic && (policy.fileTypes?.includes(store) ?? true);
}

function heldBytesOf(root: string, run: string, store: string): number {
  const files = readRun(root, run)?.files ?? [];
  return files.reduce((sum, file) => sum + (file.state === "held" && file.store === store ? file.bytes : 0), 0);
}
