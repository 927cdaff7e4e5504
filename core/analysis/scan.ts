/** The texts of a workspace's source files: which there are, what they say, and whether that is still what they said before. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, statSync, type Stats } from "node:fs";
import { join } from "node:path";
import { t } from "@vscode/l10n";
import type { Problem } from "../model.ts";
import { isSource, listSources, type ListOptions } from "./sources.ts";

/** Files are paths from the root with `/`. Nothing here throws but {@link Sources.files}, when its signal is aborted. */
export interface Sources {
  readonly root: string;
  /** All source files, sorted; those that only an editor has included. */
  files(signal?: AbortSignal): readonly string[];
  has(file: string): boolean;
  /** The text without byte order mark; `""` for what is missing, too large or not text. Other files than sources can be read, too. */
  read(file: string): string;
  /** The same as UTF-8, perhaps with invalid sequences. Valid until the next call of this object. */
  bytes(file: string): Uint8Array;
  /** Differs whenever the text may differ; `""` for a file that does not exist. */
  version(file: string): string;
  /** What an editor shows instead of what is on the disk; `undefined`: the disk counts again. */
  setText(file: string, text: string | undefined): void;
  /** Looks at files (or whole directories) again; without arguments at everything. */
  changed(files?: readonly string[]): void;
  /** Differs whenever imports may lead elsewhere: the list of files changed, or a file that configures packages or paths. */
  revision(): number;
  /** Files that were asked for and cannot be analysed. */
  problems(): readonly Problem[];
}

const LARGEST = 2 * 1024 * 1024;
const BINARY_PROBE = 8 * 1024;
/** Characters of text that are kept for the next reader. */
const KEPT_TEXT = 4 * 1024 * 1024;
const EMPTY = Buffer.alloc(0);

