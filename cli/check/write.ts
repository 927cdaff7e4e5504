/** Changes source files: each one as a whole, in its place, and only if it still says what the change was made for. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";

/** A file that is better left alone. The message says why. */
export class Unwritable extends Error {
  override readonly name = "Unwritable";
}

export interface Source {
  readonly text: string;
  /** Whether a byte order mark stands before the text. */
  readonly marked: boolean;
}

const MARK = "\uFEFF";
const TEMPORARY = ".offcut-";

/** Throws {@link Unwritable} when it is not there, or is no UTF-8, of which not every byte would come back. */
export function readSource(root: string, file: string): Source {
  let bytes: Buffer;
  try {
    bytes = fs.readFileSync(path.join(root, file));
  } catch (error) {
    throw new Unwritable(t("it cannot be read: {0}", (error as Error).message));
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.startsWith(MARK) ? { text: text.slice(1), marked: true } : { text, marked: false };
  } catch {
    throw new Unwritable(t("it is not UTF-8"));
  }
}

export interface Change {
  /** From the root, with `/`. */
  readonly file: string;
  /** Undefined for a file that is to be made. */
  readonly before: Source | undefined;
  readonly after: string;
}

/**
 * Makes changes that belong together: first everything is looked at, then all is written, so that a file which may not be changed
 * stops the others too. Throws {@link Unwritable}.
 */
export function writeChanges(root: string, changes: readonly Change[]): void {
  const staged: { readonly temporary: string; readonly target: string }[] = [];
  try {
    const targets = changes.map((change) => ({ change, target: targetOf(root, change) }));
    for (const { change, target } of targets) staged.push({ temporary: stage(target, change), target });
    for (const change of changes) if (!isUnchanged(root, change)) throw new Unwritable(t("{0} changed meanwhile", change.file));
    for (const { temporary, target } of staged) fs.renameSync(temporary, target);
  } catch (error) {
    if (error instanceof Unwritable) throw error;
    throw new Unwritable((error as Error).message, { cause: error });
  } finally {
    for (const { temporary } of staged) fs.rmSync(temporary, { force: true });
  }
}

/** Where a change really goes: a link is written through, but not out of the root. `root` has no links. */
function targetOf(root: string, { file, before }: Change): string {
  const place = path.resolve(root, file);
  const target = before === undefined ? path.join(realParent(path.dirname(place)), path.basename(place)) : fs.realpathSync(place);
  if (!isBelow(root, place) || !isBelow(root, target)) throw new Unwritable(t("{0} lies outside of {1}", file, root));
  if (before !== undefined) fs.accessSync(target, fs.constants.W_OK);
  return target;
}

/** Of a directory that may not exist yet. */
function realParent(directory: string): string {
  if (fs.existsSync(directory)) return fs.realpathSync(directory);
  return path.join(realParent(path.dirname(directory)), path.basename(directory));
}

/** The temporary file lies beside its target, so that one rename puts it there; it has the target's mode. */
function stage(target: string, { before, after }: Change): string {
  const temporary = `${target}${TEMPORARY}${process.pid}`;
  const mode = before === undefined ? undefined : fs.statSync(target).mode & 0o7777;
  fs.mkdirSync(path.dirname(target), { recursive: true });
  try {
    fs.writeFileSync(temporary, `${before?.marked ? MARK : ""}${after}`, { flag: "wx", flush: true });
    if (mode !== undefined) fs.chmodSync(temporary, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") fs.rmSync(temporary, { force: true });
    throw error;
  }
  return temporary;
}

function isUnchanged(root: string, { file, before }: Change): boolean {
  if (before === undefined) return !fs.lstatSync(path.join(root, file), { throwIfNoEntry: false });
  const now = readSource(root, file);
  return now.text === before.text && now.marked === before.marked;
}

export function isBelow(root: string, file: string): boolean {
  const relative = path.relative(root, file);
  return relative !== "" && relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}
