/** Where the files of requests are put: what a middleware for uploads is told (https://github.com/expressjs/multer#multeropts). */
import type { CallEvent, Operand } from "./flow.ts";
import { type Frame, libraryOf, thingOf } from "./frame.ts";
import { indexOf } from "./program.ts";
import { normalized } from "./paths.ts";
import { NOTHING, type Value, type Values } from "./value.ts";

/** The middleware that is meant. */
export const RECEIVES = "multer";

/**
 * `disk`: in a directory of this machine; `elsewhere`: in memory, or where the engine of another package puts them; `registered`: where
 * the module that registers the middleware says, which is `everywhere` if it says so.
 */
export type Storage = "disk" | "elsewhere" | "registered" | "everywhere";

/** Whether files that a handler receives are put on this machine, as far as its file or, where that is silent, any file says. */
export function isOnDisk(storages: ReadonlyMap<string, ReadonlySet<Storage>>, file: string): boolean {
  const some = (storage: Storage): boolean => [...storages.values()].some((said) => said.has(storage));
  const own = storages.get(file);
  if (own) return own.has("disk") || own.has("everywhere") || (own.has("registered") && some("everywhere"));
  return storages.size === 0 || some("disk") || some("everywhere");
}

/** `multer({ dest: "uploads/" })`, `multer({ storage: multerS3({ … }) })`, and what NestJS makes of it. */
export function noteStorage(frame: Frame, targets: Values, args: readonly Values[], event: CallEvent): void {
  const target = targets.find((one) => one.kind === "library" && (one.module === RECEIVES || one.module === NEST));
  if (target?.kind !== "library") return;
  const place = target.module === RECEIVES ? 0 : placeInNest(target.path);
  if (place === undefined) return;
  const disk: Storage = target.path.startsWith("MulterModule") ? "everywhere" : "disk";
  if (target.module === NEST && args.length <= place) {
    frame.storages.add("registered");
    return;
  }
  const [options] = args[place] ?? NOTHING;
  const thing = options && thingOf(frame, options);
  for (const name of ["dest", "destination"])
    for (const value of thing?.fields.get(name) ?? NOTHING) {
      const directory = normalized(value);
      if (directory.kind === "text" || directory.kind === "joined") frame.destinations.set(directory.key, directory);
    }
  if (target.module === RECEIVES && !/^(?:default)?$/.test(target.path)) return;
  const engines = thing?.fields.get("storage") ?? NOTHING;
  const maker = makerOf(frame, fieldOf(event.args[place], "storage"));
  if (engines.length > 0)
    for (const engine of engines) frame.storages.add(isElsewhere(frame, engine) || (maker ?? RECEIVES) !== RECEIVES ? "elsewhere" : disk);
  else frame.storages.add(thing && !thing.fields.has("dest") && thing.rest.length === 0 ? "elsewhere" : disk);
}

/** The framework that puts its own words around it. */
export const NEST = "@nestjs/platform-express";

/** Where the options stand: `FileInterceptor("file", { dest })`, `MulterModule.register({ dest })`. */
function placeInNest(path: string): number | undefined {
  if (/^(?:File|Files|FileFields)Interceptor$/.test(path)) return 1;
  return /^(?:AnyFilesInterceptor|MulterModule\.register)$/.test(path) ? 0 : undefined;
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
