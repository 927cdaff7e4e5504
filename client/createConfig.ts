/** Create offcut.json: a start for a folder that has none. */
import * as vscode from "vscode";

/** The names that a configuration may have. */
export const CONFIG_FILES: readonly string[] = ["offcut.json", "offcut.yaml", "offcut.yml"];

const START = `{
  // What this project's media pipeline writes, and what may go. Ctrl+Space lists the settings.
  "preset": "video-generator"
}
`;

/** Opens the file that is there, and writes one only where none is. */
export async function createConfig(folder: vscode.WorkspaceFolder): Promise<void> {
  const found = await findConfigFile(folder);
  if (found) {
    await vscode.window.showTextDocument(found);
    return;
  }
  const uri = vscode.Uri.joinPath(folder.uri, "offcut.json");
  const edit = new vscode.WorkspaceEdit();
  edit.createFile(uri, { ignoreIfExists: true, contents: Buffer.from(START) });
  await vscode.workspace.applyEdit(edit);
  await vscode.window.showTextDocument(uri);
}

export async function findConfigFile(folder: vscode.WorkspaceFolder): Promise<vscode.Uri | undefined> {
  const uris = CONFIG_FILES.map((name) => vscode.Uri.joinPath(folder.uri, name));
  const looks = await Promise.allSettled(uris.map((uri) => vscode.workspace.fs.stat(uri)));
  return uris.find((_, i) => looks[i]?.status === "fulfilled");
}
