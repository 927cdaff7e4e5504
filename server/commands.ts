/** `workspace/executeCommand`: preview, clean and undo for any editor, without a message of our own. */
import { t } from "@vscode/l10n";
import { type ExecuteCommandParams, MessageType } from "vscode-languageserver/node";
import { Refusal } from "../core/reclaim/home.ts";
import { countFiles, formatBytes } from "../core/words.ts";
import { clean, undoRun } from "./clean.ts";
import { uriOf } from "./convert.ts";
import type { Work } from "./edge.ts";
import { planFolder, prepare } from "./plan.ts";
import { type Session, tell } from "./session.ts";

/** `workspace/executeCommand`, for editors that know none of the above. Each takes the folder's URI, or none when there is one folder. */
export const serverCommands = {
  /** Plans, shows the totals as a message, answers with a PlanSummary. */
  preview: "offcut.server.preview",
  /** Plans, asks by `window/showMessageRequest`, cleans, shows the result, answers with a CleanAnswer or null. */
  clean: "offcut.server.clean",
  /** Puts the newest run back and says so, answers with an UndoAnswer. */
  undo: "offcut.server.undo",
} as const;

export async function executeCommand(session: Session, params: ExecuteCommandParams, signal: AbortSignal): Promise<unknown> {
  const run = COMMANDS.get(params.command);
  if (!run) throw new Refusal(t('there is no command "{0}"', params.command));
  const folder = folderOf(session, params.arguments?.[0]);
  try {
    return await run(session, folder, signal);
  } catch (error) {
    if (error instanceof Refusal) tell(session, error.message, MessageType.Error);
    throw error;
  }
}

type Command = (session: Session, folder: string, signal: AbortSignal) => Promise<unknown>;

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  [serverCommands.preview, preview],
  [serverCommands.clean, askAndClean],
  [serverCommands.undo, undoNewest],
]);

async function preview(session: Session, folder: string, signal: AbortSignal): Promise<unknown> {
  const summary = await working(session, signal, (work) => planFolder(session, { folder }, work));
  const { reclaim, keep } = summary.totals;
  const [taken, kept] = [reclaim, keep].map(({ files, bytes }) => `${countFiles(files)} (${formatBytes(bytes)})`);
  tell(session, t("Offcut would reclaim {0} and keep {1}.", taken ?? "", kept ?? ""));
  return summary;
}

async function askAndClean(session: Session, folder: string, signal: AbortSignal): Promise<unknown> {
  const question = await working(session, signal, (work) => prepare(session, { folder }, work));
  if (question.totals.files === 0) {
    tell(session, `${question.message} ${question.detail}`);
    return null;
  }
  const title = question.action;
  const chosen = await session.connection.window.showWarningMessage(`${question.message}\n${question.detail}`, { title });
  if (chosen?.title !== title) return null;
  const result = await working(session, signal, (work) => clean(session, { folder, digest: question.plan.digest }, work));
  tell(session, result.message);
  return result;
}

async function undoNewest(session: Session, folder: string, signal: AbortSignal): Promise<unknown> {
  const result = await working(session, signal, (work) => undoRun(session, { folder }, work));
  tell(session, result.message);
  return result;
}

/** Shows progress that the user can cancel, in clients that have it. */
async function working<R>(session: Session, signal: AbortSignal, act: (work: Work) => Promise<R>): Promise<R> {
  const progress = await session.connection.window.createWorkDoneProgress();
  const controller = new AbortController();
  progress.token.onCancellationRequested(() => controller.abort());
  return act({ progress, signal: AbortSignal.any([signal, controller.signal]) });
}

function folderOf(session: Session, argument: unknown): string {
  if (typeof argument === "string") return argument;
  const [only, ...more] = session.folders;
  if (only === undefined) throw new Refusal(t("no folder is open"));
  if (more.length > 0) throw new Refusal(t("several folders are open; name one by its URI: {0}", session.folders.map(uriOf).join(", ")));
  return uriOf(only);
}
