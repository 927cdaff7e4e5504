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
  /** Limits of this store, milliseconds and bytes. Absent ones are those of the policy, or there is none. */
  readonly retentionMs?: number;
  readonly graceMs?: number;
  readonly undoMs?: number;
  /** Files older than this go although no owner says that they may. */
  readonly maxAgeMs?: number;
  /** Above `maxBytes` the oldest go until at most `targetBytes` are left (R51). */
  readonly maxBytes?: number;
  readonly targetBytes?: number;
  /** How often the automatic loop looks at this store. */
  readonly everyMs?: number;
  /** Where the files were uploaded to. */
  readonly upload?: UploadTarget;
}

/** Where the remote copies of a store's files are. */
export interface UploadTarget {
  /** `s3://bucket/mv/{id}/video.mp4`, `gs://…`, `azure://account/container/…`, with the placeholders of the store's path. */
  readonly to: string;
  /** Of a store that speaks the protocol of S3 but is not Amazon's. */
  readonly endpoint?: string;
  readonly region?: string;
}

/** What asking the remote storage about one file came to. Only `verified` lets the local copy go (R35). */
export interface UploadCheck {
  readonly status: "verified" | "different" | "missing" | "unproven" | "unreachable";
  readonly url: string;
  /** A phrase for people: "SHA-256 agrees", "the remote object has 12 bytes, the file 4096". */
  readonly detail: string;
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
  /** `job` when a job manifest told, else a project of a database. */
  readonly kind?: "project" | "job";
  /** What kind of job it is, as the pipeline calls it. */
  readonly type?: string;
  /** When it started, if that is known. */
  readonly startedMs?: number;
  /** In words: who holds the job's lease, or since when nobody does (R39). */
  readonly lease?: string;
  /** It failed, and somebody said that its files need not be held any more. */
  readonly released?: boolean;
  /** It makes no final output, so none has to be verified. */
  readonly makesNoFinal?: boolean;
}

/** What was found out about one output file that the database names. */
export interface Output {
  readonly owner: string;
  readonly path: string;
  readonly source: string;
  readonly check: MediaCheck;
  /** Its size when the job that made it ended, if that was noted. */
  readonly recordedBytes?: number;
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
  | "not-in-policy"
  | "upload-unverified"
  | "within-limits"
  | "no-rule"
  | "changed"
  // reclaimed
  | "owner-succeeded"
  | "owner-failed"
  | "unreferenced"
  | "upload-verified"
  | "max-age"
  | "pressure"
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
  /** How long this file is held for undo, milliseconds, when its store says so; else the policy's time. 0: it is deleted at once. */
  readonly undoMs?: number;
  /** Where its remote copy is, when it has one. */
  readonly remote?: UploadCheck;
}

/** A store that has a limit of bytes, and how it stands (R51–R58). */
export interface Pressure {
  readonly store: string;
  readonly maxBytes: number;
  readonly targetBytes: number;
  /** Everything that counts: the store's files, those that Offcut does not manage (R56), and what earlier runs of it hold (R58). */
  readonly usedBytes: number;
  readonly unmanagedBytes: number;
  readonly heldBytes: number;
  /** What the plan takes of the store, for whatever reason. */
  readonly freeBytes: number;
  /** Whether the limit is exceeded now. */
  readonly over: boolean;
  /** Why the target is out of reach, when it is: what stays, by reason, the most bytes first. */
  readonly blocked: readonly Blocker[];
}

/** Files of a store that stay for one reason. */
export interface Blocker extends Totals {
  readonly reason: Reason | "not-managed";
  /** At most three of them, relative to the root of the store, the largest first. */
  readonly largest: readonly { readonly path: string; readonly bytes: number }[];
}

export interface Totals {
  readonly files: number;
  readonly bytes: number;
}

export interface AutoCleanup {
  readonly enabled: boolean;
  /** Where the effective value comes from, e.g. `.env.local:3` or `user_preferences`. */
  readonly source: string;
  readonly kind: "default" | "policy" | "environment" | "file" | "database" | "debug";
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
  /** Stores with a limit of bytes. */
  readonly pressures: readonly Pressure[];
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
  /** What somebody should know about it, in sentences. */
  readonly notes?: readonly string[];
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
  /** It came by itself, after a job or on schedule. */
  readonly automatic?: boolean;
  readonly owners: readonly string[];
}
