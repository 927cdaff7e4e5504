/** What people are told about an upload. */
import { t } from "@vscode/l10n";
import type { UploadCheck } from "../model.ts";
import type { Algorithm, HeadAnswer, Proof } from "./storage.ts";

export type Verdict = Omit<UploadCheck, "url">;

const NAMES: Readonly<Record<Algorithm, string>> = {
  SHA256: "SHA-256",
  SHA512: "SHA-512",
  SHA1: "SHA-1",
  MD5: "MD5",
  CRC32C: "CRC-32C",
  CRC32: "CRC-32",
  CRC64NVME: "CRC-64",
};

export function noAddress(): Verdict {
  return {
    status: "unproven",
    detail: t(
      "this is no address of an object; write {0}, {1}, {2} or {3}",
      "s3://bucket/key",
      "gs://bucket/key",
      "azure://account/container/key",
      "https://account.blob.core.windows.net/container/key",
    ),
  };
}

export function noEndpoint(): Verdict {
  return { status: "unproven", detail: t("the endpoint is no address that starts with https:// or http://") };
}

export function missing(): Verdict {
  return { status: "missing", detail: t("there is no such object") };
}

export function otherSize(remote: number, local: number): Verdict {
  return { status: "different", detail: t("the remote object has {0} bytes, the file {1}", remote, local) };
}

export function noProof(): Verdict {
  return { status: "unproven", detail: t("the storage knows no checksum that can be compared; upload the file with one, such as SHA-256") };
}

export function changed(): Verdict {
  return { status: "unproven", detail: t("the file was changed or replaced since it was looked at") };
}

export function unreadable(code: string): Verdict {
  return { status: "unproven", detail: t("the file cannot be read ({0})", code) };
}

export function compared({ algorithm, hex, parts }: Proof, local: string): Verdict {
  const name = NAMES[algorithm];
  const of = parts === undefined ? name : t("{0} of {1} parts", name, parts);
  return hex === local ? { status: "verified", detail: t("{0} agrees", of) } : { status: "different", detail: t("{0} differs", of) };
}

export function unreachable({ trouble, code }: Extract<HeadAnswer, { readonly status: "unreachable" }>): Verdict {
  const why = {
    credentials: () => t("no credentials were found for the storage"),
    access: () => t("the storage refuses access"),
    name: () => t("the name of the storage's host is not known"),
    connection: () => t("there is no connection to the storage"),
    timeout: () => t("the storage did not answer in time"),
    certificate: () => t("the certificate of the storage is not trusted"),
    region: () => t("no region is set; set AWS_REGION"),
    answer: () => t("the storage could not answer"),
  }[trouble]();
  return { status: "unreachable", detail: code === undefined || trouble === "credentials" ? why : `${why} (${code})` };
}
