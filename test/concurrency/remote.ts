/** A directory that plays the remote storage: an object is proven when it has the very bytes of the local file. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { UploadCheck } from "../../core/model.ts";
import { identityOf } from "../../core/reclaim/guard.ts";
import { identityKey } from "../../core/catalog/paths.ts";
import type { UploadVerifier } from "../../core/uploads.ts";

export const BUCKET = "s3://bucket/";

export function objectOf(remote: string, url: string): string {
  return path.join(remote, url.slice(BUCKET.length));
}

export function hashOf(file: string): string | undefined {
  try {
    return createHash("sha256").update(fs.readFileSync(file)).digest("hex");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export function createDirectoryVerifier(remote: string): UploadVerifier {
  return {
    verify: (requests) =>
      Promise.resolve(
        requests.map(({ file, identity, url }): UploadCheck => {
          const object = hashOf(objectOf(remote, url));
          if (object === undefined) return { status: "missing", url, detail: "there is no such object" };
          const local = hashOf(file);
          const now = identityOf(file);
          // What was read is what was asked about only if it is still the same file.
          if (!now || identityKey(now) !== identityKey(identity)) return { status: "unproven", url, detail: "it changed" };
          return local === object
            ? { status: "verified", url, detail: "SHA-256 agrees" }
            : { status: "different", url, detail: "it differs" };
        }),
      ),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
