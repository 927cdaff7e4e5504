/**
 * The rhythm of the automatic loop. It is measured on the time since boot, which counts sleep and which nobody sets: neither sleep
 * nor a changed clock skips rounds or piles them up.
 */
import type { Config } from "./config/config.ts";
import { uptimeMs } from "./process.ts";

/** The loop looks as often as the most impatient store asks; a round is always about all of them. Milliseconds. */
export function roundIntervalMs({ policy, stores }: Pick<Config, "policy" | "stores">): number {
  return Math.min(policy.everyMs, ...stores.flatMap((store) => store.everyMs ?? []));
}

export interface RoundTimes {
  /** Since boot, milliseconds. */
  readonly startedMs: number;
  readonly endedMs: number;
  readonly everyMs: number;
}

/**
 * When the next round is due, since boot: `everyMs` after the start of the last one. Rounds that were missed are not made up for, and
 * one that takes longer than `everyMs` is followed by a pause, so that the machine has time for other things.
 * @internal
 */
export function nextRoundAt({ startedMs, endedMs, everyMs }: RoundTimes): number {
  const took = Math.max(0, endedMs - startedMs);
  return Math.max(startedMs + everyMs, endedMs + Math.min(took, everyMs));
}

/** How long to wait for a round that is due at `dueMs`; never longer than `everyMs`, whatever becomes of the clock. @internal */
export function waitFor(dueMs: number, nowMs: number, everyMs: number): number {
  return Math.max(0, Math.min(dueMs - nowMs, everyMs));
}

export interface RoundsOptions {
  /** One round. Returns after how many milliseconds the next one should start. What it throws ends the loop. */
  readonly round: () => Promise<number>;
  /** Told after each round when the next one is due, since boot. */
  readonly onPlanned?: (dueMs: number) => void;
  /** Now and then while nothing is to be done. */
  readonly onTick?: () => void;
  /** Ends the loop after the round that is at work; the round has to listen itself. */
  readonly signal: AbortSignal;
  /** Since boot, milliseconds. */
  readonly clock?: () => number;
  /** The longest time between two looks at the clock: timers stand still while a machine sleeps. */
  readonly sliceMs?: number;
}

export interface Rounds {
  /** A round now; while one is at work, another one right after it. */
  ask(): void;
  /** When the loop has ended. */
  readonly ended: Promise<void>;
}

const SLICE_MS = 20_000;

/** A round at once, then on schedule. */
export function startRounds({ round, onPlanned, onTick, signal, clock = uptimeMs, sliceMs = SLICE_MS }: RoundsOptions): Rounds {
  let asked = false;
  let wake: (() => void) | undefined;
  const stop = (): void => wake?.();
  signal.addEventListener("abort", stop);

  const rest = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const run = async (): Promise<void> => {
    try {
      while (!signal.aborted) {
        asked = false;
        const startedMs = clock();
        const everyMs = await round();
        if (signal.aborted) return;
        const dueMs = nextRoundAt({ startedMs, endedMs: clock(), everyMs });
        onPlanned?.(dueMs);
        for (let left = waitFor(dueMs, clock(), everyMs); left > 0; left = Math.min(left, waitFor(dueMs, clock(), everyMs))) {
          if (asked || signal.aborted) break;
          await rest(Math.min(left, sliceMs));
          onTick?.();
        }
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  };
  return {
    ask() {
      asked = true;
      wake?.();
    },
    ended: run(),
  };
}
