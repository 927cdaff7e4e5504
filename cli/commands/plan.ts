import { type Context, configOf, openVerifier, planOf } from "../context.ts";
import { EXIT, type ExitCode, exitOf } from "../exit.ts";
import { planJson, showPlan } from "../show.ts";

/** Shows what a cleanup would take and what it keeps, with the reasons. Writes nothing (R13). */
export async function plan(context: Context): Promise<ExitCode> {
  const { args, terminal } = context;
  const config = configOf(context);
  await using verifier = await openVerifier(context, config);
  const made = await planOf(context, config, verifier);
  if (args.json) terminal.printJson(planJson(made));
  else showPlan(terminal, made, { why: args.has("why"), all: args.has("all"), auto: args.has("auto") });
  return args.has("exit-code") ? exitOf(made) : EXIT.done;
}
