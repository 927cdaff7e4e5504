/**
 * Which local file was uploaded where: by a record of the runtime library, by a row of a database, or by the key template of its
 * store. Asking the remote storage is the verifier's (`core/remote`); what it answered is kept here for the decisions.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Catalog } from "./catalog/catalog.ts";
import type { Config, TemplatedStore } from "./config/config.ts";
import { matchTemplate } from "./config/template.ts";
import type { FileEntry, Identity, PlanItem, Problem, UploadCheck } from "./model.ts";
import { identityOf } from "./reclaim/guard.ts";
import { ensureHome, HOME, readState, Refusal, STATE_SCHEMA, writeState } from "./reclaim/home.ts";
import { parseAddress, shownAddress } from "./remote/address.ts";

/** What a decision asks. */
export interface Uploads {
  of(
    store: TemplatedStore,
    file: FileEntry,
    captures: Readonly<Record<string, string>>,
  ): UploadCheck | { readonly status: "unknown"; readonly detail: string };
}

/** One question to the remote storage: whether the object at `url` has the bytes of this file. */
export interface UploadRequest {
  /** Absolute path. */
  readonly file: string;
  readonly identity: Identity;
  readonly url: string;
  /** Of a store that speaks the protocol of S3; default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or Amazon. */
  readonly endpoint?: string;
  /** Default: AWS_REGION. */
  readonly region?: string;
}

