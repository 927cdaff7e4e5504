/** Against Azurite, the emulator that Microsoft publishes. It does not answer with CRC-64, as Azure itself does not for most blobs. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import {
  AppendBlobClient,
  BlobSASPermissions,
  BlobServiceClient,
  type ContainerClient,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import { type BlobServer, install, isInstalled, start } from "../../tools/storage/azurite.mjs";
import { type FaultProxy, startFaultProxy } from "./faultProxy.ts";
import { type Files, makeFiles, requestOf, verifyOnce } from "./files.ts";

const CONTENT = randomBytes(300_001);
const ALTERED = Buffer.from(CONTENT).fill(1, 1000, 1001).fill(2, 1001, 1002);
const MD5 = createHash("md5").update(CONTENT).digest();
const BLOCKS = { blockSize: 100_000, maxSingleShotSize: 100_000 };

describe("uploads to Azure", function () {
  this.timeout(30_000);
  let server: BlobServer | undefined;
  let proxy: FaultProxy;
  let container: ContainerClient;
  let files: Files;
  before(async function () {
    this.timeout(600_000);
    if (!isInstalled()) install();
    server = await start();
    proxy = await startFaultProxy(server.url);
    const service = new BlobServiceClient(server.url, new StorageSharedKeyCredential(server.account, server.key));
    container = service.getContainerClient("outputs");
    await container.create();
    files = makeFiles();
  });
  afterEach(() => proxy.arm());
  after(async () => {
    files?.dispose();
    await proxy?.close();
    await server?.stop();
  });

  const urlOf = (key: string) => `azure://${server?.account}/outputs/${key}`;
  async function check(url: string, environment: Readonly<Record<string, string>> = {}, content = CONTENT): Promise<string> {
    const request = requestOf(files.write("local.bin", content), url);
    const { status, detail } = await verifyOnce(request, { AZURE_STORAGE_CONNECTION_STRING: server?.connection ?? "", ...environment });
    return `${status}: ${detail}`;
  }

  it("S1.6, R35: in one piece, proved by MD5", async () => {
    await container.getBlockBlobClient("one/ü b%20?.mp4").uploadData(CONTENT);
    assert.equal(await check(urlOf("one/ü b%20?.mp4")), "verified: MD5 agrees");
    assert.equal(await check(urlOf("one/ü b%20?.mp4"), {}, ALTERED), "different: MD5 differs");
    assert.equal(
      await check(urlOf("one/ü b%20?.mp4"), {}, CONTENT.subarray(1)),
      "different: the remote object has 300001 bytes, the file 300000",
    );
  });

  it("S1.6: by its https address", async () => {
    await container.getBlockBlobClient("web a").uploadData(CONTENT);
    assert.equal(await check(`https://${server?.account}.blob.core.windows.net/outputs/web%20a?sv=2024&sig=abc`), "verified: MD5 agrees");
  });

  it("S1.6, R35: in blocks, only with the MD5 that the uploader named", async () => {
    await container.getBlockBlobClient("blocks").uploadData(CONTENT, BLOCKS);
    assert.match(await check(urlOf("blocks")), /^unproven: the storage knows no checksum/);
    await container.getBlockBlobClient("blocks-md5").uploadData(CONTENT, { ...BLOCKS, blobHTTPHeaders: { blobContentMD5: MD5 } });
    assert.equal(await check(urlOf("blocks-md5")), "verified: MD5 agrees");
    assert.equal(await check(urlOf("blocks-md5"), {}, ALTERED), "different: MD5 differs");
  });

  it("R35: the MD5 of a blob that is appended to says nothing", async () => {
    const blob = container.getAppendBlobClient("log");
    await blob.create({ blobHTTPHeaders: { blobContentMD5: MD5 } });
    await new AppendBlobClient(blob.url, new StorageSharedKeyCredential(server!.account, server!.key)).appendBlock(CONTENT, CONTENT.length);
    assert.match(await check(urlOf("log")), /^unproven: /);
  });

  it("R35: no such blob, no such container", async () => {
    assert.equal(await check(urlOf("nothing")), "missing: there is no such object");
    assert.equal(await check(`azure://${server?.account}/elsewhere/nothing`), "missing: there is no such object");
  });

  it("S1.6: a connection string with a token of limited access, and no secret in what is told", async () => {
    await container.getBlockBlobClient("shared").uploadData(CONTENT);
    const credential = new StorageSharedKeyCredential(server!.account, server!.key);
    const signed = (permissions: string) =>
      generateBlobSASQueryParameters(
        { containerName: "outputs", permissions: BlobSASPermissions.parse(permissions), expiresOn: new Date(Date.now() + 3_600_000) },
        credential,
      ).toString();
    const connection = (token: string) => ({
      AZURE_STORAGE_CONNECTION_STRING: `BlobEndpoint=${server?.url};AccountName=${server?.account};SharedAccessSignature=${token}`,
    });
    assert.equal(await check(urlOf("shared"), connection(signed("r"))), "verified: MD5 agrees");
    const refused = await check(urlOf("shared"), connection(signed("w")));
    assert.match(refused, /^unreachable: the storage refuses access \(40[13]\)$/);
  });

  it("S1.6: a wrong key, or one that is none", async () => {
    const connection = server!.connection.replace(server!.key, Buffer.from("wrong").toString("base64"));
    assert.equal(
      await check(urlOf("one"), { AZURE_STORAGE_CONNECTION_STRING: connection }),
      "unreachable: the storage refuses access (403)",
    );
    const nonsense = { AZURE_STORAGE_CONNECTION_STRING: "nonsense" };
    assert.equal(await check(urlOf("one"), nonsense), "unreachable: no credentials were found for the storage");
  });

  it("R35: errors are asked again, and told when they stay", async () => {
    await container.getBlockBlobClient("flaky").uploadData(CONTENT);
    const environment = { AZURE_STORAGE_CONNECTION_STRING: server!.connection.replace(new URL(server!.url).origin, proxy.url) };
    const fault = { kind: "answer", status: 503 } as const;
    proxy.arm({ match: /^HEAD/, fault });
    assert.equal(await check(urlOf("flaky"), environment), "verified: MD5 agrees");
    proxy.arm({ match: /^HEAD/, fault, times: 99 });
    assert.equal(await check(urlOf("flaky"), environment), "unreachable: the storage could not answer (503)");
  });

  it("R35: CRC-64, where Azure names it", async () => {
    await container.getBlockBlobClient("crc").uploadData(Buffer.from("123456789"), BLOCKS);
    const environment = { AZURE_STORAGE_CONNECTION_STRING: server!.connection.replace(new URL(server!.url).origin, proxy.url) };
    // The value of the catalogue for these digits, from its least significant byte.
    const crc = Buffer.from("ae8b14860a799888", "hex").reverse().toString("base64");
    const headers = { "content-length": 9, "x-ms-blob-type": "BlockBlob", "x-ms-content-crc64": crc };
    proxy.arm({ match: /^HEAD/, fault: { kind: "answer", status: 200, headers }, times: 2 });
    assert.equal(await check(urlOf("crc"), environment, Buffer.from("123456789")), "verified: CRC-64 agrees");
    assert.equal(await check(urlOf("crc"), environment, Buffer.from("123456780")), "different: CRC-64 differs");
  });
});
