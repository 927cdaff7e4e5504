/** What the server and the thread that analyses say to each other. The thread answers one question after the other. */
import type { Baseline } from "../../core/analysis/baseline.ts";
import type { AnalysisSettings } from "../../core/analysis/check.ts";
import type { CallSite, Finding, Fix, TextEdit } from "../../core/analysis/finding.ts";
import type { Problem } from "../../core/model.ts";
import type { FindingData } from "../protocol.ts";

export interface ThreadData {
  /** The l10n bundle of the editor's language. */
  readonly l10n?: Readonly<Record<string, string>>;
  /** One 32-bit number: the question that shall be given up. The thread looks at it while it works, when no message can reach it. */
  readonly stop: SharedArrayBuffer;
}

export interface FolderSettings {
  readonly settings: AnalysisSettings;
  /** Findings that are not told, because they are older than the use of Offcut. */
  readonly baseline?: Baseline;
}

/** Each question with what it needs and what it is answered by. Files are paths from the folder, with `/`. */
export interface Questions {
  /** Findings of these files, or of all. */
  readonly check: { readonly ask: { readonly paths?: readonly string[] }; readonly answer: Checked };
  readonly fixes: { readonly ask: FindingName; readonly answer: readonly Fix[] };
  /** The preferred fix of every finding of the file, one on top of the other. */
  readonly fixAll: { readonly ask: { readonly file: string }; readonly answer: readonly FileChange[] };
  /** Where the comment goes that silences a rule at a finding; nothing where no comment can stand. */
  readonly ignore: { readonly ask: FindingName; readonly answer: TextEdit | undefined };
}

export type Question = keyof Questions;
export type Ask<Q extends Question> = Questions[Q]["ask"];
export type Answer<Q extends Question> = Questions[Q]["answer"];

export interface FindingName extends FindingData {
  readonly file: string;
}

export interface Checked {
  readonly findings: readonly Finding[];
  readonly sites: readonly CallSite[];
  readonly problems: readonly Problem[];
  /** How many source files were looked through. */
  readonly files: number;
}

export type FileChange = Fix["edits"][number];

export type ToThread =
  /** Starts on a folder, or starts anew because its settings changed. */
  | { readonly say: "folder"; readonly root: string; readonly settings: FolderSettings }
  | { readonly say: "leave"; readonly root: string }
  /** What the editor shows of a file; without text the disk counts again. */
  | { readonly say: "text"; readonly root: string; readonly file: string; readonly text?: string }
  /** Files that changed on the disk; without files all may have. */
  | { readonly say: "changed"; readonly root: string; readonly files?: readonly string[] }
  | AskMessage;

export interface AskMessage {
  readonly say: "ask";
  readonly id: number;
  readonly root: string;
  readonly question: Question;
  readonly ask: Ask<Question>;
}

export type FromThread =
  | { readonly say: "progress"; readonly id: number; readonly done: number; readonly total: number }
  | { readonly say: "answer"; readonly id: number; readonly answer: Answer<Question> }
  | { readonly say: "stopped"; readonly id: number }
  | { readonly say: "failed"; readonly id: number; readonly message: string; readonly stack?: string };
