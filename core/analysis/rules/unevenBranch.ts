/** The branch that decides whether a file is deleted, where both sides come to the same end: `if (empty) continue;` in a loop. */
import type { Block, Span } from "../flow.ts";
import type { Leak } from "../leaks.ts";
import type { Step } from "../summary.ts";

/** The first one behind the call that uses the file up. */
export function unevenBranch({ report: { fn, module }, record }: Leak, primary: Step): Span | undefined {
  const deletions = record.trace.deleted.filter((step) => step.file === module.file).map(({ span }) => span);
  const deletes = ({ events }: Block): boolean =>
    events.some(({ event, span }) => event === "call" && deletions.some((one) => span.start <= one.start && one.end <= span.end));
  let found: Span | undefined;
  for (const { exit } of fn.blocks) {
    if (exit.exit !== "branch" || exit.span.start < primary.span.end || (found && found.start < exit.span.start)) continue;
    if (endsWithout(fn.blocks, exit.yes, deletes) !== endsWithout(fn.blocks, exit.no, deletes)) found = exit.span;
  }
  return found;
}

function endsWithout(blocks: readonly Block[], from: number, deletes: (block: Block) => boolean): boolean {
  const seen = new Set([from]);
  for (const at of seen) {
    const block = blocks[at];
    if (!block || deletes(block)) continue;
    const { exit } = block;
    if (exit.exit === "return" || exit.exit === "end") return true;
    if (exit.exit === "goto") seen.add(exit.to);
    if (exit.exit === "branch") seen.add(exit.yes).add(exit.no);
    if (exit.exit === "any") for (const to of exit.to) seen.add(to);
  }
  return false;
}
