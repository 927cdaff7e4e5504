import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { requestOf } from "./files.ts";

/** Runs in a process of its own, which notes what is imported, and prints the vendors' packages that were. */
const SCRIPT = `
  import { registerHooks } from "node:module";
  const seen = new Set();
  registerHooks({ resolve(name, context, next) { seen.add(name); return next(name, context); } });
  const { createUploadVerifier } = await import(process.argv[1]);
  const verifier = createUploadVerifier({ environment: JSON.parse(process.argv[2]) });
  const checks = await verifier.verify(JSON.parse(process.argv[3]));
  await verifier[Symbol.asyncDispose]();
  const packages = ["@aws-sdk/client-s3", "@azure/storage-blob", "@azure/identity", "google-auth-library"].filter((name) => seen.has(name));
  console.log(JSON.stringify({ packages, statuses: checks.map(({ status }) => status) }));
`;

describe("libraries of the vendors", function () {
  this.timeout(30_000);
  const closed = "http://127.0.0.1:1";
  const connection = `DefaultEndpointsProtocol=http;AccountName=one;AccountKey=a2V5;BlobEndpoint=${closed}/one`;
  const environment = {
    AWS_ENDPOINT_URL_S3: closed,
    AWS_ACCESS_KEY_ID: "id",
    AWS_SECRET_ACCESS_KEY: "key",
    AZURE_STORAGE_CONNECTION_STRING: connection,
    STORAGE_EMULATOR_HOST: closed,
  };
  const cases: readonly (readonly [name: string, urls: readonly string[], packages: readonly string[]])[] = [
    ["none for nothing, nor for what is no address", ["https://example.org/x", "nonsense"], []],
    ["one for S3", ["s3://bucket/key", "https://example.org/x"], ["@aws-sdk/client-s3"]],
    ["one for Azure, when there is a key", ["azure://one/box/key"], ["@azure/storage-blob"]],
    ["one for Google", ["gs://bucket/key"], ["google-auth-library"]],
  ];
  for (const [name, urls, packages] of cases) {
    it(`S1.6: ${name}`, () => {
      const verifier = new URL("../../core/remote/verifier.ts", import.meta.url).href;
      const requests = urls.map((url) => requestOf(import.meta.filename, url));
      const args = ["--input-type=module", "-e", SCRIPT, verifier, JSON.stringify(environment), JSON.stringify(requests)];
      const answer: unknown = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
      const statuses = urls.map((url) => (/^(s3|gs|azure):/.test(url) ? "unreachable" : "unproven"));
      assert.deepEqual(answer, { packages, statuses });
    });
  }
});
