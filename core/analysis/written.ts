/** How calls and operands are written, and the steps of traces made of that. */
import type { CallEvent, Operand } from "./flow.ts";
import type { Frame } from "./frame.ts";
import { indexOf } from "./program.ts";
import type { Step } from "./summary.ts";

export function stepOf(frame: Frame, event: CallEvent): Step {
  const known = steps.get(event);
  if (known && known.file === frame.module.file) return known;
  const step: Step = {
    file: frame.module.file,
    span: event.span,
    statement: event.statement,
    written: written(frame, event.callee),
    function: frame.ref,
  };
  steps.set(event, step);
  return step;
}

const steps = new WeakMap<CallEvent, Step>();

export function nameOf(frame: Frame, callee: Operand): string {
  if (callee.op === "name") return frame.module.written[callee.name] ?? "";
  if (callee.op === "import" || callee.op === "global") return callee.name;
  return callee.op === "member" ? callee.name : "";
}

/** An operand as it is written, calls without their arguments. */
export function written(frame: Frame, operand: Operand, depth = 0): string {
  if (depth > 12) return "";
  switch (operand.op) {
    case "this":
      return "this";
    case "global":
      return operand.name;
    case "import":
      if (operand.as !== undefined) return operand.as;
      return operand.name === "default" || operand.name === "*" ? operand.from : operand.name;
    case "member":
      return `${written(frame, operand.of, depth + 1)}.${operand.name}`;
    case "element":
      return `${written(frame, operand.of, depth + 1)}[]`;
    case "either":
      return written(frame, operand.of[0] ?? { op: "nothing" }, depth + 1);
    case "name": {
      const own = frame.module.written[operand.name];
      if (own !== undefined && !operand.name.startsWith("%")) return own;
      const definition = indexOf(frame.program, frame.module).definitions.get(operand.name)?.event;
      if (definition?.event === "call") return `${definition.construct ? "new " : ""}${written(frame, definition.callee, depth + 1)}()`;
      if (definition?.event === "await" || definition?.event === "set") return written(frame, definition.value, depth + 1);
      return "";
    }
    default:
      return "";
  }
}
