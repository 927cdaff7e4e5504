/** A damaged manifest stops all cleaning (R32). Where it cannot be restored it is set aside, once the user agreed. */
import path from "node:path";
import { t } from "@vscode/l10n";
import { loadConfig } from "../core/config/load.ts";
import { lockManifests, setAsideManifest } from "../core/jobs/manifests.ts";
import { pathOf } from "./convert.ts";
import { requireDamage } from "../core/jobs/damage.ts";
import { requireTrust, type Work } from "./edge.ts";
import { shorten } from "./problems.ts";
import type { ForgetParams, Told } from "./protocol.ts";
import type { Session } from "./session.ts";

export async function forget(session: Session, { folder, job, confirmed }: ForgetParams, { signal }: Work): Promise<Told> {
  requireTrust(session);
  const root = pathOf(folder);
  const { directory } = loadConfig(root).jobs;
  const message = shorten(root, requireDamage(directory, job)).message;
  if (confirmed !== true) return { message };
  using _lock = await lockManifests(directory, [job], signal);
  // Somebody may have restored it while the user was asked.
  requireDamage(directory, job);
  const aside = path.relative(root, setAsideManifest(directory, job));
  session.changed(root);
  return { message: t("The manifest of {0} is now {1}; nothing reads it there.", job, aside) };
}
