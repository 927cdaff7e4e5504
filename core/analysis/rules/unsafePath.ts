/** unsafe-cleanup-path: recursive delete of a path built from an unchecked id that a request brought. */
import { t } from "@vscode/l10n";
import { expressionOf, nameOf } from "../describe.ts";
import type { Name, Test } from "../flow.ts";
import { namesIn } from "../evaluate.ts";
import { indexOf, type Program } from "../program.ts";
import type { Report } from "../solve.ts";
import { innermost } from "../summary.ts";
import { type Atom, atomsOf, type Value } from "../value.ts";
import type { Draft, RuleContext } from "./draft.ts";

export function unsafePath({ program, report }: RuleContext): readonly Draft[] {
  const drafts: Draft[] = [];
  for (const record of report.frame.files.values()) {
    if (!record.recursive || record.trace.deleted.length === 0) continue;
    const part = atomsOf(record.value).find((one) => isFromRequest(report, one));
    const [deleted] = record.trace.deleted;
    if (!part || !deleted || isChecked(program, report, part)) continue;
    const at = innermost(deleted);
    const subject = nameOf(report, part) ?? expressionOf(report, part) ?? nameOf(report, record.value) ?? t("the path");
    drafts.push({
      rule: "unsafe-cleanup-path",
      file: at.file,
      span: at.span,
      subject,
      value: record.value,
      message: t('"{0}" comes from a request and is not checked: empty or with ".." it deletes more than it should.', subject),
      related: deleted.inner ? [{ file: deleted.file, span: deleted.span, message: t("a request's value is handed in here") }] : [],
    });
  }
  return drafts;
}

const REQUEST = /^_?(?:req|request|ctx|context|c|event|evt|args)$/i;
const BROUGHT = /^(?:params|query|body|searchParams|json|formData|url|nextUrl|pathParameters|queryStringParameters|headers|param)$/;

function isFromRequest(report: Report, atom: Atom): boolean {
  let at: Value = atom;
  let brought = false;
  for (let depth = 0; depth < 10; depth += 1) {
    if (at.kind !== "derived") break;
    if (at.how === "basename" || at.how === "stem" || at.how === "dirname") return false;
    if (at.how === "call" && /^(?:replace|replaceAll|slice|substring|split|toString|exists)$/.test(at.name)) return false;
    brought ||= BROUGHT.test(at.name);
    at = at.of;
  }
  if (!brought || at.kind !== "symbol") return false;
  const written =
    at.root === "parameter"
      ? report.fn.parameters[at.index ?? -1]?.written
      : at.name === undefined
        ? undefined
        : report.module.written[at.name];
  return written !== undefined && REQUEST.test(written);
}

/** Whether a branch of the function looks at the value, itself or through a call. */
function isChecked(program: Program, report: Report, part: Value): boolean {
  const index = indexOf(program, report.module);
  const looked = new Set<Name>();
  const add = (names: readonly string[], depth: number): void => {
    for (const name of names) {
      if (looked.has(name) || depth > 4) continue;
      looked.add(name);
      const call = index.calls.get(name)?.call;
      if (call)
        add(
          [call.callee, ...call.args].flatMap((operand) => namesIn(operand)),
          depth + 1,
        );
      const definition = index.definitions.get(name)?.event;
      if (definition?.event === "await" || (definition?.event === "set" && name.startsWith("%"))) add(namesIn(definition.value), depth + 1);
    }
  };
  for (const block of report.fn.blocks) if (block.exit.exit === "branch") add(namesOfTest(block.exit.test), 0);
  // A call whose result nobody tests, but whose name says that it throws: `assertId(id)`.
  for (const block of report.fn.blocks)
    for (const event of block.events)
      if (event.event === "call" && /assert|valid|check|ensure|sanit|require/i.test(namesIn(event.callee).join(".")))
        add(
          event.args.flatMap((operand) => namesIn(operand)),
          0,
        );
  for (const exit of report.exits)
    for (const name of looked)
      if (exit.state.env.get(name)?.some((value) => value.key === part.key || value.key.startsWith(`${part.key}.`))) return true;
  return false;
}

function namesOfTest(test: Test): readonly string[] {
  if (test.test === "equal") return [...namesIn(test.left), ...namesIn(test.right)];
  return test.test === "unknown" ? test.of.flatMap((operand) => namesIn(operand)) : namesIn(test.of);
}
