/** Built-in layouts. A preset is data of the same form as `offcut.json`, under what the user writes. */
import type { ConfigDocument } from "./document.ts";
import videoGenerator from "./presets/video-generator.json" with { type: "json" };

type JsonObject = { readonly [key: string]: unknown };

const presets: Readonly<Record<string, JsonObject>> = { "video-generator": videoGenerator };

/** What the user wrote, completed by the preset it names. An unknown preset is left to the validation. */
export function mergePreset(document: ConfigDocument): unknown {
  const written = document.value;
  if (!isObject(written) || typeof written["preset"] !== "string") return written;
  const preset = presets[written["preset"]];
  if (!preset) return written;
  const database = written["database"];
  return {
    ...merge(preset, written),
    database: Array.isArray(database)
      ? database.map((one: unknown) => (isObject(one) ? merge(preset["database"] as JsonObject, one) : one))
      : isObject(database) || database === undefined
        ? merge(preset["database"] as JsonObject, database ?? {})
        : database,
  };
}

/** Lists replace, objects merge: what the user writes always wins. */
function merge(under: JsonObject, over: JsonObject): JsonObject {
  const result: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = result[key];
    result[key] = isObject(below) && isObject(value) ? merge(below, value) : value;
  }
  return result;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
