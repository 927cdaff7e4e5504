/** Addresses of objects, as configurations and databases hold them. */

export type Address =
  | { readonly kind: "s3"; readonly bucket: string; readonly key: string }
  | { readonly kind: "google"; readonly bucket: string; readonly key: string }
  | { readonly kind: "azure"; readonly account: string; readonly container: string; readonly key: string };

const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,220}[A-Za-z0-9]$/;
const ACCOUNT = /^[a-z0-9]{3,24}$/;
const CONTAINER = /^(?:[a-z0-9](?:-?[a-z0-9]){2,62}|\$root|\$web)$/;
/** `bucket.s3.region.amazonaws.com`, with or without bucket and region; a bucket's name may have dots. Source: "Virtual hosting of buckets". */
const S3_HOST = /^(?:(.+)\.)?s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com$/;
const GOOGLE_HOST = /^(?:(.+)\.)?storage\.(?:googleapis|cloud\.google)\.com$/;
const AZURE_HOST = /^([a-z0-9]{3,24})\.blob\.core\.windows\.net$/;

/** Undefined when it is no address of an object in a storage that is known here. In https the key is escaped; elsewhere it is taken as it stands. */
export function parseAddress(url: string): Address | undefined {
  const [, scheme, rest] = /^([a-z][a-z0-9]*):\/\/([^]+)$/.exec(url) ?? [];
  if (scheme === undefined || rest === undefined) return undefined;
  if (scheme === "https") return parseWebAddress(url);
  const [first, path] = splitFirst(rest);
  if (scheme === "s3") return objectIn("s3", first, path);
  if (scheme === "gs") return objectIn("google", first, path);
  return scheme === "azure" ? blobIn(first, path) : undefined;
}

/**
 * The address as it may be shown and written down: a query holds signatures, and what stands before an `@` is a password, which may
 * have a slash. Only in addresses of the web everything behind a `?` is a query; elsewhere it may be part of a key, so there it goes
 * when it assigns something.
 */
export function shownAddress(url: string): string {
  const bare = url.trim().replace(/^([a-z][a-z0-9+.-]*:\/\/)(?:[^/?#]*@|[^/?#@:]*:(?!\d*\/)[^@]*@)/i, "$1");
  return bare.replace(/^https?:/i.test(bare) ? /[?#][^]*$/ : /\?[^]*=[^]*$/, "");
}

function parseWebAddress(url: string): Address | undefined {
  const [, host = "", escaped = ""] = /^https:\/\/([^/?#]+)\/([^?#]+)/.exec(url) ?? [];
  const path = decode(escaped);
  if (path === undefined) return undefined;
  const hosts = [
    ["s3", S3_HOST.exec(host)],
    ["google", GOOGLE_HOST.exec(host)],
  ] as const;
  for (const [kind, match] of hosts) {
    if (!match) continue;
    const [bucket, key] = match[1] === undefined ? splitFirst(path) : [match[1], path];
    return objectIn(kind, bucket, key);
  }
  const account = AZURE_HOST.exec(host)?.[1];
  if (account === undefined) return undefined;
  return blobIn(account, path.includes("/") ? path : `$root/${path}`);
}

function objectIn<Kind extends "s3" | "google">(kind: Kind, bucket: string, key: string) {
  return BUCKET.test(bucket) && isKey(key) ? { kind, bucket, key } : undefined;
}

function blobIn(account: string, path: string): Address | undefined {
  const [container, key] = splitFirst(path);
  return ACCOUNT.test(account) && CONTAINER.test(container) && isKey(key) ? { kind: "azure", account, container, key } : undefined;
}

/** Segments of dots are refused, because libraries resolve them on the way and would ask about another object. */
function isKey(key: string): boolean {
  return (
    key !== "" && Buffer.byteLength(key) <= 1024 && !key.includes("\0") && !key.split(/[/\\]/).some((name) => name === "." || name === "..")
  );
}

function splitFirst(text: string): [first: string, rest: string] {
  const slash = text.indexOf("/");
  return slash === -1 ? [text, ""] : [text.slice(0, slash), text.slice(slash + 1)];
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // A percent sign that starts no escape.
  }
}