export function openSources(root: string, options: ListOptions = { exclude: [] }): Sources {
  const versions = new Map<string, string>();
  const overlays = new Map<string, { readonly version: string; readonly text: string }>();
  const problems = new Map<string, Problem>();
  const texts = openTextCache();
  const scratch = Buffer.allocUnsafe(LARGEST);
  let listed: Set<string> | undefined;
  let sorted: readonly string[] | undefined;
  let revision = 0;
  let edits = 0;

  const list = (signal?: AbortSignal): Set<string> => {
    if (listed) return listed;
    const files = listSources(root, {
      ...options,
      ...(signal && { signal }),
      onUnreadable(directory) {
        const message = t("could not be read and was not analysed; exclude it or allow it to be read");
        problems.set(directory, { severity: "info", source: directory === "" ? "." : directory, message });
      },
    });
    listed = new Set(files);
    for (const file of overlays.keys()) if (isSource(root, file, options)) listed.add(file);
    sorted = listed.size === files.length ? files : undefined;
    return listed;
  };
  const relist = (): void => {
    listed = sorted = undefined;
    revision++;
  };
  const forget = (file: string): void => {
    versions.delete(file);
    problems.delete(file);
  };
  /** Brings the list up to date about one file. */
  const reviewFile = (file: string): void => {
    if (!listed) return;
    const present = overlays.has(file) || isFile(join(root, file));
    if (present === listed.has(file) || !isSource(root, file, options)) return;
    if (present) listed.add(file);
    else listed.delete(file);
    sorted = undefined;
    revision++;
  };
  const reject = (file: string, message: string): Buffer => {
    problems.set(file, { severity: "info", source: file, message });
    return EMPTY;
  };
  const load = (file: string): Buffer => {
    let descriptor: number | undefined;
    try {
      // Without blocking, because opening a pipe would wait for somebody to write into it.
      descriptor = openSync(join(root, file), constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
      const stat = fstatSync(descriptor);
      versions.set(file, describeVersion(stat));
      if (!stat.isFile()) return EMPTY;
      const bytes = readInto(scratch, descriptor, stat.size > LARGEST ? BINARY_PROBE : stat.size);
      // In the projects that this is for, `.ts` is also the extension of video segments.
      if (isTransportStream(bytes)) return EMPTY;
      if (stat.size > LARGEST) return reject(file, t("is larger than 2 MB and was not analysed; exclude it if it is generated"));
      if (isBinary(bytes)) return reject(file, t("is not a text file and was not analysed; exclude it"));
      return bytes;
    } catch (error) {
      if (isMissing(error)) versions.set(file, "");
      else reject(file, t("could not be read and was not analysed: {0}", error instanceof Error ? error.message : String(error)));
      return EMPTY;
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  };
  const version = (file: string): string => {
    const known = overlays.get(file)?.version ?? versions.get(file);
    if (known !== undefined) return known;
    const fresh = versionOf(join(root, file));
    versions.set(file, fresh);
    return fresh;
  };

  return {
    root,
    files(signal) {
      const files = list(signal);
      return (sorted ??= [...files].sort());
    },
    has: (file) => list().has(file),
    read(file) {
      const overlay = overlays.get(file);
      if (overlay) return overlay.text;
      const known = texts.get(file, versions.get(file));
      if (known !== undefined) return known;
      const text = decode(load(file));
      texts.set(file, versions.get(file), text);
      return text;
    },
    bytes(file) {
      const overlay = overlays.get(file);
      if (overlay) return Buffer.from(overlay.text);
      const bytes = load(file);
      return isUtf16(bytes) ? Buffer.from(decode(bytes)) : bytes;
    },
    version,
    setText(file, text) {
      if (text === undefined) overlays.delete(file);
      else overlays.set(file, { version: `text-${++edits}`, text: text.replace(/^\uFEFF/, "") });
      forget(file);
      reviewFile(file);
      if (isConfiguration(file)) revision++;
    },
    changed(files) {
      if (!files) {
        versions.clear();
        problems.clear();
        relist();
        return;
      }
      for (const file of files) {
        forget(file);
        if (file.endsWith(".gitignore")) relist();
        else if (isConfiguration(file)) revision++;
        else if (listed?.has(file) || isFile(join(root, file))) reviewFile(file);
        else {
          // A directory, or something that went: what was below it is looked at again.
          for (const known of versions.keys()) if (known.startsWith(`${file}/`)) forget(known);
          relist();
        }
      }
    },
    revision: () => revision,
    problems: () => [...problems.values()],
  };
}

interface TextCache {
  get(file: string, version: string | undefined): string | undefined;
  set(file: string, version: string | undefined, text: string): void;
}

/** Keeps the texts that were used last. */
function openTextCache(): TextCache {
  const entries = new Map<string, { readonly version: string; readonly text: string }>();
  let size = 0;
  const drop = (file: string): void => {
    size -= entries.get(file)?.text.length ?? 0;
    entries.delete(file);
  };
  return {
    get(file, version) {
      const entry = entries.get(file);
      if (!entry || entry.version !== version) return undefined;
      entries.delete(file);
      entries.set(file, entry);
      return entry.text;
    },
    set(file, version, text) {
      drop(file);
      if (version === undefined || version === "") return;
      entries.set(file, { version, text });
      size += text.length;
      for (const oldest of entries.keys()) {
        if (size <= KEPT_TEXT) break;
        drop(oldest);
      }
    },
  };
}

function readInto(buffer: Buffer, descriptor: number, size: number): Buffer {
  let length = 0;
  while (length < size) {
    const read = readSync(descriptor, buffer, length, size - length, length);
    if (read === 0) break;
    length += read;
  }
  return buffer.subarray(0, length);
}

function decode(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return bytes.toString("utf16le", 2);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) {
    // A copy of an even length, as swapping wants it.
    return Buffer.from(bytes.subarray(2, bytes.length - (bytes.length % 2)))
      .swap16()
      .toString("utf16le");
  }
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return bytes.toString("utf8", marked ? 3 : 0);
}

function isUtf16(bytes: Buffer): boolean {
  return (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
}

function isBinary(bytes: Buffer): boolean {
  return !isUtf16(bytes) && bytes.subarray(0, BINARY_PROBE).includes(0);
}

/** MPEG transport streams have packets of 188 bytes that start with 0x47 (ISO/IEC 13818-1, 2.4.3.2). */
function isTransportStream(bytes: Buffer): boolean {
  return bytes[0] === 0x47 && bytes[188] === 0x47 && isBinary(bytes);
}

/** Files that say where imports lead; a `tsconfig.json` may extend JSON files of any name. */
function isConfiguration(file: string): boolean {
  return file.endsWith(".json") || /(?:^|\/)pnpm-workspace\.yaml$/.test(file);
}

function isFile(path: string): boolean {
  try {
    return lstatSync(path).isFile();
  } catch {
    return false;
  }
}

function describeVersion(stat: Stats): string {
  return `${stat.mtimeMs}-${stat.size}-${stat.ino}`;
}

/** `""` for what cannot be looked at, whatever the reason. */
function versionOf(path: string): string {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat ? describeVersion(stat) : "";
  } catch {
    return "";
  }
}

function isMissing(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "ENOTDIR";
}
