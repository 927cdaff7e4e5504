/**
 * Path templates of stores: `.cache/audio/{project}/scene-{n}.mp3`, `.cache/assembly/{project}/`.
 * `{name}` captures one id (R6), `*` stands for anything within a segment, a trailing `/` (or `/**`) for everything below.
 */

import { t } from "@vscode/l10n";

/** What may become part of a path (R6). */
const ID = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}";
const SAFE_ID = new RegExp(`^${ID}$`);

export interface Segment {
  readonly source: string;
  /** Set when the segment is plain text. */
  readonly literal?: string;
  readonly pattern: RegExp;
  readonly captures: readonly string[];
  readonly wildcard: boolean;
}

export interface Template {
  readonly source: string;
  /** The directory all matches are below: the leading literal segments, `""` when there are none. */
  readonly prefix: string;
  /** The segments of a match, the file's own last; with `deep`, of the directory that holds the matches. */
  readonly segments: readonly Segment[];
  /** Everything below the directory matches, at any depth. */
  readonly deep: boolean;
  readonly captures: readonly string[];
}

export class TemplateError extends Error {
  override readonly name = "TemplateError";
}

export function isSafeId(id: string): boolean {
  return SAFE_ID.test(id) && id !== "." && id !== "..";
}

/** Throws a {@link TemplateError} that says what to write instead. */
export function parseTemplate(source: string): Template {
  const refuse = (message: string): never => {
    throw new TemplateError(t('path template "{0}": {1}', source, message));
  };
  if (source.trim() === "") refuse(t("is empty; write a path such as .cache/audio/{project}/scene-{n}.mp3"));
  if (source.includes("\\")) refuse(t("has a backslash; write / between directories"));
  if (source.startsWith("/") || /^[A-Za-z]:/.test(source)) refuse(t('is absolute; write it relative to the store\'s "root"'));
  if (source.includes("\0")) refuse(t("has a NUL character"));
  if (source.startsWith("~") || /\$\{|\$[A-Za-z_]|%[A-Za-z_]+%/.test(source))
    refuse(t("has a variable; paths are never expanded (R8), write the path itself"));
  const deep = source.endsWith("/") || source.endsWith("/**");
  const parts = source
    .replace(/\/(\*\*)?$/, "")
    .replace(/^\.\//, "")
    .split("/");
  const segments = parts.map((part) => {
    if (part === "" || part === "." || part === "..") refuse(t('has a "{0}" segment; write the plain path', part));
    if (part.includes("**")) refuse(t("has ** before its end; ** may only be the last segment"));
    return parseSegment(part, refuse);
  });
  const firstOpen = segments.findIndex((segment) => segment.literal === undefined);
  const literalCount = firstOpen === -1 ? segments.length - (deep ? 0 : 1) : firstOpen;
  if (literalCount === 0) refuse(t("starts with a placeholder, so that the whole root would be searched; begin it with a directory"));
  return {
    source,
    prefix: parts.slice(0, literalCount).join("/"),
    segments,
    deep,
    captures: [...new Set(segments.flatMap((segment) => segment.captures))],
  };
}

function parseSegment(source: string, refuse: (message: string) => never): Segment {
  const captures: string[] = [];
  let pattern = "^";
  let literal = true;
  let wildcard = false;
  for (const token of source.match(/\{[^}]*\}?|\*|[^{*]+/g) ?? []) {
    if (token.startsWith("{")) {
      const name = /^\{([A-Za-z][A-Za-z0-9_]*)\}$/.exec(token)?.[1];
      if (name === undefined) return refuse(t("has the placeholder {0}; write {name} with letters, digits and _", token));
      if (captures.includes(name)) return refuse(t("has {0} twice in one segment", `{${name}}`));
      captures.push(name);
      pattern += `(${ID})`;
      literal = false;
    } else if (token === "*") {
      pattern += "[^/]*";
      literal = false;
      wildcard = true;
    } else {
      if (token.includes("}")) return refuse(t("has a } without its {"));
      pattern += token.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    }
  }
  return { source, ...(literal && { literal: source }), pattern: new RegExp(`${pattern}$`), captures, wildcard };
}

/** Matches one path segment; the captures that earlier segments bound must agree. */
export function matchSegment(
  segment: Segment,
  name: string,
  bound: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | undefined {
  if (segment.literal !== undefined) return segment.literal === name ? bound : undefined;
  const match = segment.pattern.exec(name);
  if (!match) return undefined;
  if (segment.captures.length === 0) return bound;
  const result: Record<string, string> = { ...bound };
  for (const [i, capture] of segment.captures.entries()) {
    const value = match[i + 1]!;
    if (result[capture] !== undefined && result[capture] !== value) return undefined;
    result[capture] = value;
  }
  return result;
}

/** The captures of `path` (relative, with `/`), or undefined when it does not match. */
export function matchTemplate(template: Template, path: string): Readonly<Record<string, string>> | undefined {
  const names = path.split("/");
  const { segments, deep } = template;
  if (deep ? names.length <= segments.length : names.length !== segments.length) return undefined;
  if (names.some((name) => name === "" || name === "." || name === "..")) return undefined;
  let bound: Readonly<Record<string, string>> | undefined = {};
  for (const [i, segment] of segments.entries()) {
    bound = matchSegment(segment, names[i]!, bound);
    if (!bound) return undefined;
  }
  return bound;
}
