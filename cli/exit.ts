import type { Plan } from "../core/model.ts";

/** Exit codes: what scripts may rely on. */
export const EXIT = {
  done: 0,
  /** Only with --exit-code: there is something to reclaim. */
  reclaimable: 1,
  /** `offcut check` found something of severity warning or above. */
  findings: 1,
  /** Wrong usage, or a configuration that cannot be used. */
  usage: 2,
  /** Some items failed; the others are done. */
  failedItems: 3,
  /** Refused: the brake, a lock, an expired plan, an untrusted or unreachable root. */
  refused: 4,
  /** A defect of Offcut. */
  internal: 70,
  /** Stopped by Ctrl-C, cleanly between two items (128 + SIGINT). */
  interrupted: 130,
} as const;

/** What `--exit-code` asks for: whether there is something to reclaim, or whether nothing could be decided. */
export function exitOf(plan: Plan): ExitCode {
  if (plan.problems.some((problem) => problem.severity === "error")) return EXIT.usage;
  return plan.totals.reclaim.files > 0 ? EXIT.reclaimable : EXIT.done;
}

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
