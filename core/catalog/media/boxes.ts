import { t } from "@vscode/l10n";
import type { Source } from "./source.ts";
import { countBytes, Flaw } from "./source.ts";

/** One box of ISO 14496-12, as byte offsets in the file: `start` of its header, `body` after it, `end` behind its last byte. */
export interface Box {
  readonly type: string;
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

const mostBoxes = 500_000;

/**
 * The boxes between `start` and `end`, which they must fill exactly. At the top level `mdat` may have size 0, "to the end of the file".
 * Source: ISO/IEC 14496-12, 4.2.
 */
export async function readBoxes(source: Source, start: number, end: number, level: "top" | "nested"): Promise<Box[]> {
  const boxes: Box[] = [];
  let at = start;
  while (at < end) {
    if (level === "nested" && (await isTerminator(source, at, end))) break;
    if (end - at < 8) throw new Flaw(t("{0} after the last box at {1}", countBytes(end - at), at));
    const header = await source.read(at, 8);
    const type = header.toString("latin1", 4, 8);
    if (!/^[\x20-\x7e\xa9]{4}$/.test(type)) throw new Flaw(t("no box at {0}", at));
    const size = header.readUInt32BE(0);
    const large = size === 1;
    const body = at + (large ? 16 : 8);
    const next = await endOf(source, at, type, size, level);
    if (next < body) throw new Flaw(t("{0} box at {1} is too small", type, at));
    if (next > end)
      throw new Flaw(
        level === "top"
          ? t("{0} box ends {1} behind the file's end", type, countBytes(next - end))
          : t("{0} box ends {1} behind its container", type, countBytes(next - end)),
      );
    boxes.push({ type, start: at, body, end: next });
    if (boxes.length > mostBoxes) throw new Flaw(t("too many boxes to be looked at"), "unknown");
    at = next;
  }
  return boxes;
}

/** The boxes inside one box, after `skip` bytes of its own fields. */
export async function readChildren(source: Source, box: Box, skip = 0): Promise<Box[]> {
  if (box.body + skip > box.end) throw new Flaw(t("{0} box is too small", box.type));
  return readBoxes(source, box.body + skip, box.end, "nested");
}

/** The one box of this type, or a flaw. */
export function need(boxes: readonly Box[], type: string): Box {
  const found = boxes.find((box) => box.type === type);
  if (!found) throw new Flaw(t("{0} box missing", type));
  return found;
}

async function endOf(source: Source, at: number, type: string, size: number, level: "top" | "nested"): Promise<number> {
  if (size === 1) return at + Number((await source.read(at + 8, 8)).readBigUInt64BE());
  if (size > 0) return at + size;
  // Zeros are also what a write that never happened leaves, so only the one box that is written last may use them.
  if (level === "top" && type === "mdat") return source.size;
  throw new Flaw(t("{0} box at {1} has no size", type, at));
}

/** QuickTime may end a container with four zero bytes. */
async function isTerminator(source: Source, at: number, end: number): Promise<boolean> {
  return end - at === 4 && (await source.read(at, 4)).readUInt32BE(0) === 0;
}
