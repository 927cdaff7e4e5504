import { t } from "@vscode/l10n";
import type { Box } from "./boxes.ts";
import { need, readBoxes, readChildren } from "./boxes.ts";
import { checkFragments } from "./fragments.ts";
import { checkContent } from "./samples.ts";
import type { Source } from "./source.ts";
import { Flaw } from "./source.ts";
import { readTrack } from "./track.ts";

/** Throws `Flaw` unless the bytes from `start` to `end` lie inside one `mdat` box. `what` names them. */
export type Inside = (start: number, end: number, what: () => string) => void;

/**
 * MP4, MOV, M4A and M4V. The top-level boxes end exactly at the file's end; `moov` and media data are there; each sample that a
 * sample table or a fragment names lies inside an `mdat`; and the content of up to 64 samples per track (all, where they lie within
 * 8 MiB) is not torn: NAL units tile them, and no hole of zeros lies in them. Damage between these samples is not seen.
 */
export async function checkMp4(source: Source): Promise<string> {
  const top = await readBoxes(source, 0, source.size, "top");
  const moov = need(top, "moov");
  const data = top.filter((box) => box.type === "mdat");
  const moofs = top.filter((box) => box.type === "moof");
  if (data.length === 0) throw new Flaw(t("mdat box missing"));
  const children = await readChildren(source, moov);
  if (children.some((box) => box.type === "cmov")) throw new Flaw(t("a compressed moov box cannot be looked into"), "unknown");
  need(children, "mvhd");
  const inside = insideOf(data);
  const tracks = [];
  for (const trak of children.filter((box) => box.type === "trak")) tracks.push(await readTrack(source, trak, inside));
  if (tracks.length === 0) throw new Flaw(t("no track"));
  const mvex = children.find((box) => box.type === "mvex");
  if (moofs.length > 0 && !mvex) throw new Flaw(t("fragments without an mvex box"));
  const index = mvex ? await checkFragments(source, { top, mvex, tracks, inside }) : undefined;
  const samples = tracks.reduce((sum, track) => sum + track.count, 0);
  if (samples === 0) throw new Flaw(t("no samples"));
  for (const track of tracks) await checkContent(source, track);
  const parts = [
    tracks.length === 1 ? t("1 track") : t("{0} tracks", tracks.length),
    samples === 1 ? t("1 sample inside mdat") : t("{0} samples inside mdat", samples),
  ];
  if (moofs.length > 0) parts.push(moofs.length === 1 ? t("1 fragment") : t("{0} fragments", moofs.length));
  if (index === "none") throw new Flaw(t("{0}; no index says which fragment is the last", parts.join(", ")), "unknown");
  return parts.join(", ");
}

function insideOf(data: readonly Box[]): Inside {
  return (start, end, what) => {
    // The boxes are in the order of the file, so the last one that starts at or before is the only candidate.
    let low = 0;
    let high = data.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const box = data[middle];
      if (box && box.body <= start) low = middle + 1;
      else high = middle;
    }
    const box = data[low - 1];
    if (!box || end > box.end) throw new Flaw(t("{0} lies outside the media data", what()));
  };
}
