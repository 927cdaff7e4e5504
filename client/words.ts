/** Numbers as people read them, in the editor's language. */
import * as vscode from "vscode";
import type { Totals } from "../core/model.ts";

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
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return vscode.l10n.t("{0} s", seconds);
  if (seconds < 3600) return vscode.l10n.t("{0} min", Math.floor(seconds / 60));
  if (seconds < 86_400 * 2) return vscode.l10n.t("{0} h", Math.floor(seconds / 3600));
  return vscode.l10n.t("{0} d", Math.floor(seconds / 86_400));
}

export function countFiles(count: number): string {
  return count === 1 ? vscode.l10n.t("1 file") : vscode.l10n.t("{0} files", count);
}

export function formatTotals(totals: Totals): string {
  return `${countFiles(totals.files)}, ${formatBytes(totals.bytes)}`;
}

/** For a view's title, where the end may be cut off. */
export function formatShort(totals: Totals): string {
  return `${formatBytes(totals.bytes)} · ${countFiles(totals.files)}`;
}

export function formatTime(iso: string): string {
  return new Date(iso).toLocaleString(vscode.env.language, { dateStyle: "medium", timeStyle: "short" });
}

/** The time of day; with the date when it is not today. */
export function formatClock(iso: string): string {
  const date = new Date(iso);
  const today = date.toDateString() === new Date().toDateString();
  return date.toLocaleString(vscode.env.language, today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
}

/** A time between two rounds, in the largest unit that gives a whole number: `90 s`, `15 min`, `24 h`. */
export function formatInterval(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds % 86_400 === 0 && seconds >= 86_400 * 2) return vscode.l10n.t("{0} d", seconds / 86_400);
  if (seconds % 3600 === 0) return vscode.l10n.t("{0} h", seconds / 3600);
  return seconds % 60 === 0 ? vscode.l10n.t("{0} min", seconds / 60) : vscode.l10n.t("{0} s", seconds);
}
