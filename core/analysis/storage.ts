/** Where the files of requests are put: what a middleware for uploads is told (https://github.com/expressjs/multer#multeropts). */
import type { CallEvent, Operand } from "./flow.ts";
import { type Frame, libraryOf, thingOf } from "./frame.ts";
import { indexOf } from "./program.ts";
import { normalized } from "./paths.ts";
import { NOTHING, type Value, type Values } from "./value.ts";

/** The middleware that is meant. */
export const RECEIVES = "multer";

/** `disk`: in a directory of this machine; `elsewhere`: in memory, or where the engine of another package puts them. */
export type Storage = "disk" | "elsewhere";

/** `multer({ dest: "uploads/" })`, `multer({ storage: multerS3({ … }) })`. */
export function noteStorage(frame: Frame, targets: Values, args: readonly Values[], event: CallEvent): void {
  const target = targets.find((one) => one.kind === "library" && one.module === RECEIVES);
  if (target?.kind !== "library") return;
  const [options] = args[0] ?? NOTHING;
  const thing = options && thingOf(frame, options);
  for (const name of ["dest", "destination"])
    for (const value of thing?.fields.get(name) ?? NOTHING) {
      const directory = normalized(value);
      if (directory.kind === "text" || directory.kind === "joined") frame.destinations.set(directory.key, directory);
    }
  if (!/^(?:default)?$/.test(target.path)) return;
  const engines = thing?.fields.get("storage") ?? NOTHING;
  const maker = makerOf(frame, fieldOf(event.args[0], "storage"));
  if (engines.length > 0)
    for (const engine of engines) frame.storages.add(isElsewhere(frame, engine) || (maker ?? RECEIVES) !== RECEIVES ? "elsewhere" : "disk");
  else frame.storages.add(thing && !thing.fields.has("dest") && thing.rest.length === 0 ? "elsewhere" : "disk");
}

function isElsewhere(frame: Frame, engine: Value): boolean {
  const library = libraryOf(frame, engine);
  if (library) return library.module !== RECEIVES ? library.module !== "global" : /memory/i.test(library.path);
  return engine.kind === "derived" && isElsewhere(frame, engine.of);
}

function fieldOf(operand: Operand | undefined, name: string): Operand | undefined {
  return operand?.op === "object" ? operand.fields.find((field) => field.name === name)?.value : undefined;
}

/** The package whose function made what an operand names. */
function makerOf(frame: Frame, operand: Operand | undefined, depth = 0): string | undefined {
  if (operand?.op === "import") return operand.from.startsWith(".") ? undefined : operand.from;
  if (operand?.op === "member") return makerOf(frame, operand.of, depth + 1);
  if (operand?.op !== "name" || depth > 4) return undefined;
  const { constants, definitions, calls } = indexOf(frame.program, frame.module);
  const made = definitions.get(operand.name)?.event;
  return makerOf(
    frame,
    calls.get(operand.name)?.call.callee ?? constants.get(operand.name) ?? (made?.event === "set" ? made.value : undefined),
    depth + 1,
  );
}
