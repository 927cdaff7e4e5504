/** `--format json`: a contract; fields are only ever added. */
import type { Finding } from "../../core/analysis/finding.ts";
import type { Report } from "./report.ts";

export function toJson({ root, findings, problems, files, parsed, durationMs, fixed, baseline }: Report): object {
  return {
    root,
    findings: findings.map(toJsonFinding),
    problems,
    files,
    parsed,
    durationMs: Math.round(durationMs),
    ...(fixed && {
      fixed: fixed.map(({ finding: { rule, file, range, fingerprint }, title }) => ({ rule, file, range, fingerprint, title })),
    }),
    ...(baseline && { baseline }),
  };
}

/** Field by field, so that what the engine adds for itself does not become part of the contract. */
function toJsonFinding(finding: Finding): object {
  const { rule, severity, file, range, message, related, subject, path, onDisk, fingerprint, fixable } = finding;
  return {
    rule,
    severity,
    file,
    range,
    message,
    related,
    subject,
    ...(path && { path }),
    ...(onDisk && { onDisk: { files: onDisk.files, bytes: onDisk.bytes } }),
    fingerprint,
    fixable,
  };
}
