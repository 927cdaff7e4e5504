/** Create offcut.json: a start for a folder that has none. */
import * as vscode from "vscode";

/** The names that a configuration may have. */
export const CONFIG_FILES: readonly string[] = ["offcut.json", "offcut.yaml", "offcut.yml"];

interface Preset extends vscode.QuickPickItem {
  /** As it stands in the file. */
  readonly label: "video-generator" | "upload-outputs" | "job-manifests" | "clip-store";
}

/** Opens the file that is there, and writes one only where none is, with the preset that the user picks. */
export async function createConfig(folder: vscode.WorkspaceFolder): Promise<void> {
  const found = await findConfigFile(folder);
  if (found) {
    await vscode.window.showTextDocument(found);
    return;
  }
  const preset = await vscode.window.showQuickPick(await listPresets(folder), {
    title: vscode.l10n.t("Create offcut.json"),
    placeHolder: vscode.l10n.t("The pipeline that comes closest; every path and rule can be changed in the file"),
    matchOnDetail: true,
  });
  if (!preset) return;
  const uri = vscode.Uri.joinPath(folder.uri, "offcut.json");
  const edit = new vscode.WorkspaceEdit();
  edit.createFile(uri, { ignoreIfExists: true, contents: Buffer.from(startWith(preset.label)) });
  await vscode.workspace.applyEdit(edit);
  await vscode.window.showTextDocument(uri);
}

function startWith(preset: Preset["label"]): string {
  return `{
  // What this project's media pipeline writes, and what may go. Ctrl+Space lists the settings.
  "preset": "${preset}"
}
`;
}

/** The one that fits comes first, so that Enter takes it. */
async function listPresets(folder: vscode.WorkspaceFolder): Promise<readonly Preset[]> {
  const generator: Preset = {
    label: "video-generator",
    detail: vscode.l10n.t("Projects in a SQLite database; intermediate files go once the final video is there"),
  };
  const jobs: Preset = {
    label: "job-manifests",
    detail: vscode.l10n.t("Jobs that list their files in manifests; temporary files go a day after success"),
  };
  const others: readonly Preset[] = [
    { label: "upload-outputs", detail: vscode.l10n.t("Outputs that are uploaded; the local copy goes once the remote one is verified") },
    { label: "clip-store", detail: vscode.l10n.t("Temporary clips; they go after an hour, or when there is more than 1 GB of them") },
  ];
  if (!(await exists(vscode.Uri.joinPath(folder.uri, ".offcut/jobs")))) return [generator, jobs, ...others];
  return [{ ...jobs, description: vscode.l10n.t("fits: there are job manifests in .offcut/jobs") }, generator, ...others];
}

export async function findConfigFile(folder: vscode.WorkspaceFolder): Promise<vscode.Uri | undefined> {
  const uris = CONFIG_FILES.map((name) => vscode.Uri.joinPath(folder.uri, name));
  const found = await Promise.all(uris.map(exists));
  return uris.find((_, i) => found[i]);
}

function exists(uri: vscode.Uri): Promise<boolean> {
  return Promise.resolve(vscode.workspace.fs.stat(uri)).then(
    () => true,
    () => false,
  );
}
