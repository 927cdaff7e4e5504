/**
 * `--format sarif`: SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html).
 * What the baseline has is left out, as in every other format: GitHub would open an alert for a suppressed result all the same.
 */
import { pathToFileURL } from "node:url";
import {
  DEFAULT_SEVERITY,
  type Finding,
  type Fix,
  type Range,
  type Related,
  type RuleId,
  RULES,
  type Severity,
} from "../../core/analysis/finding.ts";
import type { Problem } from "../../core/model.ts";
import { preferredFix, type Report } from "./report.ts";
import { formatPage, readPage } from "./rulePage.ts";
import { explainRules } from "./ruleTexts.ts";

const SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
const LEVEL: Readonly<Record<Severity, "error" | "warning" | "note">> = {
  error: "error",
  warning: "warning",
  information: "note",
  hint: "note",
};
const NOTIFICATION = { error: "error", warning: "warning", info: "note" } as const;

/** CWE-459, incomplete cleanup, is what these rules are instances of. */
const INCOMPLETE_CLEANUP: ReadonlySet<RuleId> = new Set([
  "missing-cleanup-after-upload",
  "missing-cleanup-after-assembly",
  "partial-cleanup",
]);
const CWE = { name: "CWE", index: 0 } as const;

/** A page without colours, in lines as long as they are in a file. */
const PLAIN = { style: (_style: unknown, text: string): string => text, columns: Infinity };

/** The name of the base that all locations are relative to. */
const BASE = "SRCROOT";

export function toSarif(report: Report, version: string | undefined): object {
  return {
    $schema: SCHEMA,
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "Offcut",
            ...(version !== undefined && { semanticVersion: version }),
            supportedTaxonomies: [CWE],
            rules: toRules(),
          },
        },
        taxonomies: [toTaxonomy()],
        originalUriBaseIds: { [BASE]: { uri: `${pathToFileURL(report.root).href.replace(/\/$/, "")}/` } },
        columnKind: "utf16CodeUnits",
        invocations: [{ executionSuccessful: true, toolExecutionNotifications: report.problems.map(toNotification) }],
        results: report.findings.map((finding) => toResult(finding, preferredFix(report, finding))),
      },
    ],
  };
}

/** The characters that are dangerous in a terminal are escaped, which JSON allows in strings, and only there can they be. */
export function printable(log: object): readonly string[] {
  const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(log, null, 2)
    .split("\n")
    .map((line) => line.replace(/[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, escape));
}

function toRules(): readonly object[] {
  const texts = explainRules();
  return RULES.map((id) => ({
    id,
    name: id.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    shortDescription: { text: texts[id].short },
    fullDescription: { text: texts[id].full },
    // The page itself: a helpUri would have to be absolute, and the log is read on other machines.
    help: toHelp(readPage(id)),
    defaultConfiguration: { level: LEVEL[DEFAULT_SEVERITY[id]] },
    ...(INCOMPLETE_CLEANUP.has(id) && {
      relationships: [{ target: { id: "459", toolComponent: CWE }, kinds: ["superset"] }],
      properties: { tags: ["external/cwe/cwe-459"] },
    }),
  }));
}

function toHelp(markdown: string): object {
  return { text: formatPage(PLAIN, markdown).join("\n"), markdown };
}

function toTaxonomy(): object {
  return {
    name: CWE.name,
    organization: "MITRE",
    shortDescription: { text: "The MITRE Common Weakness Enumeration" },
    informationUri: "https://cwe.mitre.org/",
    taxa: [
      {
        id: "459",
        name: "Incomplete Cleanup",
        shortDescription: { text: "Incomplete Cleanup" },
        helpUri: "https://cwe.mitre.org/data/definitions/459.html",
      },
    ],
  };
}

function toResult(finding: Finding, fix: Fix | undefined): object {
  const { rule, severity, message, related, subject, fingerprint, path, onDisk } = finding;
  return {
    ruleId: rule,
    ruleIndex: RULES.indexOf(rule),
    level: LEVEL[severity],
    message: { text: message },
    locations: [toLocation(finding)],
    ...(related.length > 0 && {
      relatedLocations: related.map((step, i) => ({ id: i + 1, ...toStep(step) })),
      codeFlows: [{ threadFlows: [{ locations: related.map((step, i) => ({ location: toStep(step), executionOrder: i + 1 })) }] }],
    }),
    partialFingerprints: { "offcut/v1": fingerprint },
    ...(fix && { fixes: [toFix(fix)] }),
    properties: { subject, ...(path && { path }), ...(onDisk && { onDisk }) },
  };
}

function toLocation({ file, range }: { readonly file: string; readonly range: Range }): object {
  return { physicalLocation: { artifactLocation: toArtifact(file), region: toRegion(range) } };
}

function toStep(step: Related): object {
  return { ...toLocation(step), message: { text: step.message } };
}

function toFix({ title, edits }: Fix): object {
  return {
    description: { text: title },
    artifactChanges: edits.map((change) => ({
      artifactLocation: toArtifact(change.file),
      replacements: change.edits.map(({ range, text }) => ({ deletedRegion: toRegion(range), insertedContent: { text } })),
    })),
  };
}

function toArtifact(file: string): object {
  return { uri: file.split("/").map(encodeURIComponent).join("/"), uriBaseId: BASE };
}

/** Both count from 1, and both ends are exclusive. */
function toRegion({ start, end }: Range): object {
  return { startLine: start.line, startColumn: start.column, endLine: end.line, endColumn: end.column };
}

function toNotification({ severity, source, line, message }: Problem): object {
  return { level: NOTIFICATION[severity], message: { text: `${source}${line === undefined ? "" : `:${line}`}: ${message}` } };
}
