/**
 * The manifests of a directory, one file a job. Each change replaces the file as a whole, so a crash leaves the old one or the new
 * one (R68), and keeps the one before as `<id>.json.bak`. Invariant: a backup never lets more be deleted than its manifest.
 */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { isSafeId } from "../config/template.ts";
import type { Problem } from "../model.ts";
import { Refusal, syncDirectory } from "../reclaim/home.ts";
import { createRetry, explainErrno } from "../reclaim/retry.ts";
import { type Heartbeat, heartbeatFile, readHeartbeat } from "./lease.ts";
import { type Manifest, MANIFEST_SCHEMA, type Parsed, parseManifest, printManifest, refuseManifest } from "./manifest.ts";
import { takeTurn } from "./turn.ts";

export interface ManifestFound {
  readonly id: string;
  /** Absolute path of the manifest, whether it is there or not. */
  readonly file: string;
  /** Absent when neither it nor its backup can be understood, or a newer version of Offcut wrote it. */
  readonly manifest?: Manifest;
  /** Where it was read. */
  readonly from: "file" | "backup" | "nothing";
  readonly problem?: Problem;
  readonly heartbeat?: Heartbeat;
}

const SUFFIX = ".json";
const BACKUP = ".json.bak";
const LEASE = ".lease";

export function manifestFile(directory: string, id: string): string {
  return path.join(directory, `${id}${SUFFIX}`);
}

function backupFile(directory: string, id: string): string {
  return path.join(directory, `${id}${BACKUP}`);
}

/** All manifests, by id. Looks only (R13). Throws a {@link Refusal} when the directory is there and cannot be read. */
export function readManifests(directory: string): readonly ManifestFound[] {
  return [...idsIn(directory)]
    .sort()
    .map((id) => look(directory, id))
    .filter((found) => found.manifest || found.problem);
}

/** Jobs that give signs of life and have no manifest: somebody began and could not note it. Looks only. */
export function readLoneHeartbeats(directory: string): readonly { readonly id: string; readonly heartbeat: Heartbeat }[] {
  const names = namesIn(directory);
  const noted = idsIn(directory);
  return names.flatMap((name) => {
    const id = name.slice(0, -LEASE.length);
    if (!name.endsWith(LEASE) || !isSafeId(id) || noted.has(id)) return [];
    const found = readHeartbeat(directory, id);
    return found ? [{ id, heartbeat: found }] : [];
  });
}

/** Files among the manifests that are none, because no job can have such an id: copies that somebody made. Absolute paths. */
export function findStrayManifests(directory: string): readonly string[] {
  return namesIn(directory)
    .filter((name) => isManifest(name) && !isSafeId(idOf(name)))
    .map((name) => path.join(directory, name));
}

/** Undefined when there is none. Looks only. */
export function readManifest(directory: string, id: string): ManifestFound | undefined {
  checkId(id);
  const found = look(directory, id);
  return found.from === "nothing" && !found.problem ? undefined : found;
}

/** Changes when any manifest changes, not with a heartbeat. One look at each file, no reading. */
export function manifestsSignature(directory: string): string {
  const keys: string[] = [];
  for (const name of namesIn(directory)) {
    if (!isManifest(name)) continue;
    const stat = fs.lstatSync(path.join(directory, name), { throwIfNoEntry: false });
    if (stat) keys.push(`${name}:${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`);
  }
  return keys.sort().join("\n");
}

/**
 * One change, alone: another process that wants to change a manifest of this directory, or that cleans, waits. Returns the manifest
 * as it was written, with its new sequence; when `change` returns what it got, nothing is written unless the file needs repair. Throws
 * a {@link Refusal} when the manifest cannot be changed, and whatever `change` throws; then the old one is still there.
 */
export async function updateManifest(directory: string, id: string, change: (old: Manifest | undefined) => Manifest): Promise<Manifest> {
  using _turn = await lockManifests(directory, [id]);
  return await changeManifest(directory, id, change);
}

/**
 * Keeps every other process from changing these manifests until it is disposed; hold it briefly. One lock serves all manifests of a
 * directory. Inside, {@link changeManifest} and {@link removeManifest} are meant, not {@link updateManifest}, which would wait for
 * its own caller.
 */
export async function lockManifests(directory: string, ids: readonly string[], signal?: AbortSignal): Promise<Disposable> {
  for (const id of ids) checkId(id);
  return ids.length === 0 ? { [Symbol.dispose]() {} } : await takeTurn(directory, signal);
}

