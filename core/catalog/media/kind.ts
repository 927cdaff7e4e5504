export type Kind = "mp4" | "matroska" | "mp3" | "wav" | "jpeg" | "png" | "gif" | "webp";

const kindByExtension: Readonly<Record<string, Kind>> = {
  mp4: "mp4",
  m4v: "mp4",
  m4a: "mp4",
  m4b: "mp4",
  mov: "mp4",
  qt: "mp4",
  "3gp": "mp4",
  webm: "matroska",
  mkv: "matroska",
  mka: "matroska",
  mp3: "mp3",
  wav: "wav",
  wave: "wav",
  jpg: "jpeg",
  jpeg: "jpeg",
  png: "png",
  gif: "gif",
  webp: "webp",
};

/** Boxes that a QuickTime file without `ftyp` may start with. */
const quickTimeStart = new Set(["moov", "mdat", "wide", "free", "skip", "pnot"]);
/** Still images in the same container, which have no `moov` and are not looked at. */
const imageBrand = new Set(["avif", "avis", "heic", "heix", "mif1", "msf1"]);

/** The family that an extension (lower case, without the dot) stands for. */
export function kindOfExtension(extension: string): Kind | undefined {
  return Object.hasOwn(kindByExtension, extension) ? kindByExtension[extension] : undefined;
}

/** The family that the first bytes (16, or all of a shorter file) belong to. `extension` decides only what an ID3 tag stands before. */
export function kindOfMagic(head: Buffer, extension: string): Kind | undefined {
  const text = head.toString("latin1");
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (text.startsWith("\xff\xd8\xff")) return "jpeg";
  if (text.startsWith("GIF87a") || text.startsWith("GIF89a")) return "gif";
  if (text.startsWith("\x1a\x45\xdf\xa3")) return "matroska";
  const form = text.slice(8, 12);
  if ((text.startsWith("RIFF") || text.startsWith("RF64")) && form === "WAVE") return "wav";
  if (text.startsWith("RIFF") && form === "WEBP") return "webp";
  const box = text.slice(4, 8);
  if (box === "ftyp") return imageBrand.has(form) ? undefined : "mp4";
  if (quickTimeStart.has(box)) return "mp4";
  // The same tag also stands before AAC and FLAC streams.
  if (text.startsWith("ID3")) return extension === "" || kindOfExtension(extension) ? "mp3" : undefined;
  const [first = 0, second = 0] = head;
  return first === 0xff && (second & 0xe6) === 0xe2 ? "mp3" : undefined;
}
