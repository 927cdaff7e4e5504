import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { CancellationTokenSource, LSPErrorCodes, ProgressType, type WorkspaceDiagnosticReport } from "vscode-languageserver/node";
import type { CallSitesAnswer, FilesOfAnswer, MakersOfAnswer } from "../../server/protocol.ts";
import { poll } from "../editor/poll.ts";
import { failureOf, type WorkDone } from "./client.ts";
import { editorCapabilities } from "./editor.ts";
import { useCodeWorkspace } from "./codeWorkspace.ts";
import { CLEANED, RULE, uploader } from "./uploader.ts";

/** In the place of the analysis: the first question about everything does not end by itself, the others say how many there were. */
const ENDLESS = new URL(
  `data:text/javascript,${encodeURIComponent(`
  import { parentPort, workerData } from "node:worker_threads";
  const stop = new Int32Array(workerData.stop);
  let whole = 0;
  parentPort.on("message", ({ say, id, ask }) => {
    if (say !== "ask") return;
    parentPort.postMessage({ say: "progress", id, done: 1, total: 2 });
    if (!ask.paths && whole++ === 0) while (Atomics.load(stop, 0) !== id);
    if (Atomics.load(stop, 0) === id) parentPort.postMessage({ say: "stopped", id });
    else parentPort.postMessage({ say: "answer", id, answer: { findings: [], sites: [], problems: [], files: whole } });
  });
`)}`,
);

