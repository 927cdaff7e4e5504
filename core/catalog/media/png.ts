import { crc32 } from "node:zlib";
import { t } from "@vscode/l10n";
import type { Source } from "./source.ts";
import { countBytes, Flaw } from "./source.ts";

const mostChunks = 1_000_000;
const step = 1024 * 1024;

/** PNG. All chunks tile the file from the signature to IEND, and each checksum holds. Source: PNG specification, 5. */
export async function checkPng(source: Source): Promise<string> {
  let at = 8;
  let data = 0;
  for (let count = 1; ; count += 1) {
    const head = await source.read(at, 8);
    const size = head.readUInt32BE(0);
    const name = head.toString("latin1", 4, 8);
    if (!/^[A-Za-z]{4}$/.test(name)) throw new Flaw(t("no chunk at {0}", at));
    if (count === 1 && (name !== "IHDR" || size !== 13)) throw new Flaw(t("IHDR chunk missing"));
    if (at + 12 + size > source.size)
      throw new Flaw(t("{0} chunk ends {1} behind the file's end", name, countBytes(at + 12 + size - source.size)));
    const sum = await sumOf(source, at + 4, size + 4);
    const end = at + 8 + size;
    if ((await source.read(end, 4)).readUInt32BE(0) !== sum)
      throw new Flaw(t("the checksum of the {0} chunk at {1} does not hold", name, at));
    at = end + 4;
    if (name === "IDAT") data += size;
    if (name === "IEND") break;
    if (count > mostChunks) throw new Flaw(t("too many chunks to be looked at"), "unknown");
  }
  if (data === 0) throw new Flaw(t("IDAT chunk missing"));
  if (at !== source.size) throw new Flaw(t("{0} after IEND", countBytes(source.size - at)));
  return t("all chunks are whole, up to IEND");
}

async function sumOf(source: Source, start: number, length: number): Promise<number> {
  let sum = 0;
  for (let at = start; at < start + length; at += step) sum = crc32(await source.read(at, Math.min(step, start + length - at)), sum);
  return sum;
}
