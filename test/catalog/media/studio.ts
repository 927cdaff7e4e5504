import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { checkMedia } from "../../../core/catalog/media/check.ts";
import type { MediaCheck } from "../../../core/model.ts";

/** A directory for one suite, and the media that FFmpeg makes in it. */
export interface Studio {
  readonly directory: string;
  /** Makes one file with FFmpeg's arguments and returns its path. */
  readonly make: (name: string, ...args: readonly string[]) => string;
  /** Writes bytes under a name, old enough that no second look is waited for, and checks them. */
  readonly checkBytes: (name: string, bytes: Buffer) => Promise<MediaCheck>;
  readonly close: () => void;
}

export const video = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=15:d=1"] as const;
export const audio = ["-f", "lavfi", "-i", "sine=d=1"] as const;

export function openStudio(): Studio {
  const directory = mkdtempSync(join(tmpdir(), "offcut-media-"));
  const program = findFfmpeg();
  return {
    directory,
    make: (name, ...args) => {
      const path = join(directory, name);
      execFileSync(program, ["-v", "fatal", "-y", "-nostdin", "-threads", "1", ...args, path], { stdio: ["ignore", "ignore", "inherit"] });
      return path;
    },
    checkBytes: (name, bytes) => {
      const path = join(directory, `damaged-${name}`);
      writeFileSync(path, bytes);
      utimesSync(path, 1, 1);
      return checkMedia(path);
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export function findFfmpeg(): string {
  const name = process.platform === "win32" ? "ffmpeg.exe" : "ffmpeg";
  const onPath = (process.env["PATH"] ?? "").split(delimiter).map((directory) => join(directory, name));
  const found = onPath.find((path) => existsSync(path));
  if (found) return found;
  const installer = createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg") as { readonly path: string };
  return installer.path;
}

export function hasEncoder(name: string): boolean {
  return execFileSync(findFfmpeg(), ["-hide_banner", "-encoders"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).includes(
    ` ${name} `,
  );
}

/** The file's bytes with `length` of them, from `start`, set to zero. */
export function zeroed(bytes: Buffer, start: number, length: number): Buffer {
  return Buffer.from(bytes).fill(0, start, start + length);
}
