/** Patterns of relative paths: `*` and `?` within a segment, `**` for any number of segments. */

/** The whole path has to match; an empty pattern matches nothing (R21). Throws a TypeError for what is no pattern. */
export function compileGlob(pattern: string): (path: string) => boolean {
  if (typeof pattern !== "string") throw new TypeError("a pattern is text");
  if (pattern === "") return () => false;
  let source = "";
  for (const token of pattern.match(/\*\*\/|\*\*|\*|\?|[^*?]+/g) ?? []) {
    if (token === "**/") source += "(?:[^/]+/)*";
    else if (token === "**") source += ".*";
    else if (token === "*") source += "[^/]*";
    else if (token === "?") source += "[^/]";
    else source += token.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  }
  const whole = new RegExp(`^${source}$`, "su");
  return (path) => whole.test(path);
}
