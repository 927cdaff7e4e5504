/**
 * Storage pressure (R51–R58): a store that is larger than its limit loses its oldest files until it is at its target. Pure, and the
 * last word after every other rule: only files that nothing but the store itself keeps can go.
 */
import { t } from "@vscode/l10n";
import type { Policy, TemplatedStore } from "../config/config.ts";
import type { Blocker, PlanItem, Pressure, Problem, Totals } from "../model.ts";
import { countFiles, formatBytes } from "../words.ts";

export interface PressureInput {
  readonly stores: readonly TemplatedStore[];
  readonly policy: Pick<Policy, "retentionMs" | "graceMs">;
  /** Every decided file of all stores. */
  readonly items: readonly PlanItem[];
  /** Files in a store's directory that match no template, by the store's name. */
  readonly unmanaged: ReadonlyMap<string, Unmanaged>;
  /** What earlier runs still hold, by the store's name. */
  readonly held: ReadonlyMap<string, Totals>;
  /** How old a file counts where oldest go first, if that is not its age: what an undo put back is no newer for that. */
  readonly ageMsOf?: (item: PlanItem) => number | undefined;
}

export interface Unmanaged extends Totals {
  readonly largest: Blocker["largest"];
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
  const ownBytes = sumBytes(items);
  const usedBytes = ownBytes + unmanagedBytes + heldBytes;
  // What is held goes before any file does (R58), by whoever enforces the limit: so it presses no file.
  let left = ownBytes + unmanagedBytes - certainBytes(items.filter((item) => item.verdict === "reclaim"));
  const oldestFirst =
    left <= maxBytes
      ? []
      : items
          .filter((item) => mayGo(item, store, input.policy))
          .map((item) => ({ item, ageMs: input.ageMsOf?.(item) ?? item.ageMs }))
          .sort((a, b) => b.ageMs - a.ageMs || (a.item.path < b.item.path ? -1 : 1))
          .map(({ item }) => item);
  // Where all of the store's own files would go for the sake of others, they go in vain; then they keep the limit for themselves.
  const hopeless = unmanagedBytes > 0 && left > maxBytes && left - sumBytes(oldestFirst.slice(0, -1)) > targetBytes;
  if (hopeless) left -= unmanagedBytes;
  const counted = hopeless ? ownBytes : ownBytes + unmanagedBytes;
  const pressed = left > maxBytes;
  for (const item of pressed ? oldestFirst : []) {
    if (left <= targetBytes) break;
    left -= item.bytes;
    chosen.set(item, pressOut(item, store, usedBytes));
  }
  const stays = items.filter((item) => item.verdict === "keep" && !chosen.has(item));
  const isBlocked = (pressed && left > targetBytes) || (hopeless && usedBytes > maxBytes);
  return {
    store: store.name,
    maxBytes,
    targetBytes,
    usedBytes,
    unmanagedBytes,
    heldBytes,
    freeBytes: counted - left,
    over: usedBytes > maxBytes,
    blocked: isBlocked ? whatBlocks(stays, input.unmanaged.get(store.name), pressed) : [],
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

/** The largest, so many of them. */
const NAMED = 3;

/** Of the store's own files those count that pressure would have taken; without it only what is not managed is in the way. */
function whatBlocks(stays: readonly PlanItem[], unmanaged: Unmanaged | undefined, pressed: boolean): readonly Blocker[] {
  const byReason = new Map<PlanItem["reason"], PlanItem[]>();
  for (const item of pressed ? stays : []) {
    const others = byReason.get(item.reason);
    if (others) others.push(item);
    else byReason.set(item.reason, [item]);
  }
  const own = [...byReason].map(([reason, items]): Blocker => {
    const largest = items.toSorted((a, b) => b.bytes - a.bytes).slice(0, NAMED);
    return { reason, files: items.length, bytes: sumBytes(items), largest: largest.map(({ path, bytes }) => ({ path, bytes })) };
  });
  const foreign: Blocker[] = unmanaged && unmanaged.files > 0 ? [{ reason: "not-managed", ...unmanaged }] : [];
  return [...own, ...foreign].sort((a, b) => b.bytes - a.bytes);
}

/** Keeps the largest of those that come one after the other. */
export function withLargest(known: Unmanaged | undefined, file: { readonly path: string; readonly bytes: number }): Unmanaged {
  const { files, bytes, largest } = known ?? { files: 0, bytes: 0, largest: [] };
  const smallest = largest.at(-1)?.bytes ?? -1;
  const named =
    largest.length < NAMED || file.bytes > smallest
      ? [...largest, { path: file.path, bytes: file.bytes }].sort((a, b) => b.bytes - a.bytes).slice(0, NAMED)
      : largest;
  return { files: files + 1, bytes: bytes + file.bytes, largest: named };
}

/** S4.3: the warning names the size; what blocks the target is named, too (R56). */
function explainPressure(pressure: Pressure): Problem[] {
  if (!pressure.over) return [];
  const { store, usedBytes, maxBytes, targetBytes, freeBytes, heldBytes, blocked } = pressure;
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
      : t(". The target of {0} is out of reach: {1}", formatBytes(targetBytes), blocked.map(wordBlocker).join(", "));
  const held = heldBytes === 0 ? "" : t(". {0} of it are held for undo; automatic cleaning frees that first", formatBytes(heldBytes));
  return [{ severity: "warning", source: store, message: size + why + held }];
}

function wordBlocker({ reason, files, bytes, largest }: Blocker): string {
  const names = largest.map((file) => file.path);
  const more = files > names.length ? [...names, "…"] : names;
  return `${reason} ${formatBytes(bytes)} (${countFiles(files)}: ${more.join(", ")})`;
}

function sumBytes(items: readonly PlanItem[]): number {
  return items.reduce((sum, item) => sum + item.bytes, 0);
}

/** Of a file with another hard link nothing is freed for certain (R10). */
function certainBytes(items: readonly PlanItem[]): number {
  return items.reduce((sum, item) => sum + (item.links > 1 ? 0 : item.bytes), 0);
}
