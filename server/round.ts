/** One round of the automatic loop, by itself or because somebody asked. */
import { t } from "@vscode/l10n";
import { type Config, ConfigError } from "../core/config/config.ts";
import { loadConfig } from "../core/config/load.ts";
import { enforce, type Enforcement, type EnforceOptions } from "../core/enforce.ts";
import { noteRound, type RoundNote } from "../core/schedule.ts";
import { pathOf } from "./convert.ts";
import { explain, requireTrust, type Work } from "./edge.ts";
import { scheduleExpiry } from "./expiry.ts";
import type { EnforceAnswer, EnforceParams } from "./protocol.ts";
import { tellSchedule } from "./schedule.ts";
import type { Session } from "./session.ts";
import { verifierFor } from "./uploads.ts";
import { wordRound } from "./words.ts";

/** What a round came to. Without `round` it could not even begin. */
export interface Finished {
  readonly note: RoundNote;
  readonly round?: Enforcement;
  readonly config?: Config;
}

/** For a loop: what goes wrong is noted, and tried again the next time. */
export async function runRound(session: Session, root: string, options: Pick<EnforceOptions, "signal">): Promise<Finished> {
  const at = new Date(session.now()).toISOString();
  try {
    const config = requireFile(loadConfig(root));
    const round = await enforceOnce(session, config, options);
    return { note: noteOf(round), round, config };
  } catch (error) {
    if (error instanceof ConfigError) return unusable(error, Date.parse(at));
    session.connection.console.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return { note: { at, outcome: "error", message: explain(error) } };
  }
}

/** No round can begin with such a configuration. */
export function unusable(error: ConfigError, atMs: number): Finished {
  return { note: { at: new Date(atMs).toISOString(), outcome: "configuration", message: explain(error) } };
}

/** Because somebody asked: the same round, so it obeys the switch and the brake, too. */
export async function enforceNow(session: Session, params: EnforceParams, work: Work): Promise<EnforceAnswer> {
  requireTrust(session);
  const root = pathOf(params.folder);
  work.progress.begin(t("Enforcing the policy"), 0, undefined, true);
  try {
    const round = await enforceOnce(session, requireFile(loadConfig(root)), {
      signal: work.signal,
      onRunProgress: ({ done, total }) =>
        work.progress.report(total === 0 ? 100 : Math.floor((done / total) * 100), t("{0} of {1}", done, total)),
    });
    noteRound(root, noteOf(round));
    return answerOf(round, session.now());
  } finally {
    work.progress.done();
    tellSchedule(session, root);
  }
}

export function answerOf(round: Enforcement, nowMs: number): EnforceAnswer {
  return {
    outcome: round.outcome,
    message: wordRound(round, nowMs),
    ...(round.result && round.result.run !== "" && { result: round.result }),
  };
}

async function enforceOnce(
  session: Session,
  config: Config,
  options: Pick<EnforceOptions, "signal" | "onRunProgress">,
): Promise<Enforcement> {
  const { environment, trusted, now, mediaCache } = session;
  const verifier = await verifierFor(session, config);
  const round = await enforce(config.root, { environment, trusted, now, mediaCache, ...verifier, ...options });
  // What is shown is old when something was moved, freed, or finds itself in a hold.
  if ((round.result && round.result.run !== "") || round.purged.length > 0) {
    session.changed(config.root);
    scheduleExpiry(session, config.root);
  }
  return round;
}

function noteOf({ at, outcome, message }: Enforcement): RoundNote {
  return { at, outcome, message };
}

/** A loop without a configuration would do nothing for ever, and nobody would notice. */
function requireFile(config: Config): Config {
  if (config.file !== undefined) return config;
  throw new ConfigError(config.problems.map((problem) => ({ ...problem, severity: "error" })));
}
