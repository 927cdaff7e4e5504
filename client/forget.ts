/** Forget Damaged Manifest…: what stops all cleaning and cannot be restored is set aside, once the user agreed. */
import * as vscode from "vscode";
import { type ForgetParams, forgetRequest, type Told } from "../server/protocol.ts";
import { choose, folderName } from "./choose.ts";
import type { Tools } from "./cleanUp.ts";
import type { Report } from "./state.ts";

interface Damaged {
  readonly job: string;
  readonly report: Report;
}

/** From a view that of the node; from the palette one of those that are damaged. */
export async function forgetManifest({ server, state }: Tools, given: Damaged | undefined): Promise<void> {
  await state.ensure();
  const chosen =
    given ??
    (await choose(
      state.reports.flatMap((report) =>
        report.problems.flatMap(({ job, source }) =>
          job === undefined
            ? []
            : [{ label: job, description: [...folderName(report.folder), source].join(" · "), value: { job, report } }],
        ),
      ),
      {
        placeHolder: vscode.l10n.t("The job whose damaged manifest is set aside"),
        none: vscode.l10n.t("No manifest of a job is damaged."),
      },
    ));
  if (!chosen) return;
  const { folder } = chosen.report;
  const params: ForgetParams = { folder: folder.uri.toString(), job: chosen.job };
  const { message } = await server.request<Told>(forgetRequest, params);
  const warning = vscode.l10n.t("What only this manifest protects is nobody's then: it is kept, and taken by hand only.");
  const action = vscode.l10n.t("Set It Aside");
  const detail = `${message}\n\n${warning}`;
  const question = vscode.l10n.t("Set the damaged manifest of {0} aside?", chosen.job);
  if ((await vscode.window.showWarningMessage(question, { modal: true, detail }, action)) !== action) return;
  const done = await server.request<Told>(forgetRequest, { ...params, confirmed: true });
  await state.refresh([folder]);
  void vscode.window.showInformationMessage(done.message);
}
