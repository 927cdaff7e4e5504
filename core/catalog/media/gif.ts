import { t } from "@vscode/l10n";
import type { Source } from "./source.ts";
import { countBytes, Flaw } from "./source.ts";

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
    else throw new Flaw(t("no block at {0}", at));
  }
  if (images === 0) throw new Flaw(t("no picture"));
  if (at + 1 !== source.size) throw new Flaw(t("{0} after the trailer", countBytes(source.size - at - 1)));
  return images === 1 ? t("1 picture up to the trailer") : t("{0} pictures up to the trailer", images);
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
