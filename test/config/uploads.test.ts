import assert from "node:assert/strict";
import { parseConfig } from "../../core/config/load.ts";
import { assertProblem, problemsOf, ROOT } from "./mistakes.ts";

describe("addresses in offcut.json", () => {
  const config = (upload: unknown): string =>
    `{ "stores": { "v": { "path": "v/{job}.mp4", "role": "upload",\n "upload": ${JSON.stringify(upload)} } } }`;

  for (const [what, upload] of [
    ["a key of Amazon", "s3://AKIA1234:sEcr3t@x/{path}"],
    ["a key with a slash", "s3://AKIA1234:sE/sEcr3t@x/{path}"],
    ["a password alone", "gs://sEcr3t@bucket/{path}"],
    ["a key of an account", "azure://account:sEcr3t@container/{path}"],
    ["a password of the web", "https://user:sEcr3t@bucket.s3.amazonaws.com/{path}"],
    ["a signature", "https://account.blob.core.windows.net/container/{path}?sv=2024&sig=sEcr3t"],
    ["what is no address either", "AKIA1234:sEcr3t@x/{path}"],
    ["a form with an endpoint", { to: "s3://AKIA1234:sEcr3t@x/{path}", endpoint: "http://127.0.0.1:9000" }],
    ["an endpoint", { to: "s3://x/{path}", endpoint: "http://AKIA1234:sEcr3t@127.0.0.1:9000" }],
    ["an endpoint in brackets", { to: "s3://x/{path}", endpoint: "http://user:sEcr3t@[::1]:9000" }],
    ["an endpoint without a scheme", { to: "s3://x/{path}", endpoint: "user:sEcr3t@127.0.0.1" }],
  ] as const)
    it(`S1.6: ${what} is refused and not repeated`, () => {
      assertProblem(config(upload), 2, /stores\.v\.upload: has a user name, a password or a signature .*come from the environment only/);
      const said = JSON.stringify(problemsOf(config(upload)));
      for (const part of ["sEcr3t", "AKIA1234", "user:"]) assert.ok(!said.includes(part), said);
    });

  it("S1.6: a password of a database on a server is not repeated", () => {
    assert.ok(!JSON.stringify(problemsOf(`{ "database": { "path": "postgres://app:sEcr3t@db/videos" } }`)).includes("sEcr3t"));
  });

  it("S1.6: addresses without a secret are taken as they stand, ports, signs and brackets included", () => {
    for (const to of [
      "s3://bucket/mail@example.org/{path}",
      "s3://bucket/a:b/{path}",
      "s3://bucket/what?/{path}",
      "https://s3.amazonaws.com:443/bucket/{path}",
      "azure://account/container/{path}",
    ])
      for (const endpoint of [undefined, "http://127.0.0.1:9000", "https://minio.example.org", "http://[::1]:9000/", "localhost:9000"]) {
        const upload = { to, ...(endpoint !== undefined && { endpoint }) };
        assert.deepEqual(parseConfig(ROOT, config(upload)).stores[0]?.upload, upload);
      }
  });
});
