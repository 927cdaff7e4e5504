/** At the start, and when trust is given: what a crash left is brought to an end, and what is due is freed. */
import fs from "node:fs";
import { homeOf } from "../core/reclaim/home.ts";
import { recoverRuns } from "../core/runs.ts";
import { explain } from "./edge.ts";
import { purgeExpired } from "./expiry.ts";
import { type Session, tell } from "./session.ts";
import { wordRecovery } from "./words.ts";

/** Does nothing in an untrusted workspace, nor where Offcut never ran (R13, R82). */
export async function recoverFolders(session: Session, folders: readonly string[]): Promise<void> {
  if (!session.trusted) return;
  for (const root of folders) {
    if (!fs.existsSync(homeOf(root))) continue;
    try {
      const recovered = await recoverRuns(root, session.now);
      if (recovered.length > 0) {
        tell(session, wordRecovery(recovered));
        session.changed(root);
      }
    } catch (error) {
      // Usually another process is cleaning right now; then its run is not ours to end.
      session.connection.console.warn(`${root}: ${explain(error)}`);
      continue;
    }
    await purgeExpired(session, root);
  }
}
