/**
 * What the analysis tells: findings and the call sites they are about. Plain and JSON-safe; lines and columns count from 1,
 * columns in UTF-16 units, files are paths from the workspace root with `/`.
 */

export const RULES = [
  "missing-cleanup-after-upload",
  "missing-cleanup-after-assembly",
  "partial-cleanup",
  "delete-despite-failed-upload",
  "delete-before-upload-settles",
  "use-after-delete",
  "ineffective-cleanup",
  "unverified-final",
  "cleanup-can-fail-job",
  "unsafe-cleanup-path",
  "ungated-cleanup",
] as const;

export type RuleId = (typeof RULES)[number];

export type Severity = "error" | "warning" | "information" | "hint";

/** What a rule reports at when nobody says otherwise. */
export const DEFAULT_SEVERITY: Readonly<Record<RuleId, Severity>> = {
  "missing-cleanup-after-upload": "warning",
  "missing-cleanup-after-assembly": "warning",
  "partial-cleanup": "warning",
  "delete-despite-failed-upload": "warning",
  "delete-before-upload-settles": "error",
  "use-after-delete": "error",
  "ineffective-cleanup": "warning",
  "unverified-final": "information",
  "cleanup-can-fail-job": "information",
  "unsafe-cleanup-path": "warning",
  "ungated-cleanup": "hint",
};

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Range {
  readonly start: Position;
  readonly end: Position;
}

/** One step on the way from the file's making to where it is left behind. */
export interface Related {
  readonly file: string;
  /** Line of `range.start`, so that simple readers need no range. */
  readonly line: number;
  readonly range: Range;
  /** `made here`, `uploaded here`, `returns here without deleting it`. */
  readonly message: string;
}

/**
 * What is known of a path. `text` has `{}` for each part that is not: `.cache/videos/{}/scene-{}.mp4`.
 * `base` says what it starts from: the workspace's root (relative paths and the working directory), the system's directory
 * for temporary files, the file system's root, or something unknown, in which case only the end of the path is known.
 */
export interface PathTemplate {
  readonly base: "workspace" | "tmp" | "absolute" | "unknown";
  readonly text: string;
}

/** What lies on the disk for a template now. */
export interface OnDisk {
  readonly files: number;
  readonly bytes: number;
}

export interface Finding {
  readonly rule: RuleId;
  readonly severity: Severity;
  readonly file: string;
  readonly range: Range;
  /** One or two sentences, localised. */
  readonly message: string;
  /** In the order of execution. */
  readonly related: readonly Related[];
  /** How the code calls the file, e.g. `tempPath`. */
  readonly subject: string;
  readonly path?: PathTemplate;
  readonly onDisk?: OnDisk;
  /** The same as long as the code around it says the same, wherever it moves in its file: for baselines and SARIF. */
  readonly fingerprint: string;
  /** Whether there may be {@link Fix}es, beside those that silence it: none is offered before it was tried out. */
  readonly fixable: boolean;
}

/** A call that uploads, assembles or makes a file, found or not found fault with. */
export interface CallSite {
  readonly kind: "upload" | "assembly" | "write";
  readonly file: string;
  readonly range: Range;
  /** What is called, as it is written: `s3.upload`, `uploadVideo`. */
  readonly callee: string;
  readonly paths: readonly PathTemplate[];
  /** `clean`, `kept` (handed on or a deliverable), `found` (a finding is about it), `unknown`. */
  readonly state: "clean" | "kept" | "found" | "unknown";
}

export interface TextEdit {
  readonly range: Range;
  readonly text: string;
}

/** A change of code that clears a finding. */
export interface Fix {
  readonly title: string;
  readonly kind: "quickfix";
  readonly preferred: boolean;
  /** By file, from the workspace root. A file that does not exist yet is made. */
  readonly edits: readonly { readonly file: string; readonly edits: readonly TextEdit[]; readonly create?: true }[];
}
