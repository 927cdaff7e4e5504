/**
 * The manifest of a job: what kind of job it is, who runs it, and which files and directories are its own. Format only, no disk.
 *
 * On disk it is JSON that people can read. The first two lines are the schema version and the SHA-256 of all other bytes of the
 * file; that holds for every version, so that a newer manifest and a damaged one are never taken for each other (R69, R71).
 */
import { createHash } from "node:crypto";
import { t } from "@vscode/l10n";
import { refusePath } from "../catalog/paths.ts";
import { isSafeId } from "../config/template.ts";
import type { Lease } from "./lease.ts";

export const MANIFEST_SCHEMA = 1;

export interface ManifestEntry {
  /** Relative to the workspace, with `/`. */
  readonly path: string;
  /** As the pipeline calls it, e.g. `slides`. */
  readonly kind: string;
  readonly role: "temp" | "final";
  /** ISO 8601, UTC. */
  readonly added: string;
  /** Of a final, as it was when the job ended; 0 while a running job has only asked for its path. */
  readonly bytes?: number;
}

export interface Manifest {
  readonly schema: number;
  /** Counts the changes, from 1. */
  readonly sequence: number;
  readonly job: {
    readonly id: string;
    readonly type: string;
    readonly state: "running" | "succeeded" | "failed";
    readonly started: string;
    readonly ended?: string;
    readonly error?: string;
    /** People said that it is over, because nobody can see its process. */
    readonly abandoned?: true;
  };
  readonly lease: Lease;
  /** False: the job makes no final, so none has to be verified. */
  readonly makesFinal: boolean;
  readonly files: readonly ManifestEntry[];
  readonly directories: readonly ManifestEntry[];
  /** Since when nothing of it is left to clean. */
  readonly cleaned?: string;
}

/** What the bytes of a manifest are: a manifest, one of a newer version (its schema), or damaged (in words). */
export type Parsed = { readonly manifest: Manifest } | { readonly newer: number } | { readonly damaged: string };

export function printManifest(manifest: Manifest): string {
  const { sequence, job, lease, makesFinal, files, directories, cleaned } = manifest;
  const body = JSON.stringify({ sequence, job, lease, makesFinal, files, directories, ...(cleaned !== undefined && { cleaned }) }, null, 2);
  const schema = `{\n  "schema": ${MANIFEST_SCHEMA},\n`;
  const rest = `${body.slice(2)}\n`;
  return `${schema}  "checksum": "${hashOf(schema, rest)}",\n${rest}`;
}

export function parseManifest(bytes: Uint8Array): Parsed {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = /^(\{\n {2}"schema": (\d{1,9}),\n) {2}"checksum": "([0-9a-f]{64})",\n/.exec(buffer.subarray(0, 128).toString("latin1"));
  if (!head) return { damaged: buffer.length === 0 ? t("it is empty") : t("its first lines are not those of a manifest") };
  const [lines, schema = "", version, checksum] = head;
  if (hashOf(schema, buffer.subarray(lines.length)) !== checksum) return { damaged: t("its checksum does not fit its content") };
  if (Number(version) > MANIFEST_SCHEMA) return { newer: Number(version) };
  let value: unknown;
  try {
    value = JSON.parse(buffer.toString("utf8"));
  } catch {
    return { damaged: t("it is not JSON") };
  }
  const { checksum: _, ...fields } = value as Record<string, unknown>;
  const damaged = refuseManifest(fields);
  return damaged === undefined ? { manifest: fields as unknown as Manifest } : { damaged };
}

function hashOf(schema: string, rest: string | Uint8Array): string {
  return createHash("sha256").update(schema).update(rest).digest("hex");
}

/** Why a path may not stand in a manifest, or undefined when it may (R6, R8). */
export function refuseEntryPath(path: string): string | undefined {
  const refused = refusePath(path);
  if (refused !== undefined) return refused;
  if (path.length > 4096) return t("is longer than 4096 characters");
  if (/\p{Surrogate}/u.test(path)) return t("is not valid Unicode");
  if (path.includes("\\")) return t("has a backslash; write / between directories");
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path)) return t("is absolute; write it relative to the workspace");
  const odd = path.split("/").find((part) => part === "" || part === "." || part === "..");
  return odd === undefined ? undefined : t('has a "{0}" segment; write the plain path', odd);
}

/** What is wrong with something that should be a manifest, or undefined when nothing is. */
export function refuseManifest(value: unknown): string | undefined {
  try {
    checkManifest(value);
    return undefined;
  } catch (error) {
    if (error instanceof Wrong) return error.message;
    throw error;
  }
}

class Wrong extends Error {}

