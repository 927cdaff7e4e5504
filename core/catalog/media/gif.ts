import type { Source } from "./source.ts";
import { Flaw } from "./source.ts";

const trailer = 0x3b;
const extension = 0x21;
const image = 0x2c;

/** GIF. Blocks lead from the header to the trailer, which ends the file. Source: GIF89a specification. */
export async function checkGif(source: Source): Promise<string> {
  let at = 13 + tableLength((await source.read(10, 1)).readUInt8(0));
  let images = 0;
  for (;;) {
    const kind = (await source.read(at, 1)).readUInt8(0);
    if (kind === trailer) break;
    if (kind === image) {
      images += 1;
      // The picture's own colours, and one byte for the code size, stand before its data.
      at = await skipData(source, at + 11 + tableLength((await source.read(at + 9, 1)).readUInt8(0)));
    } else if (kind === extension) at = await skipData(source, at + 2);
    else throw new Flaw(`no block at ${at}`);
  }
  if (images === 0) throw new Flaw("no picture");
  if (at + 1 !== source.size) throw new Flaw(`${source.size - at - 1} bytes after the trailer`);
  return `${images} ${images === 1 ? "picture" : "pictures"} up to the trailer`;
}

/** Bytes of a colour table, from the flags that announce it. */
function tableLength(flags: number): number {
  return flags & 0x80 ? 3 << ((flags & 7) + 1) : 0;
}

async function skipData(source: Source, start: number): Promise<number> {
  let at = start;
  for (;;) {
    const length = (await source.read(at, 1)).readUInt8(0);
    at += 1 + length;
    if (length === 0) return at;
  }
}
