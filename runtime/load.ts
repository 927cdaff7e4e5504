/**
 * The engine, loaded when something is planned, cleaned or read for the first time: a program that imports this library pays nothing
 * for it before. In a bundle it is a file of its own.
 */
import type * as Engine from "./engine.ts";

let engine: Promise<typeof Engine> | undefined;

export async function loadEngine(): Promise<typeof Engine> {
  const loading = (engine ??= import("./engine.ts"));
  try {
    return await loading;
  } catch (error) {
    // Its file may be back the next time, e.g. after an installation that is under way.
    if (engine === loading) engine = undefined;
    throw error;
  }
}
