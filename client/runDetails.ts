/** Show Details: the report of one run, as text. */
import * as vscode from "vscode";
import { type RunDetails, type RunDetailsParams, runRequest } from "../server/protocol.ts";
import type { Tools } from "./cleanUp.ts";
import type { RunNode } from "./historyTree.ts";
import { kindsOf, type OwnerKinds } from "./ownerLook.ts";
import { labelOf } from "./reasons.ts";
import { alignColumns } from "./table.ts";
import { countFiles, formatBytes, formatTime } from "./words.ts";

type FileState = RunDetails["files"][number]["state"];

const STATES: Readonly<Record<FileState, () => string>> = {
  intended: () => vscode.l10n.t("interrupted"),
  held: () => vscode.l10n.t("held"),
  kept: () => vscode.l10n.t("kept after all"),
  failed: () => vscode.l10n.t("failed"),
  restored: () => vscode.l10n.t("restored"),
  purged: () => vscode.l10n.t("deleted"),
  gone: () => vscode.l10n.t("was gone"),
};

/** Lines that an editor still scrolls through. */
const LONGEST = 20_000;

export async function showRun({ server, state, documents }: Tools, { folder, run }: RunNode): Promise<void> {
  const params: RunDetailsParams = { folder: folder.uri.toString(), run: run.run };
  const details = await server.request<RunDetails>(runRequest, params);
  await documents.show(vscode.l10n.t("Cleanup {0}", run.run), describe(details, kindsOf(state.reportOf(folder)?.plan)));
}

function describe({ run, started, ended, files }: RunDetails, kinds: OwnerKinds): string {
  const title = vscode.l10n.t("Cleanup {0}", run);
  const head = [
    vscode.l10n.t("RESULT"),
    vscode.l10n.t("OWNER"),
    vscode.l10n.t("KIND"),
    vscode.l10n.t("SIZE"),
    vscode.l10n.t("REASON"),
    vscode.l10n.t("FILE"),
  ];
  const rows = files
    .slice(0, LONGEST)
    .map((file) => [
      STATES[file.state](),
      file.owner ?? "-",
      file.store,
      formatBytes(file.bytes),
      labelOf(file.reason, kinds(file.owner)),
      file.note === undefined ? file.path : `${file.path}: ${file.note}`,
    ]);
  const left = files.length - rows.length;
  return [
    title,
    "=".repeat(title.length),
    "",
    ended === undefined
      ? vscode.l10n.t("Began {0} and has not ended.", formatTime(started))
      : vscode.l10n.t("Began {0}, ended {1}.", formatTime(started), formatTime(ended)),
    "",
    ...alignColumns([head, ...rows], new Set([3])),
    ...(left > 0 ? [vscode.l10n.t("… and {0} more", countFiles(left))] : []),
  ].join("\n");
}
