/** Who enforces the policy of a folder, and when, for the client. */
import type { Config } from "../core/config/config.ts";
import type { Schedule } from "./protocol.ts";
import type { Session } from "./session.ts";

export function scheduleOf(_session: Session, config: Config): Schedule {
  return { everyMs: Math.min(config.policy.everyMs, ...config.stores.flatMap((store) => store.everyMs ?? [])) };
}
