/** Objects of Google Cloud Storage, by its JSON API: cloud.google.com/storage/docs/json_api/v1/objects/get */
import { type AuthClient, GoogleAuth, PassThroughClient } from "google-auth-library";
import type { Proof, RemoteObject, RemoteStorage, StorageOptions } from "./storage.ts";
import { ANSWER_TIMEOUT } from "./storage.ts";
import { answerOf } from "./trouble.ts";

const HOST = "https://storage.googleapis.com";
const API = "/storage/v1";
const SCOPE = "https://www.googleapis.com/auth/devstorage.read_only";

/** Numbers of 64 bits are texts, checksums base64; `md5Hash` is absent of composed objects. */
interface Metadata {
  readonly size?: string;
  readonly md5Hash?: string;
  readonly crc32c?: string;
}

export function openStorage({ environment }: StorageOptions): RemoteStorage {
  const emulator = environment["STORAGE_EMULATOR_HOST"];
  const host = emulator ? hostOf(emulator) : HOST;
  let client: Promise<AuthClient> | undefined;
  return {
    async head(address, signal) {
      if (address.kind !== "google") throw new TypeError("not an address of Google");
      client ??= emulator ? Promise.resolve(new PassThroughClient()) : new GoogleAuth({ scopes: SCOPE }).getClient();
      let connected;
      try {
        connected = await client;
      } catch {
        return { status: "unreachable", trouble: "credentials" };
      }
      try {
        const path = `${API}/b/${encodeURIComponent(address.bucket)}/o/${encodeURIComponent(address.key)}`;
        const { data } = await connected.request<Metadata>({
          url: `${host}${path}?fields=size,md5Hash,crc32c`,
          responseType: "json",
          retry: true,
          timeout: ANSWER_TIMEOUT,
          ...(signal && { signal }),
        });
        return { status: "found", object: describe(data) };
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        return answerOf(error, (error as { readonly status?: number }).status);
      }
    },
    close() {
      client = undefined;
    },
  };
}

/** With or without scheme and path, as the libraries of Google allow it. */
function hostOf(emulator: string): string {
  const url = emulator.includes("://") ? emulator : `http://${emulator}`;
  return url.replace(/\/+$/, "").replace(/\/storage\/v1$/, "");
}

function describe({ size, md5Hash, crc32c }: Metadata): RemoteObject {
  const proofs: Proof[] = [];
  if (md5Hash) proofs.push({ algorithm: "MD5", hex: Buffer.from(md5Hash, "base64").toString("hex") });
  if (crc32c) proofs.push({ algorithm: "CRC32C", hex: Buffer.from(crc32c, "base64").toString("hex") });
  return { bytes: Number(size ?? -1), proofs };
}
