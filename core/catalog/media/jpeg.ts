import { t } from "@vscode/l10n";
import type { Source } from "./source.ts";
import { countBytes, Flaw } from "./source.ts";

const step = 64 * 1024;
const startOfScan = 0xda;
const endOfImage = 0xd9;

/**
 * JPEG. Segments and entropy-coded data lead from SOI to EOI, which only padding or further pictures of the same form (previews, gain
 * maps) may follow. Source: ITU-T T.81, B.1 and B.2.
 */
export async function checkJpeg(source: Source): Promise<string> {
  let at = 0;
  let pictures = 0;
  do {
    at = await readPicture(source, at);
    pictures += 1;
    at = await skipPadding(source, at);
  } while (at < source.size && (await startsPicture(source, at)));
  if (at < source.size) throw new Flaw(t("{0} after the end of the picture", countBytes(source.size - at)));
  return pictures === 1 ? t("whole from SOI to EOI") : t("{0} pictures, whole from SOI to EOI", pictures);
}

/** Returns where the picture that starts at `start` ends. */
async function readPicture(source: Source, start: number): Promise<number> {
  let at = start + 2;
  let frame = false;
  let scans = 0;
  for (;;) {
    const head = await source.read(at, 2);
    const code = head.readUInt8(1);
    if (head.readUInt8(0) !== 0xff || code === 0) throw new Flaw(t("no marker at {0}", at));
    if (code === 0xff) {
      at += 1;
      continue;
    }
    if (code === endOfImage) {
      if (!frame || scans === 0) throw new Flaw(t("it ends before its first scan"));
      return at + 2;
    }
    const size = (await source.read(at + 2, 2)).readUInt16BE(0);
    if (size < 2) throw new Flaw(t("segment at {0} is too small", at));
    if (at + 2 + size > source.size) throw new Flaw(t("segment at {0} ends behind the file's end", at));
    at += 2 + size;
    // SOF0 to SOF15 without DHT, JPG and DAC, which lie between them.
    if (code >= 0xc0 && code <= 0xcf && code !== 0xc4 && code !== 0xc8 && code !== 0xcc) frame = true;
    if (code !== startOfScan) continue;
    scans += 1;
    at = await skipScan(source, at);
  }
}

/** Entropy-coded data end at the first marker that is neither a stuffed zero nor a restart. */
async function skipScan(source: Source, start: number): Promise<number> {
  let at = start;
  while (at + 1 < source.size) {
    const bytes = await source.read(at, Math.min(step, source.size - at));
    let found = bytes.indexOf(0xff);
    for (; found >= 0 && found + 1 < bytes.length; found = bytes.indexOf(0xff, found + 1)) {
      const code = bytes[found + 1] ?? 0;
      if (code !== 0 && code !== 0xff && (code < 0xd0 || code > 0xd7)) return at + found;
    }
    // A 0xff as the last byte is looked at again, together with the one behind it.
    at += found >= 0 && found + 1 === bytes.length ? found : bytes.length;
  }
  throw new Flaw(t("the picture has no end (EOI)"));
}

async function skipPadding(source: Source, start: number): Promise<number> {
  let at = start;
  while (at < source.size) {
    const bytes = await source.read(at, Math.min(step, source.size - at));
    const other = bytes.findIndex((byte, index) => byte !== 0 && !(byte === 0xff && bytes[index + 1] !== 0xd8));
    if (other >= 0) return at + other;
    at += bytes.length;
  }
  return at;
}

async function startsPicture(source: Source, at: number): Promise<boolean> {
  return source.size - at >= 4 && (await source.read(at, 2)).readUInt16BE(0) === 0xffd8;
}
