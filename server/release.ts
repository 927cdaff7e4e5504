/** "Held for debugging" let go by hand, and taken back (R37). */
import { t } from "@vscode/l10n";
import { releaseOwner, unreleaseOwner } from "../core/jobs/release.ts";
import { Refusal } from "../core/reclaim/home.ts";
import { pathOf } from "./convert.ts";
import { requireTrust } from "./edge.ts";
import type { ReleaseParams } from "./protocol.ts";
import type { Session } from "./session.ts";

/** Lets go what the user saw: a job that has started again since is another matter, and is not released by it. */
export function release(session: Session, { folder, owner: id, hold }: ReleaseParams): null {
  requireTrust(session);
  const root = pathOf(folder);
  if (hold === true) {
    if (!unreleaseOwner(root, id)) throw new Refusal(t("{0} is not released, so its files are held as the policy says", id));
  } else {
    const owner = session.plans.get(root)?.plan.owners.find((one) => one.id === id);
    if (!owner) throw new Refusal(t("{0} is not in the newest list; refresh it", id));
    releaseOwner(root, owner, session.now());
  }
  session.changed(root);
  return null;
}
