/** Whether automatic cleaning is on (S2.4). */
import { readContents } from "../core/catalog/contents.ts";
import { resolveAutoCleanup } from "../core/config/auto.ts";
import type { Config } from "../core/config/config.ts";

/** As a plan would say it, without looking for files. */
export function isEnabled(config: Config, environment: Readonly<Record<string, string | undefined>>): boolean {
  const override = config.databases
    .map(
      ({ owners: _owners, outputs: _outputs, ...rest }) =>
        readContents({ ...rest, references: {}, uploads: {} }, { check: false }).override,
    )
    .find((one) => one !== undefined);
  const { auto } = resolveAutoCleanup({
    root: config.root,
    environment,
    ...(override && { override }),
    debugModeDisables: config.policy.debugModeDisables,
    enabled: config.policy.enabled,
  });
  return auto.enabled;
}
