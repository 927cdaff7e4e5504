import type { FileHandle } from "node:fs/promises";
import { t } from "@vscode/l10n";

/** What is wrong with a file, as a phrase for people. Thrown by the walkers of one format and caught only in `check.ts`. */
export class Flaw extends Error {
  readonly status: "incomplete" | "unknown";

  constructor(detail: string, status: "incomplete" | "unknown" = "incomplete") {
    super(detail);
    this.status = status;
  }
}

/** The bytes of one open file. */
export interface Source {
  /** Bytes, as the file had them when it was opened. */
  readonly size: number;
  /** Exactly `length` bytes from `offset`. Throws `Flaw` when the file ends before, or when more than `largestRead` is asked for. */
  readonly read: (offset: number, length: number) => Promise<Buffer>;
}

/** A sample table of four million entries fits; a made-up length does not become an allocation. */
const largestRead = 64 * 1024 * 1024;
const sequentialWindow = 256 * 1024;
const randomWindow = 16 * 1024;

/** Reads through one window, which is large where the reader moves forward and small where it jumps. */
export function readFrom(handle: FileHandle, size: number, signal?: AbortSignal): Source {
  let window: Buffer = Buffer.alloc(0);
  let start = 0;

  async function read(offset: number, length: number): Promise<Buffer> {
    if (offset < 0 || length < 0 || !Number.isSafeInteger(offset + length) || offset + length > size) {
      throw new Flaw(
        length === 1
          ? t("the file ends at {0}, but 1 byte is expected at {1}", countBytes(size), offset)
          : t("the file ends at {0}, but {1} bytes are expected at {2}", countBytes(size), length, offset),
      );
    }
    if (length > largestRead) throw new Flaw(t("a table of {0} is too large to be looked at", countBytes(length)), "unknown");
    const end = start + window.length;
    if (offset >= start && offset + length <= end) return window.subarray(offset - start, offset - start + length);
    signal?.throwIfAborted();
    const ahead = offset >= start && offset <= end + randomWindow ? sequentialWindow : randomWindow;
    // A new buffer each time, because callers still hold parts of the old one.
    const next = Buffer.allocUnsafeSlow(Math.min(Math.max(length, ahead), size - offset));
    const filled = await fill(handle, next, offset);
    if (filled < length) throw new Flaw(t("the file became shorter while it was read"));
    window = next.subarray(0, filled);
    start = offset;
    return window.subarray(0, length);
  }

  return { size, read };
}

export function countBytes(count: number): string {
  return count === 1 ? t("1 byte") : t("{0} bytes", count);
}

async function fill(handle: FileHandle, buffer: Buffer, offset: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}