export interface VerifyOptions {
  readonly signal?: AbortSignal;
  /** Ask again even if it was asked a moment ago (R35). */
  readonly fresh?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Asks the remote storage. Answers in the order of the requests; rejects only when it was aborted. */
export interface UploadVerifier extends AsyncDisposable {
  verify(requests: readonly UploadRequest[], options?: VerifyOptions): Promise<readonly UploadCheck[]>;
}

export interface KnownUploads extends Uploads {
  /** Asks about those of the files whose address is known and that no record of the pipeline proves. */
  ask(files: readonly Pick<FileEntry, "store" | "root" | "path">[], verifier: UploadVerifier, options: VerifyOptions): Promise<void>;
}

/** What the remote storage answered, by absolute path. `asked`: the address that was asked about. */
export type Answers = Map<string, { readonly asked: string; readonly check: UploadCheck }>;

/** `answers` outlive a catalog that is read again. */
export function knowUploads(config: Config, catalog: Pick<Catalog, "uploadAt">, answers: Answers): KnownUploads {
  const stores = new Map(config.stores.map((store) => [store.name, store]));
  const records = config.stores.some((store) => store.role === "upload") ? readUploadRecords(config.root) : new Map<string, UploadRecord>();
  const recordOf = (absolute: string): UploadRecord | undefined => {
    const record = records.get(absolute);
    return record && isSame(identityOf(absolute), record.identity) ? record : undefined;
  };
  const address = (store: TemplatedStore, file: Pick<FileEntry, "root" | "path">): Address =>
    addressOf(config, catalog, store, file.path, path.join(file.root, file.path));
  return {
    of(store, file) {
      const absolute = path.join(file.root, file.path);
      const found = address(store, file);
      if ("detail" in found && found.unwritten) return { status: "unknown", detail: found.detail };
      const recorded = recordOf(absolute);
      const known = answers.get(absolute);
      // A row that was written meanwhile may name another object, of which nothing was asked.
      const isOutdated = known !== undefined && known.asked !== ("detail" in found ? recorded?.url : found.url);
      const answer = isOutdated ? undefined : known?.check;
      // What the storage says now counts more than what the pipeline noted once; where it cannot tell, that stands.
      if (answer && (!recorded || answer.status !== "unproven")) return answer;
      if (recorded && !isOutdated)
        return {
          status: "verified",
          url: shownAddress(recorded.url),
          detail: t("the pipeline verified it at {0} ({1})", recorded.at, recorded.detail),
        };
      if ("detail" in found) return { status: "unknown", detail: found.detail };
      return { status: "unknown", detail: t("{0} was not asked yet", shownAddress(found.url)) };
    },
    async ask(files, verifier, options) {
      const requests = files.flatMap((file): UploadRequest[] => {
        const store = stores.get(file.store);
        const absolute = path.join(file.root, file.path);
        const known = store?.role === "upload" ? address(store, file) : undefined;
        const found = known && "detail" in known && !known.unwritten ? recordOf(absolute) : known;
        if (!found || "detail" in found) return [];
        const seen = identityOf(absolute);
        if (!seen?.isFile) return [];
        const { dev, ino, bytes, mtimeNs } = seen;
        const { url, endpoint, region }: Place = found;
        const place = { ...(endpoint !== undefined && { endpoint }), ...(region !== undefined && { region }) };
        return [{ file: absolute, identity: { dev, ino, bytes, mtimeNs }, url, ...place }];
      });
      if (requests.length === 0) return;
      // What is not answered this time is not known any more.
      for (const request of requests) answers.delete(request.file);
      const checks = await verifier.verify(requests, options);
      for (const [i, request] of requests.entries()) {
        const check = checks[i];
        if (check) answers.set(request.file, { asked: request.url, check });
      }
    },
  };
}

type Place = Pick<UploadRequest, "url" | "endpoint" | "region">;

type Address =
  | { readonly url: string; readonly endpoint?: string; readonly region?: string }
  /** `unwritten`: a table of uploads is there, and has no row of it (R36). */
  | { readonly detail: string; readonly unwritten: boolean };

function addressOf(config: Config, catalog: Pick<Catalog, "uploadAt">, store: TemplatedStore, relative: string, absolute: string): Address {
  const recorded = config.databases.some((database) => database.uploads[store.name] !== undefined);
  const row = recorded ? catalog.uploadAt(store.name, absolute) : undefined;
  // R36: uploaded and not written down is an upload that nobody will find again.
  if (recorded && !row) return { detail: t("no row of database.uploads.{0} says that it was uploaded", store.name), unwritten: true };
  const target = store.upload;
  const written = row && parseAddress(row.url);
  // Where the row says that it is: an object elsewhere is another upload, and nobody would find it by this row.
  if (row && (written || !target)) {
    // Only an address that names no host leaves open which storage of its kind is meant.
    const { endpoint, region } = (written && !row.url.startsWith("https:") && target) || {};
    return { url: row.url, ...(endpoint !== undefined && { endpoint }), ...(region !== undefined && { region }) };
  }
  if (!target) {
    return {
      unwritten: false,
      detail: t('nothing says where its remote copy is; set stores.{0}.upload, e.g. "s3://bucket/{path}", or database.uploads', store.name),
    };
  }
  const { endpoint, region } = target;
  return {
    url: fillAddress(target.to, store, relative),
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
  };
}

function fillAddress(to: string, store: TemplatedStore, relative: string): string {
  const captures = matchTemplate(store.template, relative) ?? {};
  return to.replace(/\{([^{}]*)\}/g, (whole, name: string) => (name === "path" ? relative : (captures[name] ?? whole)));
}

/** How many different reasons are named for one store. */
const MOST_REASONS = 3;

/** Storages that did not answer, one problem per store: else files would be kept for ever and nobody would know why. */
export function findUnchecked(items: readonly Pick<PlanItem, "store" | "remote">[]): readonly Problem[] {
  const stores = new Map<string, Map<string, number>>();
  for (const { store, remote } of items) {
    if (remote?.status !== "unreachable") continue;
    const reasons = stores.get(store) ?? new Map<string, number>();
    stores.set(store, reasons.set(remote.detail, (reasons.get(remote.detail) ?? 0) + 1));
  }
  return [...stores].map(([store, reasons]): Problem => {
    const count = [...reasons.values()].reduce((sum, files) => sum + files, 0);
    const commonest = [...reasons].sort(([, a], [, b]) => b - a).map(([detail]) => detail);
    const why = commonest.slice(0, MOST_REASONS).join(", ");
    const message =
      count === 1
        ? t('1 upload of the store "{0}" could not be checked: {1}; it is kept until the storage answers', store, why)
        : t('{0} uploads of the store "{1}" could not be checked: {2}; they are kept until the storage answers', count, store, why);
    return { severity: "warning", source: t("remote storage"), message };
  });
}

/** Device numbers change from boot to boot, so they say nothing here. */
function isSame(now: Identity | undefined, then: Identity): boolean {
  return now !== undefined && now.ino === then.ino && now.bytes === then.bytes && now.mtimeNs === then.mtimeNs;
}

/** What the pipeline itself verified, and could not or would not delete yet. */
export interface UploadRecord {
  /** Absolute path. */
  readonly file: string;
  readonly identity: Identity;
  readonly url: string;
  readonly at: string;
  readonly detail: string;
}

type StoredRecord = UploadRecord & { readonly schema: number };

const RECORDS = "uploads";

/** One file each, so that several processes never wait for each other. */
function recordFile(root: string, file: string): string {
  return path.join(root, HOME, RECORDS, `${createHash("sha256").update(file).digest("hex").slice(0, 32)}.json`);
}

/** Notes that a file's upload was verified. Replaces what was noted of it before. */
export function recordUpload(root: string, record: UploadRecord): void {
  fs.mkdirSync(path.join(ensureHome(root), RECORDS), { recursive: true });
  writeState<StoredRecord>(recordFile(root, record.file), { schema: STATE_SCHEMA, ...record });
}

/** Absolute paths; what cannot be understood proves nothing and is passed over. */
function readUploadRecords(root: string): ReadonlyMap<string, UploadRecord> {
  const directory = path.join(root, HOME, RECORDS);
  const records = new Map<string, UploadRecord>();
  for (const name of listOrNothing(directory)) {
    if (!name.endsWith(".json")) continue;
    try {
      const record = readState<StoredRecord>(path.join(directory, name));
      if (record && record.schema <= STATE_SCHEMA && isRecord(record)) records.set(record.file, record);
    } catch (error) {
      if (!(error instanceof Refusal) && (error as NodeJS.ErrnoException).syscall === undefined) throw error;
    }
  }
  return records;
}

function isRecord({ file, identity, url, at, detail }: Partial<UploadRecord>): boolean {
  const words = [file, url, at, detail, identity?.ino, identity?.mtimeNs];
  return words.every((word) => typeof word === "string") && typeof identity?.bytes === "number";
}

function listOrNothing(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

/** Drops the records of files that are not there any more. Absolute paths. */
export function forgetUploads(root: string, files: readonly string[]): void {
  for (const file of files) fs.rmSync(recordFile(root, file), { force: true });
}
