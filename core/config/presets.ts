/** Built-in layouts. A preset is data of the same form as `offcut.json`, under what the user writes. */
import type { ConfigDocument } from "./document.ts";
import clipStore from "./presets/clip-store.json" with { type: "json" };
import jobManifests from "./presets/job-manifests.json" with { type: "json" };
import uploadOutputs from "./presets/upload-outputs.json" with { type: "json" };
import videoGenerator from "./presets/video-generator.json" with { type: "json" };

type JsonObject = { readonly [key: string]: unknown };

const presets: ReadonlyMap<string, JsonObject> = new Map<string, JsonObject>([
  ["video-generator", videoGenerator],
  ["upload-outputs", uploadOutputs],
  ["job-manifests", jobManifests],
  ["clip-store", clipStore],
]);

/** What the user wrote, completed by the preset it names. An unknown preset is left to the validation. */
export function mergePreset(document: ConfigDocument): unknown {
  const written = document.value;
  if (!isObject(written) || typeof written["preset"] !== "string") return written;
  const named = presets.get(written["preset"]);
  if (!named) return written;
  const preset = dropLowMarks(named, written["stores"]);
  const { database } = written;
  const under = preset["database"];
  if (!Array.isArray(database) || !isObject(under)) return merge(preset, written);
  // Each of several databases is completed like the only one.
  return { ...merge(preset, written), database: database.map((one: unknown) => (isObject(one) ? merge(under, one) : one)) };
}

/** How much a preset leaves in a store goes with its own limit: whoever writes another `maxBytes` gets 90 % of that. */
function dropLowMarks(preset: JsonObject, written: unknown): JsonObject {
  const { stores } = preset;
  if (!isObject(stores) || !isObject(written)) return preset;
  const kept = Object.entries(stores).map(([name, store]): [string, unknown] => {
    const over = Object.hasOwn(written, name) ? written[name] : undefined;
    if (!isObject(store) || !isObject(over) || !Object.hasOwn(over, "maxBytes")) return [name, store];
    return [name, Object.fromEntries(Object.entries(store).filter(([key]) => key !== "targetBytes"))];
  });
  return { ...preset, stores: Object.fromEntries(kept) };
}

/** Lists replace, objects merge: what the user writes always wins. Keys are data here, `__proto__` too. */
function merge(under: JsonObject, over: JsonObject): JsonObject {
  const merged = Object.entries(over).map(([key, value]): [string, unknown] => {
    const below = Object.hasOwn(under, key) ? under[key] : undefined;
    return [key, isObject(below) && isObject(value) ? merge(below, value) : value];
  });
  return Object.fromEntries([...Object.entries(under), ...merged]);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
