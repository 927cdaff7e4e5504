/** Numbers as people read them. */
import { t } from "@vscode/l10n";

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"] as const;

/** `12.3 MB`, 1 KB = 1024 bytes; whole bytes below 1 KB. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.95 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** The longest unit that fits: `3 d`, `5 h`, `12 min`, `40 s`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return t("{0} s", seconds);
  if (seconds < 3600) return t("{0} min", Math.floor(seconds / 60));
  if (seconds < 86_400 * 2) return t("{0} h", Math.floor(seconds / 3600));
  return t("{0} d", Math.floor(seconds / 86_400));
}

export function countFiles(count: number): string {
  return count === 1 ? t("1 file") : t("{0} files", count);
}

/** The line of S0.8, to the letter: megabytes of 1024² bytes with two decimals. Not localised, because programs read it. */
export function cleanupLine(files: number, freedBytes: number): string {
  return `Cleanup: Deleted ${files} files, freed ${(freedBytes / 1024 ** 2).toFixed(2)} MB`;
}
