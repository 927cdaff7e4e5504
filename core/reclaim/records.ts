/** What Offcut remembers of a workspace between runs: where its roots were, what time it was, what is pinned. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Problem } from "../model.ts";
import type { Pin, Pins } from "../plan/pins.ts";
import { readMountPoints } from "../scan/mounts.ts";
import { formatDuration } from "../words.ts";
import { ensureHome, HOME, readState, STATE_SCHEMA, writeState } from "./home.ts";

interface RootRecord {
  /** Mount point that the root was on: device numbers change from boot to boot, this does not. */
  readonly mount: string;
}

interface Records {
  readonly schema: number;
  readonly roots: Readonly<Record<string, RootRecord>>;
  readonly clock: { readonly wallMs: number; readonly uptimeMs: number; readonly boot: string };
}

const HOUR = 3_600_000;

function recordsFile(workspace: string): string {
  return path.join(workspace, HOME, "records.json");
}

/** Remembers roots and time. Called by a run, never by a look (R13). */
export function writeRecords(workspace: string, roots: readonly string[], nowMs: number): void {
  const old = readState<Records>(recordsFile(workspace));
  const seen = Object.fromEntries(roots.map((root) => [root, { mount: mountOf(root) }]));
  writeState<Records>(recordsFile(workspace), {
    schema: STATE_SCHEMA,
    roots: { ...old?.roots, ...seen },
    clock: { wallMs: nowMs, uptimeMs: uptimeMs(), boot: bootId() },
  });
}

export interface Remembered {
  readonly problems: readonly Problem[];
  /** Why nothing below one of the roots can be trusted (R76). */
  readonly unreachable?: string;
  /** Why ages cannot be trusted (R48). */
  readonly clock?: string;
}

/** Compares what is with what was. Looks only. */
export function compareRecords(workspace: string, roots: readonly string[], nowMs: number): Remembered {
  const records = readState<Records>(recordsFile(workspace));
  const problems: Problem[] = [];
  let unreachable: string | undefined;
  for (const root of roots) {
    const why = whyUnreachable(root, records?.roots[root]);
    if (why === undefined) continue;
    unreachable ??= why;
    problems.push({ severity: "error", source: root, message: t("{0}. Nothing is deleted, made or marked until it is back.", why) });
  }
  const clock = records && clockJump(records.clock, nowMs);
  if (clock !== undefined)
    problems.push({
      severity: "warning",
      source: t("clock"),
      message: t("{0}. Rules about age pause until the next cleanup has noted the new time.", clock),
    });
  return { problems, ...(unreachable !== undefined && { unreachable }), ...(clock !== undefined && { clock }) };
}

function whyUnreachable(root: string, record: RootRecord | undefined): string | undefined {
  let entries: string[];
  try {
    entries = fs.readdirSync(root);
  } catch (error) {
    return t("unreachable: {0} cannot be read ({1})", root, (error as NodeJS.ErrnoException).code ?? "");
  }
  if (!record) return undefined;
  // What a run made by mistake on the empty mount point does not make it full.
  if (entries.every((entry) => entry === HOME)) return t("unreachable: {0} is empty, and was not before", root);
  const mount = mountOf(root);
  return mount === record.mount
    ? undefined
    : t("unreachable: {0} was on the filesystem mounted at {1}, now it is on {2}", root, record.mount, mount);
}

/** The longest mount point that holds the root; the device's number where the system has no list. */
function mountOf(root: string): string {
  const real = fs.realpathSync(root);
  const points = readMountPoints().filter((point) => real === point || real.startsWith(point.endsWith("/") ? point : `${point}/`));
  return points.sort((a, b) => b.length - a.length)[0] ?? `device ${fs.statSync(real).dev}`;
}

function clockJump(then: Records["clock"], nowMs: number): string | undefined {
  const passed = nowMs - then.wallMs;
  if (passed < -HOUR) return t("the clock is {0} behind the last cleanup", formatDuration(-passed));
  if (then.boot === "" || then.boot !== bootId()) return undefined;
  const jump = passed - (uptimeMs() - then.uptimeMs);
  return Math.abs(jump) > HOUR
    ? t("the clock was set {0} {1} since the last cleanup", formatDuration(Math.abs(jump)), jump > 0 ? t("forward") : t("back"))
    : undefined;
}

function uptimeMs(): number {
  return Math.round(os.uptime() * 1000);
}

function bootId(): string {
  try {
    return fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return ""; // Not Linux: only going back can be noticed.
  }
}

interface PinFile {
  readonly schema: number;
  readonly pins: readonly Pin[];
}

export function pinsFile(workspace: string): string {
  return path.join(workspace, HOME, "pins.json");
}

/** Throws a Refusal when the file cannot be understood: pins that cannot be read might protect anything. */
export function readPins(workspace: string): Pins {
  return { root: workspace, list: readState<PinFile>(pinsFile(workspace))?.pins ?? [] };
}

/** Adds a pin; one that is there already is replaced. */
export function addPin(workspace: string, pin: Pin): Pins {
  return writePins(workspace, [...readPins(workspace).list.filter((one) => one.kind !== pin.kind || one.value !== pin.value), pin]);
}

/** Removes a pin. Returns undefined when there is none like it. */
export function removePin(workspace: string, kind: Pin["kind"], value: string): Pins | undefined {
  const { list } = readPins(workspace);
  const left = list.filter((pin) => pin.kind !== kind || pin.value !== value);
  return left.length === list.length ? undefined : writePins(workspace, left);
}

function writePins(workspace: string, pins: readonly Pin[]): Pins {
  ensureHome(workspace);
  writeState<PinFile>(pinsFile(workspace), { schema: STATE_SCHEMA, pins });
  return { root: workspace, list: pins };
}