function checkManifest(value: unknown): void {
  const manifest = fieldsOf(value, "manifest", MANIFEST_FIELDS, ["cleaned"]);
  if (manifest.schema !== MANIFEST_SCHEMA) throw new Wrong(t("schema is {0}, not {1}", String(manifest.schema), MANIFEST_SCHEMA));
  checkCount(manifest.sequence, "sequence", 1);
  checkJob(manifest.job);
  checkLease(manifest.lease);
  if (typeof manifest.makesFinal !== "boolean") throw new Wrong(t("{0} is not true or false", "makesFinal"));
  const seen = new Set<string>();
  for (const list of ["files", "directories"] as const) {
    const entries = manifest[list];
    if (!Array.isArray(entries)) throw new Wrong(t("{0} is not a list", list));
    for (const [i, entry] of entries.entries()) checkEntry(entry, `${list}[${i}]`, seen);
  }
  if (manifest.cleaned !== undefined) checkDate(manifest.cleaned, "cleaned");
}

const MANIFEST_FIELDS = ["schema", "sequence", "job", "lease", "makesFinal", "files", "directories"];

function checkJob(value: unknown): void {
  const job = fieldsOf(value, "job", ["id", "type", "state", "started"], ["ended", "error", "abandoned"]);
  if (typeof job.id !== "string" || !isSafeId(job.id)) throw new Wrong(t("{0} is not an id that may be part of a path", "job.id"));
  checkText(job.type, "job.type", 256);
  if (job.state !== "running" && job.state !== "succeeded" && job.state !== "failed")
    throw new Wrong(t("{0} is not one of {1}", "job.state", "running, succeeded, failed"));
  checkDate(job.started, "job.started");
  if (job.ended !== undefined) checkDate(job.ended, "job.ended");
  if ((job.state === "running") !== (job.ended === undefined)) throw new Wrong(t("job.ended and job.state contradict each other"));
  if (job.error !== undefined && typeof job.error !== "string") throw new Wrong(t("{0} is not text", "job.error"));
  if (job.abandoned !== undefined && job.abandoned !== true) throw new Wrong(t("{0} is not true", "job.abandoned"));
}

function checkLease(value: unknown): void {
  const lease = fieldsOf(value, "lease", ["pid", "started", "boot", "namespace", "host", "durationMs"], []);
  checkCount(lease.pid, "lease.pid", 1);
  checkCount(lease.durationMs, "lease.durationMs", 1);
  for (const name of ["started", "boot", "namespace", "host"])
    if (typeof lease[name] !== "string") throw new Wrong(t("{0} is not text", `lease.${name}`));
}

/** A path that is listed twice could be temporary and final at once. */
function checkEntry(value: unknown, where: string, seen: Set<string>): void {
  const entry = fieldsOf(value, where, ["path", "kind", "role", "added"], ["bytes"]);
  const { path } = entry;
  if (typeof path !== "string") throw new Wrong(t("{0} is not text", `${where}.path`));
  const refused = refuseEntryPath(path);
  if (refused !== undefined) throw new Wrong(t("the path {0} {1}", JSON.stringify(path.slice(0, 200)), refused));
  if (seen.has(path)) throw new Wrong(t("the path {0} is listed twice", JSON.stringify(path)));
  seen.add(path);
  checkText(entry.kind, `${where}.kind`, 256);
  if (entry.role !== "temp" && entry.role !== "final") throw new Wrong(t("{0} is not one of {1}", `${where}.role`, "temp, final"));
  checkDate(entry.added, `${where}.added`);
  if (entry.bytes !== undefined) checkCount(entry.bytes, `${where}.bytes`, 0);
}

/** The fields of an object that has exactly these; a field that this version does not know may change what the others mean. */
function fieldsOf(value: unknown, where: string, needed: readonly string[], optional: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Wrong(t("{0} is not an object", where));
  const fields = value as Record<string, unknown>;
  for (const name of needed) if (!Object.hasOwn(fields, name)) throw new Wrong(t("{0} has no {1}", where, name));
  for (const name of Object.keys(fields))
    if (!needed.includes(name) && !optional.includes(name))
      throw new Wrong(t("{0} has the unknown field {1}", where, JSON.stringify(name)));
  return fields;
}

function checkText(value: unknown, where: string, longest: number): void {
  if (typeof value !== "string" || value === "") throw new Wrong(t("{0} is not text", where));
  if (value.length > longest) throw new Wrong(t("{0} is longer than {1} characters", where, longest));
}

function checkCount(value: unknown, where: string, least: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < least) throw new Wrong(t("{0} is not a whole number from {1}", where, least));
}

function checkDate(value: unknown, where: string): void {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== value)
    throw new Wrong(t("{0} is not a date such as {1}", where, "2025-01-31T12:00:00.000Z"));
}
