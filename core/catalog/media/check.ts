import type { BigIntStats } from "node:fs";
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { lstat, open } from "node:fs/promises";
import { extname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { t } from "@vscode/l10n";
import type { Identity, MediaCheck } from "../../model.ts";
import { checkGif } from "./gif.ts";
import { checkJpeg } from "./jpeg.ts";
import type { Kind } from "./kind.ts";
import { kindOfExtension, kindOfMagic } from "./kind.ts";
import { checkMatroska } from "./matroska.ts";
import { checkMp3 } from "./mp3.ts";
import { checkMp4 } from "./mp4.ts";
import { checkPng } from "./png.ts";
import { checkWav, checkWebp } from "./riff.ts";
import type { Source } from "./source.ts";
import { Flaw, readFrom } from "./source.ts";

type Finding = Pick<MediaCheck, "status" | "format" | "detail">;

/** Each walker returns a phrase about a complete file and throws `Flaw` for any other. */
const walkers: Readonly<Record<Kind, (source: Source) => Promise<string>>> = {
  mp4: checkMp4,
  matroska: checkMatroska,
  mp3: checkMp3,
  wav: checkWav,
  jpeg: checkJpeg,
  png: checkPng,
  gif: checkGif,
  webp: checkWebp,
};

/** A file whose mtime is younger (milliseconds) may still be written, so the second look comes later. */
const settledAfterMs = 10_000;

/**
 * Looks whether a media file is complete (R34): it exists, is a regular file (links are never followed), is not empty, is the same
 * over two looks, and its container is whole. Reads only what it needs: of MP4 all sample tables, and the content of up to 64 samples
 * per track, or of all where a track lies within 8 MiB. Writes nothing.
 * `settleMs` (milliseconds, default 100) lies between the looks at a file that was written within the last 10 s.
 * Never throws for what a file contains; throws the signal's reason when `signal` aborts.
 */
export async function checkMedia(
  absolutePath: string,
  options: { readonly settleMs?: number; readonly signal?: AbortSignal } = {},
): Promise<MediaCheck> {
  const { settleMs = 100, signal } = options;
  signal?.throwIfAborted();
  const extension = extname(absolutePath).slice(1).toLowerCase();
  const format = kindOfExtension(extension) ?? (extension || "unknown");
  const before = await look(absolutePath);
  if ("problem" in before) return { ...before.problem, format, bytes: 0 };
  const finding = await find(absolutePath, before, extension, format, signal);
  if (finding.status === "complete") {
    const age = Date.now() - Number(before.mtimeMs);
    if (age < settledAfterMs) await wait(settleMs, undefined, signal ? { signal } : {});
  }
  signal?.throwIfAborted();
  const after = await look(absolutePath);
  if ("problem" in after) return { ...after.problem, format: finding.format, bytes: 0 };
  const result = { bytes: Number(after.size), identity: identify(after) };
  if (isSame(before, after)) return { ...finding, ...result };
  return { ...result, status: "incomplete", format: finding.format, detail: t("changed while it was looked at") };
}

async function look(path: string): Promise<BigIntStats | { readonly problem: Pick<MediaCheck, "status" | "detail"> }> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return { problem: { status: "missing", detail: t("not there") } };
    return { problem: { status: "unknown", detail: t("cannot be looked at ({0})", code ?? String(error)) } };
  }
}

async function find(path: string, stats: BigIntStats, extension: string, format: string, signal?: AbortSignal): Promise<Finding> {
  if (stats.isSymbolicLink()) return { status: "incomplete", format, detail: t("a symbolic link, which is not followed") };
  if (stats.isDirectory()) return { status: "incomplete", format, detail: t("a directory, not a file") };
  if (!stats.isFile()) return { status: "incomplete", format, detail: t("not a regular file") };
  if (stats.size === 0n) return { status: "incomplete", format, detail: t("empty") };
  let kind: string = format;
  let handle: FileHandle | undefined;
  try {
    // Without O_NONBLOCK a FIFO that took the file's place would hang the open.
    handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    const opened = await handle.stat({ bigint: true });
    if (opened.ino !== stats.ino || opened.size !== stats.size) throw new Flaw(t("changed while it was looked at"));
    const source = readFrom(handle, Number(stats.size), signal);
    const head = await source.read(0, Math.min(16, source.size));
    const named = kindOfExtension(extension);
    const found = kindOfMagic(head, extension);
    if (!found) {
      if (!named) return { status: "unknown", format, detail: t("a format that Offcut cannot look into") };
      throw new Flaw(t("does not start like a {0} file", named));
    }
    if (named && named !== found) throw new Flaw(t("named .{0} but starts like a {1} file", extension, found));
    kind = found;
    return { status: "complete", format: found, detail: await walkers[found](source) };
  } catch (error) {
    signal?.throwIfAborted();
    return { format: kind, ...explain(error) };
  } finally {
    await handle?.close();
  }
}

function explain(error: unknown): Pick<MediaCheck, "status" | "detail"> {
  if (error instanceof Flaw) return { status: error.status, detail: error.message };
  // Buffers throw this for a field that lies beyond the structure which it belongs to.
  if (error instanceof RangeError) return { status: "incomplete", detail: t("a structure ends before its last field") };
  const code = codeOf(error);
  if (code === "ELOOP") return { status: "incomplete", detail: t("became a symbolic link while it was looked at") };
  if (code === "ENOENT") return { status: "missing", detail: t("vanished while it was looked at") };
  if (code) return { status: "unknown", detail: t("cannot be read ({0})", code) };
  throw error;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function identify(stats: BigIntStats): Identity {
  return { dev: String(stats.dev), ino: String(stats.ino), bytes: Number(stats.size), mtimeNs: String(stats.mtimeNs) };
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs;
}
