/** The fixes of a finding: what its plan says, written down by the front end, and tried out before it is offered. */
import { posix } from "node:path";
import { t } from "@vscode/l10n";
import { applyEdits } from "../applyEdits.ts";
import type { Finding, Fix, TextEdit } from "../finding.ts";
import type { FrontEnd } from "../frontEnd.ts";
import type { Found } from "../judge.ts";
import type { FixPlan, HelperHome } from "./plan.ts";

/** What was found before, and what would be found if a file had another text, in the files that this concerns. */
export interface Trial {
  readonly before: readonly Finding[];
  readonly after: readonly Finding[];
}

/** Nothing is offered that would leave the finding, or make another one that is at least a warning. */
export function fixesFor(
  frontEnd: FrontEnd,
  { finding, draft }: Found,
  tryOut: (file: string, text: string) => Trial,
  most = Number.POSITIVE_INFINITY,
): readonly Fix[] {
  const planned = draft.fix?.();
  if (!planned) return [];
  const fixes: Fix[] = [];
  for (const variant of variantsOf(frontEnd, finding, planned)) {
    if (fixes.length >= most) break;
    const edits = firstThatClears(frontEnd, finding, variant, tryOut);
    if (edits && !fixes.some((fix) => JSON.stringify(fix.edits) === JSON.stringify(edits)))
      fixes.push({ title: variant.title, kind: "quickfix", preferred: fixes.length === 0, edits });
  }
  return fixes;
}

function firstThatClears(
  frontEnd: FrontEnd,
  finding: Finding,
  { plans, home }: Variant,
  tryOut: (file: string, text: string) => Trial,
): Fix["edits"] | undefined {
  for (const plan of plans) {
    const module = frontEnd.lower(plan.file);
    const changes = frontEnd.print(finding, plan, module);
    const [change] = changes ?? [];
    if (!changes || !change) continue;
    const text = changed(frontEnd.sources.read(plan.file), change.edits);
    if (text === undefined || !clears(finding, tryOut(plan.file, text))) continue;
    return home ? frontEnd.print(finding, { ...plan, ...home }, module) : changes;
  }
  return undefined;
}

/** Undefined: the plan wants one place changed in two ways. */
function changed(text: string, edits: readonly TextEdit[]): string | undefined {
  try {
    return applyEdits(text, edits);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

interface Variant {
  readonly title: string;
  /** The first that clears the finding is taken. */
  readonly plans: readonly FixPlan[];
  /** With a helper that is made there. What it does is not seen while it is not there, so the plan is tried out without. */
  readonly home?: { readonly home: HelperHome };
}

/** The plan, and the same with a helper that the project gets, where it has none. */
function variantsOf(frontEnd: FrontEnd, finding: Finding, plan: FixPlan): readonly Variant[] {
  if (plan.kind !== "delete-after" && plan.kind !== "delete-before") return [{ title: titleOf(plan, finding.subject), plans: [plan] }];
  const own = { title: titleOf(plan, plan.subject), plans: looking(plan) };
  if (plan.helper || plan.directory) return [own];
  const { like: _, ...rest } = plan;
  const helper = {
    title: t("Create a helper in the project that deletes {0}", plan.subject),
    plans: looking(rest),
    home: { home: homeFor(frontEnd, plan.file) },
  };
  return plan.runtime === "no" && own.plans.some((one) => importsRuntime(frontEnd, finding, one)) ? [helper] : [own, helper];
}

/** With a look at the output, and without, where the analysis does not see what the look is for. */
function looking(plan: FixPlan & { kind: "delete-after" | "delete-before" }): readonly FixPlan[] {
  const { output, ...blind } = plan;
  return output ? [plan, blind] : [plan];
}

/** Whether the fix would import a package that no manifest asks for. */
function importsRuntime(frontEnd: FrontEnd, finding: Finding, plan: FixPlan): boolean {
  const changes = frontEnd.print(finding, plan, frontEnd.lower(plan.file)) ?? [];
  return changes.some(({ edits }) => edits.some(({ text }) => /["']offcut["']/.test(text)));
}

const SHARED = ["utils", "lib", "helpers", "util", "shared", "common"];

/** The nearest directory for what is shared, else the file's own. */
function homeFor(frontEnd: FrontEnd, file: string): HelperHome {
  const [own = "", ...above] = directoriesAbove(file);
  const files = frontEnd.sources.files();
  const directories = directoriesOf(files);
  const isThere = (directory: string): boolean => directories.has(directory);
  const shared = SHARED.includes(posix.basename(own))
    ? own
    : [own, ...above].flatMap((directory) => SHARED.map((name) => posix.join(directory, name))).find(isThere);
  const directory = shared ?? own;
  return { directory, names: files.filter((one) => posix.dirname(one) === (directory || ".")).map((one) => posix.basename(one)) };
}

const known = new WeakMap<readonly string[], ReadonlySet<string>>();

/** All directories that files lie in or below. */
function directoriesOf(files: readonly string[]): ReadonlySet<string> {
  const made = known.get(files);
  if (made) return made;
  const found = new Set<string>();
  for (const file of files)
    for (let at = file.lastIndexOf("/"); at > 0; at = file.lastIndexOf("/", at - 1)) {
      const directory = file.slice(0, at);
      if (found.has(directory)) break;
      found.add(directory);
    }
  known.set(files, found);
  return found;
}

/** The file's directory first, the root (`""`) last. */
function directoriesAbove(file: string): readonly string[] {
  const parts = file.split("/").slice(0, -1);
  return Array.from({ length: parts.length + 1 }, (_, index) => parts.slice(0, parts.length - index).join("/"));
}

const MISSING = new Set(["missing-cleanup-after-upload", "missing-cleanup-after-assembly", "partial-cleanup", "ineffective-cleanup"]);

function clears(finding: Finding, { before, after }: Trial): boolean {
  const left = before.map(keyOf);
  const at = left.indexOf(keyOf(finding));
  if (at >= 0) left.splice(at, 1);
  for (const one of after) {
    const known = left.indexOf(keyOf(one));
    if (known >= 0) left.splice(known, 1);
    else if (keyOf(one) === keyOf(finding) || one.severity === "error" || one.severity === "warning") return false;
  }
  return true;
}

/** The same for one finding in both texts: its lines may have moved, and what cleans its file too little may do so in another way. */
function keyOf({ rule, file, subject }: Finding): string {
  return `${MISSING.has(rule) ? "missing" : rule}\0${file}\0${subject}`;
}

function titleOf(plan: FixPlan, subject: string): string {
  switch (plan.kind) {
    case "delete-after":
      return t("Delete {0} here once it is no longer needed", subject);
    case "delete-before":
      return t("Delete {0} before this way out, too", subject);
    case "await":
      return t("Wait for the upload");
    case "move-after":
      return t("Delete {0} after its last use", subject);
    case "move-before":
      return t("Delete {0} before the return", subject);
    case "guard":
    case "chain":
      return t("Delete {0} only if the upload went well", subject);
    case "remove":
      return t("Remove this statement");
    default:
      return plan satisfies never;
  }
}