describe("server: code of a whole workspace", () => {
  const code = useCodeWorkspace();
  const { write, start } = code;

  describe("diagnostics of the workspace", () => {
    const pull = (previousResultIds: readonly object[] = [], more: object = {}): Promise<WorkspaceDiagnosticReport> =>
      code.client.connection.sendRequest("workspace/diagnostic", { previousResultIds, ...more });
    const idsOf = ({ items }: WorkspaceDiagnosticReport) => items.map(({ uri, resultId }) => ({ uri, value: resultId ?? "" }));
    const filesOf = ({ items }: WorkspaceDiagnosticReport): string[] => items.map(({ uri }) => uri.slice(code.client.folder.length + 1));

    beforeEach(() => {
      write("src/a.ts", uploader("a"));
      write("src/z.ts", uploader("z"));
      write("src/fine.ts", CLEANED);
    });

    it("come for open files first, then for all, in parts", async () => {
      await start();
      await code.editor.open("src/z.ts");
      const parts: string[][] = [];
      code.client.connection.onProgress(new ProgressType<WorkspaceDiagnosticReport>(), "parts", (part) => void parts.push(filesOf(part)));
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
      await code.editor.open("notes.md", "");
      await code.editor.diagnostics("notes.md");
      assert.equal(answered, false);
      write("src/a.ts", CLEANED);
      await code.client.connection.sendNotification("workspace/didChangeWatchedFiles", {
        changes: [{ uri: code.editor.uri("src/a.ts"), type: 2 }],
      });
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
      code.client.connection.onProgress(new ProgressType<WorkDone>(), "work", (value) => void seen.push(value));
      const first = await pull([], { workDoneToken: "work" });
      assert.deepEqual([seen[0]?.kind, seen.at(-1)?.kind], ["begin", "end"]);
      const cancel = new CancellationTokenSource();
      const waiting = code.client.connection.sendRequest("workspace/diagnostic", { previousResultIds: idsOf(first) }, cancel.token);
      cancel.cancel();
      assert.equal((await failureOf(waiting)).code, LSPErrorCodes.RequestCancelled);
    });

    it("are about open files only, when told so", async () => {
      await start();
      code.client.settings.set("offcut.check.workspace", false);
      await code.editor.open("src/z.ts");
      assert.deepEqual(filesOf(await pull()), ["src/z.ts"]);
    });

    it("come from a thread that ends when it is idle, and know unsaved text after that", async () => {
      await start({ thread: { idleMs: 1 } });
      await code.editor.open("src/z.ts");
      await code.editor.type("src/z.ts", CLEANED);
      assert.deepEqual(filesOf(await pull()).sort(), ["src/a.ts", "src/publish.ts", "src/z.ts"]);
      await code.editor.type("src/z.ts", CLEANED.replace("publish", "other"));
      assert.deepEqual(await code.editor.diagnostics("src/z.ts"), []);
    });
  });

  describe("the disk", () => {
    const changed = (...files: readonly string[]): Promise<void> =>
      code.client.connection.sendNotification("workspace/didChangeWatchedFiles", {
        changes: files.map((file) => ({ uri: code.editor.uri(file), type: fs.existsSync(path.join(code.root, file)) ? 2 : 3 })),
      });
    const found = async (): Promise<readonly string[]> => {
      const { sites } = await code.client.request<CallSitesAnswer>("offcut/callSites");
      return sites.filter((site) => site.state === "found").map((site) => site.file);
    };

    it("is followed: files that come, change and go, and directories with what is below them", async () => {
      await start();
      assert.deepEqual(await found(), ["src/publish.ts"]);
      write("src/deep/er/new.ts", uploader("more"));
      await changed("src/deep/er/new.ts");
      assert.deepEqual(await found(), ["src/deep/er/new.ts", "src/publish.ts"]);
      fs.renameSync(path.join(code.root, "src/deep"), path.join(code.root, "src/moved"));
      await changed("src/deep", "src/moved");
      assert.deepEqual(await found(), ["src/moved/er/new.ts", "src/publish.ts"]);
      write("src/publish.ts", CLEANED);
      await changed("src/publish.ts");
      assert.deepEqual(await found(), ["src/moved/er/new.ts"]);
      fs.rmSync(path.join(code.root, "src/moved"), { recursive: true });
      await changed("src/moved");
      assert.deepEqual(await found(), []);
    });

    it("is not followed where no code lies", async () => {
      await start();
      await found();
      let old = 0;
      code.client.connection.onNotification("offcut/callSitesChanged", () => void (old += 1));
      write(".cache/clips/a.mp4", "x");
      write("public/a.mp4", "x");
      write("node_modules/x/index.js", uploader("x"));
      await changed(
        ".cache",
        ".cache/clips",
        ".cache/clips/a.mp4",
        "public/a.mp4",
        "public/gone.mp4",
        "node_modules",
        "node_modules/x/index.js",
      );
      // What comes after it is told of, so what came before would have been, too.
      await code.editor.open("src/publish.ts", CLEANED);
      await poll("the notification", () => old > 0);
      assert.deepEqual([await found(), old], [[], 1]);
    });

    it("is watched for folders of the workspace only", async () => {
      const other = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "offcut-other-")));
      try {
        fs.writeFileSync(path.join(other, "b.ts"), uploader("b"));
        const uri = pathToFileURL(other).href;
        await start({ capabilities: { ...editorCapabilities, workspace: { ...editorCapabilities.workspace, workspaceFolders: true } } });
        const gone: string[] = [];
        code.client.connection.onRequest("client/unregisterCapability", (params: { unregisterations: { id: string }[] }) => {
          gone.push(...params.unregisterations.map(({ id }) => id));
          return null;
        });
        const change = (event: object): Promise<void> =>
          code.client.connection.sendNotification("workspace/didChangeWorkspaceFolders", { event });
        const pull = (known: WorkspaceDiagnosticReport["items"] = []): Promise<WorkspaceDiagnosticReport> =>
          code.client.connection.sendRequest("workspace/diagnostic", {
            previousResultIds: known.map((item) => ({ uri: item.uri, value: item.resultId ?? "" })),
          });
        await change({ added: [{ uri, name: "other" }], removed: [] });
        const both = await pull();
        assert.deepEqual(both.items.map((item) => item.uri).sort(), [code.editor.uri("src/publish.ts"), `${uri}/b.ts`].sort());
        const watching = code.client.registered.find(
          ({ registerOptions }) => JSON.stringify(registerOptions).includes(`"${uri}"`) && JSON.stringify(registerOptions).includes("tsx"),
        );
        assert.ok(watching);

        await change({ added: [], removed: [{ uri, name: "other" }] });
        const { items } = await pull(both.items);
        assert.deepEqual(
          items.map((item) => [item.uri, item.kind, item.kind === "full" && item.items.length]).sort(),
          [
            [code.editor.uri("src/publish.ts"), "unchanged", false],
            [`${uri}/b.ts`, "full", 0],
          ].sort(),
        );
        await poll("the watching to end", () => gone.includes((watching as { readonly id?: string }).id ?? ""));
        assert.equal((await code.editor.pull("src/publish.ts")).kind, "full");
      } finally {
        fs.rmSync(other, { recursive: true });
      }
    });
  });

  describe("a long check", () => {
    const FILES = 400;
    beforeEach(() => {
      for (let i = 0; i < FILES; i++) write(`src/many/f${i}.ts`, uploader(`f${i}`));
    });

    it("is cancelled while it runs, and the next one is complete", async () => {
      await start();
      const cancel = new CancellationTokenSource();
      const seen: WorkDone[] = [];
      code.client.connection.onProgress(new ProgressType<WorkDone>(), "work", (value) => {
        seen.push(value);
        if (value.kind === "begin") cancel.cancel();
      });
      const params = { folder: code.client.folder, workDoneToken: "work" };
      const running = code.client.connection.sendRequest<CallSitesAnswer>("offcut/callSites", params, cancel.token);
      assert.equal((await failureOf(running)).code, LSPErrorCodes.RequestCancelled);
      await poll("the end of the progress", () => seen.at(-1)?.kind === "end");
      assert.equal((await code.client.request<CallSitesAnswer>("offcut/callSites")).findings, FILES + 1);
    });

    it("is given up when the user cancels it, until somebody asks for it again", async () => {
      await start({ thread: { program: ENDLESS } });
      const shown: WorkDone[] = [];
      code.client.connection.onRequest("window/workDoneProgress/create", ({ token }: { token: string }) => {
        code.client.connection.onProgress(new ProgressType<WorkDone>(), token, (value) => {
          shown.push(value);
          if (value.kind === "begin") void code.client.connection.sendNotification("window/workDoneProgress/cancel", { token });
        });
        return null;
      });
      const pull = (): Promise<WorkspaceDiagnosticReport> =>
        code.client.connection.sendRequest("workspace/diagnostic", { previousResultIds: [] });
      assert.deepEqual(await pull(), { items: [] });
      assert.deepEqual(
        shown.map((value) => value.kind),
        ["begin", "end"],
      );
      assert.ok(shown[0]?.kind === "begin" && shown[0].cancellable === true && shown[0].title === "Checking the code");
      // Something changes, and the background stays quiet.
      await code.editor.open("src/publish.ts");
      assert.equal((await pull()).items.length, 1);
      const waiting = pull();
      assert.equal((await code.client.request<CallSitesAnswer>("offcut/callSites")).files, 2);
      assert.equal((await waiting).items.length, 1);
    });

    it("need not be begun again in the background when somebody has asked for the same meanwhile", async () => {
      await start({ thread: { program: ENDLESS } });
      const seen: WorkDone[] = [];
      code.client.connection.onProgress(new ProgressType<WorkDone>(), "work", (value) => void seen.push(value));
      const background = code.client.request<CallSitesAnswer>("offcut/callSites", { background: true, workDoneToken: "work" });
      await poll("the background to begin", () => seen.some((value) => value.kind === "report"));
      assert.equal((await code.client.request<CallSitesAnswer>("offcut/callSites")).files, 2);
      assert.equal((await background).files, 2);
    });

    it("gives way to what somebody waits for", async () => {
      await start();
      await code.editor.open("src/publish.ts");
      const order: string[] = [];
      const all = code.client.request<CallSitesAnswer>("offcut/callSites", { background: true }).then((answer) => {
        order.push("all");
        return answer;
      });
      const [diagnostic] = await code.editor.diagnostics("src/publish.ts");
      order.push("one");
      assert.equal(diagnostic?.code, RULE);
      assert.equal((await all).findings, FILES + 1);
      assert.deepEqual(order, ["one", "all"]);
    });
  });

  describe("call sites", () => {
    it("are listed with what is wrong and what it costs, and told to be old", async () => {
      write("src/clean.ts", CLEANED.replace("publish", "clean"));
      write(".cache/clips/a.mp4", "x".repeat(2048));
      await start();
      const { sites, findings, files } = await code.client.request<CallSitesAnswer>("offcut/callSites");
      assert.deepEqual([findings, files], [1, 2]);
      const uploads = sites.filter((site) => site.kind === "upload");
      assert.deepEqual(uploads.map(({ file, state, callee }) => [file, state, callee.split(".").at(-1)]).sort(), [
        ["src/clean.ts", "clean", "upload"],
        ["src/publish.ts", "found", "upload"],
      ]);
      const found = uploads.find((site) => site.state === "found")?.finding;
      assert.deepEqual([found?.rule, found?.files, found?.bytes], [RULE, 1, 2048]);
      const told = new Promise<void>((resolve) => code.client.connection.onNotification("offcut/callSitesChanged", () => resolve()));
      await code.editor.open("src/publish.ts", CLEANED);
      await told;
      assert.equal((await code.client.request<CallSitesAnswer>("offcut/callSites")).findings, 0);
    });

    it("have what is wrong with their cleanup, too", async () => {
      write(
        "src/early.ts",
        uploader("early")
          .replace("{ writeFile }", "{ rm, writeFile }")
          .replace("const { secure_url } = await", "const sent =")
          .replace("return secure_url;", "await rm(clipPath, { force: true });\n  return String(sent);"),
      );
      await start();
      const { sites } = await code.client.request<CallSitesAnswer>("offcut/callSites");
      const [made, upload] = sites.filter((site) => site.file === "src/early.ts");
      assert.deepEqual([made?.kind, made?.state, upload?.kind, upload?.state], ["write", "clean", "upload", "found"]);
      assert.deepEqual([upload?.finding?.rule, upload?.finding?.severity], ["delete-before-upload-settles", "error"]);
    });

    it("lead to their files, and files lead to them", async () => {
      write(".cache/clips/small.mp4", "x");
      write(".cache/clips/large.mp4", "xxx");
      write(".cache/other.mp4", "xxxx");
      await start();
      const { sites } = await code.client.request<CallSitesAnswer>("offcut/callSites");
      const upload = sites.find((site) => site.kind === "upload");
      assert.ok(upload);
      const found = await code.client.request<FilesOfAnswer>("offcut/filesOf", { paths: upload.paths });
      assert.deepEqual([found.files.map((file) => file.path), found.total], [[".cache/clips/large.mp4", ".cache/clips/small.mp4"], 2]);
      const makers = await code.client.request<MakersOfAnswer>("offcut/makersOf", { file: code.editor.uri(".cache/clips/small.mp4") });
      assert.ok(makers.length > 0 && makers.every((site) => site.file === "src/publish.ts"));
      assert.deepEqual(await code.client.request<MakersOfAnswer>("offcut/makersOf", { file: code.editor.uri(".cache/other.mp4") }), []);
    });
  });
});
