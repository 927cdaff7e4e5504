/** Enforces the policy of folders while the editor is open, where the user wants it and nobody else does it. */
import { setTimeout as delay } from "node:timers/promises";
import { t } from "@vscode/l10n";
import { ConfigError } from "../core/config/config.ts";
import { loadConfig } from "../core/config/load.ts";
import { roundIntervalMs, startRounds } from "../core/rounds.ts";
import { type Claim, claimRounds, readSchedule, type RoundNote } from "../core/schedule.ts";
import { pathOf, uriOf } from "./convert.ts";
import { explain } from "./edge.ts";
import { type BackgroundParams, enforcedNotification, type EnforcedParams } from "./protocol.ts";
import { answerOf, type Finished, runRound, unusable } from "./round.ts";
import { tellSchedule } from "./schedule.ts";
import type { Session } from "./session.ts";

export interface BackgroundOptions {
  /** How long the editor is left alone after it was opened, milliseconds. */
  readonly firstMs?: number;
  /** After how long it is looked again whether somebody else still does it, milliseconds. */
  readonly againMs?: number;
}

/** What opens at start-up goes first. */
const FIRST_MS = 10_000;
const AGAIN_MS = 60_000;
/** Often enough for whoever cannot see this process, also during a long round. */
const SIGN_MS = 20_000;

export interface Background {
  /** Whether the user wants it for a folder. */
  set(params: BackgroundParams): void;
  /** What was wanted before the workspace was trusted begins now (R82). */
  trusted(): void;
  /** Folders that are no longer part of the workspace. */
  foldersGone(roots: readonly string[]): void;
  /** Ends between two files. */
  stop(): Promise<void>;
}

interface Loop {
  readonly end: AbortController;
  readonly ended: Promise<void>;
}

export function createBackground(session: Session, options: BackgroundOptions = {}): Background {
  const wanted = new Set<string>();
  const loops = new Map<string, Loop>();
  const start = (root: string): void => {
    const before = loops.get(root);
    if (!session.trusted || (before && !before.end.signal.aborted)) return;
    const end = new AbortController();
    const run = async (): Promise<void> => {
      // One that was just told to stop gives its claim up first.
      await before?.ended;
      await keepEnforcing(session, root, { firstMs: FIRST_MS, againMs: AGAIN_MS, ...options }, end.signal);
    };
    loops.set(root, { end, ended: run() });
  };
  const stop = (root: string): void => {
    wanted.delete(root);
    loops.get(root)?.end.abort();
  };
  return {
    set({ folder, enabled }) {
      const root = pathOf(folder);
      if (!enabled || !session.folders.includes(root)) return stop(root);
      wanted.add(root);
      start(root);
    },
    trusted() {
      for (const root of wanted) start(root);
    },
    foldersGone(roots) {
      for (const root of roots) stop(root);
    },
    async stop() {
      for (const { end } of loops.values()) end.abort();
      await Promise.all([...loops.values()].map((loop) => loop.ended));
    },
  };
}

/** Waits for its turn, then goes round by round; whoever else enforces the policy keeps on doing it. */
async function keepEnforcing(session: Session, root: string, options: Required<BackgroundOptions>, signal: AbortSignal): Promise<void> {
  try {
    await delay(options.firstMs, undefined, { signal });
    const tell = createTeller(session, root);
    while (!signal.aborted) {
      try {
        const everyMs = roundIntervalMs(loadConfig(root));
        using claim = await claimRounds(root, { by: "editor", everyMs, signal });
        await goRound(session, root, { claim, everyMs, signal, tell });
      } catch (error) {
        if (signal.aborted) break;
        // Usually somebody else does it. A configuration that cannot be used is told here as in any round.
        if (error instanceof ConfigError) tell(unusable(error, session.now()));
        else session.connection.console.info(`${root}: ${explain(error)}`);
      }
      await delay(options.againMs, undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    tellSchedule(session, root);
  }
}

interface Going {
  readonly claim: Claim;
  readonly everyMs: number;
  readonly signal: AbortSignal;
  readonly tell: (finished: Finished) => void;
}

async function goRound(session: Session, root: string, { claim, everyMs: firstEveryMs, signal, tell }: Going): Promise<void> {
  let everyMs = firstEveryMs;
  let left = timeLeft(readSchedule(root).last, everyMs, session.now());
  const note: Claim["note"] = (change) => {
    const why = claim.note(change);
    if (why !== undefined) session.connection.console.warn(why);
    tellSchedule(session, root);
    return why;
  };
  const rounds = startRounds({
    signal,
    onTick: () => claim.keepAlive(),
    onPlanned: (nextUptimeMs) => void note({ nextUptimeMs }),
    round: async () => {
      // A window that is opened anew goes on where the last one was.
      const rest = left;
      left = 0;
      if (rest > 0) return rest;
      const alive = setInterval(() => claim.keepAlive(), SIGN_MS);
      try {
        // A signal of its own: what listens to it is gone with the round.
        const finished = await runRound(session, root, { signal: AbortSignal.any([signal]) });
        if (finished.config) everyMs = roundIntervalMs(finished.config);
        note({ everyMs, last: finished.note });
        if (!signal.aborted) tell(finished);
        return everyMs;
      } finally {
        clearInterval(alive);
      }
    },
  });
  await rounds.ended;
}

/** Until the next round, where the last one was a moment ago; a time in the future is that of a clock that was wrong (R48). */
function timeLeft(last: RoundNote | undefined, everyMs: number, nowMs: number): number {
  const ago = last === undefined ? Number.POSITIVE_INFINITY : nowMs - Date.parse(last.at);
  return ago < 0 ? 0 : Math.max(0, everyMs - ago);
}

/** Tells what needs somebody when it comes up, each cause once, and not again before it was over. */
function createTeller(session: Session, root: string): (finished: Finished) => void {
  let before: string | undefined;
  return (finished) => {
    const { note, round } = finished;
    const { outcome, message } = note;
    const cause = causeOf(finished);
    const news = cause !== before;
    before = cause;
    session.connection.console.info(`${root}: ${outcome}: ${message}`);
    if (!news || !["braked", "failed", "configuration", "error"].includes(outcome)) return;
    const answer = round ? answerOf(round, session.now()) : { outcome: "failed" as const, message: wordFailure(message) };
    const params: EnforcedParams = { folder: uriOf(root), ...answer };
    void session.connection.sendNotification(enforcedNotification, params);
  };
}

/** A configuration may have many mistakes, one in each line; a notification has room for one. */
function wordFailure(message: string): string {
  const [first = "", ...more] = message.split("\n");
  return more.length === 0
    ? t("The policy cannot be enforced: {0}", first)
    : t("The policy cannot be enforced: {0} (and {1} more)", first, more.length);
}

/** Figures change from round to round, and other files fail: neither is another cause. */
function causeOf({ note: { outcome, message }, round }: Finished): string {
  if (!round) return `${outcome}: ${message}`;
  const blind = outcome === "failed" ? round.problems.filter((problem) => problem.severity === "error") : [];
  return [outcome, ...blind.map((problem) => `${problem.source}: ${problem.message}`)].join("\n");
}
