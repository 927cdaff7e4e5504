import { execFile, spawnSync } from "node:child_process";
import { createRequire } from "node:module";

let found: string | undefined;

/**
 * The ffmpeg of this machine: the one on PATH if it runs, else the one inside the npm package `@ffmpeg-installer/ffmpeg`.
 * Looks once per process. Throws an error that says how to get one.
 */
export function findFfmpeg(): string {
  found ??= runs("ffmpeg") ? "ffmpeg" : packagedFfmpeg();
  if (found === undefined) {
    throw new Error("ffmpeg was not found. Install it so that `ffmpeg -version` works, or run `npm install @ffmpeg-installer/ffmpeg`.");
  }
  return found;
}

/**
 * Runs ffmpeg without a shell, so that no file name can become a command. Rejects with what ffmpeg said, or with the reason of
 * the signal.
 *
 * The signal is not handed to `execFile`: that rejects while the process may still be about to create its output, and a caller
 * that removes the half-written file would be too early. Here the promise settles when the process is gone.
 */
export async function runFfmpeg(args: readonly string[], signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const program = findFfmpeg();
  await new Promise<void>((resolve, reject) => {
    const child = execFile(program, ["-nostdin", "-hide_banner", "-loglevel", "error", "-y", ...args], (error, _stdout, stderr) => {
      signal?.removeEventListener("abort", stop);
      if (signal?.aborted) return reject(signal.reason);
      if (error) return reject(new Error(`ffmpeg failed: ${stderr.trim() || error.message}`, { cause: error }));
      resolve();
    });
    const stop = (): void => void child.kill("SIGKILL");
    signal?.addEventListener("abort", stop, { once: true });
  });
}

function packagedFfmpeg(): string | undefined {
  try {
    const installer = createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg") as { readonly path: string };
    return runs(installer.path) ? installer.path : undefined;
  } catch {
    // Not installed, or no build for this platform: findFfmpeg reports that there is none.
    return undefined;
  }
}

function runs(program: string): boolean {
  return spawnSync(program, ["-version"], { stdio: "ignore" }).status === 0;
}
