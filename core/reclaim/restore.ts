/** Puts a held file back without ever overwriting another (R63). */
import fs from "node:fs";
import path from "node:path";

/** Filesystems without hard links, and kernels that forbid linking other people's files. */
const NO_LINK = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EACCES"]);

/**
 * Moves `from` to `to`; where that is taken, beside it with a suffix. Returns where it went. The directory must exist, and both
 * be on one filesystem.
 */
export function restoreFile(from: string, to: string): string {
  for (let attempt = 0; ; attempt++) {
    const target = attempt === 0 ? to : suffixed(to, attempt);
    try {
      moveExclusive(from, target);
      return target;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt > 999) throw error;
    }
  }
}

/** `rename` overwrites silently; `link` does not. */
function moveExclusive(from: string, to: string): void {
  try {
    fs.linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST" && isSecondName(from, to)) return fs.unlinkSync(from); // A crash came between link and unlink.
    if (!NO_LINK.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    renameOverOwnPlaceholder(from, to);
    return;
  }
  fs.unlinkSync(from);
}

/** Whether both are names of one file. One name that is reached by two paths is not two names: unlinking it would lose the file. */
export function isSecondName(a: string, b: string): boolean {
  const [one, other] = [a, b].map((file) => fs.lstatSync(file, { bigint: true, throwIfNoEntry: false }));
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev && one.nlink > 1n;
}

/** Where a file went that was restored, as the crash that came then did not let anybody say. */
export function findRestored(to: string, isIt: (file: string) => boolean): string | undefined {
  for (let attempt = 0; attempt <= 999; attempt++) {
    const target = attempt === 0 ? to : suffixed(to, attempt);
    if (isIt(target)) return target;
    if (!fs.existsSync(target)) return undefined;
  }
  return undefined;
}

/** Only the file that was made here, exclusively and still empty, is ever overwritten. */
function renameOverOwnPlaceholder(from: string, to: string): void {
  const handle = fs.openSync(to, "wx");
  const mine = fs.fstatSync(handle, { bigint: true });
  fs.closeSync(handle);
  const now = fs.lstatSync(to, { bigint: true });
  if (now.ino !== mine.ino || now.dev !== mine.dev || now.size !== 0n)
    throw Object.assign(new Error(`${to} was taken meanwhile`), { code: "EEXIST" });
  try {
    fs.renameSync(from, to);
  } catch (error) {
    fs.unlinkSync(to); // The empty file would pass for the user's own.
    throw error;
  }
}

/** `scene-1.mp3` → `scene-1.restored-1.mp3`. */
function suffixed(file: string, attempt: number): string {
  const { dir, name, ext } = path.parse(file);
  return path.join(dir, `${name}.restored-${attempt}${ext}`);
}
