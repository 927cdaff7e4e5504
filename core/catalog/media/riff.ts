import { t } from "@vscode/l10n";
import type { Source } from "./source.ts";
import { countBytes, Flaw } from "./source.ts";

interface Chunk {
  readonly name: string;
  readonly body: number;
  readonly size: number;
}

const mostChunks = 100_000;
/** What a writer leaves in 32-bit sizes that it could not come back to, and RF64 in those that it keeps elsewhere. */
const notKnown = 0xffffffff;

/** WAV and RF64. The sizes of the form and of its chunks fit the file exactly. Samples are not looked at: silence is zeros. */
export async function checkWav(source: Source): Promise<string> {
  const chunks = await readChunks(source, await readLong(source));
  const data = chunks.find((chunk) => chunk.name === "data");
  if (!chunks.some((chunk) => chunk.name === "fmt ")) throw new Flaw(t("fmt chunk missing"));
  if (!data) throw new Flaw(t("data chunk missing"));
  if (data.size === 0) throw new Flaw(t("data chunk is empty"));
  return t("{0} of samples, chunks end at the file's end", countBytes(data.size));
}

/** WebP: the same container with a picture in it. */
export async function checkWebp(source: Source): Promise<string> {
  const chunks = await readChunks(source, undefined);
  const picture = chunks.findLast((chunk) => chunk.name === "VP8 " || chunk.name === "VP8L" || chunk.name === "ANMF");
  if (!picture || picture.size === 0) throw new Flaw(t("picture chunk missing"));
  const tail = Math.min(picture.size, 64);
  const last = await source.read(picture.body + picture.size - tail, tail);
  if (tail === 64 && last.every((byte) => byte === 0)) throw new Flaw(t("the picture ends in a hole of zeros"));
  return t("chunks end at the file's end");
}

interface Long {
  readonly form: number;
  readonly data: number;
}

/** RF64 keeps its sizes in a `ds64` chunk, which stands first. Source: EBU Tech 3306. */
async function readLong(source: Source): Promise<Long | undefined> {
  const head = await source.read(0, 20);
  if (head.toString("latin1", 0, 4) !== "RF64") return undefined;
  if (head.toString("latin1", 12, 16) !== "ds64") throw new Flaw(t("ds64 chunk missing"));
  const sizes = await source.read(20, 16);
  return { form: Number(sizes.readBigUInt64LE(0)), data: Number(sizes.readBigUInt64LE(8)) };
}

async function readChunks(source: Source, long: Long | undefined): Promise<readonly Chunk[]> {
  const written = (await source.read(4, 4)).readUInt32LE(0);
  const form = long?.form ?? written;
  if (form === 0 || (form === notKnown && !long)) throw new Flaw(t("the writer never came back to fill in its sizes"));
  const end = form + 8;
  // The pad byte of the form itself is often left out or not counted.
  if (source.size < end)
    throw new Flaw(end - source.size === 1 ? t("1 byte is missing at the end") : t("{0} bytes are missing at the end", end - source.size));
  if (source.size > end + (form & 1)) throw new Flaw(t("{0} after the end of the form", countBytes(source.size - end)));
  const chunks: Chunk[] = [];
  let at = 12;
  while (at < end) {
    const head = await source.read(at, 8);
    const name = head.toString("latin1", 0, 4);
    if (!/^[\x20-\x7e]{4}$/.test(name)) throw new Flaw(t("no chunk at {0}", at));
    const field = head.readUInt32LE(4);
    const size = name === "data" && long && field === notKnown ? long.data : field;
    if (at + 8 + size > end) throw new Flaw(t("{0} chunk ends {1} behind the file's end", name.trim(), countBytes(at + 8 + size - end)));
    chunks.push({ name, body: at + 8, size });
    if (chunks.length > mostChunks) throw new Flaw(t("too many chunks to be looked at"), "unknown");
    at += 8 + size + (size & 1);
  }
  return chunks;
}
