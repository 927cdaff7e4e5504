/**
 * The messages of Offcut beside standard LSP. Everything is JSON; folders and files are URIs on the wire.
 * A request about a folder answers for that folder alone; the editor asks once per workspace folder.
 */
import type { CallSite, PathTemplate, RuleId, Severity } from "../core/analysis/finding.ts";
import type { Enforcement } from "../core/enforce.ts";
import type { RoundNote } from "../core/schedule.ts";
import type {
  AutoCleanup,
  CleanResult,
  Owner,
  PlanItem,
  Pressure,
  Problem,
  Reason,
  Role,
  RunSummary,
  Totals,
  UploadCheck,
} from "../core/model.ts";

/** What the client hands over in `initialize`. */
export interface InitializationOptions {
  /** Whether the user trusts the workspace (R82). Without it SQL is not run and nothing is deleted. Default true: other editors have no such notion. */
  readonly trusted?: boolean;
  /** The l10n bundle of the editor's language, as VS Code has it. */
  readonly l10n?: Readonly<Record<string, string>>;
  /** URI of the folder with a page about each rule, `<rule>.md`. Without it findings have no link. */
  readonly docs?: string;
}

export interface FolderParams {
  /** URI of the workspace folder. */
  readonly folder: string;
}

/** Files of one verdict, owner and store, added up: what a tree shows before it is opened. */
export interface Group extends Totals {
  readonly verdict: "reclaim" | "keep";
  /** Absent for files that nobody is known to own. */
  readonly owner?: string;
  readonly store: string;
  readonly role: Role;
  /** Age of the oldest file, milliseconds. */
  readonly oldestMs: number;
  /** How many files for which reason, the most frequent first. */
  readonly reasons: readonly { readonly reason: Reason; readonly files: number }[];
  /** The evidence of the group's first file. */
  readonly evidence: readonly string[];
  /** Of uploads: how many files are in which state, the most frequent first. `unknown`: nobody could be asked. */
  readonly uploads?: readonly { readonly status: UploadCheck["status"] | "unknown"; readonly files: number }[];
}

/** A project or a job, without where its state was read. */
export type OwnerSummary = Pick<Owner, "id" | "state" | "status" | "kind" | "type" | "startedMs" | "endedMs" | "lease" | "released">;

/** Who enforces the policy of a folder, and when. Times are ISO 8601, UTC. */
export interface Schedule {
  /** Who does it: `offcut watch`, or an editor. Absent: nobody. */
  readonly running?: {
    readonly by: "watch" | "editor";
    readonly pid: number;
    /** Absent: this machine. */
    readonly host?: string;
    /** It is the server that answers. */
    readonly here: boolean;
  };
  /** How often it is done, or how often the policy wants it, milliseconds. */
  readonly everyMs: number;
  readonly last?: RoundNote;
  /** Absent where nobody does it, and during a round. */
  readonly next?: string;
}

/** In the words of an editor: paths below the folder without it. */
export interface ShownProblem extends Problem {
  /** The job whose manifest is damaged, where {@link forgetRequest} sets it aside. */
  readonly job?: string;
}

/** A plan without its files. They are asked for by {@link itemsRequest} while the plan lives. */
export interface PlanSummary {
  readonly folder: string;
  readonly digest: string;
  /** URI of `offcut.json`; absent when the folder has none, and then nothing is known of it. */
  readonly configFile?: string;
  readonly expires: string;
  readonly groups: readonly Group[];
  readonly totals: { readonly reclaim: Totals; readonly keep: Totals };
  readonly owners: readonly OwnerSummary[];
  readonly problems: readonly ShownProblem[];
  readonly autoCleanup: AutoCleanup;
  readonly brake: readonly string[];
  /** Stores with a limit of bytes. */
  readonly pressures: readonly Pressure[];
  readonly schedule: Schedule;
  /** Directories that a run would touch, for the confirmation (R86). */
  readonly roots: readonly string[];
  /** What earlier runs still hold, and when the first of them ends. */
  readonly held: Held;
}

export interface Held extends Totals {
  readonly undoUntil?: string;
}

export interface PlanParams extends FolderParams {
  /** Also take files without an owner (R30). */
  readonly orphans?: boolean;
  readonly workDoneToken?: string | number;
}

export interface ItemsParams extends FolderParams {
  readonly digest: string;
  readonly verdict: "reclaim" | "keep";
  /** One group; absent: all files of the verdict. A group without owner is that of the files nobody is known to own. */
  readonly group?: { readonly owner?: string; readonly store: string };
  readonly offset: number;
  readonly limit: number;
}

/** A part of a plan. Absent lists are everything, empty ones nothing (R21). */
export interface Part {
  readonly projects?: readonly string[];
  readonly stores?: readonly string[];
  /** URIs. */
  readonly files?: readonly string[];
}

