/** Short trouble is waited out, never for long (R24). */
import { t } from "@vscode/l10n";
import { setTimeout as delay } from "node:timers/promises";

const TRANSIENT = new Set(["EBUSY", "EPERM", "ENOTEMPTY", "EACCES"]);
const WAITS_MS = [15, 60];

/** Acts, and acts again. `failed` is what a first try, made elsewhere, came to. */
export type Retry = <T>(act: () => T | Promise<T>, failed?: unknown) => Promise<T>;

/** At most three tries per act, and at most `totalMs` of waiting for all acts together. */
export function createRetry(totalMs = 3000): Retry {
  let left = totalMs;
  return async (act, failed) => {
    for (let attempt = failed === undefined ? 0 : 1, error = failed; ; attempt++) {
      if (error !== undefined) {
        const wait = WAITS_MS[attempt - 1];
        if (wait === undefined || left < wait || !TRANSIENT.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
        left -= wait;
        await delay(wait);
      }
      try {
        return await act();
      } catch (caught) {
        error = caught;
      }
    }
  };
}

/** Words for what a system call said, with what usually mends it. */
export function explainErrno(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case "EACCES":
    case "EPERM":
      return t("not permitted (check the owner, the mode and the immutable flag)");
    case "EBUSY":
      return t("in use by the system (a mount point?)");
    case "EROFS":
      return t("the filesystem is read-only");
    case "EXDEV":
      return t("on another filesystem than its root, so it cannot be held for undo");
    case "ENOSPC":
    case "EDQUOT":
      return t("no space left on the device");
    case "EIO":
      return t("the device reported an input/output error");
    case undefined:
      return message;
    default:
      return message.replace(/, \w+( '[^']*'( -> '[^']*')?)?$/, ""); // Its path may be one that only this process can read.
  }
}
