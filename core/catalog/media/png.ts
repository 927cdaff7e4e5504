import { crc32 } from "node:zlib";
import type { Source } from "./source.ts";
import { Flaw } from "./source.ts";

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
    if (!/^[A-Za-z]{4}$/.test(name)) throw new Flaw(`no chunk at ${at}`);
    if (count === 1 && (name !== "IHDR" || size !== 13)) throw new Flaw("IHDR chunk missing");
    if (at + 12 + size > source.size) throw new Flaw(`${name} chunk ends ${at + 12 + size - source.size} bytes behind the file's end`);
    const sum = await sumOf(source, at + 4, size + 4);
    const end = at + 8 + size;
    if ((await source.read(end, 4)).readUInt32BE(0) !== sum) throw new Flaw(`the checksum of the ${name} chunk at ${at} does not hold`);
    at = end + 4;
    if (name === "IDAT") data += size;
    if (name === "IEND") break;
    if (count > mostChunks) throw new Flaw("too many chunks to be looked at", "unknown");
  }
  if (data === 0) throw new Flaw("IDAT chunk missing");
  if (at !== source.size) throw new Flaw(`${source.size - at} bytes after IEND`);
  return "all chunks are whole, up to IEND";
}

async function sumOf(source: Source, start: number, length: number): Promise<number> {
  let sum = 0;
  for (let at = start; at < start + length; at += step) sum = crc32(await source.read(at, Math.min(step, start + length - at)), sum);
  return sum;
}