export interface PrepareParams extends FolderParams, Part {
  readonly workDoneToken?: string | number;
}

/** What the user is asked before anything is moved (R86), from a plan that was made for the question. */
export interface Question {
  readonly plan: PlanSummary;
  /** What {@link cleanRequest} would take of that plan. No files: there is nothing to ask, and `detail` says why. */
  readonly totals: Totals;
  /** The question in one sentence, naming count and bytes. */
  readonly message: string;
  /** Roots, what stays, until when it can be undone, and what made the brake ask (R20); lines. */
  readonly detail: string;
  /** The button's label; names the count. */
  readonly action: string;
}

export interface CleanParams extends FolderParams, Part {
  /** The plan that the user saw and confirmed: nothing beyond it is touched (R15). */
  readonly digest: string;
  readonly workDoneToken?: string | number;
}

export interface RunParams extends FolderParams {
  /** Absent: the newest run that holds files (undo), all of them (purge). */
  readonly run?: string;
  readonly workDoneToken?: string | number;
}

/** One line for people about what happened, in the words of S0.8. */
export interface Told {
  readonly message: string;
}

export interface UndoAnswer extends Told {
  readonly run: string;
  readonly restoredFiles: number;
  readonly restoredSpace: number;
  readonly renamed: readonly { readonly path: string; readonly to: string }[];
  readonly errors: readonly { readonly path: string; readonly message: string }[];
}

export interface PurgeAnswer extends Told {
  readonly deletedFiles: number;
  readonly freedSpace: number;
  readonly linkedFiles: number;
  readonly errors: readonly { readonly path: string; readonly message: string }[];
}

export interface AutoParams extends FolderParams {
  /** Absent: only tell. */
  readonly enabled?: boolean;
  /** The user was asked and agreed that the database is written, because its value is the one that counts. */
  readonly writeDatabase?: boolean;
}

export interface AutoAnswer {
  readonly auto: AutoCleanup;
  /** What was changed, in words; absent when nothing was. */
  readonly changed?: string;
  /** The value that counts is in the database (named here): ask, then send again with `writeDatabase`. */
  readonly askDatabase?: string;
}

export interface PinParams extends FolderParams {
  readonly kind: "file" | "store" | "project";
  /** A file's URI, a store's name, a project's id. */
  readonly value: string;
  readonly remove?: boolean;
}

export interface ReleaseParams extends FolderParams {
  /** A failed project or job, as the newest plan has it. */
  readonly owner: string;
  /** Hold its files again. */
  readonly hold?: boolean;
}

export interface ForgetParams extends FolderParams {
  readonly job: string;
  /** The user was asked and agreed. Without it the answer is what to ask about. */
  readonly confirmed?: boolean;
}

export interface BackgroundParams extends FolderParams {
  readonly enabled: boolean;
}

export interface EnforceParams extends FolderParams {
  readonly workDoneToken?: string | number;
}

/** What one round of the automatic loop came to. */
export interface EnforceAnswer extends Told {
  readonly outcome: Enforcement["outcome"];
  /** Absent when nothing was cleaned. */
  readonly result?: CleanResult;
}

export interface RunDetailsParams extends FolderParams {
  readonly run: string;
}

/** Every file of a run (R66). */
export interface RunDetails {
  readonly run: string;
  readonly started: string;
  readonly ended?: string;
  readonly files: readonly {
    readonly path: string;
    readonly bytes: number;
    readonly reason: Reason;
    readonly store: string;
    readonly owner?: string;
    /** What became of it. */
    readonly state: "intended" | "held" | "kept" | "failed" | "restored" | "purged" | "gone";
    /** Why it stayed, or why it failed. */
    readonly note?: string;
  }[];
}

/** `data` of a diagnostic about code. */
export interface FindingData {
  readonly rule: RuleId;
  readonly fingerprint: string;
  /** Which of several that are equal in these, from 0: copies of the same code have the same fingerprint. */
  readonly nth: number;
}

export interface CallSitesParams extends FolderParams {
  /** Nobody waits for it, so everything else goes first. */
  readonly background?: boolean;
  readonly workDoneToken?: string | number;
}

/** A call that uploads, assembles or writes. Lines and characters count from 0, as everywhere in the protocol. */
export interface SiteSummary extends Pick<CallSite, "kind" | "callee" | "paths" | "state"> {
  readonly uri: string;
  /** From the folder, with `/`. */
  readonly file: string;
  readonly range: { readonly start: Place; readonly end: Place };
  /** What is wrong with it or its cleanup, there when the state is `found`, and what lies on the disk because of it; the figures are absent where nothing is known. */
  readonly finding?: {
    readonly rule: RuleId;
    readonly severity: Severity;
    readonly message: string;
    readonly files?: number;
    readonly bytes?: number;
  };
}

