/** What an editor does with code, for tests: documents with versions, pulled diagnostics, actions that are applied. */
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type {
  ClientCapabilities,
  CodeAction,
  Diagnostic,
  DocumentDiagnosticReport,
  Hover,
  Position,
  TextEdit,
  WorkspaceEdit,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import type { Client } from "./client.ts";

/** As VS Code has them. */
export const editorCapabilities: ClientCapabilities = {
  workspace: {
    configuration: true,
    diagnostics: { refreshSupport: true },
    workspaceEdit: { documentChanges: true, resourceOperations: ["create", "rename", "delete"] },
  },
  textDocument: {
    diagnostic: { relatedInformation: true, codeDescriptionSupport: true, dataSupport: true },
    codeAction: { dataSupport: true, resolveSupport: { properties: ["edit"] } },
    hover: { contentFormat: ["markdown", "plaintext"] },
  },
};

export interface Editor {
  uri(file: string): string;
  /** Opens a file as it is on the disk, or with a text. */
  open(file: string, text?: string): Promise<void>;
  /** Replaces the whole text without saving. */
  type(file: string, text: string): Promise<void>;
  save(file: string): Promise<void>;
  close(file: string): Promise<void>;
  /** Of an open document, else of the disk. */
  textOf(file: string): string;
  pull(file: string, previousResultId?: string): Promise<DocumentDiagnosticReport>;
  diagnostics(file: string): Promise<readonly Diagnostic[]>;
  /** At a text of the document, or of one kind. */
  actions(file: string, at: string, only?: readonly string[]): Promise<CodeAction[]>;
  resolve(action: CodeAction): Promise<CodeAction>;
  /** Resolves the action if need be and does what it says, on the documents or on the disk. */
  apply(action: CodeAction): Promise<void>;
  hover(file: string, at: string): Promise<string | undefined>;
}

export function startEditor(root: string, client: Client): Editor {
  const { connection } = client;
  const documents = new Map<string, TextDocument>();
  const uriOf = (file: string): string => `${client.folder}/${file}`;
  const pathOf = (file: string): string => path.join(root, file);
  const documentOf = (file: string): TextDocument => {
    const document = documents.get(uriOf(file));
    if (!document) throw new Error(`${file} is not open`);
    return document;
  };
  const change = async (uri: string, text: string): Promise<void> => {
    const version = (documents.get(uri)?.version ?? 0) + 1;
    documents.set(uri, TextDocument.create(uri, "typescript", version, text));
    await connection.sendNotification("textDocument/didChange", { textDocument: { uri, version }, contentChanges: [{ text }] });
  };

  const applyText = async (uri: string, edits: readonly TextEdit[], version?: number | null): Promise<void> => {
    const document = documents.get(uri);
    if (document) {
      if (version !== undefined && version !== document.version) throw new Error(`an edit for version ${version} of ${document.version}`);
      await change(uri, TextDocument.applyEdits(document, [...edits]));
      return;
    }
    const file = fileURLToPath(uri);
    const onDisk = TextDocument.create(uri, "typescript", 0, fs.readFileSync(file, "utf8"));
    fs.writeFileSync(file, TextDocument.applyEdits(onDisk, [...edits]));
    await connection.sendNotification("workspace/didChangeWatchedFiles", { changes: [{ uri, type: 2 }] });
  };

  const applyEdit = async ({ documentChanges = [], changes = {} }: WorkspaceEdit): Promise<void> => {
    for (const one of documentChanges) {
      if ("kind" in one) {
        if (one.kind !== "create") throw new Error(`not expected: ${one.kind}`);
        fs.mkdirSync(path.dirname(fileURLToPath(one.uri)), { recursive: true });
        fs.writeFileSync(fileURLToPath(one.uri), "", { flag: "a" });
      } else {
        const { textDocument, edits } = one;
        await applyText(textDocument.uri, edits as TextEdit[], textDocument.version);
      }
    }
    for (const [uri, edits] of Object.entries(changes)) await applyText(uri, edits);
  };

  const positionOf = (file: string, at: string): Position => {
    const offset = documentOf(file).getText().indexOf(at);
    if (offset === -1) throw new Error(`${file} has no "${at}"`);
    return documentOf(file).positionAt(offset);
  };

  const editor: Editor = {
    uri: uriOf,
    async open(file, text = fs.readFileSync(pathOf(file), "utf8")) {
      const document = TextDocument.create(uriOf(file), "typescript", 1, text);
      documents.set(document.uri, document);
      const { uri, languageId, version } = document;
      await connection.sendNotification("textDocument/didOpen", { textDocument: { uri, languageId, version, text } });
    },
    type: (file, text) => change(documentOf(file).uri, text),
    async save(file) {
      fs.writeFileSync(pathOf(file), documentOf(file).getText());
      await connection.sendNotification("textDocument/didSave", { textDocument: { uri: uriOf(file) } });
    },
    async close(file) {
      documents.delete(uriOf(file));
      await connection.sendNotification("textDocument/didClose", { textDocument: { uri: uriOf(file) } });
    },
    textOf: (file) => documents.get(uriOf(file))?.getText() ?? fs.readFileSync(pathOf(file), "utf8"),
    pull: (file, previousResultId) =>
      connection.sendRequest("textDocument/diagnostic", {
        textDocument: { uri: uriOf(file) },
        ...(previousResultId !== undefined && { previousResultId }),
      }),
    async diagnostics(file) {
      const report = await editor.pull(file);
      if (report.kind !== "full") throw new Error("the report is not full");
      return report.items;
    },
    async actions(file, at, only) {
      const start = positionOf(file, at);
      const diagnostics = (await editor.diagnostics(file)).filter(({ range }) => range.start.line === start.line);
      return connection.sendRequest("textDocument/codeAction", {
        textDocument: { uri: uriOf(file) },
        range: { start, end: start },
        context: { diagnostics, ...(only && { only }) },
      });
    },
    resolve: (action) => connection.sendRequest("codeAction/resolve", action),
    async apply(action) {
      const { edit } = action.edit ? action : await editor.resolve(action);
      if (!edit) throw new Error(`"${action.title}" has no edit`);
      await applyEdit(edit);
    },
    async hover(file, at) {
      const params = { textDocument: { uri: uriOf(file) }, position: positionOf(file, at) };
      const found = await connection.sendRequest<Hover | null>("textDocument/hover", params);
      const contents = found?.contents;
      return contents && typeof contents === "object" && "value" in contents ? contents.value : undefined;
    },
  };
  return editor;
}
