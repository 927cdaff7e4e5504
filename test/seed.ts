/**
 * Property tests draw the same cases in every run, so that a change is told of what it broke itself and not of what somebody else's
 * run had missed. `npm run fuzz` looks for the rest with seeds of its own.
 */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env["OFFCUT_SEED"] ?? 20_261_121) });
