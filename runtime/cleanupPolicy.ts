/** When files may go (S2.5), from a file that is read again when it changes, or from values. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { loadEngine } from "./load.ts";
import { type Logger, loggerOr, messageOf } from "./logger.ts";
import { type PolicyValues, readPolicy } from "./policyValues.ts";

export interface PolicyOptions {
  /** Default: `console`. */
  readonly logger?: Logger;
}

export interface WatchOptions {
  /** How often the file is looked at, milliseconds. Default 5,000. */
  readonly everyMs?: number;
  readonly onChange?: (policy: PolicyValues) => void;
}

/**
 * Every field has a default. Values that cannot be are a TypeError; a file that cannot be used is told with line and mend: at the start
 * the policy is off then, so that nothing goes by rules that nobody wrote, and later the last good one stays in force.
 */
export class CleanupPolicy implements PolicyValues {
  private values: PolicyValues;
  private found: readonly string[] = [];
  private seen: string | undefined;
  private reading: Promise<void> | undefined;
  private readonly file: string | undefined;
  private readonly logger: Logger;

  constructor(values: Partial<PolicyValues> = {}, options: PolicyOptions & { readonly file?: string } = {}) {
    const { policy, mistakes } = readPolicy(values);
    if (mistakes.length > 0) throw new TypeError(mistakes.map(({ key, message }) => `${key}: ${message}`).join("; "));
    this.values = policy;
    this.file = options.file === undefined ? undefined : path.resolve(options.file);
    this.logger = loggerOr(options.logger);
  }

  /** Reads YAML or JSON: the section `cleanup`, or the whole file, with keys in snake_case or camelCase. Never rejects. */
  static async load(file: string, options: PolicyOptions = {}): Promise<CleanupPolicy> {
    const policy = new CleanupPolicy({ enabled: false }, { ...options, file });
    await policy.current();
    return policy;
  }

  get enabled(): boolean {
    return this.values.enabled;
  }
  get retentionHours(): number {
    return this.values.retentionHours;
  }
  get fileTypesToClean(): readonly string[] | undefined {
    return this.values.fileTypesToClean;
  }
  get preserveOnFailure(): boolean {
    return this.values.preserveOnFailure;
  }
  get debugModeDisables(): boolean {
    return this.values.debugModeDisables;
  }

  /** What is wrong with the file as it is now, with lines and mends; empty when nothing is. */
  get problems(): readonly string[] {
    return this.found;
  }

  /** The policy as it is now: the file is read again when it changed. Never rejects. */
  async current(): Promise<PolicyValues> {
    if (this.file !== undefined) {
      this.reading ??= this.read(this.file).finally(() => (this.reading = undefined));
      await this.reading;
    }
    return this.values;
  }

  /** Looks at the file now and then, until it is disposed. Keeps no process running. */
  watch(options: WatchOptions = {}): Disposable {
    let last = this.values;
    const look = async (): Promise<void> => {
      const now = await this.current();
      if (now === last) return;
      last = now;
      try {
        options.onChange?.(now);
      } catch (error) {
        this.logger.error(t("Cleanup policy: {0}", messageOf(error)));
      }
    };
    const timer = setInterval(() => void look(), Math.min(options.everyMs ?? 5000, 2 ** 31 - 1)); // Node fires a longer timer at once.
    timer.unref();
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  private async read(file: string): Promise<void> {
    const state = stateOf(file);
    if (state === this.seen) return;
    const first = this.seen === undefined;
    try {
      const { policy, problems } = (await loadEngine()).readPolicyFile(file);
      this.seen = state;
      this.found = problems;
      if (policy) {
        this.values = policy;
        if (!first) this.logger.info(t("Cleanup policy read again: {0}", file), { ...policy });
        return;
      }
    } catch (error) {
      this.seen = state;
      this.found = [`${file}: ${messageOf(error)}`];
    }
    const after = first ? t("Automatic cleanup is off until it is mended.") : t("The last good policy stays in force.");
    this.logger.error(`${t("Cleanup policy: {0}", this.found.join("; "))} ${after}`, { file });
  }
}

/** Changes when the file is written, replaced or removed. */
function stateOf(file: string): string {
  try {
    const { ino, size, mtimeNs } = fs.statSync(file, { bigint: true });
    return `${ino}:${size}:${mtimeNs}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unreadable";
  }
}
