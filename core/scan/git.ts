/** Which files git tracks: those are never candidates (R12). */
import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { t } from "@vscode/l10n";

const run = promisify(execFile);

export interface Tracked {
  /** Absolute paths. */
  readonly files: ReadonlySet<string>;
  /** Why git could not be asked although there is a repository. */
  readonly unknown?: string;
}

/**
 * Asks git for the tracked files below some directories of a root: every repository that holds one of them, a submodule as well
 * as the one around it.
 */
export async function trackedFiles(root: string, directories: readonly string[], signal?: AbortSignal): Promise<Tracked> {
  const files = new Set<string>();
  let unknown: string | undefined;
  for (const [repository, below] of repositoriesOf(directories.map((directory) => path.join(root, directory)))) {
    try {
      for (const relative of await listFiles(repository, below, signal)) files.add(path.join(repository, relative));
    } catch (error) {
      signal?.throwIfAborted();
      const { code, stderr } = error as { code?: string | number; stderr?: string };
      const why = code === "ENOENT" ? t("git is not installed") : (stderr ?? "").trim().split("\n")[0] || String(code);
      unknown ??= t(
        "{0} is a git repository, but git cannot say which files it tracks ({1}); everything is kept until it can",
        repository,
        why,
      );
    }
  }
  return { files, ...(unknown !== undefined && { unknown }) };
}

/** The repositories around some directories, each with those of the directories that it holds, relative to it. */
function repositoriesOf(directories: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const start of directories) {
    for (let directory = start; ; directory = path.dirname(directory)) {
      if (fs.existsSync(path.join(directory, ".git")))
        found.set(directory, [...(found.get(directory) ?? []), path.relative(directory, start) || "."]);
      if (directory === path.dirname(directory)) break;
    }
  }
  return found;
}

/** A repository's own configuration cannot start a program: its file system monitor is off, and it fetches nothing. */
async function listFiles(repository: string, below: readonly string[], signal: AbortSignal | undefined): Promise<readonly string[]> {
  // In a hook git's variables point to the repository that runs it, or to a temporary index.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"));
  const env = {
    ...Object.fromEntries(inherited),
    GIT_OPTIONAL_LOCKS: "0",
    GIT_NO_LAZY_FETCH: "1",
    GIT_ALLOW_PROTOCOL: "",
    GIT_TERMINAL_PROMPT: "0",
  };
  const options = ["--literal-pathspecs", "-c", "core.fsmonitor=false", "-c", "safe.directory=*", "-C", repository];
  const { stdout, stderr } = await run("git", [...options, "ls-files", "-z", "--", ...below], {
    maxBuffer: 1024 ** 3,
    encoding: "utf8",
    env,
    ...(signal && { signal }),
  });
  // Git leaves out what it cannot read, and still ends well.
  if (/^(error|fatal):/m.test(stderr))
    throw Object.assign(new Error("git could not read its own data"), { stderr: /^(?:error|fatal): (.*)/m.exec(stderr)?.[1] });
  return stdout.split("\0").filter((relative) => relative !== "");
}
