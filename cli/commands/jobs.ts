import { EXIT, type ExitCode } from "../exit.ts";
import type { Context } from "../context.ts";
export function jobs(_context: Context): ExitCode { return EXIT.done; }
