/** Findings to diagnostics and edits to those of the protocol: lines and columns count from 0 there. */
import path from "node:path";
import { createHash } from "node:crypto";
import {
  type CreateFile,
  type Diagnostic,
  DiagnosticSeverity,
  type Range as LspRange,
  type TextDocumentEdit,
  type TextEdit as LspTextEdit,
  uinteger,
  type WorkspaceEdit,
} from "vscode-languageserver/node";
import type { Finding, Range, RuleId, Severity, TextEdit } from "../../core/analysis/finding.ts";
import type { Problem } from "../../core/model.ts";
import { uriOf } from "../convert.ts";
import type { FindingData } from "../protocol.ts";
import type { Session } from "../session.ts";
import type { FileChange } from "./messages.ts";

const SEVERITIES: Readonly<Record<Severity, DiagnosticSeverity>> = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  information: DiagnosticSeverity.Information,
  hint: DiagnosticSeverity.Hint,
};

/** What a finding is called until the code around it changes; `findings` are all of its file. */
export function nameOf(finding: Finding, findings: readonly Finding[]): FindingData {
  const { rule, fingerprint } = finding;
  return { rule, fingerprint, nth: findings.filter((one) => one.rule === rule && one.fingerprint === fingerprint).indexOf(finding) };
}

export function diagnosticOf(session: Session, root: string, finding: Finding, data: FindingData): Diagnostic {
  const page = pageOf(session, finding.rule);
  return {
    range: rangeOf(finding.range),
    severity: SEVERITIES[finding.severity],
    source: "offcut",
    code: finding.rule,
    ...(page !== undefined && { codeDescription: { href: page } }),
    message: finding.message,
    ...(session.abilities.relatedInformation &&
      finding.related.length > 0 && {
        relatedInformation: finding.related.map((step) => ({
          location: { uri: uriOf(path.join(root, step.file)), range: rangeOf(step.range) },
          message: step.message,
        })),
      }),
    data,
  };
}

/** A note on a whole line, for it does not say more. */
export function noteOf({ line = 1, message }: Problem): Diagnostic {
  const range = { start: { line: line - 1, character: 0 }, end: { line: line - 1, character: uinteger.MAX_VALUE } };
  return { range, severity: DiagnosticSeverity.Hint, source: "offcut", message };
}

/** The page of the documentation about a rule, where the client has one. */
export function pageOf({ docs }: Session, rule: RuleId): string | undefined {
  return docs === undefined ? undefined : `${docs.replace(/\/$/, "")}/${rule}.md`;
}

export function rangeOf({ start, end }: Range): LspRange {
  return {
    start: { line: start.line - 1, character: start.column - 1 },
    end: { line: end.line - 1, character: end.column - 1 },
  };
}

export function groupByFile(findings: readonly Finding[]): ReadonlyMap<string, readonly Finding[]> {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const group = groups.get(finding.file);
    if (group) group.push(finding);
    else groups.set(finding.file, [finding]);
  }
  return groups;
}

/** The same items have the same identifier, whoever asks and whenever. */
export function resultIdOf(items: readonly Diagnostic[]): string {
  return createHash("sha1").update(JSON.stringify(items)).digest("base64url");
}

/**
 * `versionOf` tells the version of an open document, so that edits of an older text are refused. Nothing when the client
 * cannot do what the edit needs.
 */
export function workspaceEditOf(
  session: Session,
  root: string,
  changes: readonly FileChange[],
  versionOf: (uri: string) => number | undefined,
): WorkspaceEdit | undefined {
  const { documentChanges, createFiles } = session.abilities;
  if (changes.some((change) => change.create) && !createFiles) return undefined;
  const all = changes.map(({ file, edits, create }) => ({
    uri: uriOf(path.join(root, file)),
    edits: edits.map(textEditOf),
    create: create === true,
  }));
  if (!documentChanges) return { changes: Object.fromEntries(all.map(({ uri, edits }) => [uri, edits])) };
  return {
    documentChanges: all.flatMap(({ uri, edits, create }): (CreateFile | TextDocumentEdit)[] => {
      const change: TextDocumentEdit = { textDocument: { uri, version: versionOf(uri) ?? null }, edits };
      return create ? [{ kind: "create", uri, options: { ignoreIfExists: true } }, change] : [change];
    }),
  };
}

function textEditOf({ range, text }: TextEdit): LspTextEdit {
  return { range: rangeOf(range), newText: text };
}
