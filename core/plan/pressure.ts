/**
 * Storage pressure (R51–R58): a store that is larger than its limit loses its oldest files until it is at its target. Pure, and the
 * last word after every other rule: only files that nothing but the store itself keeps can go.
 */
import { t } from "@vscode/l10n";
import type { Policy, TemplatedStore } from "../config/config.ts";
import type { PlanItem, Pressure, Problem, Totals } from "../model.ts";
import { countFiles, formatBytes } from "../words.ts";

export interface PressureInput {
  readonly stores: readonly TemplatedStore[];
  readonly policy: Pick<Policy, "retentionMs" | "graceMs">;
  /** Every decided file of all stores. */
  readonly items: readonly PlanItem[];
  /** By hand files are held for undo, so what is held presses nobody further: freeing it is a decision of its own. */
  readonly mode: "manual" | "automatic";
  /** Files in a store's directory that match no template, by the store's name. */
  readonly unmanaged: ReadonlyMap<string, Totals>;
  /** What earlier runs still hold, by the store's name. */
  readonly held: ReadonlyMap<string, Totals>;
}

export interface Pressed {
  readonly items: readonly PlanItem[];
  readonly pressures: readonly Pressure[];
  readonly problems: readonly Problem[];
}

export function applyPressure(input: PressureInput): Pressed {
  const limited = input.stores.filter((store) => store.maxBytes !== undefined);
  if (limited.length === 0) return { items: input.items, pressures: [], problems: [] };
  const chosen = new Map<PlanItem, PlanItem>();
  const pressures = limited.map((store) => pressStore(store, input, chosen));
  return {
    items: chosen.size === 0 ? input.items : input.items.map((item) => chosen.get(item) ?? item),
    pressures,
    problems: pressures.flatMap(explainPressure),
  };
}

function pressStore(store: TemplatedStore, input: PressureInput, chosen: Map<PlanItem, PlanItem>): Pressure {
  const { maxBytes = 0, targetBytes = 0 } = store;
  const items = input.items.filter((item) => item.store === store.name);
  const unmanagedBytes = input.unmanaged.get(store.name)?.bytes ?? 0;
  const heldBytes = input.held.get(store.name)?.bytes ?? 0;
  const usedBytes = sumBytes(items) + unmanagedBytes + heldBytes;
  const counted = input.mode === "manual" ? usedBytes - heldBytes : usedBytes;
  let left = counted - certainBytes(items.filter((item) => item.verdict === "reclaim"));
  const pressed = left > maxBytes;
  if (pressed) {
    const oldestFirst = items
      .filter((item) => mayGo(item, store, input.policy))
      .sort((a, b) => b.ageMs - a.ageMs || (a.path < b.path ? -1 : 1));
    for (const item of oldestFirst) {
      if (left <= targetBytes) break;
      left -= item.bytes;
      chosen.set(item, pressOut(item, store, usedBytes));
    }
  }
  const stays = items.filter((item) => item.verdict === "keep" && !chosen.has(item));
  return {
    store: store.name,
    maxBytes,
    targetBytes,
    usedBytes,
    unmanagedBytes,
    heldBytes,
    freeBytes: counted - left,
    over: usedBytes > maxBytes,
    blocked: pressed && left > targetBytes ? whatBlocks(stays, input.unmanaged.get(store.name), input.held.get(store.name)) : [],
  };
}

/**
 * A file that is kept only because it is within the limits, or because nobody knows who made it in a store that has one. A doubt
 * about the clock stops rules about age; the order of the files is none, as long as their own time stamps are in the past.
 */
function mayGo(item: PlanItem, store: TemplatedStore, policy: PressureInput["policy"]): boolean {
  return item.verdict === "keep" && item.links === 1 && isOnlyPressed(item, store, policy);
}

/** Whether nothing but its store's limit decides about a file; asked again, without the store, right before it goes. */
export function isOnlyPressed(item: PlanItem, store: TemplatedStore, policy: PressureInput["policy"]): boolean {
  if (item.reason === "within-limits") return true;
  if (item.reason === "orphan") return store.automatic;
  if (item.reason !== "clock" || item.role !== "clip" || item.ageMs <= 0) return false;
  return (store.retentionMs ?? policy.retentionMs) === 0 && (store.graceMs ?? policy.graceMs) === 0;
}

function pressOut(item: PlanItem, store: TemplatedStore, usedBytes: number): PlanItem {
  return {
    ...item,
    verdict: "reclaim",
    reason: "pressure",
    // Held bytes count as used (R58), so holding it would free nothing.
    undoMs: 0,
    evidence: [
      t(
        'the store "{0}" has {1} and may have {2}; this is one of its oldest files',
        store.name,
        formatBytes(usedBytes),
        formatBytes(store.maxBytes ?? 0),
      ),
      ...item.evidence,
    ],
  };
}

function whatBlocks(stays: readonly PlanItem[], unmanaged: Totals | undefined, held: Totals | undefined): Pressure["blocked"] {
  const sums = new Map<Pressure["blocked"][number]["reason"], { files: number; bytes: number }>();
  const add = (reason: Pressure["blocked"][number]["reason"], files: number, bytes: number): void => {
    const sum = sums.get(reason) ?? { files: 0, bytes: 0 };
    sums.set(reason, { files: sum.files + files, bytes: sum.bytes + bytes });
  };
  for (const item of stays) add(item.reason, 1, item.bytes);
  if (unmanaged && unmanaged.files > 0) add("not-managed", unmanaged.files, unmanaged.bytes);
  if (held && held.files > 0) add("held", held.files, held.bytes);
  return [...sums].map(([reason, { files, bytes }]) => ({ reason, files, bytes })).sort((a, b) => b.bytes - a.bytes);
}

/** S4.3: the warning names the size; what blocks the target is named, too (R56). */
function explainPressure(pressure: Pressure): Problem[] {
  if (!pressure.over) return [];
  const { store, usedBytes, maxBytes, targetBytes, freeBytes, blocked } = pressure;
  const size = t(
    'storage pressure: the store "{0}" has {1} and may have {2}; cleaning frees {3}',
    store,
    formatBytes(usedBytes),
    formatBytes(maxBytes),
    formatBytes(freeBytes),
  );
  const why =
    blocked.length === 0
      ? ""
      : t(
          ". The target of {0} is out of reach: {1}",
          formatBytes(targetBytes),
          blocked.map(({ reason, files, bytes }) => `${reason} ${formatBytes(bytes)} (${countFiles(files)})`).join(", "),
        );
  return [{ severity: "warning", source: store, message: size + why }];
}

function sumBytes(items: readonly PlanItem[]): number {
  return items.reduce((sum, item) => sum + item.bytes, 0);
}

/** Of a file with another hard link nothing is freed for certain (R10). */
function certainBytes(items: readonly PlanItem[]): number {
  return items.reduce((sum, item) => sum + (item.links > 1 ? 0 : item.bytes), 0);
}
