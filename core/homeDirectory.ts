/** The home directory of whoever runs this: it is no root of anybody's media (R2). */
import fs from "node:fs";
import os from "node:os";

/** Links resolved; undefined for a user without one, as services may be. */
export function homeDirectory(): string | undefined {
  try {
    return fs.realpathSync(os.homedir());
  } catch {
    return undefined;
  }
}
