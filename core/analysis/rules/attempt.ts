/** Attempts at a cleanup that do nothing: after a `return`, in a `catch` only, out of scope, of another directory, never called. */
import { t } from "@vscode/l10n";
import type { Leak } from "../leaks.ts";
import { keyOf } from "../program.ts";
import { callsAny } from "../roots.ts";
import { DELETED, FAILED, type Step } from "../summary.ts";
import { atomsOf, type Value } from "../value.ts";
import { dirnameOf, isBelow, isHandedIn } from "../paths.ts";
import type { Mark, RuleContext } from "./draft.ts";

export interface Attempt {
  message(subject: string): string;
  readonly marks: readonly Mark[];
}

export function attemptAt(context: RuleContext, leak: Leak): Attempt | undefined {
  return (
    inDeadCode(leak) ??
    onlyAfterFailure(leak) ??
    (leak.cleaned.length === 0 ? (byBareName(leak) ?? besideIt(leak) ?? neverCalled(context, leak)) : undefined)
  );
}

function mark(step: Step, message: string): Mark {
  return { file: step.file, span: step.span, message };
}

function inDeadCode(leak: Leak): Attempt | undefined {
  const found = leak.report.frame.dead.find((one) =>
    one.values.some((value) => value.key === leak.record.value.key || isBelow(leak.record.value, value)),
  );
  if (!found) return undefined;
  const scope = leak.report.fn.blocks.some(
    (block) => block.exit.exit === "branch" && block.exit.test.test === "defined" && !block.exit.test.declared,
  );
  return {
    message: (subject) =>
      scope
        ? t('The cleanup of "{0}" never runs: the name that it tests is declared in a block that has ended.', subject)
        : t('The cleanup of "{0}" never runs: nothing leads to it.', subject),
    marks: [mark(found.step, t("this cleanup is never reached"))],
  };
}

function onlyAfterFailure(leak: Leak): Attempt | undefined {
  if (!leak.lopsided && !deletesAfterFailure(leak)) return undefined;
  const [step] = leak.record.trace.deleted;
  return {
    message: (subject) => t('"{0}" is deleted only when something fails: after a successful upload it stays on disk.', subject),
    marks: step ? [mark(step, t("deletes it after a failure only"))] : [],
  };
}

function deletesAfterFailure(leak: Leak): boolean {
  if (leak.cleaned.length > 0 || leak.record.trace.deleted.length === 0) return false;
  return leak.report.exits.some((exit) => (exit.state.ways.get(leak.record.value.key) ?? []).some((way) => way & DELETED && way & FAILED));
}

/** `for (const name of readdirSync(directory)) unlinkSync(name)` looks for the names where the program runs. */
function byBareName(leak: Leak): Attempt | undefined {
  for (const { what, values, step } of leak.report.frame.observed)
    if (
      what === "delete" &&
      values.some((value) => value.kind === "derived" && value.how === "entry" && isBelow(leak.record.value, value.of))
    )
      return {
        message: (subject) =>
          t('The cleanup of "{0}" removes nothing: it names the files of the directory without the directory.', subject),
        marks: [mark(step, t("the name of a file without its directory"))],
      };
  return undefined;
}

/** A directory beside the file's is removed. */
function besideIt(leak: Leak): Attempt | undefined {
  const directory = dirnameOf(leak.record.value);
  const parent = dirnameOf(directory);
  for (const seen of leak.report.frame.observed) {
    if (seen.what !== "delete" || seen.recursive !== true) continue;
    const other = seen.values.find(
      (value) =>
        isKnown(value) &&
        value.key !== directory.key &&
        !isBelow(leak.record.value, value) &&
        dirnameOf(value).key === parent.key &&
        isKnown(parent),
    );
    if (other)
      return {
        message: (subject) => t('The cleanup removes another directory than the one that "{0}" lies in.', subject),
        marks: [mark(seen.step, t("removes another directory"))],
      };
  }
  return undefined;
}

function isKnown(value: Value): boolean {
  return atomsOf(value).some((part) => part.kind === "text" && /\w/.test(part.text));
}

/** What two functions are handed in may have the same key, and is not the same. */
function startsHandedIn(value: Value): boolean {
  return atomsOf(value).some((part) => isHandedIn(part));
}

/** Whether any code that was read calls a function of this name. */
function isCalled({ program, reports }: RuleContext, report: RuleContext["report"]): boolean {
  const name = report.fn.name.slice(report.fn.name.lastIndexOf(".") + 1);
  return [...new Set(reports.map((other) => other.module))].some((module) => callsAny(program, module, name));
}

const deleting = new WeakMap<RuleContext["reports"], ReadonlyMap<string, readonly RuleContext["report"][]>>();

/** Functions with names that delete something, by their file. */
function deletingIn(reports: RuleContext["reports"], file: string): readonly RuleContext["report"][] {
  let byFile = deleting.get(reports);
  if (!byFile) {
    const helpers = reports.filter(
      ({ fn, frame }) => fn.kind !== "module" && fn.kind !== "closure" && frame.observed.some((one) => one.what === "delete"),
    );
    const lists = new Map<string, RuleContext["report"][]>();
    for (const one of helpers) {
      const list = lists.get(one.module.file);
      if (list) list.push(one);
      else lists.set(one.module.file, [one]);
    }
    deleting.set(reports, (byFile = lists));
  }
  return byFile.get(file) ?? [];
}

/** A helper that would delete this very file, and that nobody calls. */
function neverCalled(context: RuleContext, leak: Leak): Attempt | undefined {
  for (const report of deletingIn(context.reports, leak.report.module.file)) {
    if (report === leak.report) continue;
    const helper = report.frame.observed.find(
      (one) =>
        one.what === "delete" &&
        one.values.some(
          (value) =>
            (value.key === leak.record.value.key && !isHandedIn(value) && !startsHandedIn(value)) ||
            (value.kind === "derived" || value.kind === "symbol" ? false : isBelow(leak.record.value, value)),
        ),
    );
    if (!helper || context.program.overview.called.has(keyOf(report.ref)) || isCalled(context, report)) continue;
    return {
      message: (subject) => t('Nothing calls "{1}", which would delete "{0}".', subject, report.fn.name),
      marks: [mark(helper.step, t("would delete it, but is never called"))],
    };
  }
  return undefined;
}
