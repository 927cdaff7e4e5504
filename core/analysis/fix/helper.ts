/** A function that the project already has for deleting one file, and that the file at hand can call. */
import type { FlowModule, Operand } from "../flow.ts";
import { exported, functionOf, keyOf } from "../program.ts";
import type { RuleContext } from "../rules/draft.ts";
import { DELETED, ESCAPED, KEPT, LATER, MADE, OUTPUT, READ, UPLOADED } from "../summary.ts";
import type { FunctionRef } from "../value.ts";
import type { Helper } from "./plan.ts";

const NAME = /^_*(?:safe_?|try_?|silent_?|maybe_?)?(?:delete|remove|unlink|rm|clean|discard|dispose|purge)/i;

const OWN = /^deleteLocalFileAfterUpload$|^delete_local_file_after_upload$/;

export function helperFor(context: RuleContext): Helper | undefined {
  const { report, program } = context;
  const { module } = report;
  for (const fn of module.functions) {
    if (fn.parent !== 0 || fn.class !== undefined || fn.index === report.fn.index || !NAME.test(fn.name)) continue;
    const helper = describe(context, { file: module.file, index: fn.index }, fn.name);
    if (helper) return helper;
  }
  for (const { from, name } of importsOf(module)) {
    if (!NAME.test(name)) continue;
    const target = program.loader.resolve(module.file, from);
    const found = target === undefined ? undefined : exported(program, target, name);
    const operand = found && constantOf(program.loader.load(found.file), found.operand);
    const helper = found && operand?.op === "function" ? describe(context, { file: found.file, index: operand.index }, name) : undefined;
    if (helper) return { ...helper, from };
  }
  return undefined;
}

function describe({ program }: RuleContext, ref: FunctionRef, name: string): Helper | undefined {
  const fn = functionOf(program, ref);
  const summary = program.summaries.get(keyOf(ref));
  if (!fn || !summary || fn.generator) return undefined;
  if (fn.parameters.some((parameter, index) => parameter.rest || (index > 0 && !parameter.fallback))) return undefined;
  const [effect, ...others] = summary.effects;
  if (
    !effect ||
    others.length > 0 ||
    effect.recursive ||
    effect.value.kind !== "symbol" ||
    effect.value.root !== "parameter" ||
    effect.value.index !== 0
  )
    return undefined;
  if (
    !effect.normal.some((way) => way & (DELETED | LATER)) ||
    effect.normal.some((way) => way & (UPLOADED | READ | OUTPUT | ESCAPED | MADE | KEPT))
  )
    return undefined;
  // What fixes make, in whatever language, never throws, although it looks at the file and writes to the log.
  const throws = !OWN.test(name) && program.reports.get(keyOf(ref))?.exits.some((exit) => exit.how === "throw") !== false;
  // What is not awaited cannot be caught in one statement.
  return throws && fn.async !== true ? undefined : { name, async: fn.async === true, throws };
}

type Import = { readonly from: string; readonly name: string };

const imports = new WeakMap<FlowModule, readonly Import[]>();

/** Imports that the module's calls name. */
function importsOf(module: FlowModule): readonly Import[] {
  const known = imports.get(module);
  if (known) return known;
  const found = new Map<string, Import>();
  for (const fn of module.functions)
    for (const block of fn.blocks)
      for (const event of block.events)
        if (event.event === "call" && event.callee.op === "import" && event.callee.from.startsWith("."))
          found.set(`${event.callee.from}#${event.callee.name}`, { from: event.callee.from, name: event.callee.name });
  const list = [...found.values()];
  imports.set(module, list);
  return list;
}

function constantOf(module: FlowModule | undefined, operand: Operand): Operand {
  if (operand.op !== "name") return operand;
  return module?.constants.find((constant) => constant.name === operand.name)?.value ?? operand;
}
