/**
 * What the storages have in common. Their modules carry the libraries of the vendors, so each is loaded only when one of its addresses
 * turns up, from a bundle of its own; therefore they speak no language of the user's and throw nothing that a caller has to recognise.
 */
import type { Address } from "./address.ts";

/** `CRC64NVME` is also the one that Azure calls CRC64. */
export type Algorithm = "SHA256" | "SHA512" | "SHA1" | "MD5" | "CRC32C" | "CRC32" | "CRC64NVME";

/** Something the storage says about the content. */
export interface Proof {
  readonly algorithm: Algorithm;
  /** Lower case; of a checksum its bytes from the most significant one. */
  readonly hex: string;
  /** The object was uploaded in so many parts, and this is the checksum of their checksums. Absent: of the whole content. */
  readonly parts?: number;
}

export interface RemoteObject {
  readonly bytes: number;
  /** Best first. Empty when the storage says nothing that could be computed here. */
  readonly proofs: readonly Proof[];
  /** The sizes of that many parts, in order; undefined when they cannot be found out. */
  partSizes?(parts: number, signal: AbortSignal | undefined): Promise<readonly number[] | undefined>;
}

/** Why a storage did not answer the question. */
export type Trouble = "credentials" | "access" | "name" | "connection" | "timeout" | "certificate" | "region" | "answer";

export type HeadAnswer =
  | { readonly status: "found"; readonly object: RemoteObject }
  | { readonly status: "missing" }
  /** `code` is an HTTP status or the name of a system error; never text of the storage, which may repeat secrets. */
  | { readonly status: "unreachable"; readonly trouble: Trouble; readonly code?: string };

export interface RemoteStorage {
  /** Asks about one object, with the repetitions that the vendor's library does. Rejects only when the signal is aborted. */
  head(address: Address, signal: AbortSignal | undefined): Promise<HeadAnswer>;
  close(): void;
}

export interface StorageOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly endpoint?: string;
  readonly region?: string;
  /** How many questions will be asked at a time. */
  readonly concurrency: number;
}

/** How long to wait for a connection, and for an answer on it, milliseconds. */
export const CONNECTION_TIMEOUT = 5_000;
export const ANSWER_TIMEOUT = 15_000;
