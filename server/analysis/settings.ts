/** The settings `offcut.check.*`, as the editor has them for a folder. */
import type { AnalysisSettings } from "../../core/analysis/check.ts";
import { RULES, type RuleId, type Severity } from "../../core/analysis/finding.ts";
import { uriOf } from "../convert.ts";
import type { Session } from "../session.ts";

export interface CheckSettings {
  readonly enable: boolean;
  /** With `onSave` unsaved text does not count. */
  readonly run: "onType" | "onSave";
  readonly rules: AnalysisSettings["rules"];
  /** Whether files that are not open are told about, too. */
  readonly workspace: boolean;
  /** Path of the baseline file, from the folder; empty when there is none. */
  readonly baseline: string;
}

const DEFAULT_SETTINGS: CheckSettings = { enable: true, run: "onType", rules: {}, workspace: true, baseline: "" };

const SECTIONS = ["offcut.check.enable", "offcut.check.run", "offcut.check.rules", "offcut.check.workspace", "offcut.check.baseline"];
const SEVERITIES: ReadonlySet<unknown> = new Set<Severity | "off">(["off", "error", "warning", "information", "hint"]);

/** Asks the editor. What is missing or of the wrong kind counts as not set. */
export async function readSettings(session: Session, root: string): Promise<CheckSettings> {
  if (!session.abilities.configuration) return DEFAULT_SETTINGS;
  const scopeUri = uriOf(root);
  const answer = await session.connection.workspace.getConfiguration(SECTIONS.map((section) => ({ scopeUri, section })));
  const [enable, run, rules, workspace, baseline] = (Array.isArray(answer) ? answer : []) as unknown[];
  return {
    enable: enable !== false,
    run: run === "onSave" ? "onSave" : "onType",
    rules: readRules(rules),
    workspace: workspace !== false,
    baseline: typeof baseline === "string" ? baseline : "",
  };
}

function readRules(value: unknown): AnalysisSettings["rules"] {
  if (typeof value !== "object" || value === null) return {};
  const known = Object.entries(value).filter(([rule, severity]) => isRule(rule) && SEVERITIES.has(severity));
  return Object.fromEntries(known) as Partial<Record<RuleId, Severity | "off">>;
}

function isRule(name: string): name is RuleId {
  return (RULES as readonly string[]).includes(name);
}
