/** Runs the command line as a process of its own, from the sources. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface OffcutOptions {
  readonly root?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export async function offcut(args: readonly string[], options: OffcutOptions = {}): Promise<Outcome> {
  const environment: NodeJS.ProcessEnv = { ...process.env, ...options.env };
  if (options.env?.["AUTO_CLEANUP_ENABLED"] === undefined) delete environment["AUTO_CLEANUP_ENABLED"];
  delete environment["DEBUG"];
  const child = spawn(process.execPath, [main, ...args, ...(options.root === undefined ? [] : ["--root", options.root])], {
    env: environment,
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
  child.stderr.on("data", (data: Buffer) => {
    stderr += data.toString();
  });
  child.stdin.end(options.input ?? "");
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout, stderr };
}

/** The JSON that a command printed. */
export function json<T = Record<string, unknown>>(outcome: Outcome): T {
  return JSON.parse(outcome.stdout) as T;
}
