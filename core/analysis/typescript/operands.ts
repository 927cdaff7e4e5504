/** Operands as the TypeScript front end puts them together: flat, so that nobody has to follow deep nesting. */
import type { Name, Operand } from "../flow.ts";

export const NOTHING: Operand = { op: "nothing" };
export const THIS: Operand = { op: "this" };
export const UNKNOWN: Operand = { op: "opaque", of: [] };

export function text(value: string): Operand {
  return { op: "text", text: value };
}

export function named(name: Name): Operand {
  return { op: "name", name };
}

export function member(of: Operand, name: string): Operand {
  return { op: "member", of, name };
}

export function imported(from: string, name: string, as?: string): Operand {
  return { op: "import", from, name, ...(as !== undefined && as !== name && { as }) };
}

/** Joins texts; neighbouring literal parts become one. */
export function concat(operands: readonly Operand[]): Operand {
  const parts: Operand[] = [];
  for (const operand of operands) {
    for (const part of operand.op === "concat" ? operand.parts : [operand]) {
      const last = parts.at(-1);
      if (part.op === "text" && last?.op === "text") parts[parts.length - 1] = text(last.text + part.text);
      else if (part.op !== "text" || part.text !== "") parts.push(part);
    }
  }
  if (parts.length === 0) return text("");
  return parts.length === 1 && parts[0]?.op === "text" ? parts[0] : { op: "concat", parts };
}

/** What is made of the operands in a way nobody follows; constants among them say nothing and are left out. */
export function opaque(operands: readonly Operand[]): Operand {
  let of: Operand[] | undefined;
  for (const operand of operands) {
    if (operand.op === "text" || operand.op === "literal" || operand.op === "nothing") continue;
    if (operand.op === "opaque") {
      if (operand.of.length > 0) (of ??= []).push(...operand.of.slice(0, MOST_OPAQUE));
    } else (of ??= []).push(operand);
  }
  return of ? { op: "opaque", of } : UNKNOWN;
}

/** A sum of ten thousand parts is data, and its parts are of no interest. */
const MOST_OPAQUE = 1000;

export function either(operands: readonly Operand[]): Operand {
  const of: Operand[] = [];
  for (const operand of operands) {
    for (const side of operand.op === "either" ? operand.of : [operand]) of.push(side);
  }
  return of.length === 1 && of[0] ? of[0] : { op: "either", of };
}
