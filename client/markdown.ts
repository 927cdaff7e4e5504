/** Texts from files and databases inside Markdown. */
import * as vscode from "vscode";

/** A title and facts as a list. Nothing in them is taken as Markdown, and long lines may wrap: `appendText` makes every space a hard one. */
export function listFacts(title: string, facts: readonly string[]): vscode.MarkdownString {
  return new vscode.MarkdownString([`**${escapeMarkdown(title)}**`, "", ...facts.map((fact) => `- ${escapeMarkdown(fact)}`)].join("\n"));
}

function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\`*_{}[\]()#+\-!~|<>&$]/g, String.raw`\$&`).replaceAll(/\s*\n\s*/g, " ");
}
