/** Blobs of Azure Storage. */
import { AnonymousCredential, BlobClient, newPipeline, StorageSharedKeyCredential } from "@azure/storage-blob";
import type { Proof, RemoteObject, RemoteStorage, StorageOptions } from "./storage.ts";
import { ANSWER_TIMEOUT } from "./storage.ts";
import { answerOf } from "./trouble.ts";

const ATTEMPTS = 3;

/** Of one account; `BlobServiceClient` would do the same, but brings as much code again. */
type Account = (container: string, key: string) => BlobClient;

export function openStorage({ environment }: StorageOptions): RemoteStorage {
  const accounts = new Map<string, Promise<Account>>();
  return {
    async head(address, signal) {
      if (address.kind !== "azure") throw new TypeError("not an address of Azure");
      let account = accounts.get(address.account);
      if (!account) accounts.set(address.account, (account = openAccount(address.account, environment)));
      let blob;
      try {
        blob = (await account)(address.container, address.key);
      } catch {
        return { status: "unreachable", trouble: "credentials" }; // What the environment holds is no key and no connection string.
      }
      try {
        const timeout = AbortSignal.timeout(ATTEMPTS * ANSWER_TIMEOUT);
        const properties = await blob.getProperties({ abortSignal: signal ? AbortSignal.any([signal, timeout]) : timeout });
        return { status: "found", object: describe(properties) };
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        return answerOf(error, (error as { readonly statusCode?: number }).statusCode);
      }
    },
    close: () => accounts.clear(),
  };
}

/** Credentials that the environment names for an account are used for that account only. */
async function openAccount(account: string, environment: StorageOptions["environment"]): Promise<Account> {
  const settings = { retryOptions: { maxTries: ATTEMPTS, retryDelayInMs: 500 } };
  const connection = environment["AZURE_STORAGE_CONNECTION_STRING"];
  if (connection && new BlobClient(connection, "any", "any").accountName === account)
    return (container, key) => new BlobClient(connection, container, key, settings);
  const { AZURE_STORAGE_ACCOUNT: named, AZURE_STORAGE_KEY: secret, AZURE_STORAGE_SAS_TOKEN: token } = environment;
  const open = (credential: Parameters<typeof newPipeline>[0], query = ""): Account => {
    const pipeline = newPipeline(credential, settings);
    return (container, key) => {
      const path = [container, ...key.split("/")].map(encodeURIComponent).join("/");
      return new BlobClient(`https://${account}.blob.core.windows.net/${path}${query}`, pipeline);
    };
  };
  if (named === account && secret) return open(new StorageSharedKeyCredential(account, secret));
  if (named === account && token) return open(new AnonymousCredential(), `?${token.replace(/^\?/, "")}`);
  const { openCredential } = await import("./azureIdentity.ts");
  return open(openCredential());
}

type Properties = Awaited<ReturnType<BlobClient["getProperties"]>>;

/**
 * Append and page blobs are written to after their MD5 was set, so only that of a block blob says something about the content. For one
 * that came in a single request Azure computed it; for one of several blocks it is what the uploader computed of the whole.
 */
function describe(properties: Properties): RemoteObject {
  const proofs: Proof[] = [];
  if (properties.blobType === "BlockBlob") {
    // Azure writes this number from its least significant byte.
    const crc = properties._response.headers.get("x-ms-content-crc64");
    if (crc !== undefined) proofs.push({ algorithm: "CRC64NVME", hex: Buffer.from(crc, "base64").reverse().toString("hex") });
    if (properties.contentMD5) proofs.push({ algorithm: "MD5", hex: Buffer.from(properties.contentMD5).toString("hex") });
  }
  return { bytes: properties.contentLength ?? -1, proofs };
}
