/** Comments that silence a rule which does not exist: they silence nothing, and whoever wrote them believes that they do. */
import { t } from "@vscode/l10n";
import type { Problem } from "../model.ts";
import { closestTo } from "../spelling.ts";
import { type RuleId, RULES } from "./finding.ts";
import type { FlowModule } from "./flow.ts";

/** Further off than this it is another word. */
const MOST_EDITS = 3;

/**
 * At most one problem for each comment. Where a comment names a rule, other words that are like none are its reason, which nobody
 * has marked as one.
 */
export function strayIgnores({ file, ignores, lineStarts }: FlowModule): readonly Problem[] {
  return ignores.flatMap(({ rules, listed }): Problem[] => {
    const strays = rules.filter((word) => !isRule(word));
    const stray = strays.find((word) => meantRule(word) !== undefined) ?? (strays.length === rules.length ? strays[0] : undefined);
    if (stray === undefined) return [];
    const line = lineStarts.findLastIndex((start) => start <= listed.start) + 1;
    return [{ severity: "warning", source: file, line, message: explainStray(stray) }];
  });
}

function explainStray(word: string): string {
  const meant = meantRule(word);
  return meant === undefined
    ? t('this comment names "{0}", which is no rule; a reason goes after "--"', word)
    : t('this comment names "{0}", which is no rule; did you mean "{1}"?', word, meant);
}

/** The rule that a misspelt one stands for. */
export function meantRule(word: string): RuleId | undefined {
  const close = closestTo(word, RULES);
  return close && close.distance <= MOST_EDITS ? RULES.find((rule) => rule === close.name) : undefined;
}

function isRule(word: string): boolean {
  return RULES.some((rule) => rule === word);
}