/** As {@link updateManifest}, for a caller that holds the lock. */
export async function changeManifest(directory: string, id: string, change: (old: Manifest | undefined) => Manifest): Promise<Manifest> {
  const found = readManifest(directory, id);
  if (found?.problem && !found.manifest) throw new Refusal(found.problem.message);
  const old = found?.manifest;
  const changed = change(old);
  if (changed === old && found?.from === "file") return old;
  const manifest: Manifest = { ...changed, schema: MANIFEST_SCHEMA, sequence: (old?.sequence ?? 0) + 1 };
  const wrong = manifest.job.id === id ? refuseManifest(manifest) : t("its id is {0}", JSON.stringify(manifest.job.id));
  if (wrong !== undefined) throw new Refusal(t("the manifest of {0} cannot be written: {1}", id, wrong));
  try {
    const backUp = !found ? "first" : found.from === "file" && old && !permitsLess(old, manifest) ? "old" : "new";
    await writeManifest(directory, id, printManifest(manifest), backUp);
  } catch (error) {
    throw new Refusal(t("{0} cannot be written: {1}", manifestFile(directory, id), explainErrno(error)), { cause: error });
  }
  return manifest;
}

/** Replaces a manifest that is damaged or lost by its backup. The caller needs no lock. */
export async function repairManifest(directory: string, id: string): Promise<void> {
  await updateManifest(directory, id, (old) => {
    if (!old) throw new Refusal(t("there is no manifest of {0} in {1}", id, directory));
    return old;
  });
}

/** Forgets a job. The caller holds the lock. The manifest goes last: until then it says what is left to do (R70). */
export function removeManifest(directory: string, id: string): void {
  checkId(id);
  for (const name of namesIn(directory)) if (isBeside(name, id)) fs.rmSync(path.join(directory, name), { force: true });
  fs.rmSync(backupFile(directory, id), { force: true });
  fs.rmSync(heartbeatFile(directory, id), { force: true });
  fs.rmSync(manifestFile(directory, id), { force: true });
  syncDirectory(directory);
}

/**
 * Moves a manifest that nobody can read out of the way, into `damaged/`, with its backup, and returns where to. The caller holds the
 * lock. What the job owned is from then on nobody's: it is shown, and never deleted automatically (R30).
 */
export function setAsideManifest(directory: string, id: string): string {
  checkId(id);
  const aside = path.join(directory, "damaged");
  fs.mkdirSync(aside, { recursive: true });
  const taken = new Set(fs.readdirSync(aside));
  let name = id;
  for (let i = 2; taken.has(`${name}${SUFFIX}`) || taken.has(`${name}${BACKUP}`); i++) name = `${id}-${i}`;
  let moved: string | undefined;
  for (const [suffix, file] of [
    [BACKUP, backupFile(directory, id)],
    [SUFFIX, manifestFile(directory, id)],
  ] as const) {
    if (!fs.lstatSync(file, { throwIfNoEntry: false })) continue;
    moved = path.join(aside, `${name}${suffix}`);
    fs.renameSync(file, moved);
  }
  if (moved === undefined) throw new Refusal(t("there is no manifest of {0} in {1}", id, directory));
  fs.rmSync(heartbeatFile(directory, id), { force: true });
  syncDirectory(aside);
  syncDirectory(directory);
  return moved;
}

function checkId(id: string): void {
  if (!isSafeId(id)) throw new Refusal(t("{0} is no id of a job: letters, digits, dots, dashes and underscores are", JSON.stringify(id)));
}

/** Without those that begin with a dot, which systems and editors leave behind. */
function namesIn(directory: string): readonly string[] {
  try {
    return fs.readdirSync(directory).filter((name) => !name.startsWith("."));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new Refusal(t("the job manifests in {0} cannot be read: {1}", directory, explainErrno(error)), { cause: error });
  }
}

function isManifest(name: string): boolean {
  return name.endsWith(SUFFIX) || name.endsWith(BACKUP);
}

/** Left by a process that was killed while it wrote. */
function isBeside(name: string, id: string): boolean {
  return name.endsWith(".tmp") && name.startsWith(`${id}.`) && /^(json|json\.bak|lease\.\d+-\d+)\.tmp$/.test(name.slice(id.length + 1));
}

function idsIn(directory: string): Set<string> {
  return new Set(namesIn(directory).flatMap((name) => (isManifest(name) && isSafeId(idOf(name)) ? [idOf(name)] : [])));
}

function idOf(name: string): string {
  return name.replace(/\.json(\.bak)?$/, "");
}

