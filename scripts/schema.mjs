// Writes schema/offcut.schema.json from the one definition in core/config/schema.ts; `--check` only compares.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { configSchema } from "../core/config/schema.ts";

const file = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../schema/offcut.schema.json");
const schema = z.toJSONSchema(configSchema, { target: "draft-7", io: "input", unrepresentable: "any" });
// A preset may supply what is missing, and only the whole configuration can tell: that stays with Offcut itself.
const parts = [schema.properties.stores.additionalProperties.anyOf[0], ...schema.properties.database.anyOf.map((one) => one.items ?? one)];
for (const part of parts) delete part.required;
const text = `${JSON.stringify({ ...schema, title: "Offcut", description: "Which files a media pipeline writes, and when they may go.", allowTrailingCommas: true }, null, 2)}\n`;
if (process.argv.includes("--check")) {
  if (!fs.existsSync(file) || fs.readFileSync(file, "utf8") !== text) {
    console.error("schema/offcut.schema.json is out of date: npm run schema");
    process.exitCode = 1;
  }
} else fs.writeFileSync(file, text);
