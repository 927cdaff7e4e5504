/**
 * Warnings of Node about libraries, e.g. that no machine of Google's answers, or how Azure's starts its own command line. They help who
 * works on those; to who cleans up they are noise, which cron would mail.
 */
import { parseSwitch } from "../core/config/auto.ts";

/** Takes away what prints them, unless somebody looks for trouble: `--verbose`, debug mode, or Node's own switches. */
export function hushWarnings(verbose: boolean, environment: NodeJS.ProcessEnv): void {
  const debug = [environment["OFFCUT_DEBUG"], environment["DEBUG"]].some((value) => parseSwitch(value ?? "") === true);
  const traced = [...process.execArgv, environment["NODE_OPTIONS"] ?? ""].some((word) => word.includes("--trace-"));
  if (verbose || debug || traced) return;
  process.removeAllListeners("warning");
}