function look(directory: string, id: string): ManifestFound {
  const file = manifestFile(directory, id);
  const beat = readHeartbeat(directory, id);
  const base = { id, file, ...(beat && { heartbeat: beat }) };
  const main = readOne(file, id);
  if ("manifest" in main) return { ...base, manifest: main.manifest, from: "file" };
  if ("unreadable" in main) {
    const message = t("{0} cannot be read: {1}. Nothing is cleaned until it can.", file, main.unreadable);
    return { ...base, from: "nothing", problem: { severity: "error", source: file, message } };
  }
  if ("newer" in main) return { ...base, from: "file", problem: newerProblem(file, main.newer) };
  const backup = readOne(backupFile(directory, id), id);
  if ("newer" in backup) return { ...base, from: "backup", problem: newerProblem(backupFile(directory, id), backup.newer) };
  if ("manifest" in backup) {
    const what = "damaged" in main ? t("{0} is damaged ({1})", file, main.damaged) : t("{0} is missing", file);
    const message = t('{0}; its backup, which may be one change older, is used. "offcut doctor" restores it.', what);
    return { ...base, manifest: backup.manifest, from: "backup", problem: { severity: "warning", source: file, message } };
  }
  if ("missing" in main && "missing" in backup) return { ...base, from: "nothing" };
  const what = "damaged" in main ? main.damaged : t("it is missing");
  const backupWhat =
    "damaged" in backup
      ? t("its backup is damaged, too ({0})", backup.damaged)
      : "unreadable" in backup
        ? t("its backup cannot be read ({0})", backup.unreadable)
        : t("there is no backup");
  const mend = t('Restore it, or set it aside with "offcut jobs forget {0}"; nothing is cleaned until then.', id);
  const message = `${t("{0} is damaged ({1}), and {2}", file, what, backupWhat)}. ${mend}`;
  return { ...base, from: "nothing", problem: { severity: "error", source: file, message } };
}

function newerProblem(file: string, schema: number): Problem {
  const message = t(
    "{0} was written by a newer version of Offcut (schema {1}). Update this one; until then nothing is cleaned.",
    file,
    schema,
  );
  return { severity: "error", source: file, message };
}

/** What cannot be read now may be whole, so its backup may not take its place. */
type Read = Parsed | { readonly missing: true } | { readonly unreadable: string };

function readOne(file: string, id: string): Read {
  let bytes: Buffer;
  try {
    // A pipe would wait for a writer, and a link may lead anywhere.
    const handle = fs.openSync(file, fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0));
    try {
      if (!fs.fstatSync(handle).isFile()) return { damaged: t("it is not a regular file") };
      bytes = fs.readFileSync(handle);
    } finally {
      fs.closeSync(handle);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return { missing: true };
    if (code === "ELOOP") return { damaged: t("it is not a regular file") };
    return code === "EIO" ? { damaged: explainErrno(error) } : { unreadable: explainErrno(error) };
  }
  const parsed = parseManifest(bytes);
  return "manifest" in parsed && parsed.manifest.job.id !== id
    ? { damaged: t("it is the manifest of {0}", JSON.stringify(parsed.manifest.job.id)) }
    : parsed;
}

/** Whether something may go by the old one that may not go by the new one: then the old one is no backup (R32). */
function permitsLess(old: Manifest, manifest: Manifest): boolean {
  const order = ["running", "failed", "succeeded"];
  if (order.indexOf(manifest.job.state) < order.indexOf(old.job.state) || (manifest.makesFinal && !old.makesFinal)) return true;
  const roles = new Map([...manifest.files, ...manifest.directories].map((entry) => [entry.path, entry.role]));
  return [...old.files, ...old.directories].some((entry) => entry.role === "temp" && roles.get(entry.path) !== "temp");
}

/**
 * Never a moment without a whole manifest; the backup is the old one, or the new one again. The names of temporary files are fixed,
 * because only the holder of the lock writes.
 */
async function writeManifest(directory: string, id: string, text: string, backUp: "first" | "old" | "new"): Promise<void> {
  const file = manifestFile(directory, id);
  const backup = backupFile(directory, id);
  const [temporary, spare] = [`${file}.tmp`, `${backup}.tmp`];
  const retry = createRetry();
  try {
    fs.writeFileSync(temporary, text, { flush: true });
    fs.rmSync(spare, { force: true });
    if (backUp === "old") linkOrCopy(file, spare);
    else fs.writeFileSync(spare, text, { flush: true });
    // The first manifest of a job comes before its backup: one without the other would look as if it had been lost.
    if (backUp === "first") await retry(() => fs.renameSync(temporary, file));
    await retry(() => fs.renameSync(spare, backup));
    if (backUp !== "first") await retry(() => fs.renameSync(temporary, file));
  } finally {
    fs.rmSync(temporary, { force: true });
    fs.rmSync(spare, { force: true }); // Two names of one file: then the rename has done nothing.
  }
  syncDirectory(directory);
}

/** Some filesystems have no hard links. */
function linkOrCopy(from: string, to: string): void {
  try {
    fs.linkSync(from, to);
  } catch (error) {
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? ""))
      throw error;
    fs.writeFileSync(to, fs.readFileSync(from), { flush: true });
  }
}
