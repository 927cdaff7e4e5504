/** What happens when the analysis has no answer: it is noted, and whoever only looks gets nothing. */
import type { Session } from "../session.ts";
import { NoAnswer } from "./thread.ts";

/** Notes where it failed, for whoever reads the log. */
export function isNoAnswer(session: Session, error: unknown): error is NoAnswer {
  if (!(error instanceof NoAnswer)) return false;
  session.connection.console.error(error.stack ?? error.message);
  return true;
}

/** For what comes without being asked for by anybody (a hover, a light bulb): an error message would only disturb. */
export async function orNothing<R>(session: Session, nothing: R, act: () => Promise<R>): Promise<R> {
  try {
    return await act();
  } catch (error) {
    if (isNoAnswer(session, error)) return nothing;
    throw error;
  }
}
