/**
 * Figures of the disk in the findings. While somebody types, findings carry the figures that are known; what is missing or old
 * is measured afterwards.
 */
import { measure, startListings } from "../../core/analysis/disk.ts";
import type { Finding, OnDisk } from "../../core/analysis/finding.ts";
import type { Config } from "../../core/config/config.ts";

interface Figure {
  readonly onDisk?: OnDisk;
  /** What a message says of it, with the brackets. */
  readonly words: string;
  readonly measuredMs: number;
}

export interface Figures {
  /** The findings with what is known of the disk. */
  apply(findings: readonly Finding[]): readonly Finding[];
  /** Measures what is missing or old; true when the findings would read differently now. */
  refresh(
    findings: readonly Finding[],
    config: Config,
    options: { readonly trusted: boolean; readonly signal?: AbortSignal },
  ): Promise<boolean>;
}

/** Figures older than this are measured again when somebody looks. */
const OLD_MS = 60_000;

export function startFigures(root: string, now: () => number): Figures {
  const known = new Map<string, Figure>();
  const listings = startListings();
  return {
    apply: (findings) =>
      findings.map((finding) => {
        const figure = known.get(keyOf(finding));
        if (!figure?.onDisk) return finding;
        return { ...finding, onDisk: figure.onDisk, message: insert(finding.message, figure.words) };
      }),
    async refresh(findings, config, { trusted, signal }) {
      const due = new Map<string, Finding>();
      for (const finding of findings) {
        const figure = known.get(keyOf(finding));
        if (finding.path && !(figure && now() - figure.measuredMs < OLD_MS)) due.set(keyOf(finding), finding);
      }
      if (due.size === 0) return false;
      const keys = [...due.keys()];
      // Without a message of its own a finding comes back with the words about its files alone.
      const bare = [...due.values()].map((finding) => Object.assign({}, finding, { message: "" }));
      const measured = await measure(root, bare, {
        stores: config.stores,
        listings,
        ...(!trusted && { outside: false }),
        ...(signal && { signal }),
      });
      let changed = false;
      for (const [i, { onDisk, message }] of measured.entries()) {
        const key = keys[i] ?? "";
        changed ||= (known.get(key)?.words ?? "") !== message;
        known.set(key, { words: message, measuredMs: now(), ...(onDisk && { onDisk }) });
      }
      return changed;
    },
  };
}

function keyOf({ path }: Finding): string {
  return path ? `${path.base} ${path.text}` : "";
}

/** The words begin with a space and go before the full stop. */
function insert(message: string, words: string): string {
  const [, sentence = message, stop = ""] = /^(.*?)([.。]?)$/su.exec(message) ?? [];
  return `${sentence}${words}${stop}`;
}
