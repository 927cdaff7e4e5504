/** Programs under another clock, by libfaketime. Times of files, and the time since boot, stay what they are. */
import fs from "node:fs";
import path from "node:path";
import { installPackages } from "../../scripts/browser.mjs";

const LIBRARY = "libfaketimeMT.so.1";

/** The library for programs with threads; installs it as root on Debian. Undefined when it cannot be had, with the reason in `why`. */
export function findFaketime(): { readonly library?: string; readonly why: string } {
  const found = find();
  if (found !== undefined) return { library: found, why: "" };
  if (process.platform !== "linux") return { why: "libfaketime is looked for on Linux only" };
  try {
    installPackages(["faketime"], "The tests of the clock need libfaketime");
  } catch (error) {
    return { why: (error as Error).message };
  }
  const library = find();
  return library === undefined ? { why: `${LIBRARY} is not where it is looked for` } : { library, why: "" };
}

function find(): string | undefined {
  const homes = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].filter((home) => fs.existsSync(home));
  const places = homes.flatMap((home) => [
    path.join(home, "faketime", LIBRARY),
    ...fs.readdirSync(home).map((name) => path.join(home, name, "faketime", LIBRARY)),
  ]);
  return places.find((place) => fs.existsSync(place));
}

/** What a process gets whose clock is off by `offset`, e.g. `+30d`. Only the clock that people set: no timer notices. */
export function clockOff(library: string, offset: string): Readonly<Record<string, string>> {
  return { ...common(library), FAKETIME: offset };
}

/** The same for a clock that is set while the process runs, by what is written to a file. */
export function clockFrom(library: string, file: string): Readonly<Record<string, string>> {
  return { ...common(library), FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: "1" };
}

function common(library: string): Readonly<Record<string, string>> {
  return { LD_PRELOAD: library, FAKETIME_DONT_FAKE_MONOTONIC: "1", NO_FAKE_STAT: "1" };
}
