/** Which entries of the catalogue speak of a call, and what is at the places that they name. */
import type { CallContext } from "./call.ts";
import { matchesReceiver } from "./catalogue/catalogue.ts";
import type { Entry } from "./catalogue/entry.ts";
import { type Place, placesOf } from "./catalogue/place.ts";
import { type Frame, libraryOf, thingOf } from "./frame.ts";
import { elementsOf, readMember } from "./members.ts";
import { NOTHING, unionAll, type Value, type Values } from "./value.ts";

/** Entries that speak of this call. */
export function entriesOf(frame: Frame, context: CallContext, target: Value): readonly Entry[] {
  const { catalogue, loader } = frame.program;
  const from = libraryOf(frame, target);
  const own = from === undefined ? [] : catalogue.at(from).filter((entry) => entry.role !== "field");
  if (own.length > 0) return own.filter((entry) => holds(frame, context, entry));
  const { method, receiver, written } = context;
  if (method === "" || context.event.callee.op !== "member") return [];
  const weak = catalogue.byMethod(method).filter((entry) => {
    if (entry.role === "field") return false;
    if (entry.module === "*" && entry.weak === undefined)
      return from === undefined || !catalogue.knows(from.module) || entry.role === "invoke" || entry.role === "pipe";
    if (
      receiver.some(
        (value) => value.kind === "library" && value.module !== "global" && value.module !== entry.module && catalogue.knows(value.module),
      )
    )
      return false;
    if (entry.sends && sends(frame, context, entry)) return true;
    return matchesReceiver(entry, written) && (entry.module === "*" || loader.uses(frame.module.file, entry.module));
  });
  const kept = weak.filter((entry) => holds(frame, context, entry));
  // What any object's method does gives way to what is known of a certain library's.
  const special = kept.filter((entry) => entry.module !== "*");
  return special.length > 0 ? special : kept;
}

function sends(frame: Frame, context: CallContext, entry: Entry): boolean {
  return valuesAt(frame, context, entry.path ?? "0").some((value) => {
    const thing = thingOf(frame, value);
    return thing !== undefined && thing.carries.length > 0 && thing.library?.module === entry.module;
  });
}

function holds(frame: Frame, context: CallContext, entry: Entry): boolean {
  const { when } = entry;
  if (!when) return true;
  const values = valuesAt(frame, context, when.at);
  if (when.absent) return values.every((value) => value.kind === "literal" && (value.value === undefined || value.value === null));
  if (when.truthy) return values.some(isTruthy);
  const pattern = when.matches === undefined ? undefined : new RegExp(when.matches);
  return pattern === undefined || values.some((value) => value.kind === "text" && pattern.test(value.text));
}

export function isTruthy(value: Value): boolean {
  return value.kind === "literal" ? Boolean(value.value) : value.kind !== "text" || value.text !== "";
}

export function valuesAt(frame: Frame, context: CallContext, places: string): Values {
  return unionAll(placesOf(places).map((place) => atPlace(frame, context, place)));
}

function atPlace(frame: Frame, context: CallContext, place: Place): Values {
  let values = rootValues(frame, context, place);
  for (const step of place.steps) {
    if (step.step === "field") values = unionAll(values.map((value) => fieldOf(frame, value, step.name)));
    else if (step.step === "each") values = unionAll(values.map((value) => elementsOf(frame, value)));
    else return NOTHING;
  }
  return values;
}

function rootValues(frame: Frame, context: CallContext, place: Place): Values {
  switch (place.root) {
    case "given":
      return [{ kind: "symbol", key: `${frame.prefix}:called:${place.name}`, root: "fresh" }];
    case "argument":
      return place.rest ? context.args.slice(place.index).flat() : (context.args[place.index] ?? NOTHING);
    case "last":
      return context.args.at(-1) ?? NOTHING;
    case "receiver":
      return context.receiver;
    default:
      return NOTHING;
  }
}

/** A field that is there; one that a literal lacks is absent, not unknown. */
function fieldOf(frame: Frame, value: Value, name: string): Values {
  const thing = thingOf(frame, value);
  if (thing && thing.class === undefined) return thing.fields.get(name) ?? unionAll(thing.rest.map((one) => readMember(frame, one, name)));
  return value.kind === "symbol" || value.kind === "derived" || thing ? readMember(frame, value, name) : NOTHING;
}
