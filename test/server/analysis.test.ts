import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import {
  type CodeAction,
  type Diagnostic,
  type DocumentDiagnosticReport,
  LSPErrorCodes,
  type WorkspaceDiagnosticReport,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import type { CallSitesAnswer } from "../../server/protocol.ts";
import { poll } from "../editor/poll.ts";
import { failureOf } from "./client.ts";
import { editorCapabilities } from "./editor.ts";
import { useCodeWorkspace } from "./codeWorkspace.ts";
import { CLEANED, RULE, sender, STORE, uploader } from "./uploader.ts";

const ZERO = { line: 0, character: 0 };
function messageOf(diagnostic: Diagnostic | undefined): string {
  return typeof diagnostic?.message === "string" ? diagnostic.message : (diagnostic?.message.value ?? "");
}

describe("server: code", () => {
  const code = useCodeWorkspace();
  const { write, start } = code;
  const rulesOf = (items: readonly Diagnostic[]): unknown[] => items.map(({ code }) => code);
  const quickFixes = async (file: string, at = "cloudinary.uploader"): Promise<CodeAction[]> => code.editor.actions(file, at, ["quickfix"]);
  const named = (actions: readonly CodeAction[], title: RegExp): CodeAction => {
    const action = actions.find((one) => title.test(one.title));
    assert.ok(action, `${title} among ${actions.map((one) => one.title).join(", ")}`);
    return action;
  };

  describe("diagnostics of a document", () => {
    it("name rule, place, severity, page and the way of the file", async () => {
      await start({ options: { docs: "file:///extension/docs/rules" } });
      await code.editor.open("src/publish.ts");
      const [diagnostic, ...more] = await code.editor.diagnostics("src/publish.ts");
      assert.deepEqual(more, []);
      assert.ok(diagnostic);
      assert.deepEqual([diagnostic.code, diagnostic.source, diagnostic.severity], [RULE, "offcut", 2]);
      assert.deepEqual(diagnostic.codeDescription, { href: `file:///extension/docs/rules/${RULE}.md` });
      const document = TextDocument.create("", "", 0, uploader("publish"));
      assert.match(document.getText(diagnostic.range), /^cloudinary\.uploader\.upload\(clipPath/);
      assert.match(messageOf(diagnostic), /clipPath/);
      const steps = diagnostic.relatedInformation ?? [];
      assert.ok(steps.length >= 1);
      for (const { location } of steps) assert.equal(location.uri, code.editor.uri("src/publish.ts"));
      assert.equal((diagnostic.data as { rule: string }).rule, RULE);
    });

    it("are the same again until the text changes, and unsaved text counts", async () => {
      await start();
      await code.editor.open("src/publish.ts");
      const first = await code.editor.pull("src/publish.ts");
      assert.ok(first.kind === "full" && first.resultId !== undefined);
      assert.deepEqual(await code.editor.pull("src/publish.ts", first.resultId), { kind: "unchanged", resultId: first.resultId });
      await code.editor.type("src/publish.ts", CLEANED);
      const cleaned = await code.editor.pull("src/publish.ts", first.resultId);
      assert.deepEqual(cleaned.kind === "full" && cleaned.items, []);
      assert.equal(fs.readFileSync(path.join(code.root, "src/publish.ts"), "utf8"), uploader("publish"));
      await code.editor.close("src/publish.ts");
      assert.deepEqual(rulesOf(await code.editor.diagnostics("src/publish.ts")), [RULE]);
    });

    it("follow the newest text when the client types faster than it is answered", async () => {
      await start();
      await code.editor.open("src/publish.ts");
      const reports: Promise<DocumentDiagnosticReport>[] = [];
      for (let i = 0; i < 10; i++) {
        await code.editor.type("src/publish.ts", i % 2 === 0 ? CLEANED : uploader("publish"));
        reports.push(code.editor.pull("src/publish.ts"));
      }
      await Promise.all(reports);
      assert.deepEqual(rulesOf(await code.editor.diagnostics("src/publish.ts")), [RULE]);
    });

    it("see unsaved text of other files", async () => {
      write(
        "src/store.ts",
        `import { v2 as cloudinary } from "cloudinary";\nexport const store = (file: string) => cloudinary.uploader.upload(file);\n`,
      );
      const caller = `import { writeFile } from "node:fs/promises";
import { store } from "./store";

export async function send(clip: Uint8Array): Promise<void> {
  const clipPath = ".cache/clips/one.mp4";
  await writeFile(clipPath, clip);
  await store(clipPath);
}
`;
      write("src/send.ts", caller);
      await start();
      await code.editor.open("src/send.ts");
      assert.deepEqual(rulesOf(await code.editor.diagnostics("src/send.ts")), [RULE]);
      await code.editor.open("src/store.ts");
      await code.editor.type("src/store.ts", "export const store = async (file: string) => console.log(file);\n");
      assert.deepEqual(await code.editor.diagnostics("src/send.ts"), []);
    });

    it("are the same before and after the whole workspace was checked", async () => {
      write("src/publish.test.ts", uploader("publish"));
      await start();
      for (const file of ["src/publish.ts", "src/publish.test.ts"]) await code.editor.open(file);
      const all = async (): Promise<unknown[]> =>
        Promise.all(["src/publish.ts", "src/publish.test.ts"].map(async (file) => rulesOf(await code.editor.diagnostics(file))));
      assert.deepEqual(await all(), [[RULE], []]);
      await code.client.request<CallSitesAnswer>("offcut/callSites");
      assert.deepEqual(await all(), [[RULE], []]);
    });

    it("leave alone what is no code, or nobody's", async () => {
      await start();
      await code.editor.open("notes.md", "cloudinary.uploader.upload(clipPath)");
      assert.deepEqual(await code.editor.diagnostics("notes.md"), []);
      const outside = pathToFileURL(path.join(os.tmpdir(), "elsewhere.ts")).href;
      const report = await code.client.connection.sendRequest<DocumentDiagnosticReport>("textDocument/diagnostic", {
        textDocument: { uri: outside },
      });
      assert.deepEqual(report.kind === "full" && report.items, []);
    });

    it("hint at a comment that names no rule, open or not", async () => {
      write(
        "src/silent.ts",
        uploader("silent").replace("  const {", "  // offcut-ignore-next-line mising-cleanup-after-upload\n  const {"),
      );
      await start();
      await code.editor.open("src/silent.ts");
      const [finding, hint, ...more] = await code.editor.diagnostics("src/silent.ts");
      assert.deepEqual([finding?.code, hint?.severity, hint?.range.start, more], [RULE, 4, { line: 6, character: 0 }, []]);
      assert.match(messageOf(hint), /did you mean "missing-cleanup-after-upload"\?$/);
      await code.editor.close("src/silent.ts");
      const { items } = await code.client.connection.sendRequest<WorkspaceDiagnosticReport>("workspace/diagnostic", {
        previousResultIds: [],
      });
      const report = items.find(({ uri }) => uri.endsWith("/silent.ts"));
      assert.deepEqual(report?.kind === "full" ? report.items.map(({ severity }) => severity) : report, [2, 4]);
    });

    it("tell what lies on the disk, and ask the client to look again for it", async () => {
      for (const id of ["a", "b"]) write(`.cache/clips/${id}.mp4`, "x".repeat(1024));
      await start();
      await code.editor.open("src/publish.ts");
      await code.editor.diagnostics("src/publish.ts");
      await poll("the figures", () => code.client.refreshes > 0);
      const [diagnostic] = await code.editor.diagnostics("src/publish.ts");
      assert.match(messageOf(diagnostic), /\(2 files, 2\.0 KB on disk now\)/);
    });
  });

  it("disturbs nobody when the analysis fails", async () => {
    const script = `import { parentPort } from "node:worker_threads";
      parentPort.on("message", ({ say, id }) => say === "ask" && parentPort.postMessage({ say: "failed", id, message: "a defect" }));`;
    await start({ thread: { program: new URL(`data:text/javascript,${encodeURIComponent(script)}`) } });
    await code.editor.open("src/publish.ts");
    const error = await failureOf(code.editor.pull("src/publish.ts"));
    assert.deepEqual([error.code, error.data], [LSPErrorCodes.ServerCancelled, { retriggerRequest: false }]);
    assert.equal(await code.editor.hover("src/publish.ts", "cloudinary.uploader"), undefined);
    const params = {
      textDocument: { uri: code.editor.uri("src/publish.ts") },
      range: { start: ZERO, end: ZERO },
      context: { diagnostics: [] },
    };
    assert.deepEqual(await code.client.connection.sendRequest("textDocument/codeAction", params), []);
    assert.deepEqual(await code.client.connection.sendRequest("workspace/diagnostic", { previousResultIds: [] }), { items: [] });
    assert.match((await failureOf(code.client.request("offcut/callSites"))).message, /The analysis of the code failed: a defect/);
    assert.deepEqual(code.client.shown, []);
  });

  it("survives the end of the analysis, and says so once", async () => {
    const flag = path.join(code.root, "died");
    const script = `import fs from "node:fs";
      import { parentPort } from "node:worker_threads";
      parentPort.on("message", ({ say, id }) => {
        if (say !== "ask") return;
        if (fs.existsSync(${JSON.stringify(flag)})) return parentPort.postMessage({ say: "answer", id, answer: { findings: [], sites: [], problems: [], files: 7 } });
        fs.writeFileSync(${JSON.stringify(flag)}, "");
        throw new Error("out of its mind");
      });`;
    await start({ thread: { program: new URL(`data:text/javascript,${encodeURIComponent(script)}`) } });
    await code.editor.open("src/publish.ts");
    assert.equal((await failureOf(code.editor.pull("src/publish.ts"))).code, LSPErrorCodes.ServerCancelled);
    assert.deepEqual(code.client.shown, [{ type: 1, message: "The analysis of the code ended unexpectedly: out of its mind" }]);
    assert.deepEqual(await code.editor.diagnostics("src/publish.ts"), []);
    assert.equal((await code.client.request<CallSitesAnswer>("offcut/callSites")).files, 7);
    assert.equal(code.client.shown.length, 1);
  });

  describe("settings", () => {
    const configure = async (settings: Record<string, unknown>): Promise<void> => {
      for (const [section, value] of Object.entries(settings)) code.client.settings.set(section, value);
      await code.client.connection.sendNotification("workspace/didChangeConfiguration", { settings: null });
    };
    const severities = async (): Promise<unknown[]> => (await code.editor.diagnostics("src/publish.ts")).map(({ severity }) => severity);

    it("set severities and switch off rules, at once", async () => {
      await start();
      await code.editor.open("src/publish.ts");
      assert.deepEqual(await severities(), [2]);
      await configure({ "offcut.check.rules": { [RULE]: "hint", "no-such-rule": "off" } });
      await poll("the refresh", () => code.client.refreshes > 0);
      assert.deepEqual(await severities(), [4]);
      await configure({ "offcut.check.rules": { [RULE]: "off" } });
      await poll("the rule to be off", async () => (await severities()).length === 0);
      await configure({ "offcut.check.rules": { [RULE]: "error" } });
      await poll("an error", async () => (await severities())[0] === 1);
      await configure({ "offcut.check.enable": false });
      await poll("nothing", async () => (await severities()).length === 0);
    });

    it("win over offcut.json, whose unsaved text counts", async () => {
      write("offcut.json", `{ "analysis": { "rules": { "${RULE}": "information" } } }`);
      await start();
      await code.editor.open("src/publish.ts");
      assert.deepEqual(await severities(), [3]);
      await code.editor.open("offcut.json");
      await code.editor.type("offcut.json", `{ "analysis": { "rules": { "${RULE}": "error" } } }`);
      await poll("an error", async () => (await severities())[0] === 1);
      await code.editor.type("offcut.json", `{ "analysis": { "rul`);
      assert.deepEqual(await severities(), [1]);
      await configure({ "offcut.check.rules": { [RULE]: "hint" } });
      await poll("a hint", async () => (await severities())[0] === 4);
    });

    it("check after saving only, when told so", async () => {
      await start();
      code.client.settings.set("offcut.check.run", "onSave");
      await code.editor.open("src/publish.ts");
      const first = await code.editor.pull("src/publish.ts");
      assert.ok(first.kind === "full" && first.resultId !== undefined && first.items.length === 1);
      await code.editor.type("src/publish.ts", CLEANED);
      assert.equal((await code.editor.pull("src/publish.ts", first.resultId)).kind, "unchanged");
      await code.editor.save("src/publish.ts");
      assert.deepEqual(await code.editor.diagnostics("src/publish.ts"), []);
    });

    it("hide what a baseline has", async () => {
      await start();
      await code.editor.open("src/publish.ts");
      const [diagnostic] = await code.editor.diagnostics("src/publish.ts");
      assert.ok(diagnostic);
      const { fingerprint } = diagnostic.data as { fingerprint: string };
      const entry = { rule: RULE, file: "src/publish.ts", fingerprint, count: 1 };
      write("offcut-baseline.json", JSON.stringify({ schema: 1, findings: [entry] }));
      await configure({ "offcut.check.baseline": "offcut-baseline.json" });
      await poll("nothing", async () => (await severities()).length === 0);
    });
  });

  describe("code actions", () => {
    it("offer fixes whose edits come later, for the text as it is then", async () => {
      await start();
      await code.editor.open("src/publish.ts");
      const actions = await quickFixes("src/publish.ts");
      assert.ok(actions.every((action) => action.edit === undefined && action.kind === "quickfix" && action.diagnostics?.length === 1));
      const fix = actions.find((action) => action.isPreferred);
      assert.ok(fix, JSON.stringify(actions));
      await code.editor.type("src/publish.ts", `// one more line\n${uploader("publish")}`);
      await code.editor.apply(fix);
      assert.match(code.editor.textOf("src/publish.ts"), /\/\/ one more line\n[^]*upload\(clipPath[^]*clipPath[^]*return secure_url/);
      assert.deepEqual(await code.editor.diagnostics("src/publish.ts"), []);
    });

    it("have their edits at once for clients that cannot ask for them later", async () => {
      const { textDocument, ...rest } = editorCapabilities;
      await start({ capabilities: { ...rest, textDocument: { ...textDocument, codeAction: {} } } });
      await code.editor.open("src/publish.ts");
      const actions = await quickFixes("src/publish.ts");
      assert.ok(actions.length >= 3 && actions.every((action) => action.edit !== undefined));
    });

    it("offer nothing away from a finding", async () => {
      await start();
      await code.editor.open("src/publish.ts");
      assert.deepEqual(await code.editor.actions("src/publish.ts", "export async"), []);
    });

    it("make a new file with the line ends of the file with the finding", async () => {
      const received = `import { v2 as cloudinary } from "cloudinary";
import multer from "multer";

export const receive = multer({ dest: "uploads/" }).single("avatar");
export const publish = async (req: { file: { path: string } }) => cloudinary.uploader.upload(req.file.path);
`;
      write("package.json", '{ "name": "without-offcut" }');
      write("src/publish.ts", received.replaceAll("\n", "\r\n"));
      await start();
      await code.editor.open("src/publish.ts");
      const [fix] = await quickFixes("src/publish.ts");
      const made = path.join(code.root, "src/deleteLocalFileAfterUpload.ts");
      assert.ok(fix);
      await code.editor.apply(fix);
      assert.match(fs.readFileSync(made, "utf8"), /^(?:[^\r\n]*\r\n)+$/);
      fs.rmSync(made);
      await code.editor.type("src/publish.ts", received.replaceAll("\n", "\r\n"));
      const [all] = await code.editor.actions("src/publish.ts", "cloudinary.uploader", ["source.fixAll.offcut"]);
      assert.ok(all);
      await code.editor.apply(all);
      assert.match(fs.readFileSync(made, "utf8"), /^(?:[^\r\n]*\r\n)+$/);
    });

    it("fix everything in a file, one on top of the other", async () => {
      const again = uploader("again");
      const both = `${uploader("publish")}\n${again.slice(again.indexOf("export"))}`;
      write("src/publish.ts", both);
      await start();
      await code.editor.open("src/publish.ts");
      assert.equal((await code.editor.diagnostics("src/publish.ts")).length, 2);
      const [fixAll, ...more] = await code.editor.actions("src/publish.ts", "import", ["source.fixAll"]);
      assert.deepEqual([fixAll?.kind, fixAll?.edit, more], ["source.fixAll.offcut", undefined, []]);
      assert.ok(fixAll);
      await code.editor.apply(fixAll);
      assert.deepEqual(await code.editor.diagnostics("src/publish.ts"), []);
      assert.deepEqual(await code.editor.actions("src/publish.ts", "import", ["source.fixAll.offcut"]), []);
      // What the fixes were computed on is forgotten again.
      await code.editor.type("src/publish.ts", both);
      assert.equal((await code.editor.diagnostics("src/publish.ts")).length, 2);
    });

    it("ignore a finding here, with the line's indentation", async () => {
      await start();
      await code.editor.open("src/publish.ts");
      await code.editor.apply(named(await quickFixes("src/publish.ts"), /^Ignore .* here$/));
      assert.match(
        code.editor.textOf("src/publish.ts"),
        new RegExp(`\\n  // offcut-ignore-next-line ${RULE} -- reason\\n  const \\{ secure_url \\} = await`),
      );
      assert.deepEqual(await code.editor.diagnostics("src/publish.ts"), []);
    });

    it("ignore a rule in the workspace, beside what offcut.json says already", async () => {
      write("offcut.json", `{\n  // ours\n  "policy": { "undo": "1h" } // one hour\n}\n`);
      await start();
      await code.editor.open("src/publish.ts");
      await code.editor.apply(named(await quickFixes("src/publish.ts"), /^Ignore .* in this workspace$/));
      assert.equal(
        fs.readFileSync(path.join(code.root, "offcut.json"), "utf8"),
        `{\n  // ours\n  "policy": { "undo": "1h" }, // one hour\n  "analysis": {\n    "rules": {\n      "${RULE}": "off"\n    }\n  }\n}\n`,
      );
      await poll("the rule to be off", async () => (await code.editor.diagnostics("src/publish.ts")).length === 0);
    });

    it("make offcut.json where there is none", async () => {
      await start();
      await code.editor.open("src/publish.ts");
      await code.editor.apply(named(await quickFixes("src/publish.ts"), /^Ignore .* in this workspace$/));
      const config = JSON.parse(fs.readFileSync(path.join(code.root, "offcut.json"), "utf8")) as unknown;
      assert.deepEqual(config, { analysis: { rules: { [RULE]: "off" } } });
    });
  });

  describe("hover", () => {
    it("tells the way of the file from step to step with links, what lies on the disk, and where to read on", async () => {
      for (const id of ["a", "b"]) write(`.cache/clips/${id}.mp4`, "x".repeat(1024));
      await start({ options: { docs: "file:///extension/docs/rules" } });
      await code.editor.open("src/publish.ts");
      const [way, disk, page, ...more] = ((await code.editor.hover("src/publish.ts", "cloudinary.uploader")) ?? "").split("\n\n");
      const step = (message: string, line: number): string => `${message} ([line ${line}](${code.editor.uri("src/publish.ts")}#L${line}))`;
      assert.equal(
        way,
        `\`clipPath\`: ${step("made here", 6)} → ${step("uploaded here", 7)} → ${step("leaves here without deleting it", 8)}`,
      );
      assert.equal(disk, "`.cache/clips/*.mp4`: 2 files, 2\\.0 KB on disk now");
      assert.deepEqual([page, more], [`[About this rule](file:///extension/docs/rules/${RULE}.md)`, []]);
      assert.equal(await code.editor.hover("src/publish.ts", "import"), undefined);
    });

    it("names other files, and has no Markdown for who cannot read it", async () => {
      write("src/store.ts", STORE);
      write("src/send.ts", sender("./store", `  await writeFile(".cache/one.mp4", clip);\n  await store(".cache/one.mp4");\n`));
      const { textDocument, ...rest } = editorCapabilities;
      await start({ capabilities: { ...rest, textDocument: { ...textDocument, hover: {} } } });
      await code.editor.open("src/send.ts");
      const lines = ((await code.editor.hover("src/send.ts", "store(")) ?? "").split("\n");
      assert.equal(lines[0], RULE);
      assert.match(lines[1] ?? "", /made here \(line 5\) → .* \(line 6\) → .*\(store\.ts:2\)/);
    });

    it("takes nothing of the code for Markdown", async () => {
      write("src/a](b)_c.ts", STORE);
      write(
        "src/send.ts",
        sender(
          "./a](b)_c",
          `  const _clip_path_ = ".cache/one.mp4";\n  await writeFile(_clip_path_, clip);\n  await store(_clip_path_);\n`,
        ),
      );
      await start();
      await code.editor.open("src/send.ts");
      const text = (await code.editor.hover("src/send.ts", "store(_")) ?? "";
      assert.match(text, /^`_clip_path_`:/);
      assert.match(text, /\[a\\\]\\\(b\\\)\\_c\\\.ts\\:\d+\]\(file:[^()\s]*#L\d+\)/);
    });
  });
});
