/** Create offcut.json: a start for a folder that has none. */
import * as vscode from "vscode";

const START = `{
  // What this project's media pipeline writes, and what may go. Ctrl+Space lists the settings.
  "preset": "video-generator"
}
`;

/** Opens the file that is there, and writes one only where none is. */
export async function createConfig(folder: vscode.WorkspaceFolder): Promise<void> {
  const uri = vscode.Uri.joinPath(folder.uri, "offcut.json");
  const edit = new vscode.WorkspaceEdit();
  edit.createFile(uri, { ignoreIfExists: true, contents: Buffer.from(START) });
  await vscode.workspace.applyEdit(edit);
  await vscode.window.showTextDocument(uri);
}
