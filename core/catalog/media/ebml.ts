import { t } from "@vscode/l10n";
import type { Source } from "./source.ts";
import { countBytes, Flaw } from "./source.ts";

/** One EBML element, as byte offsets in the file. */
export interface Element {
  readonly id: number;
  readonly start: number;
  readonly body: number;
  /** Behind its last byte; undefined when the writer did not know the size. */
  readonly end: number | undefined;
}

/** The element at `at`, which must lie before `limit`. Source: RFC 8794, 4 to 6. */
export async function readElement(source: Source, at: number, limit: number): Promise<Element> {
  const header = await source.read(at, Math.min(12, limit - at));
  const idLength = lengthOf(header, 0);
  if (idLength === 0 || idLength > 4) throw new Flaw(t("no element at {0}", at));
  if (idLength >= header.length) throw new Flaw(t("the element at {0} is cut off", at));
  const sizeLength = lengthOf(header, idLength);
  if (sizeLength === 0) throw new Flaw(t("no element size at {0}", at));
  if (idLength + sizeLength > header.length) throw new Flaw(t("the element at {0} is cut off", at));
  const id = header.readUIntBE(0, idLength);
  const body = at + idLength + sizeLength;
  const size = readSize(header.subarray(idLength, idLength + sizeLength));
  if (size === undefined) return { id, start: at, body, end: undefined };
  if (body + size > limit) throw new Flaw(t("an element at {0} ends {1} behind {2}", at, countBytes(body + size - limit), limit));
  return { id, start: at, body, end: body + size };
}

/** Bytes of the variable-length number whose first byte stands at `at`; 0 when no number starts so. */
function lengthOf(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  return first === 0 ? 0 : Math.clz32(first) - 23;
}

/** All bits set means that the size is not known. */
function readSize(bytes: Buffer): number | undefined {
  const marker = 1 << (8 - bytes.length);
  let size = (bytes[0] ?? 0) & (marker - 1);
  let unknown = size === marker - 1;
  for (const byte of bytes.subarray(1)) {
    size = size * 256 + byte;
    unknown &&= byte === 0xff;
  }
  return unknown ? undefined : size;
}
