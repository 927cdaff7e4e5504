/** What Offcut remembers of a workspace between runs: where its roots were, what time it was, what is pinned. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Problem } from "../model.ts";
import type { Pin, Pins } from "../plan/pins.ts";
import { uptimeMs } from "../process.ts";
import { readMountPoints } from "../scan/mounts.ts";
import { formatDuration } from "../words.ts";
import { acquireLocks } from "./lock.ts";
import { ensureHome, HOME, homeOf, readState, Refusal, STATE_SCHEMA, writeState } from "./home.ts";
import { makeReserve } from "./reserve.ts";
import { explainErrno } from "./retry.ts";

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

export function recordsFile(workspace: string): string {
  return path.join(workspace, HOME, "records.json");
}

/** Remembers roots and time. Called by a run, never by a look (R13). A root that is not what it was keeps its record (R76). */
export function writeRecords(workspace: string, roots: readonly string[], nowMs: number): void {
  const file = recordsFile(workspace);
  const old = readRecords(workspace);
  const seen: Record<string, RootRecord> = {};
  for (const root of roots) {
    const mount = whyUnreachable(root, old?.roots[root], file) === undefined ? mountOrNone(root) : undefined;
    if (mount !== undefined) seen[root] = { mount };
  }
  const clock = { wallMs: nowMs, uptimeMs: uptimeMs(), boot: bootId() };
  const doubt = old && doubtOf(old, clock);
  writeState<Records>(file, {
    schema: STATE_SCHEMA,
    roots: { ...old?.roots, ...seen },
    clock,
    ...(doubt && { doubt }),
  });
}

/** Records of a newer version are read as well, as long as they hold what is needed here (R71). */
function readRecords(workspace: string): Records | undefined {
  const file = recordsFile(workspace);
  const records: unknown = readOrRefuse(file);
  if (records === undefined || isRecords(records)) return records;
  throw new Refusal(
    t("{0} cannot be understood; move it away, then what the roots and the clock were is noted anew when all roots are there", file),
  );
}

