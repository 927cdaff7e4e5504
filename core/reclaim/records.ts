/** What Offcut remembers of a workspace between runs: where its roots were, what time it was, what is pinned. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Problem } from "../model.ts";
import type { Pin, Pins } from "../plan/pins.ts";
import { readMountPoints } from "../scan/mounts.ts";
import { formatDuration } from "../words.ts";
import { acquireLocks } from "./lock.ts";
import { ensureHome, HOME, readState, STATE_SCHEMA, writeState } from "./home.ts";

interface RootRecord {
  /** Mount point that the root was on: device numbers change from boot to boot, this does not. */
  readonly mount: string;
}

interface Records {
  readonly schema: number;
  readonly roots: Readonly<Record<string, RootRecord>>;
  readonly clock: Clock;
  /** The clock jumped: what it was measured by before, and since when the new time has to prove itself. */
  readonly doubt?: { readonly before: Clock; readonly since: Clock; readonly why: string };
}

interface Clock {
  readonly wallMs: number;
  readonly uptimeMs: number;
  readonly boot: string;
}

const HOUR = 3_600_000;

function recordsFile(workspace: string): string {
  return path.join(workspace, HOME, "records.json");
}

/** Remembers roots and time. Called by a run, never by a look (R13). */
export function writeRecords(workspace: string, roots: readonly string[], nowMs: number): void {
  const old = readState<Records>(recordsFile(workspace));
  const seen = Object.fromEntries(roots.map((root) => [root, { mount: mountOf(root) }]));
  const clock = { wallMs: nowMs, uptimeMs: uptimeMs(), boot: bootId() };
  const doubt = old && doubtOf(old, clock);
  writeState<Records>(recordsFile(workspace), {
    schema: STATE_SCHEMA,
    roots: { ...old?.roots, ...seen },
    clock,
    ...(doubt && { doubt }),
  });
}

/** Remembers roots and time where nothing was cleaned: the automatic loop measures jumps of the clock by it (R48). */
export async function noteTime(workspace: string, roots: readonly string[], nowMs: number): Promise<void> {
  using _lock = await acquireLocks([workspace]);
  writeRecords(workspace, roots, nowMs);
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
  const clock = records && doubtOf(records, { wallMs: nowMs, uptimeMs: uptimeMs(), boot: bootId() })?.why;
  if (clock !== undefined)
    problems.push({
      severity: "warning",
      source: t("clock"),
      message: t("{0}. Rules about age pause until the time has been steady for an hour.", clock),
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

/** Why the time cannot be trusted now. A clock that went back to where it was is right again; a new time is believed after an hour. */
function doubtOf(records: Records, now: Clock): NonNullable<Records["doubt"]> | undefined {
  const { doubt, clock } = records;
  const jump = clockJump(clock, now);
  if (doubt && clockJump(doubt.before, now) === undefined) return undefined;
  if (jump !== undefined) return { before: doubt?.before ?? clock, since: now, why: jump };
  if (!doubt) return undefined;
  const steady = doubt.since.boot === now.boot ? now.uptimeMs - doubt.since.uptimeMs : now.wallMs - doubt.since.wallMs;
  return steady > HOUR ? undefined : doubt;
}

function clockJump(then: Clock, now: Clock): string | undefined {
  const passed = now.wallMs - then.wallMs;
  if (passed < -HOUR) return t("the clock is {0} behind the last cleanup", formatDuration(-passed));
  if (then.boot === "" || then.boot !== now.boot) return undefined;
  const jump = passed - (now.uptimeMs - then.uptimeMs);
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
