import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import {
  CancellationTokenSource,
  type CodeAction,
  type Diagnostic,
  type DocumentDiagnosticReport,
  LSPErrorCodes,
  ProgressType,
  type WorkspaceDiagnosticReport,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import type { CallSitesAnswer, FilesOfAnswer, MakersOfAnswer } from "../../server/protocol.ts";
import { poll } from "../editor/poll.ts";
import { type Client, type ClientOptions, failureOf, startClient, type WorkDone } from "./client.ts";
import { type Editor, editorCapabilities, startEditor } from "./editor.ts";

const ZERO = { line: 0, character: 0 };
const RULE = "missing-cleanup-after-upload";

/** Uploads a rendered clip and leaves it in `.cache/clips`. */
function uploader(name: string, body = ""): string {
  return `import { v2 as cloudinary } from "cloudinary";
import { writeFile } from "node:fs/promises";

export async function ${name}(id: string, clip: Uint8Array): Promise<string> {
  const clipPath = \`.cache/clips/\${id}.mp4\`;
  await writeFile(clipPath, clip);
  const { secure_url } = await cloudinary.uploader.upload(clipPath, { resource_type: "video" });
${body}  return secure_url;
}
`;
}
const CLEANED = uploader("publish", "  await rm(clipPath, { force: true }).catch(() => undefined);\n").replace(
  "{ writeFile }",
  "{ rm, writeFile }",
);

function messageOf(diagnostic: Diagnostic | undefined): string {
  return typeof diagnostic?.message === "string" ? diagnostic.message : (diagnostic?.message.value ?? "");
}

describe("server: code", () => {
  let root: string;
  let client: Client;
  let editor: Editor;

  const write = (file: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  };
  const start = async (options: ClientOptions = {}): Promise<void> => {
    client = await startClient(root, { capabilities: editorCapabilities, ...options });
    editor = startEditor(root, client);
  };
  const rulesOf = (items: readonly Diagnostic[]): unknown[] => items.map(({ code }) => code);
  const quickFixes = async (file: string, at = "cloudinary.uploader"): Promise<CodeAction[]> => editor.actions(file, at, ["quickfix"]);
  const named = (actions: readonly CodeAction[], title: RegExp): CodeAction => {
    const action = actions.find((one) => title.test(one.title));
    assert.ok(action, `${title} among ${actions.map((one) => one.title).join(", ")}`);
    return action;
  };

  beforeEach(() => {
    root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "offcut-code-")));
    write("src/publish.ts", uploader("publish"));
  });
  afterEach(async () => {
    await client.stop();
    fs.rmSync(root, { recursive: true, force: true });
  });

  describe("diagnostics of a document", () => {
    it("name rule, place, severity, page and the way of the file", async () => {
      await start({ options: { docs: "file:///extension/docs/rules" } });
      await editor.open("src/publish.ts");
      const [diagnostic, ...more] = await editor.diagnostics("src/publish.ts");
      assert.deepEqual(more, []);
      assert.ok(diagnostic);
      assert.deepEqual([diagnostic.code, diagnostic.source, diagnostic.severity], [RULE, "offcut", 2]);
      assert.deepEqual(diagnostic.codeDescription, { href: `file:///extension/docs/rules/${RULE}.md` });
      const document = TextDocument.create("", "", 0, uploader("publish"));
      assert.match(document.getText(diagnostic.range), /^cloudinary\.uploader\.upload\(clipPath/);
      assert.match(messageOf(diagnostic), /clipPath/);
      const steps = diagnostic.relatedInformation ?? [];
      assert.ok(steps.length >= 1);
      for (const { location } of steps) assert.equal(location.uri, editor.uri("src/publish.ts"));
      assert.equal((diagnostic.data as { rule: string }).rule, RULE);
    });

    it("are the same again until the text changes, and unsaved text counts", async () => {
      await start();
      await editor.open("src/publish.ts");
      const first = await editor.pull("src/publish.ts");
      assert.ok(first.kind === "full" && first.resultId !== undefined);
      assert.deepEqual(await editor.pull("src/publish.ts", first.resultId), { kind: "unchanged", resultId: first.resultId });
      await editor.type("src/publish.ts", CLEANED);
      const cleaned = await editor.pull("src/publish.ts", first.resultId);
      assert.deepEqual(cleaned.kind === "full" && cleaned.items, []);
      assert.equal(fs.readFileSync(path.join(root, "src/publish.ts"), "utf8"), uploader("publish"));
      await editor.close("src/publish.ts");
      assert.deepEqual(rulesOf(await editor.diagnostics("src/publish.ts")), [RULE]);
    });

    it("follow the newest text when the client types faster than it is answered", async () => {
      await start();
      await editor.open("src/publish.ts");
      const reports: Promise<DocumentDiagnosticReport>[] = [];
      for (let i = 0; i < 10; i++) {
        await editor.type("src/publish.ts", i % 2 === 0 ? CLEANED : uploader("publish"));
        reports.push(editor.pull("src/publish.ts"));
      }
      await Promise.all(reports);
      assert.deepEqual(rulesOf(await editor.diagnostics("src/publish.ts")), [RULE]);
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
      await editor.open("src/send.ts");
      assert.deepEqual(rulesOf(await editor.diagnostics("src/send.ts")), [RULE]);
      await editor.open("src/store.ts");
      await editor.type("src/store.ts", "export const store = async (file: string) => console.log(file);\n");
      assert.deepEqual(await editor.diagnostics("src/send.ts"), []);
    });

    it("leave alone what is no code, or nobody's", async () => {
      await start();
      await editor.open("notes.md", "cloudinary.uploader.upload(clipPath)");
      assert.deepEqual(await editor.diagnostics("notes.md"), []);
      const outside = pathToFileURL(path.join(os.tmpdir(), "elsewhere.ts")).href;
      const report = await client.connection.sendRequest<DocumentDiagnosticReport>("textDocument/diagnostic", {
        textDocument: { uri: outside },
      });
      assert.deepEqual(report.kind === "full" && report.items, []);
    });

    it("tell what lies on the disk, and ask the client to look again for it", async () => {
      for (const id of ["a", "b"]) write(`.cache/clips/${id}.mp4`, "x".repeat(1024));
      await start();
      await editor.open("src/publish.ts");
      await editor.diagnostics("src/publish.ts");
      await poll("the figures", () => client.refreshes > 0);
      const [diagnostic] = await editor.diagnostics("src/publish.ts");
      assert.match(messageOf(diagnostic), /\(2 files, 2\.0 KB on disk now\)/);
    });
  });

  it("disturbs nobody when the analysis fails", async () => {
    const script = `import { parentPort } from "node:worker_threads";
      parentPort.on("message", ({ say, id }) => say === "ask" && parentPort.postMessage({ say: "failed", id, message: "a defect" }));`;
    await start({ thread: { program: new URL(`data:text/javascript,${encodeURIComponent(script)}`) } });
    await editor.open("src/publish.ts");
    const error = await failureOf(editor.pull("src/publish.ts"));
    assert.deepEqual([error.code, error.data], [LSPErrorCodes.ServerCancelled, { retriggerRequest: false }]);
    assert.equal(await editor.hover("src/publish.ts", "cloudinary.uploader"), undefined);
    const params = { textDocument: { uri: editor.uri("src/publish.ts") }, range: { start: ZERO, end: ZERO }, context: { diagnostics: [] } };
    assert.deepEqual(await client.connection.sendRequest("textDocument/codeAction", params), []);
    assert.deepEqual(await client.connection.sendRequest("workspace/diagnostic", { previousResultIds: [] }), { items: [] });
    assert.match((await failureOf(client.request("offcut/callSites"))).message, /The analysis of the code failed: a defect/);
    assert.deepEqual(client.shown, []);
  });

  describe("settings", () => {
    const configure = async (settings: Record<string, unknown>): Promise<void> => {
      for (const [section, value] of Object.entries(settings)) client.settings.set(section, value);
      await client.connection.sendNotification("workspace/didChangeConfiguration", { settings: null });
    };
    const severities = async (): Promise<unknown[]> => (await editor.diagnostics("src/publish.ts")).map(({ severity }) => severity);

    it("set severities and switch off rules, at once", async () => {
      await start();
      await editor.open("src/publish.ts");
      assert.deepEqual(await severities(), [2]);
      await configure({ "offcut.check.rules": { [RULE]: "hint", "no-such-rule": "off" } });
      await poll("the refresh", () => client.refreshes > 0);
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
      await editor.open("src/publish.ts");
      assert.deepEqual(await severities(), [3]);
      await editor.open("offcut.json");
      await editor.type("offcut.json", `{ "analysis": { "rules": { "${RULE}": "error" } } }`);
      await poll("an error", async () => (await severities())[0] === 1);
      await editor.type("offcut.json", `{ "analysis": { "rul`);
      assert.deepEqual(await severities(), [1]);
      await configure({ "offcut.check.rules": { [RULE]: "hint" } });
      await poll("a hint", async () => (await severities())[0] === 4);
    });

    it("check after saving only, when told so", async () => {
      await start();
      client.settings.set("offcut.check.run", "onSave");
      await editor.open("src/publish.ts");
      const first = await editor.pull("src/publish.ts");
      assert.ok(first.kind === "full" && first.resultId !== undefined && first.items.length === 1);
      await editor.type("src/publish.ts", CLEANED);
      assert.equal((await editor.pull("src/publish.ts", first.resultId)).kind, "unchanged");
      await editor.save("src/publish.ts");
      assert.deepEqual(await editor.diagnostics("src/publish.ts"), []);
    });

    it("hide what a baseline has", async () => {
      await start();
      await editor.open("src/publish.ts");
      const [diagnostic] = await editor.diagnostics("src/publish.ts");
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
      await editor.open("src/publish.ts");
      const actions = await quickFixes("src/publish.ts");
      assert.ok(actions.every((action) => action.edit === undefined && action.kind === "quickfix" && action.diagnostics?.length === 1));
      const fix = actions.find((action) => action.isPreferred);
      assert.ok(fix, JSON.stringify(actions));
      await editor.type("src/publish.ts", `// one more line\n${uploader("publish")}`);
      await editor.apply(fix);
      assert.match(editor.textOf("src/publish.ts"), /\/\/ one more line\n[^]*upload\(clipPath[^]*clipPath[^]*return secure_url/);
      assert.deepEqual(await editor.diagnostics("src/publish.ts"), []);
    });

    it("have their edits at once for clients that cannot ask for them later", async () => {
      const { textDocument, ...rest } = editorCapabilities;
      await start({ capabilities: { ...rest, textDocument: { ...textDocument, codeAction: {} } } });
      await editor.open("src/publish.ts");
      const actions = await quickFixes("src/publish.ts");
      assert.ok(actions.length >= 3 && actions.every((action) => action.edit !== undefined));
    });

    it("offer nothing away from a finding", async () => {
      await start();
      await editor.open("src/publish.ts");
      assert.deepEqual(await editor.actions("src/publish.ts", "export async"), []);
    });

    it("fix everything in a file, one on top of the other", async () => {
      const both = `${uploader("publish")}\n${uploader("again").slice(uploader("again").indexOf("export"))}`;
      write("src/publish.ts", both);
      await start();
      await editor.open("src/publish.ts");
      assert.equal((await editor.diagnostics("src/publish.ts")).length, 2);
      const [fixAll, ...more] = await editor.actions("src/publish.ts", "import", ["source.fixAll"]);
      assert.deepEqual([fixAll?.kind, fixAll?.edit, more], ["source.fixAll.offcut", undefined, []]);
      assert.ok(fixAll);
      await editor.apply(fixAll);
      assert.deepEqual(await editor.diagnostics("src/publish.ts"), []);
      assert.deepEqual(await editor.actions("src/publish.ts", "import", ["source.fixAll.offcut"]), []);
      // What the fixes were computed on is forgotten again.
      await editor.type("src/publish.ts", both);
      assert.equal((await editor.diagnostics("src/publish.ts")).length, 2);
    });

    it("ignore a finding here, with the line's indentation", async () => {
      await start();
      await editor.open("src/publish.ts");
      await editor.apply(named(await quickFixes("src/publish.ts"), /^Ignore .* here$/));
      assert.match(
        editor.textOf("src/publish.ts"),
        new RegExp(`\\n  // offcut-ignore-next-line ${RULE} -- reason\\n  const \\{ secure_url \\} = await`),
      );
      assert.deepEqual(await editor.diagnostics("src/publish.ts"), []);
    });

    it("ignore a rule in the workspace, beside what offcut.json says already", async () => {
      write("offcut.json", `{\n  // ours\n  "policy": { "undo": "1h" } // one hour\n}\n`);
      await start();
      await editor.open("src/publish.ts");
      await editor.apply(named(await quickFixes("src/publish.ts"), /^Ignore .* in this workspace$/));
      assert.equal(
        fs.readFileSync(path.join(root, "offcut.json"), "utf8"),
        `{\n  // ours\n  "policy": { "undo": "1h" }, // one hour\n  "analysis": {\n    "rules": {\n      "${RULE}": "off"\n    }\n  }\n}\n`,
      );
      await poll("the rule to be off", async () => (await editor.diagnostics("src/publish.ts")).length === 0);
    });

    it("make offcut.json where there is none", async () => {
      await start();
      await editor.open("src/publish.ts");
      await editor.apply(named(await quickFixes("src/publish.ts"), /^Ignore .* in this workspace$/));
      const config = JSON.parse(fs.readFileSync(path.join(root, "offcut.json"), "utf8")) as unknown;
      assert.deepEqual(config, { analysis: { rules: { [RULE]: "off" } } });
    });
  });

  describe("hover", () => {
    it("tells the way of the file in steps with links, what lies on the disk, and where to read on", async () => {
      for (const id of ["a", "b"]) write(`.cache/clips/${id}.mp4`, "x".repeat(1024));
      await start({ options: { docs: "file:///extension/docs/rules" } });
      await editor.open("src/publish.ts");
      const text = (await editor.hover("src/publish.ts", "cloudinary.uploader")) ?? "";
      assert.match(text, new RegExp(`^\\*\\*${RULE}\\*\\* \`clipPath\``));
      const links = [...text.matchAll(/^(\d+)\. .* — \[publish\\\.ts\\:(\d+)\]\((.*)#L(\d+)\)$/gm)];
      assert.deepEqual(
        links.map(([, step]) => step),
        links.map((_, i) => String(i + 1)),
      );
      assert.ok(links.length >= 1, text);
      for (const [, , line, uri, anchor] of links) assert.deepEqual([uri, anchor], [editor.uri("src/publish.ts"), line]);
      assert.match(text, /2 files, 2\\\.0 KB on disk now/);
      assert.ok(text.endsWith(`(file:///extension/docs/rules/${RULE}.md)`), text);
      assert.equal(await editor.hover("src/publish.ts", "import"), undefined);
    });

    it("takes nothing of the code for Markdown", async () => {
      write("src/a](b)_c.ts", uploader("publish").replaceAll("clipPath", "_clip_path_"));
      await start();
      await editor.open("src/a](b)_c.ts");
      const text = (await editor.hover("src/a](b)_c.ts", "cloudinary.uploader")) ?? "";
      assert.match(text, /`_clip_path_`/);
      assert.match(text, /\[a\\\]\\\(b\\\)\\_c\\\.ts\\:\d+\]\(file:[^()\s]*#L\d+\)/);
    });
  });

  describe("diagnostics of the workspace", () => {
    const pull = (previousResultIds: readonly object[] = [], more: object = {}): Promise<WorkspaceDiagnosticReport> =>
      client.connection.sendRequest("workspace/diagnostic", { previousResultIds, ...more });
    const idsOf = ({ items }: WorkspaceDiagnosticReport) => items.map(({ uri, resultId }) => ({ uri, value: resultId ?? "" }));
    const filesOf = ({ items }: WorkspaceDiagnosticReport): string[] => items.map(({ uri }) => uri.slice(client.folder.length + 1));

    beforeEach(() => {
      write("src/a.ts", uploader("a"));
      write("src/z.ts", uploader("z"));
      write("src/fine.ts", CLEANED);
    });

    it("come for open files first, then for all, in parts", async () => {
      await start();
      await editor.open("src/z.ts");
      const parts: string[][] = [];
      client.connection.onProgress(new ProgressType<WorkspaceDiagnosticReport>(), "parts", (part) => void parts.push(filesOf(part)));
      const rest = await pull([], { partialResultToken: "parts" });
      assert.deepEqual(parts[0], ["src/z.ts"]);
      assert.deepEqual([...parts.flat(), ...filesOf(rest)].sort(), ["src/a.ts", "src/publish.ts", "src/z.ts"]);
    });

    it("are unchanged where they are, and wait until something changes", async () => {
      await start();
      const first = await pull();
      assert.deepEqual(filesOf(first).sort(), ["src/a.ts", "src/publish.ts", "src/z.ts"]);
      let answered = false;
      const second = pull(idsOf(first)).finally(() => (answered = true));
      await editor.open("notes.md", "");
      await editor.diagnostics("notes.md");
      assert.equal(answered, false);
      write("src/a.ts", CLEANED);
      await client.connection.sendNotification("workspace/didChangeWatchedFiles", { changes: [{ uri: editor.uri("src/a.ts"), type: 2 }] });
      const { items } = await second;
      assert.deepEqual(items.map(({ uri, kind }) => [path.basename(uri), kind]).sort(), [
        ["a.ts", "full"],
        ["publish.ts", "unchanged"],
        ["z.ts", "unchanged"],
      ]);
      assert.deepEqual(
        items.flatMap((item) => (item.kind === "full" ? item.items : [])),
        [],
      );
    });

    it("report progress, and are cancelled by the client", async () => {
      await start();
      const seen: WorkDone[] = [];
      client.connection.onProgress(new ProgressType<WorkDone>(), "work", (value) => void seen.push(value));
      const first = await pull([], { workDoneToken: "work" });
      assert.deepEqual([seen[0]?.kind, seen.at(-1)?.kind], ["begin", "end"]);
      const cancel = new CancellationTokenSource();
      const waiting = client.connection.sendRequest("workspace/diagnostic", { previousResultIds: idsOf(first) }, cancel.token);
      cancel.cancel();
      assert.equal((await failureOf(waiting)).code, LSPErrorCodes.RequestCancelled);
    });

    it("are about open files only, when told so", async () => {
      await start();
      client.settings.set("offcut.check.workspace", false);
      await editor.open("src/z.ts");
      assert.deepEqual(filesOf(await pull()), ["src/z.ts"]);
    });

    it("come from a thread that ends when it is idle, and know unsaved text after that", async () => {
      await start({ thread: { idleMs: 1 } });
      await editor.open("src/z.ts");
      await editor.type("src/z.ts", CLEANED);
      assert.deepEqual(filesOf(await pull()).sort(), ["src/a.ts", "src/publish.ts", "src/z.ts"]);
      await editor.type("src/z.ts", CLEANED.replace("publish", "other"));
      assert.deepEqual(await editor.diagnostics("src/z.ts"), []);
    });
  });

  describe("call sites", () => {
    it("are listed with what is wrong and what it costs, and told to be old", async () => {
      write("src/clean.ts", CLEANED.replace("publish", "clean"));
      write(".cache/clips/a.mp4", "x".repeat(2048));
      await start();
      const { sites, findings, files } = await client.request<CallSitesAnswer>("offcut/callSites");
      assert.deepEqual([findings, files], [1, 2]);
      const uploads = sites.filter((site) => site.kind === "upload");
      assert.deepEqual(uploads.map(({ file, state, callee }) => [file, state, callee.split(".").at(-1)]).sort(), [
        ["src/clean.ts", "clean", "upload"],
        ["src/publish.ts", "found", "upload"],
      ]);
      const found = uploads.find((site) => site.state === "found")?.finding;
      assert.deepEqual([found?.rule, found?.files, found?.bytes], [RULE, 1, 2048]);
      const told = new Promise<void>((resolve) => client.connection.onNotification("offcut/callSitesChanged", () => resolve()));
      await editor.open("src/publish.ts", CLEANED);
      await told;
      assert.equal((await client.request<CallSitesAnswer>("offcut/callSites")).findings, 0);
    });

    it("lead to their files, and files lead to them", async () => {
      write(".cache/clips/small.mp4", "x");
      write(".cache/clips/large.mp4", "xxx");
      write(".cache/other.mp4", "xxxx");
      await start();
      const { sites } = await client.request<CallSitesAnswer>("offcut/callSites");
      const upload = sites.find((site) => site.kind === "upload");
      assert.ok(upload);
      const found = await client.request<FilesOfAnswer>("offcut/filesOf", { paths: upload.paths });
      assert.deepEqual([found.files.map((file) => file.path), found.total], [[".cache/clips/large.mp4", ".cache/clips/small.mp4"], 2]);
      const makers = await client.request<MakersOfAnswer>("offcut/makersOf", { file: editor.uri(".cache/clips/small.mp4") });
      assert.ok(makers.length > 0 && makers.every((site) => site.file === "src/publish.ts"));
      assert.deepEqual(await client.request<MakersOfAnswer>("offcut/makersOf", { file: editor.uri(".cache/other.mp4") }), []);
    });
  });
});
