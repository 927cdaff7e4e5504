/** The terminal shell: one catch, one exit. */
import { t } from "@vscode/l10n";
import { DatabaseError } from "../core/catalog/open.ts";
import { ConfigError } from "../core/config/config.ts";
import type { Plan } from "../core/model.ts";
import { Refusal } from "../core/reclaim/home.ts";
import { type Arguments, parseCommandLine, UsageError, wantsJson } from "./args.ts";
import { check } from "./commands/check.ts";
import { Braked, clean } from "./commands/clean.ts";
import { plan } from "./commands/plan.ts";
import { jobs } from "./commands/jobs.ts";
import { history, purge, undo } from "./commands/runs.ts";
import { scan } from "./commands/scan.ts";
import { auto, pin } from "./commands/settings.ts";
import { doctor, migrate } from "./commands/upkeep.ts";
import { watch } from "./commands/watch.ts";
import { type Context, rootOf } from "./context.ts";
import { EXIT, type ExitCode } from "./exit.ts";
import { helpFor } from "./help.ts";
import { loadTranslation } from "./locale.ts";
import { createTerminal, formatProblem, type Terminal, visible } from "./terminal.ts";
import { hushWarnings } from "./warnings.ts";

declare const OFFCUT_VERSION: string | undefined;

const COMMANDS: Readonly<Record<string, (context: Context) => ExitCode | Promise<ExitCode>>> = {
  scan,
  plan,
  clean,
  undo,
  purge,
  history,
  watch,
  jobs,
  pin,
  auto,
  migrate,
  doctor,
  check,
};

const OLDEST_NODE = [22, 13] as const;

async function main(argv: readonly string[]): Promise<ExitCode> {
  loadTranslation();
  const terminal = createTerminal(wantsJson(argv));
  try {
    const args = parseCommandLine(argv);
    if (args.has("version")) return say(terminal, typeof OFFCUT_VERSION === "string" ? OFFCUT_VERSION : t("development"));
    if (args.has("help") || COMMANDS[args.command] === undefined)
      return args.command === "lsp" && !args.has("help") ? await serve() : say(terminal, helpFor(args.command));
    requireNode();
    hushWarnings(args.has("verbose"), process.env);
    return await run(args, terminal);
  } catch (error) {
    return explain(terminal, error, argv.includes("watch"));
  }
}

async function run(args: Arguments, terminal: Terminal): Promise<ExitCode> {
  const stop = new AbortController();
  let words = (): string | undefined => t("Stopping after this file … (Ctrl-C again to stop at once)");
  const onInterrupt = (): void => {
    // The first Ctrl-C stops between two items; the second one does not wait.
    if (stop.signal.aborted) process.exit(EXIT.interrupted);
    const said = words();
    if (said !== undefined) terminal.warn(said);
    stop.abort(new Interrupted());
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  const listen = (): void => signals.forEach((signal) => process.on(signal, onInterrupt));
  const ignore = (): void => signals.forEach((signal) => process.off(signal, onInterrupt));
  const stoppable = <T>(work: () => T): T => {
    ignore();
    try {
      return work();
    } finally {
      listen();
    }
  };
  listen();
  try {
    const command = COMMANDS[args.command];
    if (!command) throw new UsageError(t('there is no command "{0}"', args.command));
    const onStop = (say: typeof words): void => void (words = say);
    return await command({ args, terminal, environment: process.env, signal: stop.signal, stoppable, onStop, root: rootOf(args) });
  } finally {
    ignore();
  }
}

class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** `inLine`: who reads the rounds of a loop as JSON reads line by line. */
function explain(terminal: Terminal, error: unknown, inLine: boolean): ExitCode {
  terminal.progress(undefined);
  const { code, lines } = describe(error);
  terminal.warn(...lines);
  if (terminal.json) {
    const problems = error instanceof ConfigError ? error.problems : [];
    const message = (error as Error).message;
    const told = {
      error: { code, message, ...(error instanceof Braked && describeBrake(error.plan)) },
      ...(problems.length > 0 && { problems }),
    };
    if (inLine) terminal.printJsonLine(told);
    else terminal.printJson(told);
  }
  return code;
}

function describeBrake({ brake, digest, totals }: Plan): object {
  return { brake, digest, files: totals.reclaim.files, bytes: totals.reclaim.bytes };
}

function describe(error: unknown): { readonly code: ExitCode; readonly lines: readonly string[] } {
  if (error instanceof UsageError) return { code: EXIT.usage, lines: [visible(`offcut: ${error.message}`)] };
  if (error instanceof ConfigError) return { code: EXIT.usage, lines: error.problems.map(formatProblem) };
  if (error instanceof Refusal) return { code: EXIT.refused, lines: [visible(t("refused: {0}", error.message))] };
  if (error instanceof DatabaseError) return { code: EXIT.refused, lines: [visible(t("refused: the database {0}", error.message))] };
  if (error instanceof Interrupted || (error as Error).name === "AbortError")
    return { code: EXIT.interrupted, lines: [t("Stopped; nothing was changed.")] };
  return {
    code: EXIT.internal,
    lines: [
      ...`offcut: ${(error as Error).stack ?? String(error)}`.split("\n"),
      t("This is a defect of Offcut; please report it with the lines above."),
    ],
  };
}

/** The server is a bundle of its own, so that no other command loads it. */
async function serve(): Promise<ExitCode> {
  requireNode();
  const file = import.meta.url.endsWith(".ts") ? "../server/main.ts" : "./server.cjs";
  // The server asks the command line how it is spoken to, and standard input and output are the way of `offcut lsp`.
  if (!process.argv.includes("--stdio")) process.argv.push("--stdio");
  await import(new URL(file, import.meta.url).href);
  return new Promise(() => {}); // The server ends the process when its client says "exit" or goes away.
}

function requireNode(): void {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  throw new UsageError(
    t("this is Node {0}, and Offcut needs {1} or newer (for its built-in SQLite)", process.versions.node, OLDEST_NODE.join(".")),
  );
}

function say(terminal: Terminal, text: string): ExitCode {
  terminal.print(...text.split("\n"));
  return EXIT.done;
}

async function start(): Promise<void> {
  process.exitCode = await main(process.argv.slice(2));
}

void start();
