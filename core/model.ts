/**
 * The nouns of Offcut. Everything here is plain, readonly and JSON-safe, so that it can cross a room,
 * a worker thread, the wire or a journal unchanged. Sizes are bytes, durations milliseconds, dates ISO 8601 in UTC,
 * paths relative to their root with `/` unless a name says otherwise.
 */

/** What kind of file a store holds. Decides which rules apply, never whether one is skipped. */
export type Role = "intermediate" | "temp" | "shared" | "upload" | "clip" | "final";

export type OwnerState = "running" | "succeeded" | "failed" | "unknown";

/** Where a problem was found, as people look for it. `line` counts from 1. */
export interface Problem {
  readonly severity: "error" | "warning" | "info";
  /** A file name, a database, or the name of the thing that was looked at. */
  readonly source: string;
  readonly line?: number;
  /** One sentence that says what is wrong, and one that says what mends it. */
  readonly message: string;
}

/** One kind of file that a pipeline writes. */
export interface Store {
  readonly name: string;
  /** The path template, e.g. `.cache/audio/{project}/scene-{n}.mp3`, relative to `root`. */
  readonly path: string;
  readonly role: Role;
  /** Absolute path of the directory that the template starts from. */
  readonly root: string;
  /** The capture that names the owner, when the template has one. */
  readonly ownerCapture?: string;
  /** Whether automatic cleaning may take it although making it again costs money (R33). */
  readonly automatic: boolean;
}

/** What identifies a file on disk: a plan holds it, the sink compares it (R3). Decimal strings keep 64 bits through JSON. */
export interface Identity {
  readonly dev: string;
  readonly ino: string;
  readonly bytes: number;
  readonly mtimeNs: string;
}

/** One file that a store's template matched, as the walk saw it. */
export interface FileEntry {
  readonly store: string;
  /** Absolute path of the store's root. */
  readonly root: string;
  readonly path: string;
  readonly bytes: number;
  /** What the file occupies: `blocks` × 512. */
  readonly allocated: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly dev: number;
  readonly ino: number;
  readonly links: number;
  /** `file`, or what else stands at a path that the template matched. */
  readonly type: "file" | "link" | "other";
}

/** A project or a job. */
export interface Owner {
  readonly id: string;
  readonly state: OwnerState;
  /** The word as the database has it, e.g. `complete`. */
  readonly status: string;
  /** Where the state was read, e.g. `projects.status`. */
  readonly source: string;
  /** When the owner ended, if the database says so. */
  readonly endedMs?: number;
}

/** What was found out about one output file that the database names. */
export interface Output {
  readonly owner: string;
  readonly path: string;
  readonly source: string;
  readonly check: MediaCheck;
}

/** Whether a media file is complete. `unknown` means that Offcut cannot tell, and counts as not proven. */
export interface MediaCheck {
  readonly status: "complete" | "incomplete" | "missing" | "unknown";
  /** `mp4`, `matroska`, `mp3`, `wav`, `jpeg`, `png`, or the extension. */
  readonly format: string;
  readonly bytes: number;
  /** A phrase for people: "moov box missing", "3 tracks, sample table inside the file". */
  readonly detail: string;
  readonly identity?: Identity;
}

export type Reason =
  // kept, in the order of precedence (SAFETY.md C)
  | "pinned"
  | "git-tracked"
  | "state-file"
  | "link"
  | "not-a-file"
  | "ambiguous-path"
  | "catalog-unavailable"
  | "owner-running"
  | "final-output"
  | "failed-held"
  | "referenced"
  | "owner-unknown"
  | "orphan"
  | "final-unverified"
  | "too-young"
  | "clock"
  | "retention"
  | "opt-in"
  | "no-rule"
  | "changed"
  // reclaimed
  | "owner-succeeded"
  | "owner-failed"
  | "unreferenced"
  | "orphan-chosen";

/** The decision about one file, with its chain of evidence. */
export interface Verdict {
  readonly verdict: "reclaim" | "keep";
  readonly reason: Reason;
  /** Facts in words, most decisive first. */
  readonly evidence: readonly string[];
}

export interface PlanItem extends Verdict {
  readonly path: string;
  readonly root: string;
  readonly store: string;
  readonly role: Role;
  /** The owner under which the file is shown; absent when nobody is known to own it. */
  readonly owner?: string;
  readonly bytes: number;
  readonly allocated: number;
  readonly links: number;
  readonly modified: string;
  /** Milliseconds between the youngest of event time, mtime and ctime, and the plan (R46). */
  readonly ageMs: number;
  /** Only on items to reclaim: what the sink will insist on. */
  readonly identity?: Identity;
}

export interface Totals {
  readonly files: number;
  readonly bytes: number;
}

export interface AutoCleanup {
  readonly enabled: boolean;
  /** Where the effective value comes from, e.g. `.env.local:3` or `user_preferences`. */
  readonly source: string;
  readonly kind: "default" | "environment" | "file" | "database" | "debug";
  /** As written, when it was written. */
  readonly value?: string;
}

/** All verdicts at one moment. */
export interface Plan {
  readonly digest: string;
  readonly created: string;
  readonly expires: string;
  /** Hashes of the configuration and of what the databases said: when one changes, the plan has expired (R16). */
  readonly configHash: string;
  readonly generation: string;
  /** Absolute path of the workspace. */
  readonly root: string;
  readonly items: readonly PlanItem[];
  readonly totals: { readonly reclaim: Totals; readonly keep: Totals };
  readonly problems: readonly Problem[];
  readonly owners: readonly Owner[];
  /** What the sink refuses whatever the items say (R28): canonical paths, and `dev:ino` of those that exist. */
  readonly protectedPaths: readonly string[];
  readonly protectedInodes: readonly string[];
  readonly autoCleanup: AutoCleanup;
  /** Why the run must ask once more, naming the count (R20); empty when it need not. */
  readonly brake: readonly string[];
}

export interface ItemError {
  readonly path: string;
  readonly message: string;
}

export interface Skipped {
  readonly path: string;
  readonly reason: string;
}

/** The result of one cleanup, as S0.12 words it. */
export interface CleanResult {
  readonly run: string;
  /** Files that are no longer at their place: held for undo, or deleted. */
  readonly deletedFiles: number;
  /** Bytes measured as freed (R83): 0 while everything is still held. */
  readonly freedSpace: number;
  readonly heldSpace: number;
  /** Until when the run can be undone; absent when it cannot. */
  readonly undoUntil?: string;
  readonly removedDirectories: number;
  readonly errors: readonly ItemError[];
  readonly skipped: readonly Skipped[];
  readonly cancelled: boolean;
}

/** One line of the history. */
export interface RunSummary {
  readonly run: string;
  readonly started: string;
  readonly state: "running" | "interrupted" | "held" | "undone" | "purged" | "partly-undone" | "unreachable" | "empty";
  readonly files: number;
  readonly heldFiles: number;
  readonly heldSpace: number;
  readonly freedSpace: number;
  readonly undoUntil?: string;
  readonly owners: readonly string[];
}