/** Throws a Refusal where the file stands and cannot be read, whatever the reason. */
function readOrRefuse(file: string): { readonly schema: number } | undefined {
  try {
    return readState(file);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(t("{0} cannot be read: {1}; make it readable or move it away", file, explainErrno(error)));
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRecords(value: unknown): value is Records {
  if (!isObject(value) || !Number.isInteger(value["schema"]) || Number(value["schema"]) < STATE_SCHEMA) return false;
  const { roots, clock, doubt } = value;
  return (
    isObject(roots) &&
    Object.values(roots).every((record) => isObject(record) && typeof record["mount"] === "string") &&
    isClock(clock) &&
    (doubt === undefined || (isObject(doubt) && isClock(doubt["before"]) && isClock(doubt["since"]) && typeof doubt["why"] === "string"))
  );
}

function isClock(value: unknown): value is Clock {
  return isObject(value) && Number.isFinite(value["wallMs"]) && Number.isFinite(value["uptimeMs"]) && typeof value["boot"] === "string";
}

/**
 * Remembers roots and time where nothing was cleaned: the automatic loop measures jumps of the clock by it (R48). The reserve is made
 * now, too: when the disk is full it is too late (R57).
 */
export async function noteTime(workspace: string, roots: readonly string[], nowMs: number): Promise<void> {
  using _lock = await acquireLocks([workspace]);
  orRefuse(recordsFile(workspace), () => writeRecords(workspace, roots, nowMs));
  for (const root of new Set([workspace, ...roots])) if (fs.existsSync(homeOf(root))) makeReserve(homeOf(root));
}

function orRefuse(file: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new Refusal(t("{0} cannot be written: {1}", file, explainErrno(error)));
  }
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
  const records = readRecords(workspace);
  const problems: Problem[] = [];
  let unreachable: string | undefined;
  for (const root of roots) {
    const why = whyUnreachable(root, records?.roots[root], recordsFile(workspace));
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

/** Whether a directory was on a filesystem that is not mounted now, as far as anybody noted it: what is not there is away then, not gone. */
export function isMountAway(workspace: string, directory: string): boolean {
  let mount: string | undefined;
  try {
    mount = readRecords(workspace)?.roots[directory]?.mount;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return true; // Nobody can tell.
  }
  const points = readMountPoints();
  return mount !== undefined && (points.length > 0 ? !points.includes(mount) : !fs.existsSync(mount));
}

function whyUnreachable(root: string, record: RootRecord | undefined, file: string): string | undefined {
  try {
    const entries = fs.readdirSync(root);
    if (!record) return undefined;
    // What a run made by mistake on the empty mount point does not make it full.
    if (entries.every((entry) => entry === HOME)) return t("unreachable: {0} is empty, and was not before", root);
    const mount = mountOf(root);
    if (mount === record.mount) return undefined;
    return t(
      "unreachable: {0} was on the filesystem mounted at {1}, now it is on {2} (if it moved for good, move {3} away)",
      root,
      record.mount,
      mount,
      file,
    );
  } catch (error) {
    return t("unreachable: {0} cannot be read ({1})", root, (error as NodeJS.ErrnoException).code ?? "");
  }
}

/** A root may go between two looks. */
function mountOrNone(root: string): string | undefined {
  try {
    return mountOf(root);
  } catch {
    return undefined;
  }
}

/** The longest mount point that holds the root; where the system has no list, the highest directory on the same device. */
function mountOf(root: string): string {
  const real = fs.realpathSync(root);
  const points = readMountPoints().filter((point) => real === point || real.startsWith(point.endsWith("/") ? point : `${point}/`));
  return points.sort((a, b) => b.length - a.length)[0] ?? topOfDevice(real);
}

function topOfDevice(directory: string): string {
  const parent = path.dirname(directory);
  return parent === directory || fs.statSync(parent).dev !== fs.statSync(directory).dev ? directory : topOfDevice(parent);
}

/**
 * Why the time cannot be trusted now. A clock that went back to where it was is right again; a new time is believed after an hour.
 * Across boots a jump forward cannot be measured, so there nothing shows that a clock went back: only the hour counts.
 */
function doubtOf(records: Records, now: Clock): NonNullable<Records["doubt"]> | undefined {
  const { doubt, clock } = records;
  const jump = clockJump(clock, now);
  if (doubt && isSameBoot(doubt.before, now) && clockJump(doubt.before, now) === undefined) return undefined;
  if (jump !== undefined) return { before: doubt?.before ?? clock, since: now, why: jump };
  if (!doubt) return undefined;
  const { since } = doubt;
  // A start in between set the uptime back. The wall time tells nothing: it is what is in doubt.
  const steady = since.boot === now.boot && now.uptimeMs >= since.uptimeMs ? now.uptimeMs - since.uptimeMs : now.uptimeMs;
  return steady > HOUR ? undefined : doubt;
}

function isSameBoot(one: Clock, other: Clock): boolean {
  return one.boot !== "" && one.boot === other.boot;
}

function clockJump(then: Clock, now: Clock): string | undefined {
  const passed = now.wallMs - then.wallMs;
  if (passed < -HOUR) return t("the clock is {0} behind the last cleanup", formatDuration(-passed));
  if (!isSameBoot(then, now)) return undefined;
  const jump = passed - (now.uptimeMs - then.uptimeMs);
  return Math.abs(jump) > HOUR
    ? t("the clock was set {0} {1} since the last cleanup", formatDuration(Math.abs(jump)), jump > 0 ? t("forward") : t("back"))
    : undefined;
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
  const file = pinsFile(workspace);
  const value: unknown = readOrRefuse(file);
  if (value === undefined) return { root: workspace, list: [] };
  const { schema, pins } = isObject(value) ? value : {};
  const isKnown = Array.isArray(pins) && pins.every(isPin);
  // What a newer version wrote holds as far as it can be understood (R71).
  if (!isKnown && Number(schema) > STATE_SCHEMA)
    throw new Refusal(t("{0} was written by a newer version of Offcut (schema {1}); update this one", file, Number(schema)));
  if (!isKnown || !(Number(schema) >= STATE_SCHEMA))
    throw new Refusal(t("{0} cannot be understood, and might protect anything; mend it, or move it away and pin anew", file));
  return { root: workspace, list: pins };
}

function isPin(value: unknown): value is Pin {
  return (
    isObject(value) &&
    (value["kind"] === "file" || value["kind"] === "store" || value["kind"] === "project") &&
    typeof value["value"] === "string" &&
    typeof value["added"] === "string" &&
    (value["note"] === undefined || typeof value["note"] === "string")
  );
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
  orRefuse(pinsFile(workspace), () => writeState<PinFile>(pinsFile(workspace), { schema: STATE_SCHEMA, pins }));
  return { root: workspace, list: pins };
}
