/** What one running server knows. Everything else is read again for each request. */
import { type Connection, MessageType, ShowMessageNotification } from "vscode-languageserver/node";
import type { MediaCache } from "../core/catalog/outputs.ts";
import type { Plan, PlanItem } from "../core/model.ts";
import type { UploadVerifier } from "../core/uploads.ts";

export interface StoredPlan {
  readonly plan: Plan;
  /** The plan's files by verdict, owner and store, so that paging does not search. */
  readonly groups: ReadonlyMap<string, readonly PlanItem[]>;
}

/** What a client can do, as far as the server asks. */
export interface ClientAbilities {
  readonly watchFiles: boolean;
  readonly relativePatterns: boolean;
  readonly folderChanges: boolean;
  readonly configuration: boolean;
  readonly workDoneProgress: boolean;
  readonly refreshDiagnostics: boolean;
  readonly relatedInformation: boolean;
  /** Edits that name the version of the document they are meant for. */
  readonly documentChanges: boolean;
  readonly createFiles: boolean;
  /** Whether the edit of a code action may come later. */
  readonly resolveEdit: boolean;
  readonly markdown: boolean;
}

export interface Session {
  readonly connection: Connection;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  /** R82. Only ever goes from false to true: taking trust back restarts the window. */
  trusted: boolean;
  /** Absolute paths of the workspace folders. */
  folders: readonly string[];
  abilities: ClientAbilities;
  /** URI of the folder with the rules' pages. */
  docs: string | undefined;
  l10n: Readonly<Record<string, string>> | undefined;
  /** The newest plan of each folder, by the folder's path. */
  readonly plans: Map<string, StoredPlan>;
  readonly mediaCache: MediaCache;
  /** Asks the remote storage, once there is something to ask. */
  verifier: Promise<UploadVerifier> | undefined;
  /** Tells the client that what it shows of a folder is old. */
  readonly changed: (root: string) => void;
}

/** Shows a message that nobody has to answer. (The connection's own methods send a request and wait.) */
export function tell(session: Session, message: string, type: MessageType = MessageType.Info): void {
  void session.connection.sendNotification(ShowMessageNotification.type, { type, message });
}
