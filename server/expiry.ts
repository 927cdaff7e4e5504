/** Frees the space of cleanups whose undo window is over, while the server runs. */
import { listRuns, purge } from "../core/runs.ts";
import { explain } from "./edge.ts";
import type { Session } from "./session.ts";
import { wordPurge } from "./words.ts";

const timers = new WeakMap<Session, Map<string, NodeJS.Timeout>>();

/** Node fires a longer timer at once. */
const LONGEST_MS = 2 ** 31 - 1;
/** A run that could not be freed now (another process is cleaning) is tried again after this. */
const AGAIN_MS = 60_000;

/** Sets the timer for the next window of a folder that ends; replaces the one that was set. */
export function scheduleExpiry(session: Session, root: string): void {
  const own = timers.get(session) ?? new Map<string, NodeJS.Timeout>();
  timers.set(session, own);
  clearTimeout(own.get(root));
  own.delete(root);
  const ends = listRuns(root)
    .filter((run) => run.heldFiles > 0 && run.state !== "unreachable")
    .flatMap((run) => (run.undoUntil === undefined ? [] : [Date.parse(run.undoUntil)]));
  if (!session.trusted || ends.length === 0) return;
  const wait = Math.min(Math.max(Math.min(...ends) - session.now(), 0), LONGEST_MS);
  own.set(root, start(session, root, wait));
}

/** Frees what is due. A failure is noted and tried again: nobody waits for it. */
export async function purgeExpired(session: Session, root: string): Promise<void> {
  try {
    const results = await purge(root, { expiredAt: session.now() });
    if (results.length > 0) {
      session.connection.console.info(wordPurge(results));
      session.changed(root);
    }
    // What resists (an immutable file, a changed one) is not tried again at once.
    if (results.some((result) => result.errors.length > 0)) timers.get(session)?.set(root, start(session, root, AGAIN_MS));
    else scheduleExpiry(session, root);
  } catch (error) {
    session.connection.console.warn(`${root}: ${explain(error)}`);
    timers.get(session)?.set(root, start(session, root, AGAIN_MS));
  }
}

export function cancelExpiry(session: Session): void {
  for (const timer of timers.get(session)?.values() ?? []) clearTimeout(timer);
  timers.delete(session);
}

function start(session: Session, root: string, wait: number): NodeJS.Timeout {
  return setTimeout(() => void purgeExpired(session, root), wait).unref();
}
