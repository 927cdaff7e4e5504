/** A directory that was made for temporary files and may go as a whole, where its files have no name of their own. */
import { nameOf } from "../describe.ts";
import type { FileRecord } from "../frame.ts";
import type { Report } from "../solve.ts";
import { RETURNED } from "../summary.ts";
import { isBelow } from "../paths.ts";
import type { Value } from "../value.ts";

/** Its name; undefined: there is none, or something in it is wanted later. */
export function directoryFor(report: Report, record: FileRecord): string | undefined {
  const directory = temporaryAround(report, record);
  if (!directory) return undefined;
  for (const other of report.frame.files.values()) {
    if (other.value.key !== directory.key && !isBelow(other.value, directory)) continue;
    if (other.trace.escaped.length > 0) return undefined;
    const { output, uploaded, read, used } = other.trace;
    if (output.length > 0 && uploaded.length + read.length + used.length === 0 && other !== record) return undefined;
    for (const exit of report.exits)
      if (exit.how === "return" && (exit.state.ways.get(other.value.key) ?? []).some((way) => way & RETURNED)) return undefined;
  }
  return nameOf(report, directory);
}

/** The value of `mkdtemp` that the path starts with. */
function temporaryAround(report: Report, record: FileRecord): Value | undefined {
  for (const exit of report.exits)
    for (const values of exit.state.env.values())
      for (const value of values)
        if (
          value.kind === "symbol" &&
          value.temporary === true &&
          (value.key === record.value.key ? record.directory : isBelow(record.value, value))
        )
          return value;
  return undefined;
}
