/** Called from the palette a command has no node of a tree: then the user chooses one of those that it could be meant for. */
import * as vscode from "vscode";
import type { RunSummary } from "../core/model.ts";
import { type RunNode, readRuns, wordState } from "./historyTree.ts";
import { lookOf } from "./ownerLook.ts";
import type { Server } from "./server.ts";
import type { State } from "./state.ts";
import { type OwnerNode, ownersIn, type TreeVerdict } from "./tree.ts";
import { countFiles, formatBytes, formatClock } from "./words.ts";

export interface ChoiceWords {
  readonly placeHolder: string;
  /** What is said when there is nothing to choose from. */
  readonly none: string;
}

interface Choice<T> extends vscode.QuickPickItem {
  readonly value: T;
}

/** Undefined when the user changes their mind. Throws when there is nothing to choose from. */
export async function choose<T>(choices: readonly Choice<T>[], { placeHolder, none }: ChoiceWords): Promise<T | undefined> {
  if (choices.length === 0) throw new Error(none);
  return (await vscode.window.showQuickPick(choices, { placeHolder, matchOnDescription: true, matchOnDetail: true }))?.value;
}

/** A project or a job in one of the views; `fits` says which are meant. */
export async function chooseOwner(
  state: State,
  verdicts: readonly TreeVerdict[],
  fits: (node: OwnerNode) => boolean,
  words: ChoiceWords,
): Promise<OwnerNode | undefined> {
  await state.ensure();
  const found = new Map<string, OwnerNode>();
  for (const report of state.reports)
    for (const node of verdicts.flatMap((verdict) => ownersIn(report, verdict))) {
      const key = JSON.stringify([report.folder.uri.toString(), node.id]);
      if (node.id !== undefined && !found.has(key) && fits(node)) found.set(key, node);
    }
  const choices = [...found.values()].map((node) => ({ label: node.id ?? "", description: describeOwner(node), value: node }));
  return choose(choices, words);
}

function describeOwner({ id, owner, groups, report }: OwnerNode): string {
  const { words } = lookOf(owner, groups, id);
  const bytes = groups.reduce((sum, group) => sum + group.bytes, 0);
  return [...folderName(report.folder), ...(words === "" ? [] : [words]), formatBytes(bytes)].join(" · ");
}

/** An earlier cleanup; `fits` says which are meant. */
export async function chooseRun(server: Server, fits: (run: RunSummary) => boolean, words: ChoiceWords): Promise<RunNode | undefined> {
  const nodes = (await readRuns(server)).filter(({ run }) => fits(run));
  return choose(
    nodes.map((node) => ({
      label: formatClock(node.run.started),
      description: [...folderName(node.folder), countFiles(node.run.files), wordState(node.run)].join(" · "),
      detail: wordOwners(node.run.owners),
      value: node,
    })),
    words,
  );
}

/** Cleanups of one minute are told apart by what they cleaned. */
function wordOwners(owners: readonly string[]): string {
  if (owners.length === 0) return vscode.l10n.t("of nobody's files");
  const left = owners.length - MOST_OWNERS;
  const named = owners.slice(0, MOST_OWNERS).join(", ");
  return left > 0 ? vscode.l10n.t("of {0} and {1} more", named, left) : vscode.l10n.t("of {0}", named);
}

const MOST_OWNERS = 5;

/** Said only where it tells something. */
export function folderName(folder: vscode.WorkspaceFolder): readonly string[] {
  return (vscode.workspace.workspaceFolders ?? []).length > 1 ? [folder.name] : [];
}
