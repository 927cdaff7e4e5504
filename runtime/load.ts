/**
 * The engine, loaded when something is planned, cleaned or read for the first time: a program that imports this library pays nothing
 * for it before. In a bundle it is a file of its own.
 */
import type * as Engine from "./engine.ts";

let engine: Promise<typeof Engine> | undefined;

export async function loadEngine(): Promise<typeof Engine> {
  engine ??= import("./engine.ts");
  return engine;
}
