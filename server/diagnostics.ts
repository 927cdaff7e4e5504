/** Pull diagnostics for `offcut.json` and `offcut.yaml`, as the editor has it. */
import path from "node:path";
import { type Diagnostic, type DocumentDiagnosticReport, DocumentDiagnosticReportKind } from "vscode-languageserver/node";
import type { TextDocument } from "vscode-languageserver-textdocument";
import { ConfigError } from "../core/config/config.ts";
import { CONFIG_FILES } from "../core/config/file.ts";
import { parseConfig } from "../core/config/load.ts";
import type { Problem } from "../core/model.ts";
import { diagnosticOf, pathOf } from "./convert.ts";

export function diagnose(document: TextDocument | undefined): DocumentDiagnosticReport {
  return { kind: DocumentDiagnosticReportKind.Full, items: document ? diagnosticsOf(document) : [] };
}

function diagnosticsOf(document: TextDocument): Diagnostic[] {
  const name = document.uri.startsWith("file:") ? path.basename(pathOf(document.uri)) : "";
  if (!CONFIG_FILES.includes(name)) return [];
  const text = document.getText();
  const lines = text.split(/\r\n|\r|\n/);
  return problemsOf(path.dirname(pathOf(document.uri)), text, name).map((problem) => diagnosticOf(problem, lines));
}

function problemsOf(root: string, text: string, name: string): readonly Problem[] {
  try {
    return parseConfig(root, text, name).problems;
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
