/** Which files git tracks: those are never candidates (R12). */
import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Tracked {
  /** Absolute paths. */
  readonly files: ReadonlySet<string>;
  /** Why git could not be asked although there is a repository. */
  readonly unknown?: string;
}

/**
 * Asks git for the tracked files below some directories of a root. The repository's own configuration cannot start a program:
 * its file system monitor is off.
 */
export async function trackedFiles(root: string, directories: readonly string[], signal?: AbortSignal): Promise<Tracked> {
  const files = new Set<string>();
  if (directories.length === 0 || !insideRepository(root)) return { files };
  try {
    const options = ["--literal-pathspecs", "-c", "core.fsmonitor=false", "-c", "safe.directory=*", "-C", root];
    const { stdout } = await run("git", [...options, "ls-files", "-z", "--", ...directories], { maxBuffer: 1024 ** 3, encoding: "utf8", env: { ...process.env, GIT_OPTIONAL_LOCKS: "0" }, ...(signal && { signal }) });
    for (const relative of stdout.split("\0")) if (relative !== "") files.add(path.join(root, relative));
    return { files };
  } catch (error) {
    signal?.throwIfAborted();
    const { code, stderr } = error as { code?: string | number; stderr?: string };
    const why = code === "ENOENT" ? "git is not installed" : (stderr ?? "").trim().split("\n")[0] || String(code);
    return { files, unknown: `the workspace is a git repository, but git cannot say which files it tracks (${why}); everything is kept until it can` };
  }
}

function insideRepository(root: string): boolean {
  for (let directory = root; ; directory = path.dirname(directory)) {
    if (fs.existsSync(path.join(directory, ".git"))) return true;
    if (directory === path.dirname(directory)) return false;
  }
}
