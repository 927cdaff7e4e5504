/** A client for tests: the server in this process, the messages through real streams. */
import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";
import {
  type ClientCapabilities,
  createConnection,
  createProtocolConnection,
  type InitializeParams,
  type MessageActionItem,
  ProgressType,
  type ProtocolConnection,
  type ResponseError,
  type ShowMessageRequestParams,
  StreamMessageReader,
  StreamMessageWriter,
  type WorkDoneProgressBegin,
  type WorkDoneProgressEnd,
  type WorkDoneProgressReport,
} from "vscode-languageserver/node";
import type { InitializationOptions } from "../../server/protocol.ts";
import { type ServerOptions, startServer } from "../../server/server.ts";

export type WorkDone = WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd;

export interface Client extends AsyncDisposable {
  readonly connection: ProtocolConnection;
  /** URI of the only folder. */
  readonly folder: string;
  /** What the server sent, in order. */
  readonly shown: { readonly type: number; readonly message: string }[];
  readonly changed: string[];
  readonly registered: { readonly method: string; readonly registerOptions: unknown }[];
  /** Questions by `window/showMessageRequest`; `reply` chooses. */
  readonly asked: ShowMessageRequestParams[];
  reply: (question: ShowMessageRequestParams) => MessageActionItem | null;
  /** Settings by section, as `workspace/configuration` asks for them. */
  readonly settings: Map<string, unknown>;
  /** How often the server asked to have diagnostics pulled again. */
  refreshes: number;
  request<R>(method: string, params?: object): Promise<R>;
  /** The same, with what was reported on a work-done token. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as in sendRequest: the caller knows the answer
  requestWithProgress<R>(method: string, params: object): Promise<{ readonly result: R; readonly progress: readonly WorkDone[] }>;
  stop(): Promise<void>;
}

export interface ClientOptions {
  readonly options?: InitializationOptions;
  readonly environment?: Readonly<Record<string, string>>;
  readonly now?: () => number;
  /** On top of those of a plain client. */
  readonly capabilities?: ClientCapabilities;
  readonly thread?: ServerOptions["thread"];
  readonly background?: ServerOptions["background"];
}

export async function startClient(
  root: string,
  { options = {}, environment = {}, now, capabilities = {}, thread, background }: ClientOptions = {},
): Promise<Client> {
  const up = new PassThrough();
  const down = new PassThrough();
  startServer({
    connection: createConnection(new StreamMessageReader(up), new StreamMessageWriter(down)),
    environment,
    ...(now && { now }),
    ...(thread && { thread }),
    ...(background && { background }),
  });
  const connection = createProtocolConnection(new StreamMessageReader(down), new StreamMessageWriter(up));
  const folder = pathToFileURL(root).href;
  let token = 0;

  const client: Client = {
    connection,
    folder,
    shown: [],
    changed: [],
    registered: [],
    asked: [],
    reply: () => null,
    settings: new Map(),
    refreshes: 0,
    request: (method, params = {}) => connection.sendRequest(method, { folder, ...params }),
    async requestWithProgress<R>(method: string, params: object) {
      const workDoneToken = `test-${++token}`;
      const progress: WorkDone[] = [];
      const listening = connection.onProgress(new ProgressType<WorkDone>(), workDoneToken, (value) => void progress.push(value));
      const result = await connection.sendRequest<R>(method, { folder, ...params, workDoneToken });
      listening.dispose();
      return { result, progress };
    },
    async stop() {
      await connection.sendRequest("shutdown");
      connection.dispose();
    },
    [Symbol.asyncDispose]: () => client.stop(),
  };
  connection.onNotification("window/showMessage", (message: { type: number; message: string }) => void client.shown.push(message));
  connection.onNotification("offcut/changed", (params: { folder: string }) => void client.changed.push(params.folder));
  connection.onRequest("client/registerCapability", (params: { registrations: Client["registered"] }) => {
    client.registered.push(...params.registrations);
    return null;
  });
  connection.onRequest("client/unregisterCapability", () => null);
  connection.onRequest("window/workDoneProgress/create", () => null);
  connection.onRequest("workspace/configuration", ({ items }: { items: { section: string }[] }) =>
    items.map(({ section }) => client.settings.get(section) ?? null),
  );
  connection.onRequest("workspace/diagnostic/refresh", () => {
    client.refreshes += 1;
    return null;
  });
  connection.onRequest("window/showMessageRequest", (question: ShowMessageRequestParams) => {
    client.asked.push(question);
    return client.reply(question);
  });
  connection.listen();

  const params: InitializeParams = {
    processId: null,
    rootUri: null,
    capabilities: {
      ...capabilities,
      window: { workDoneProgress: true },
      workspace: { didChangeWatchedFiles: { dynamicRegistration: true, relativePatternSupport: true }, ...capabilities.workspace },
    },
    workspaceFolders: [{ uri: folder, name: "test" }],
    initializationOptions: options,
  };
  await connection.sendRequest("initialize", params);
  await connection.sendNotification("initialized", {});
  return client;
}

/** The error response of a request that must fail. */
export async function failureOf(request: Promise<unknown>): Promise<ResponseError<unknown>> {
  try {
    const answer = await request;
    throw new Error(`It succeeded: ${JSON.stringify(answer)}`);
  } catch (error) {
    if (typeof (error as ResponseError).code !== "number") throw error;
    return error as ResponseError<unknown>;
  }
}