interface Place {
  readonly line: number;
  readonly character: number;
}

export interface CallSitesAnswer {
  readonly sites: readonly SiteSummary[];
  readonly findings: number;
  /** How many source files were looked through. */
  readonly files: number;
}

export interface FilesOfParams extends FolderParams {
  /** Those of a call site. */
  readonly paths: readonly PathTemplate[];
}

/** The largest first; `total` counts also those that are left out. `path` starts from the folder for files inside of it. */
export interface FilesOfAnswer {
  readonly files: readonly { readonly uri: string; readonly path: string; readonly bytes: number }[];
  readonly total: number;
}

export interface MakersOfParams extends FolderParams {
  /** URI of a file on the disk. */
  readonly file: string;
  readonly workDoneToken?: string | number;
}

/** Client → server, when a view is shown or refreshed. Progress is reported on the token; cancelling ends the walk. */
export const planRequest = "offcut/plan";

/** Client → server, when a group is opened or a preview is shown. Fails with {@link planExpired} when the server no longer has the plan. */
export const itemsRequest = "offcut/items";
export type ItemsAnswer = readonly (PlanItem & { readonly uri: string })[];

/** Client → server, before the user is asked: plans anew and words the question. */
export const prepareRequest = "offcut/prepare";

/** Client → server, after the user confirmed. Fails with {@link refused} when nothing may be done; failures of single files are in the answer. */
export const cleanRequest = "offcut/clean";
export type CleanAnswer = CleanResult & Told;

/** Client → server: put a run back. */
export const undoRequest = "offcut/undo";

/** Client → server: free what runs hold. */
export const purgeRequest = "offcut/purge";

/** Client → server: the runs, the newest first. */
export const historyRequest = "offcut/history";
export type HistoryAnswer = readonly RunSummary[];

/** Client → server: one run with its files. Fails with {@link refused} when there is none of that name. */
export const runRequest = "offcut/run";

/** Client → server: let the files of a failed project or job go, which are held for debugging, or hold them again. */
export const releaseRequest = "offcut/release";

/** Client → server: set the damaged manifest of a job aside. Answers with {@link Told}, fails with {@link refused} when it can be read. */
export const forgetRequest = "offcut/forget";

/**
 * Client → server, notification, at the start, when the setting changes and when trust is given: whether the policy of a folder is
 * enforced while the editor is open. Without trust nothing comes of it (R82).
 */
export const backgroundNotification = "offcut/background";

/** Client → server: one round of the automatic loop now, as it comes by itself otherwise. */
export const enforceRequest = "offcut/enforce";

/** Server → client, notification, after a round that came by itself and that somebody should know of: it was braked, or it failed. Once, not in every round. */
export const enforcedNotification = "offcut/enforced";
export type EnforcedParams = FolderParams & EnforceAnswer;

/** Server → client, notification, after a round and when another process starts or ends to enforce the policy: the schedule is another one. */
export const scheduleNotification = "offcut/schedule";
export type ScheduleParams = FolderParams & { readonly schedule: Schedule };

/** Client → server: AUTO_CLEANUP_ENABLED. */
export const autoRequest = "offcut/auto";

/** Client → server: always keep a file, a store or a project. */
export const pinRequest = "offcut/pin";

/** Client → server: what is always kept, as {@link pinRequest} takes it, with the name that people know. */
export const pinsRequest = "offcut/pins";
export type PinsAnswer = readonly (Pick<PinParams, "kind" | "value"> & { readonly name: string })[];

/** Client → server, when the view of call sites is shown, and to check the whole workspace. Cancelling ends the check. */
export const callSitesRequest = "offcut/callSites";

/** Server → client, notification, once after an answer to {@link callSitesRequest}: code or settings changed, so that it is old. */
export const callSitesChangedNotification = "offcut/callSitesChanged";

/** Client → server: what lies on the disk where the paths of a call site lead. */
export const filesOfRequest = "offcut/filesOf";

/** Client → server: the call sites that may have made a file, the most certain first. */
export const makersOfRequest = "offcut/makersOf";
export type MakersOfAnswer = readonly SiteSummary[];

/** Client → server, notification: the user trusts the workspace now. */
export const trustedNotification = "offcut/trusted";

/** Server → client, notification, after a run, an undo, a purge, a pin, a release or a change of the switch, of offcut.json, of a database or of a job: what is shown is old. */
export const changedNotification = "offcut/changed";
export type ChangedParams = FolderParams;

/** Error codes of responses, outside the ranges that JSON-RPC and LSP reserve. */
export const planExpired = -31001;
export const refused = -31002;
export const configInvalid = -31003;

/** `data` of a {@link configInvalid} error. */
export interface ConfigInvalidData {
  readonly problems: readonly Problem[];
}
