/** What became of earlier runs. Looks only. */
import { t } from "@vscode/l10n";
import { Refusal } from "../core/reclaim/home.ts";
import type { RunFile } from "../core/reclaim/runState.ts";
import { listRuns, readRun } from "../core/runs.ts";
import { pathOf } from "./convert.ts";
import type { FolderParams, HistoryAnswer, RunDetails, RunDetailsParams } from "./protocol.ts";
import type { Session } from "./session.ts";

export function history(_session: Session, params: FolderParams): HistoryAnswer {
  return listRuns(pathOf(params.folder));
}

export function describeRun(_session: Session, { folder, run }: RunDetailsParams): RunDetails {
  const state = readRun(pathOf(folder), run);
  if (!state) throw new Refusal(t('there is no cleanup "{0}"', run));
  return {
    run,
    started: state.started,
    ...(state.ended !== undefined && { ended: state.ended }),
    files: state.files.map(describeFile),
  };
}

function describeFile({ path, bytes, reason, store, owner, state, note }: RunFile): RunDetails["files"][number] {
  return {
    path,
    bytes,
    reason,
    store,
    ...(owner !== undefined && { owner }),
    state,
    ...(note !== undefined && { note }),
  };
}
