import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import type { ItemsAnswer, PlanSummary } from "../../server/protocol.ts";
import { type Layout, makeLayout } from "../layout.ts";
import { type Client, startClient } from "./client.ts";

const credentials = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret", AWS_REGION: "us-east-1" };

describe("server: uploads", () => {
  let layout: Layout;
  let client: Client;
  let storage: http.Server;
  const asked: string[] = [];

  beforeEach(async () => {
    asked.length = 0;
    // Speaks as much of the protocol as a HEAD needs.
    storage = http.createServer((request, response) => {
      const key = (request.url ?? "").split("?")[0] ?? "";
      asked.push(`${request.method} ${key}`);
      if (key.endsWith("/short/video.mp4")) response.writeHead(200, { "content-length": "12", etag: '"00"' });
      else response.writeHead(404);
      response.end();
    });
    storage.listen(0, "127.0.0.1");
    await once(storage, "listening");
    const endpoint = `http://127.0.0.1:${(storage.address() as AddressInfo).port}`;
    const upload = { to: "s3://bucket/jobs/{job}/video.mp4", endpoint };
    layout = makeLayout({
      stores: {
        video: { path: "outputs/{job}/video.mp4", role: "upload", upload },
        scenes: { path: "outputs/{job}/scenes/{scene}.mp4", role: "upload" },
      },
    });
    for (const job of ["short", "gone", "lost"]) layout.write(`outputs/${job}/video.mp4`, 4096);
    layout.write("outputs/short/scenes/1.mp4");
    client = await startClient(layout.root, { environment: credentials });
  });

  afterEach(async () => {
    await client.stop();
    storage.close();
    layout[Symbol.dispose]();
  });

  it("R35: counts what is not verified, and says why of each file", async () => {
    const { digest, groups, totals } = await client.request<PlanSummary>("offcut/plan");
    assert.deepEqual([totals.reclaim.files, totals.keep.files], [0, 4]);
    const shown = groups.map(({ store, reasons, uploads, owner }) => [store, owner, reasons[0]?.reason, uploads]);
    assert.deepEqual(shown.sort(), [
      ["scenes", "short", "upload-unverified", [{ status: "unknown", files: 1 }]],
      ["video", "gone", "upload-unverified", [{ status: "missing", files: 1 }]],
      ["video", "lost", "upload-unverified", [{ status: "missing", files: 1 }]],
      ["video", "short", "upload-unverified", [{ status: "different", files: 1 }]],
    ]);
    const items = await client.request<ItemsAnswer>("offcut/items", { digest, verdict: "keep", offset: 0, limit: 10 });
    const why = new Map(items.map((item) => [item.path, item.evidence[0]]));
    assert.match(why.get("outputs/short/video.mp4") ?? "", /^s3:\/\/bucket\/jobs\/short\/video\.mp4: .*12.*4096/);
    assert.match(why.get("outputs/short/scenes/1.mp4") ?? "", /nothing says where its remote copy is/);
    assert.equal(items.find((item) => item.path === "outputs/gone/video.mp4")?.remote?.status, "missing");
    assert.ok(asked.length >= 3 && asked.every((request) => request.startsWith("HEAD /bucket/jobs/")), asked.join("\n"));
  });

  it("R82: without trust the storage is not asked", async () => {
    await using wary = await startClient(layout.root, { environment: credentials, options: { trusted: false } });
    const { totals } = await wary.request<PlanSummary>("offcut/plan");
    assert.equal(totals.reclaim.files, 0);
    assert.deepEqual(asked, []);
  });
});
