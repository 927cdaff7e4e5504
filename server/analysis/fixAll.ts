/** All preferred fixes of a file, one on top of the other: each is computed for the text that the one before left. */
import { lineEndOf } from "../../core/analysis/applyEdits.ts";
import type { Analysis } from "../../core/analysis/check.ts";
import type { Finding } from "../../core/analysis/finding.ts";
import type { FileChange } from "./messages.ts";
import { type Pieces, startPieces } from "./pieces.ts";

/** More findings than this in one file are left for the next time. */
const MOST_ROUNDS = 500;

interface Changed {
  readonly pieces: Pieces;
  readonly create: boolean;
}

/**
 * `read` gives the text that counts: the editor's, else the disk's; undefined when there is no such file.
 * Leaves the analysis as it was.
 */
export function fixAll(
  analysis: Analysis,
  file: string,
  findingsOf: (file: string) => readonly Finding[],
  read: (file: string) => string | undefined,
  restore: (file: string) => void,
): readonly FileChange[] {
  const changed = new Map<string, Changed>();
  /** Findings that their fix did not clear. */
  const stubborn = new Set<string>();
  const begin = (name: string): Changed => {
    const text = read(name);
    // A file that is made gets the line ends of the one with the findings.
    const begun = { pieces: startPieces(text ?? "", lineEndOf(read(file) ?? "")), create: text === undefined };
    changed.set(name, begun);
    return begun;
  };
  let last: { readonly key: string; readonly count: number } | undefined;
  try {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const findings = findingsOf(file).filter((one) => one.fixable);
      // A finding's name may pass to a copy of its code when it is cleared, so it is the number that tells.
      if (last && findings.length >= last.count) stubborn.add(last.key);
      const finding = findings.find((one) => !stubborn.has(keyOf(one)));
      if (!finding) break;
      last = { key: keyOf(finding), count: findings.length };
      const fix = analysis.fixes(finding).find((one) => one.preferred);
      for (const change of fix?.edits ?? []) {
        const known = changed.get(change.file) ?? begin(change.file);
        known.pieces.edit(change.edits);
        analysis.setText(change.file, known.pieces.text);
      }
    }
  } finally {
    for (const name of changed.keys()) restore(name);
  }
  return [...changed].flatMap(([name, { pieces, create }]): FileChange[] => {
    const edits = pieces.edits();
    return edits.length === 0 ? [] : [{ file: name, edits, ...(create && { create: true as const }) }];
  });
}

function keyOf({ rule, fingerprint }: Finding): string {
  return `${rule} ${fingerprint}`;
}
