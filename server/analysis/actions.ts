/** Code actions: what clears a finding, what silences it, and all fixes of a file at once. Edits are made when one is chosen. */
import { t } from "@vscode/l10n";
import {
  type CodeAction,
  CodeActionKind,
  type CodeActionParams,
  type Diagnostic,
  LSPErrorCodes,
  ResponseError,
  type WorkspaceEdit,
} from "vscode-languageserver/node";
import type { Finding } from "../../core/analysis/finding.ts";
import type { FindingData } from "../protocol.ts";
import { checkFile, type Checking, countTyped, type Place, placeOf } from "./checking.ts";
import { nameOf, workspaceEditOf } from "./convert.ts";
import { silenceRule } from "./silence.ts";

export const FIX_ALL = `${CodeActionKind.SourceFixAll}.offcut`;

/** What an action's edit is made from later. */
type ActionData = { readonly uri: string } & (
  | { readonly make: "fix"; readonly finding: FindingData; readonly title: string }
  | { readonly make: "ignore" | "silence"; readonly finding: FindingData }
  | { readonly make: "fixAll" }
);

export async function offerActions(
  checking: Checking,
  { textDocument, context, range }: CodeActionParams,
  signal: AbortSignal,
): Promise<CodeAction[]> {
  const place = placeOf(checking, textDocument.uri);
  if (!place || !(await place.folder.setup).check.enable) return [];
  const wants = (kind: string): boolean =>
    !context.only || context.only.some((only) => kind === only || kind.startsWith(`${only}.`) || only === "");
  countTyped(checking, place);
  const actions: CodeAction[] = [];
  if (wants(CodeActionKind.QuickFix)) {
    const findings = await checkFile(checking, place, { signal });
    for (const finding of findings) {
      const name = nameOf(finding, findings);
      const diagnostics = context.diagnostics.filter(({ data }) => isNamed(data, name));
      if (diagnostics.length > 0 || touches(finding, range))
        actions.push(...(await actionsFor(checking, place, { finding, name, diagnostics }, signal)));
    }
  }
  // Not among the actions at a place unless somebody asks for its kind, as the light bulb would show wherever the cursor is.
  if (context.only && wants(FIX_ALL)) {
    const findings = await checkFile(checking, place, { signal });
    if (findings.some((finding) => finding.fixable))
      actions.push(makeAction(t("Fix all findings of Offcut in this file"), FIX_ALL, { uri: place.uri, make: "fixAll" }));
  }
  if (checking.session.abilities.resolveEdit) return actions;
  const resolved = await Promise.all(actions.map((action) => resolveAction(checking, action, signal)));
  return resolved.filter((action) => action.edit);
}

async function actionsFor(
  checking: Checking,
  place: Place,
  { finding, name, diagnostics }: { readonly finding: Finding; readonly name: FindingData; readonly diagnostics: Diagnostic[] },
  signal: AbortSignal,
): Promise<CodeAction[]> {
  const { uri, folder, file } = place;
  const { rule } = finding;
  const fixes = finding.fixable ? await checking.thread.ask(folder.root, "fixes", { file, ...name }, { signal }) : [];
  const fitting = fixes.filter((fix) => checking.session.abilities.createFiles || !fix.edits.some((edit) => edit.create));
  const about = diagnostics.length > 0 ? { diagnostics } : {};
  const make = (title: string, data: ActionData): CodeAction => ({ ...makeAction(title, CodeActionKind.QuickFix, data), ...about });
  return [
    ...fitting.map(({ title, preferred }) =>
      Object.assign(make(title, { uri, make: "fix", finding: name, title }), { isPreferred: preferred }),
    ),
    make(t("Ignore {0} here", rule), { uri, make: "ignore", finding: name }),
    make(t("Ignore {0} in this workspace", rule), { uri, make: "silence", finding: name }),
  ];
}

function makeAction(title: string, kind: string, data: ActionData): CodeAction {
  return { title, kind, data };
}

/** Fills in the edit, for the text as it is now. */
export async function resolveAction(checking: Checking, action: CodeAction, signal: AbortSignal): Promise<CodeAction> {
  const data = action.data as ActionData | undefined;
  const place = data && placeOf(checking, data.uri);
  if (!data || !place) return action;
  countTyped(checking, place);
  const edit = await makeEdit(checking, place, data, signal);
  return edit ? { ...action, edit } : action;
}

async function makeEdit(checking: Checking, place: Place, data: ActionData, signal: AbortSignal): Promise<WorkspaceEdit | undefined> {
  const { session, documents, thread } = checking;
  const { folder, file, uri } = place;
  const versionOf = (one: string): number | undefined => documents.get(one)?.version;
  const version = versionOf(uri);
  const ask = { signal };
  if (data.make === "silence")
    return silenceRule(session, folder.root, data.finding.rule, (one) => documents.get(one)?.getText(), versionOf);
  if (data.make === "fixAll") {
    const changes = await thread.ask(folder.root, "fixAll", { file }, ask);
    return fresh(workspaceEditOf(session, folder.root, changes, versionOf));
  }
  const name = { file, ...data.finding };
  if (data.make === "ignore") {
    const edit = await thread.ask(folder.root, "ignore", name, ask);
    return fresh(edit && workspaceEditOf(session, folder.root, [{ file, edits: [edit] }], versionOf));
  }
  const { title } = data as Extract<ActionData, { make: "fix" }>;
  const fix = (await thread.ask(folder.root, "fixes", name, ask)).find((one) => one.title === title);
  return fresh(fix && workspaceEditOf(session, folder.root, fix.edits, versionOf));

  /** An edit of a text that has changed meanwhile would end up somewhere else. */
  function fresh(edit: WorkspaceEdit | undefined): WorkspaceEdit | undefined {
    if (versionOf(uri) === version) return edit;
    throw new ResponseError(LSPErrorCodes.ContentModified, t("the text has changed meanwhile"));
  }
}

function touches({ range: { start, end } }: Finding, range: CodeActionParams["range"]): boolean {
  const after = range.start.line > end.line - 1 || (range.start.line === end.line - 1 && range.start.character > end.column - 1);
  const before = range.end.line < start.line - 1 || (range.end.line === start.line - 1 && range.end.character < start.column - 1);
  return !after && !before;
}

function isNamed(data: unknown, { fingerprint, rule, nth }: FindingData): boolean {
  const named = data as Partial<FindingData> | undefined;
  return named?.fingerprint === fingerprint && named.rule === rule && named.nth === nth;
}
