/** `offcut watch`: the automatic loop, for people, for the journal of systemd, and with `--once` for cron. */
import tty from "node:tty";
import fs from "node:fs";
import { t } from "@vscode/l10n";
import { type Config, ConfigError } from "../../core/config/config.ts";
import { SHORTEST_ROUND_MS } from "../../core/config/limits.ts";
import { loadConfig } from "../../core/config/load.ts";
import { parseDuration } from "../../core/config/units.ts";
import { enforce, type Enforcement } from "../../core/enforce.ts";
import { roundIntervalMs, startRounds } from "../../core/rounds.ts";
import { claimRounds, noteRound, readSchedule, type RoundNote } from "../../core/schedule.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import type { UploadVerifier } from "../../core/uploads.ts";
import { formatDuration } from "../../core/words.ts";
import { quote, UsageError } from "../args.ts";
import { type Context, configOf, openVerifier, planOptions } from "../context.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { createLog, type Log } from "../log.ts";
import { createTeller, roundJson, type Teller } from "../tellRound.ts";
import { formatProblem } from "../terminal.ts";
import { type Memory, recallTold } from "../told.ts";

/** Cleans on schedule until it is told to stop. One per root. */
export async function watch(context: Context): Promise<ExitCode> {
  const { args, terminal, environment } = context;
  const config = requireFile(configOf(context));
  const everyMs = everyOf(args.every);
  const log = createLog(terminal, environment);
  const choices = args.root === undefined ? "" : ` --root ${quote(args.root)}`;
  const telling = { all: args.has("verbose") || log.live, choices };
  if (args.has("once")) {
    // One round of many processes goes on where the one before it was.
    const before = readSchedule(context.root).last?.outcome;
    const memory = recallTold(context.root, Date.now());
    await using round = new RoundRunner(context, createTeller(log, { ...telling, memory, ...(before && { before }) }));
    return await round.once(memory);
  }
  await using rounds = new RoundRunner(context, createTeller(log, telling));
  return await keepWatching(context, { config, rounds, log, everyOf: (current) => everyMs ?? roundIntervalMs(current) });
}

/** The rounds of one process. What is worth keeping from one to the next is the connection to remote storage, and nothing that grows. */
class RoundRunner implements AsyncDisposable {
  readonly #context: Context;
  readonly #teller: Teller;
  #verifier: UploadVerifier | undefined;

  constructor(context: Context, teller: Teller) {
    this.#context = context;
    this.#teller = teller;
  }

  async once(memory: Memory): Promise<ExitCode> {
    const { args, root, signal } = this.#context;
    const config = loadConfig(root);
    const round = await this.#enforce(config, signal);
    this.#tell(round);
    if (!args.json) memory.save();
    noteRound(root, noteOf(round));
    return exitOf(round);
  }

