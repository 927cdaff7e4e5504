/** Local files for the tests of uploads. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { mkdirSync } from "node:fs";
import assert from "node:assert/strict";
import type { UploadCheck } from "../../core/model.ts";
import { identityOf } from "../../core/reclaim/guard.ts";
import { createUploadVerifier } from "../../core/remote/verifier.ts";
import type { UploadRequest } from "../../core/uploads.ts";

export interface Files {
  readonly directory: string;
  write(name: string, content: Uint8Array): string;
  dispose(): void;
}

export function makeFiles(): Files {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "offcut-remote-")));
  return {
    directory,
    write(name, content) {
      const file = join(directory, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
      return file;
    },
    dispose: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** About the file as it is now. */
export function requestOf(file: string, url: string): UploadRequest {
  const found = identityOf(file);
  assert.ok(found, `${file} exists`);
  const { dev, ino, bytes, mtimeNs } = found;
  return { file, url, identity: { dev, ino, bytes, mtimeNs } };
}

/** Asks once, with a verifier of its own. */
export async function verifyOnce(request: UploadRequest, environment: Readonly<Record<string, string>>): Promise<UploadCheck> {
  const verifier = createUploadVerifier({ environment });
  try {
    const [check] = await verifier.verify([request]);
    assert.ok(check);
    return check;
  } finally {
    await verifier[Symbol.asyncDispose]();
  }
}
