/** A workspace with one leaking upload for each test of a suite, and the server on it once a test starts it. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { type Client, type ClientOptions, startClient } from "./client.ts";
import { type Editor, editorCapabilities, startEditor } from "./editor.ts";
import { uploader } from "./uploader.ts";

export interface CodeWorkspace {
  readonly root: string;
  /** Since {@link start}, like `editor`. */
  readonly client: Client;
  readonly editor: Editor;
  readonly write: (file: string, text: string) => void;
  readonly start: (options?: ClientOptions) => Promise<void>;
}

/** Call it in a `describe`: the workspace is made before each of its tests and gone after it. */
export function useCodeWorkspace(): CodeWorkspace {
  let root = "";
  let running: { readonly client: Client; readonly editor: Editor } | undefined;
  const started = (): NonNullable<typeof running> => {
    if (!running) throw new Error("the server was not started");
    return running;
  };
  const write = (file: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  };
  beforeEach(() => {
    root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "offcut-code-")));
    write("src/publish.ts", uploader("publish"));
  });
  afterEach(async () => {
    await running?.client.stop();
    running = undefined;
    fs.rmSync(root, { recursive: true, force: true });
  });
  return {
    get root() {
      return root;
    },
    get client() {
      return started().client;
    },
    get editor() {
      return started().editor;
    },
    write,
    async start(options = {}) {
      const client = await startClient(root, { capabilities: editorCapabilities, ...options });
      running = { client, editor: startEditor(root, client) };
    },
  };
}