  /** One of many: what goes wrong is told, and tried again the next time. */
  async run(signal: AbortSignal): Promise<{ readonly note: RoundNote; readonly config?: Config }> {
    const at = new Date().toISOString();
    try {
      const config = requireFile(loadConfig(this.#context.root));
      const round = await this.#enforce(config, signal);
      this.#tell(round);
      return { note: noteOf(round), config };
    } catch (error) {
      const outcome = error instanceof ConfigError ? "configuration" : "error";
      const message = error instanceof ConfigError ? error.message : ((error as Error).message ?? String(error));
      const lines = error instanceof ConfigError ? error.problems.map(formatProblem) : explainDefect(error);
      if (this.#context.args.json) {
        const problems = error instanceof ConfigError ? error.problems : [];
        this.#context.terminal.printJsonLine({ event: "round", at, outcome, message, problems });
      } else this.#teller.failure(outcome, lines);
      return { note: { at, outcome, message } };
    }
  }

  async #enforce(config: Config, signal: AbortSignal): Promise<Enforcement> {
    this.#verifier ??= await openVerifier(this.#context, config);
    const { environment, onProgress } = planOptions(this.#context);
    const round = await enforce(this.#context.root, {
      environment,
      signal,
      ...(this.#verifier && { verifier: this.#verifier }),
      ...(onProgress && { onProgress }),
    });
    this.#context.terminal.progress(undefined);
    return round;
  }

  #tell(round: Enforcement): void {
    if (this.#context.args.json) this.#context.terminal.printJsonLine(roundJson(round));
    else this.#teller.round(round);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#verifier?.[Symbol.asyncDispose]();
  }
}

interface Watching {
  readonly config: Config;
  readonly rounds: RoundRunner;
  readonly log: Log;
  /** How often the loop looks, by a configuration. */
  readonly everyOf: (config: Config) => number;
}

async function keepWatching(context: Context, { config, rounds, log, everyOf }: Watching): Promise<ExitCode> {
  const { args, terminal, root, signal } = context;
  const say = (event: object, line: string): void => (args.json ? terminal.printJsonLine(event) : log.tell("info", line));
  let everyMs = everyOf(config);
  let resting = true;
  context.onStop(() => (resting || args.json ? undefined : t("Stopping after this file …")));
  try {
    const onWait = (who: string): void => {
      if (!args.json) log.tell("info", t("waiting for {0}, which is cleaning", who));
    };
    using claim = await claimRounds(root, { by: "watch", everyMs, signal, onWait });
    say(
      { event: "started", at: new Date().toISOString(), root, pid: process.pid, everyMs },
      t("watching {0} every {1} (process {2})", root, formatDuration(everyMs), process.pid),
    );
    let unnoted: string | undefined;
    const note = (change: Parameters<typeof claim.note>[0]): void => {
      const why = claim.note(change);
      if (why !== undefined && why !== unnoted) terminal.warn(why);
      unnoted = why;
    };
    const running = startRounds({
      signal,
      onTick: () => claim.keepAlive(),
      onPlanned: (nextUptimeMs) => note({ nextUptimeMs }),
      round: async () => {
        resting = false;
        const alive = setInterval(() => claim.keepAlive(), SIGN_MS);
        // Each round has a signal of its own: whatever listens to it is gone with it.
        const own = new AbortController();
        const stop = (): void => own.abort(signal.reason);
        signal.addEventListener("abort", stop);
        try {
          const done = await rounds.run(own.signal);
          if (done.config) everyMs = everyOf(done.config);
          note({ everyMs, last: done.note });
          return everyMs;
        } finally {
          signal.removeEventListener("abort", stop);
          clearInterval(alive);
          resting = true;
        }
      },
    });
    const onHangup = (): void => {
      if (hadTerminal && isTerminalGone()) process.emit("SIGTERM");
      else running.ask();
    };
    const hadTerminal = tty.isatty(0);
    process.on("SIGHUP", onHangup);
    try {
      await running.ended;
    } finally {
      process.off("SIGHUP", onHangup);
    }
  } catch (error) {
    // To be told to stop while it waits for its turn is an end like any other.
    if (!signal.aborted || error instanceof Refusal) throw error;
  }
  say({ event: "stopped", at: new Date().toISOString() }, t("stopped"));
  return EXIT.done;
}

/** Often enough for whoever cannot see this process, also during a long round. */
const SIGN_MS = 20_000;

/** Who watches in a terminal and closes it wants an end, not a round. */
function isTerminalGone(): boolean {
  try {
    fs.closeSync(fs.openSync("/dev/tty", "r"));
    return false;
  } catch {
    return true;
  }
}

function everyOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const everyMs = parseDuration(text);
  if (everyMs === undefined) throw new UsageError(t('--every {0} is no time; write e.g. "90s", "15m" or "1h"', text));
  if (everyMs < SHORTEST_ROUND_MS) throw new UsageError(t("--every {0} is less than a second", text));
  return everyMs;
}

/** A loop without a configuration would do nothing for ever, and nobody would notice: its drive may be away, or the directory wrong. */
function requireFile(config: Config): Config {
  if (config.file !== undefined) return config;
  throw new ConfigError(config.problems.map((problem) => ({ ...problem, severity: "error" })));
}

function noteOf({ at, outcome, message }: Enforcement): RoundNote {
  return { at, outcome, message };
}

function exitOf({ outcome }: Enforcement): ExitCode {
  switch (outcome) {
    case "failed":
      return EXIT.failedItems;
    case "braked":
    case "refused":
      return EXIT.refused;
    case "cancelled":
      return EXIT.interrupted;
    default:
      return EXIT.done;
  }
}

function explainDefect(error: unknown): readonly string[] {
  if ((error as NodeJS.ErrnoException).syscall !== undefined) return [t("this round failed: {0}", (error as Error).message)];
  return [
    ...((error as Error).stack ?? String(error)).split("\n"),
    t("This is a defect of Offcut; please report it with the lines above."),
  ];
}
