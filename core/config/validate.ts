/** Checks a configuration against its schema and words what is wrong so that the reader can mend it. */
import { t } from "@vscode/l10n";
import type * as z from "zod/mini";
import type { Problem } from "../model.ts";
import { type Close, closestTo } from "../spelling.ts";
import type { ConfigDocument } from "./document.ts";
import { type ConfigFile, configSchema, parts } from "./schema.ts";

type Path = readonly (string | number)[];

export function validate(
  merged: unknown,
  document: ConfigDocument,
): { readonly value?: ConfigFile; readonly problems: readonly Problem[] } {
  const result = configSchema.safeParse(merged, { error: sayType });
  if (result.success) return { value: result.data, problems: [] };
  const problems = result.error.issues
    .flatMap((issue) => explain(issue, [], merged))
    .map(({ path, message }): Problem => ({
      severity: "error",
      source: document.label,
      line: document.lineOf(path),
      message: path.length > 0 ? `${path.join(".")}: ${message}` : message,
    }));
  return { problems: inOrder(problems) };
}

/** In the order of the file, each once: a text may break two rules with one message. */
function inOrder(problems: readonly Problem[]): readonly Problem[] {
  const unique = new Map(problems.map((problem) => [`${problem.line}\0${problem.message}`, problem]));
  return [...unique.values()].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

interface Explained {
  readonly path: Path;
  readonly message: string;
}

function explain(issue: z.core.$ZodIssue, base: Path, root: unknown): Explained[] {
  const path = [...base, ...(issue.path as (string | number)[])];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({ path: [...path, key], message: notASetting(key, path) }));
    case "invalid_value":
      return [{ path, message: t("must be one of {0}", issue.values.map((value) => JSON.stringify(value)).join(", ")) }];
    case "invalid_union":
      return explainUnion(path, root);
    default:
      return [{ path, message: issue.message }];
  }
}

/** A union's own message says nothing: the part that the writer meant says what is wrong. */
function explainUnion(path: Path, root: unknown): Explained[] {
  const value = valueAt(root, path);
  if (path[0] === "stores" && path.length === 2) return explainPart(parts.store, value, path, root);
  if (path[0] === "stores" && path.at(-1) === "upload" && typeof value === "object" && value !== null)
    return explainPart(parts.uploadTarget, value, path, root);
  if (path[0] === "database" && path.length === 1) {
    return Array.isArray(value)
      ? value.flatMap((one: unknown, i) => explainPart(parts.database, one, [...path, i], root))
      : explainPart(parts.database, value, path, root);
  }
  if (path[0] === "analysis" && path.at(-1) === "argument") return explainArgument(path, value);
  return [
    {
      path,
      message:
        path.at(-1) === "trackStatus"
          ? t('must be true, false or { "table": …, "id": … }')
          : path.at(-1) === "upload"
            ? t('must be an address such as "s3://bucket/jobs/{0}/video.mp4", or { "to": …, "endpoint": … }', "{id}")
            : t("has a form that is not known here"),
    },
  ];
}

function explainArgument(path: Path, value: unknown): Explained[] {
  const message =
    typeof value === "number"
      ? t("must be 0 or a whole number above it")
      : t('must be a position (0, 1, …) or a field of the options ("file", "1.path")');
  return [{ path, message }];
}

function explainPart(part: z.core.$ZodType, value: unknown, path: Path, root: unknown): Explained[] {
  const result = (part as z.ZodMiniType).safeParse(value, { error: sayType });
  return result.success ? [] : result.error.issues.flatMap((issue) => explain(issue, path, root));
}

/** What is said of a wrong type where the schema has no words of its own. */
function sayType(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== "invalid_type") return undefined;
  const expected = article(issue.expected);
  return issue.input === undefined ? t("is missing; it is {0}", expected) : t("must be {0}", expected);
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const key of path) value = (value as Record<string | number, unknown> | null | undefined)?.[key];
  return value;
}

function article(expected: string): string {
  switch (expected) {
    case "object":
    case "record":
      return t("an object { … }");
    case "array":
      return t("a list [ … ]");
    case "int":
      return t("a whole number");
    case "boolean":
      return t("true or false");
    case "string":
      return t("a string");
    case "number":
      return t("a number");
    default:
      return t("a {0}", expected);
  }
}

/** Suggests the known setting that is written most alike. */
function notASetting(key: string, path: Path): string {
  const shape = shapeAt(path);
  const known = Object.keys(shape ?? {}).filter((name) => name !== "$schema");
  const close = closestTo(key, known);
  if (path[0] === "analysis" && path[1] === "rules") return notARule(close, known);
  if (close && close.distance <= Math.max(1, Math.floor(close.name.length / 3)))
    return t('is not a setting; did you mean "{0}"?', close.name);
  return known.length > 0 ? t("is not a setting; the settings here are {0}", known.join(", ")) : t("is not a setting");
}

/** The list helps here even when one is close: several rules begin alike. */
function notARule(close: Close | undefined, known: readonly string[]): string {
  const rules = known.join(", ");
  return close && close.distance <= 3
    ? t('is not a rule; did you mean "{0}"? The rules are {1}', close.name, rules)
    : t("is not a rule; the rules are {0}", rules);
}

function shapeAt(path: Path): object | undefined {
  if (path.length === 0) return configSchema.shape;
  if (path[0] === "stores" && path.length === 2) return parts.store.shape;
  if (path[0] === "database" && (path.length === 1 || typeof path[1] === "number")) return parts.database.shape;
  if (path[0] === "stores" && path[2] === "upload" && path.length === 3) return parts.uploadTarget.shape;
  if (path[0] === "jobs" && path.length === 1) return (parts.jobs as typeof parts.jobs & { shape: object }).shape;
  if (path[0] === "policy" && path.length === 1) return (parts.policy as typeof parts.policy & { shape: object }).shape;
  if (path[0] === "analysis" && path.length === 1) return parts.analysis.shape;
  if (path[0] === "analysis" && path[1] === "rules" && path.length === 2) return parts.analysis.shape.rules._zod.def.innerType.shape;
  if (path[0] === "analysis" && typeof path[2] === "number" && path.length === 3) return parts.namedCall.shape;
  return undefined;
}
