/** All calls that upload, assemble or make files, and what became of the files. */
import { templateOf } from "./describe.ts";
import type { CallSite, Finding, PathTemplate } from "./finding.ts";
import { rangeOf } from "./report.ts";
import type { Report } from "./solve.ts";
import { DELETED, ESCAPED, LATER, RETURNED, type Step } from "./summary.ts";
import { isHandedIn } from "./paths.ts";

type Draft = { -readonly [Key in keyof CallSite]: CallSite[Key] } & { paths: PathTemplate[] };

export function sitesOf(reports: readonly Report[], findings: readonly Finding[]): readonly CallSite[] {
  const sites = new Map<string, Draft>();
  for (const report of reports)
    for (const record of report.frame.files.values()) {
      const state = stateOf(report, record.value.key);
      const add = (steps: readonly Step[], kind: CallSite["kind"]): void => {
        for (const step of steps) {
          if (step.file !== report.module.file) continue;
          const key = `${step.file}:${step.span.start}:${step.span.end}`;
          const range = rangeOf(report.module, step.span);
          const known = sites.get(key) ?? {
            kind,
            file: step.file,
            range,
            callee: step.written.replaceAll("()", ""),
            paths: [],
            state: "unknown",
          };
          if (kind === "upload" || (kind === "assembly" && known.kind === "write")) known.kind = kind;
          const template = templateOf(record.value);
          if (/[^{}/.]/.test(template.text) && !known.paths.some((one) => one.text === template.text && one.base === template.base))
            known.paths.push(template);
          if (state !== "unknown" && known.state !== "found") known.state = state;
          if (
            findings.some(
              (finding) =>
                finding.file === step.file &&
                finding.range.start.line === range.start.line &&
                finding.range.start.column === range.start.column,
            )
          )
            known.state = "found";
          sites.set(key, known);
        }
      };
      add(record.trace.uploaded, "upload");
      add(record.trace.read, "assembly");
      add(record.trace.output, "assembly");
      if (!isHandedIn(record.value)) add(record.trace.made, "write");
    }
  return [...sites.values()].sort((a, b) =>
    a.file < b.file ? -1 : a.file > b.file ? 1 : a.range.start.line - b.range.start.line || a.range.start.column - b.range.start.column,
  );
}

function stateOf(report: Report, key: string): CallSite["state"] {
  let ways = 0;
  for (const exit of report.exits) if (exit.how === "return") for (const way of exit.state.ways.get(key) ?? []) ways |= way;
  if (ways & (DELETED | LATER)) return "clean";
  return ways & (ESCAPED | RETURNED) ? "kept" : "unknown";
}
