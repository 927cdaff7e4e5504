/** Calls of which nothing is known but their names. */
import { type CallContext, runLater } from "./call.ts";
import { verbOf } from "./catalogue/catalogue.ts";
import { make, use } from "./effects.ts";
import { escape } from "./escapes.ts";
import type { Frame, State } from "./frame.ts";
import { reachable } from "./records.ts";
import { derived, type Library, NOTHING, stable, type Value, type Values } from "./value.ts";
import { nameOf } from "./written.ts";

/** Something that nothing is known of is called: its name says whether it takes charge of the files it is given. */
export function callUnknown(frame: Frame, state: State, context: CallContext, made?: Library): Values {
  const { event, moment, args, receiver, method } = context;
  const name = method === "" ? nameOf(frame, event.callee) : method;
  const verb = verbOf(name);
  const local = args.filter((values) => values.some((value) => value.kind !== "function"));
  const files = reachable(frame, local.flat());
  if (REFUSES.test(name)) return NOTHING;
  if (verb === "read") use(frame, state, local.flat(), moment);
  else if (MAKES.test(name)) {
    // `downloadVideo(url, path)`: the path is where something is written to.
    for (const file of files)
      if (file.kind === "joined" || (file.kind === "text" && /[/.]/.test(file.text))) make(frame, state, [file], moment);
    use(frame, state, local.flat(), moment);
  } else escape(frame, state, local.flat(), moment);
  for (const values of args) for (const value of values) if (value.kind === "function") runLater(frame, state, context, value);
  if (made && made.module !== "global")
    return [{ kind: "symbol", key: `${frame.prefix}:${event.id}`, root: "fresh", library: { module: made.module, path: made.path } }];
  return [resultSymbol(frame, context, receiver)];
}

export const REFUSES = /^(?:throw|reject|fail|error|next)$/;

const MAKES =
  /^_*(?:output|(?:save|write|download|pipe)_?to|to_?file|download|write|generate|render|export|convert|extract|capture|make|produce|synthesi[sz]e|screenshot|dump|transcode|encode|compress|resize|trim|merge|concat|combine|mux|fetch|record|text.?to|tts|create(?:.*(?:file|video|audio|image|clip|thumbnail)))/i;

/** What a call of something unknown results in: the same again when it looks like a getter, else something new. */
export function resultSymbol(frame: Frame, context: CallContext, receiver: Values): Value {
  const { event, args, method } = context;
  const fresh: Value = { kind: "symbol", key: `${frame.prefix}:${event.id}`, root: "fresh" };
  const [only] = receiver;
  if (receiver.length !== 1 || only === undefined || !GETTER.test(method)) return fresh;
  const flat = args.map((values) => values[0] ?? stable("?"));
  if (flat.length > 3 || flat.some((value) => value.kind === "function")) return fresh;
  return derived("call", only, method, { args: flat });
}

const GETTER =
  /^(?:get|isDirectory$|path|dir|resolve|to|as|replace|slice|substring|substr|trim|pad|split|pop|at|concat|lower|upper|normalize|format|base|ext|name|filename|url|key|find|read|load|match|exec|value|text|string|join|json|formData|param|query|header)/i;
