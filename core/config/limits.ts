/** What a store says of ages, amounts and remote copies. */
import { t } from "@vscode/l10n";
import type { Problem, Store, UploadTarget } from "../model.ts";
import type { StoreFile } from "./schema.ts";
import type { Template } from "./template.ts";
import { parseDuration, parseSize } from "./units.ts";

type At = (key: string, severity: Problem["severity"], message: string) => void;

type Limits = Pick<Store, "retentionMs" | "graceMs" | "undoMs" | "maxAgeMs" | "maxBytes" | "targetBytes" | "everyMs">;

const LIMITS = ["maxAge", "maxBytes", "targetBytes"] as const;

/** Reads the limits of a store; low must be below high (R53). A limit of nothing would empty the store, so it is refused (R79). */
export function resolveLimits(store: StoreFile, at: At): Limits {
  const limited = LIMITS.find((key) => store[key] !== undefined);
  if (store.role === "final" && limited !== undefined)
    at(limited, "error", t("finals are never cleaned, so they have no limits; leave it out"));
  if (store.role === "upload" && store.maxAge !== undefined)
    at("maxAge", "warning", t('has no effect: only a verified remote copy lets an upload go; how long it stays after that is "retention"'));
  const maxBytes = store.maxBytes === undefined ? undefined : parseSize(store.maxBytes);
  const low = store.targetBytes === undefined ? undefined : parseSize(store.targetBytes);
  if (low !== undefined && maxBytes === undefined) at("targetBytes", "error", t('has no "maxBytes" to go with it'));
  if (low !== undefined && maxBytes !== undefined && maxBytes > 0 && low >= maxBytes)
    at("targetBytes", "error", t("must be less than maxBytes ({0})", store.maxBytes ?? ""));
  if (low === 0) at("targetBytes", "error", t("is 0, which would empty the store; write the size that it may keep"));
  if (maxBytes === 0) at("maxBytes", "error", t("is 0, which would empty the store; write the size that it may have"));
  const maxAgeMs = durationOf(store.maxAge);
  if (maxAgeMs === 0) at("maxAge", "error", t("is 0, which would empty the store; write how old its files may become"));
  const retentionMs = durationOf(store.retention);
  if (retentionMs !== undefined && maxAgeMs !== undefined && retentionMs > maxAgeMs)
    at("retention", "warning", t("is longer than maxAge ({0}), so it decides", store.maxAge ?? ""));
  const everyMs = durationOf(store.every);
  if (everyMs !== undefined && everyMs < SHORTEST_ROUND_MS) at("every", "error", t("is less than a second"));
  const clip = store.role === "clip";
  const graceMs = durationOf(store.grace) ?? (clip ? 0 : undefined);
  const undoMs = durationOf(store.undo) ?? (clip ? 0 : undefined);
  return {
    ...(retentionMs !== undefined && { retentionMs }),
    ...(graceMs !== undefined && { graceMs }),
    ...(undoMs !== undefined && { undoMs }),
    ...(maxAgeMs !== undefined && { maxAgeMs }),
    ...(maxBytes !== undefined && { maxBytes, targetBytes: low ?? Math.floor(maxBytes * 0.9) }),
    ...(everyMs !== undefined && { everyMs }),
  };
}

/** A loop that looks more often is a mistake. */
export const SHORTEST_ROUND_MS = 1000;

function durationOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDuration(text);
}

/**
 * What stands before an `@` is a name and a password; so is `name:` that no port follows, because keys of Amazon may have a slash. A query
 * of the web holds signatures.
 */
const SECRET = /^(?:[A-Za-z][A-Za-z0-9+.-]*:\/\/)?[^/[]*(?:@|:(?!\/\/|\d*(?:\/|$)))|^https?:[^?]*\?/;

const PLACEHOLDER = /\{([^{}]*)\}/g;

/** Where the remote copies are. Only an address that names one object for one file proves anything. */
export function resolveUpload(store: StoreFile, template: Template, at: At): UploadTarget | undefined {
  if (store.upload === undefined) return undefined;
  const target: UploadTarget = typeof store.upload === "string" ? { to: store.upload } : dropUndefined(store.upload);
  if (SECRET.test(target.to) || SECRET.test(target.endpoint ?? "")) {
    at(
      "upload",
      "error",
      t(
        "has a user name, a password or a signature in its address; take it out, because credentials come from the environment only ({0})",
        "AWS_…, AZURE_STORAGE_…, GOOGLE_APPLICATION_CREDENTIALS",
      ),
    );
    return undefined;
  }
  if (store.role !== "upload") at("upload", "error", t('needs the role "upload"; this store has "{0}"', store.role));
  if (!/^(s3|gs|azure|https):\/\/[^/]+\/.+/.test(target.to))
    at("upload", "error", t("is no address of remote storage; write s3://bucket/key, gs://bucket/key or azure://account/container/key"));
  const named = [...target.to.matchAll(PLACEHOLDER)].map((match) => match[1] ?? "");
  const foreign = named.find((name) => name !== "path" && !template.captures.includes(name));
  if (foreign !== undefined)
    at("upload", "error", t("the path has no {0}; the placeholders are {1}", `{${foreign}}`, placeholders(template)));
  const single = !template.deep && template.segments.every((segment) => !segment.wildcard);
  const tells = named.includes("path") || (single && template.captures.every((capture) => named.includes(capture)));
  if (foreign === undefined && !tells)
    at(
      "upload",
      "error",
      t("two files could have the same address; name all placeholders of the path, or {path} for the whole relative path"),
    );
  return target;
}

function placeholders(template: Template): string {
  return [...template.captures, "path"].map((capture) => `{${capture}}`).join(", ");
}

function dropUndefined(target: Exclude<NonNullable<StoreFile["upload"]>, string>): UploadTarget {
  const { to, endpoint, region } = target;
  return { to, ...(endpoint !== undefined && { endpoint }), ...(region !== undefined && { region }) };
}
