import { ts } from "ts-morph";
import type { Operand } from "../flow.ts";
import { value } from "./dispatch.ts";
import { lowerClass } from "./lowerClass.ts";
import { THIS, UNKNOWN } from "./operands.ts";
import { addFunction, unwrap, type FunctionState } from "./state.ts";

/** A value that is given a name where it is written: functions and classes without one of their own are called so. */
export function namedValue(flow: FunctionState, node: ts.Expression, name: string): Operand {
  const inner = unwrap(node);
  if (ts.isArrowFunction(inner) || ts.isFunctionExpression(inner)) return lowerClosure(flow, inner, name, "function");
  if (ts.isClassExpression(inner)) return lowerClass(flow, inner, name);
  return value(flow, node);
}

export function lowerClosure(
  flow: FunctionState,
  node: ts.ArrowFunction | ts.FunctionExpression,
  name: string,
  kind: "function" | "closure",
): Operand {
  const self = ts.isArrowFunction(node) ? flow.self : flow.inClass ? UNKNOWN : THIS;
  return { op: "function", index: addFunction(flow, node, { name: node.name?.text ?? name, kind, self }) };
}
