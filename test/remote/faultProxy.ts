/** A proxy before a real storage that makes chosen requests fail. It keeps the Host header, so that signatures stay valid. */
import http from "node:http";
import type { AddressInfo } from "node:net";

export interface Rule {
  /** Of the method and the path with its query: `PUT /bucket/key?partNumber=2`. */
  readonly match: RegExp;
  /** How often; default: once. */
  readonly times?: number;
  readonly fault: Fault;
}

export type Fault =
  /** Answered here; the storage never sees it. */
  | { readonly kind: "answer"; readonly status: number; readonly headers?: http.OutgoingHttpHeaders; readonly body?: string }
  /** The connection breaks after so many bytes of the request. */
  | { readonly kind: "reset"; readonly afterBytes: number }
  /** The storage does it, and the client never learns. */
  | { readonly kind: "answerLost" }
  /** Passed on after this time, milliseconds. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Never answered nor passed on. */
  | { readonly kind: "hang" };

export interface FaultProxy {
  readonly url: string;
  /** What was asked, in order. */
  readonly requests: string[];
  /** Replaces the rules. */
  arm(...rules: readonly Rule[]): void;
  /** Resolves when a rule has next been applied. */
  nextFault(): Promise<void>;
  close(): Promise<void>;
}

export function storageError(code: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>made to fail</Message></Error>`;
}

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const requests: string[] = [];
  let armed: { readonly rule: Rule; left: number }[] = [];
  let told: (() => void)[] = [];

  const server = http.createServer((request, response) => {
    const line = `${request.method} ${request.url}`;
    requests.push(line);
    const found = armed.find(({ rule, left }) => left > 0 && rule.match.test(line));
    if (!found) return pass(request, response);
    found.left--;
    for (const tell of told.splice(0)) tell();
    const { fault } = found.rule;
    if (fault.kind === "hang") return request.resume();
    if (fault.kind === "delay") {
      const timer = setTimeout(() => pass(request, response), fault.ms);
      return request.socket.once("close", () => clearTimeout(timer));
    }
    if (fault.kind !== "answer") return pass(request, response, fault);
    request.resume().once("end", () => {
      response.writeHead(fault.status, { "content-type": "application/xml", ...fault.headers });
      response.end(fault.body);
    });
  });

  function pass(request: http.IncomingMessage, response: http.ServerResponse, fault?: Fault): void {
    const onward = http.request({ hostname, port, method: request.method, path: request.url, headers: request.rawHeaders as never });
    onward.on("response", (answer) => {
      if (fault?.kind === "answerLost") {
        answer.resume().once("end", () => request.socket.resetAndDestroy());
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    });
    onward.on("error", () => request.socket.destroy());
    request.on("error", () => onward.destroy());
    response.on("close", () => {
      if (!response.writableFinished) onward.destroy();
    });
    let seen = 0;
    request.on("data", (chunk: Buffer) => {
      seen += chunk.length;
      if (fault?.kind === "reset" && seen >= fault.afterBytes) {
        onward.destroy();
        request.socket.resetAndDestroy();
      } else if (!onward.write(chunk)) {
        request.pause();
        onward.once("drain", () => request.resume());
      }
    });
    request.on("end", () => {
      if (fault?.kind === "reset") request.socket.resetAndDestroy();
      else onward.end();
    });
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    arm(...rules) {
      armed = rules.map((rule) => ({ rule, left: rule.times ?? 1 }));
    },
    nextFault: () => new Promise((resolve) => told.push(resolve)),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
