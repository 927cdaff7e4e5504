/**
 * What the catalogue says of one function of a library. The solver knows no library by name: it follows *library values*
 * (a module and a dotted path in it) and asks the catalogue what a call of one does.
 *
 * How a library value comes about, {@link symbolOf} being the spelling of its path:
 * - an import: `import { Storage } from "@google-cloud/storage"` is `Storage` of that module; the whole module and its default
 *   export are both the module itself (`default` as a symbol), so that `import fs`, `import * as fs` and `require` are one;
 * - a member: `.bucket` of `Storage` is `Storage.bucket`;
 * - `new X()` is `X`, unless its entry `returns` another: a class and its instances share their members' names;
 * - a call is what its entry `returns`, and nothing known without one. An entry `X.*` speaks for all members that have none;
 * - a declared type: a parameter of the type `Bucket` is `Bucket`;
 * - a global: the module `global`, e.g. `Bun.write`, `console.log`, `fetch`. Methods of any receiver: the module `*`.
 */

export const ROLES = [
  /** Sends the file at `path` elsewhere. Nothing at `path` (a presigned request): no upload. */
  "upload",
  /** Makes the files at `path` from those at `from` and from what its receiver's chain has collected. */
  "assembly",
  /** Runs a program: `argv` or `shell` says where its command line is. What it does is read from there. */
  "command",
  /** Makes a file at `path`, from those at `from` if it says so. */
  "write",
  /** Makes the path of a temporary file or directory and gives it at `gives`. */
  "temp",
  /** A member that holds the path of a temporary file that nobody's call has made: `req.file.path`. `symbol` names the members. */
  "field",
  /** Deletes what is at `path`; a directory with all below it where `recursive` holds. */
  "delete",
  /** Moves `path` to `to`: the first is gone, the second is made. */
  "consume",
  /** Its result (or the receiver, with `into`) stands for the file at `path`, as `as` says. */
  "carrier",
  /** Adds inputs (`from`) and outputs (`path`) to the chain that it returns. */
  "chain",
  /** The result is a stream that sends what is written to it: `pipe` into it, or `end(contents)`. */
  "sink",
  /** Runs what `path` carries into the stream at `to`: an upload into a sink, a write into the write stream of a file. */
  "pipe",
  /** Opens the file at `path` and neither keeps nor sends it. */
  "read",
  /** Looks whether the file at `path` is there, or how large it is. */
  "check",
  /** Only uses the text of `path`: the file may be gone. */
  "mention",
  /** Works out a path from others, as `op` says, without looking at the disk. */
  "path",
  /** The result is what is at `path`, or a promise of it. */
  "pass",
  /** The result is settled when all (`some`: one) of the promises at `path` are. */
  "gather",
  /** Only says what it `returns`. */
  "type",
  /** Only calls functions, as `calls` says. */
  "invoke",
  /** The result is the function at `path`, in another form. */
  "callable",
  /** Sends the file at `path` to whoever asked for it. */
  "serve",
  /** Takes responsibility for the file at `path`. */
  "own",
  /** Looks like one of the above but touches no local file. */
  "memory",
  /** Arranges that all temporary files that the module has made are removed at exit. */
  "sweep",
  /** Does not return. */
  "exit",
] as const;

export type Role = (typeof ROLES)[number];

/** When a function that was passed to another is called. */
export type When = "now" | "later" | "onSuccess" | "onError" | "always";

export interface Invocation {
  /** Place of the function. */
  readonly function: string;
  readonly when: When;
  /** Places of what its parameters become, in order: `receiver[]`, `receiver`, `0`. */
  readonly with?: readonly string[];
  /** Of those that listen: the events (first argument) that this is about. Absent: no event is asked for. */
  readonly events?: readonly string[];
}

/** Places are written as {@link ./place.ts} says; several are tried in turn, all that hold something count. */
export interface Entry {
  /** The module as it is imported, in its canonical spelling (`fs`, not `node:fs`); `global`; `*`. */
  readonly module: string;
  /** Dotted path in the module; `default` is the module itself. */
  readonly symbol: string;
  readonly role: Role;
  readonly path?: string;
  readonly from?: string;
  readonly to?: string;
  /**
   * What is at `path`: the path of a file (a text there is one), or contents, where a text is no path and only a stream,
   * buffer or handle that leads back to a file counts; `either`: both are accepted. `filters`: texts in which filters of ffmpeg
   * name files. Default `path`.
   */
  readonly holds?: "path" | "body" | "either" | "filters";
  /** Only then: the value at a place matches a pattern (as text), is truthy, or is absent. */
  readonly when?: { readonly at: string; readonly matches?: string; readonly truthy?: true; readonly absent?: true };
  /** Whether it is over when the call returns (`now`), when its promise or callback says so (`later`), or with an event. */
  readonly settles: "now" | "later" | "event" | "never";
  /** With `event`: events of the result that say it is over. */
  readonly events?: readonly string[];
  /**
   * Places of functions that are called at the end, beside a function as last argument, which `later` implies. Those of a
   * carrier are called when what it carries has been sent.
   */
  readonly done?: string;
  readonly failed?: string;
  /** How it says that it failed. */
  readonly fails: "throws" | "value" | "event" | "never";
  /** With `value`: the place that is truthy after failure or falsy after it. */
  readonly failure?: string;
  readonly success?: string;
  /** `carrier`: contents in memory; a stream, read while it is used; the path in another form. */
  readonly as?: "bytes" | "stream" | "path";
  /** `carrier`: the receiver carries it from now on, not the result. */
  readonly into?: "receiver";
  /** `path`. */
  readonly op?: "join" | "resolve" | "dirname" | "basename" | "extname" | "tmpdir" | "cwd" | "home" | "unique" | "opaque";
  /** `temp`: where the path is: `result`, `result.path`, `last(1)`. */
  readonly gives?: string;
  /** `temp`: a directory. */
  readonly directory?: true;
  /** `temp`: removed by itself: at the end of the callback or scope, or never. */
  readonly removal?: "automatic" | "disposal";
  /** `temp`: place of a function that removes it. */
  readonly cleanup?: string;
  /** `delete`: always, never (absent), or when this place is truthy. */
  readonly recursive?: true | string;
  /** `delete`: the directory itself stays. */
  readonly contents?: true;
  /** `serve`: to the one who has asked, and to nobody else. */
  readonly once?: true;
  /** `gather`. */
  readonly some?: true;
  /** `command`: the words of the command line in order, `1[]` for a list of them; or one text for a shell. */
  readonly argv?: readonly string[];
  readonly shell?: string;
  /** `command`: the program, where it is none of the words. */
  readonly program?: string;
  /** Library value that the call returns (promises unwrapped): a path in the same module, or `module#path`. */
  readonly returns?: string;
  readonly calls?: readonly Invocation[];
  /** The call results in what the first function of `calls` returns (promises unwrapped), of one call or a list of all. */
  readonly results?: "one" | "list";
  /**
   * Enough when nothing is known of where the receiver comes from: patterns, one of which the receiver matches as it is
   * written (calls without their arguments: `this.supabase.storage.from()`), provided that the module is imported in the
   * file or is a dependency of the workspace (`*`, `global` and the runtime's own modules always are). Absent: the method's name proves nothing, but for the module
   * `*`, whose methods belong to every receiver.
   */
  readonly weak?: readonly string[];
  /** Enough, too: something at `path` carries a file for this very module (`client.send(new PutObjectCommand(…))`). */
  readonly sends?: true;
  /** `field`: declared types of what the members belong to. */
  readonly types?: readonly string[];
  /** Texts, one of which is in every file that has such a call. Default: see {@link ./tokens.ts}. */
  readonly token?: string | readonly string[];
  readonly note?: string;
}

/** An entry as it stands in the data: several symbols and modules at once, and what goes without saying left out. */
export type WrittenEntry = Omit<Entry, "module" | "symbol" | "settles" | "fails"> & {
  readonly module: string | readonly string[];
  readonly symbol: string | readonly string[];
  /** Default: `now` for names ending in `Sync` and for roles that only look or compute, else `later`. */
  readonly settles?: Entry["settles"];
  readonly fails?: Entry["fails"];
};

/** A library value: see above. */
export interface LibraryValue {
  readonly module: string;
  readonly path: string;
}

/** What a program that is run does with the files of its command line. `ffmpeg` has a reader of its own. */
export interface Tool {
  readonly names: readonly string[];
  readonly role: "assembly" | "write" | "upload" | "delete" | "consume" | "copy" | "read";
  /** Options that take a value which is no file. */
  readonly valued?: readonly string[];
  /** Options whose value is an output, an input. A trailing `=` is part of the word: `-sOutputFile=`. */
  readonly outputs?: readonly string[];
  readonly inputs?: readonly string[];
  /** Options whose value names an input after a `@`: `--data-binary @file`, `-F name=@file`. */
  readonly marked?: readonly string[];
  /**
   * What the words that are no options are. `last`: the last is the output, the others are inputs. `remote`: the last is
   * where the inputs go on another machine; when it is a local path or the first is not, nothing is sent.
   */
  readonly positional?: "inputs" | "outputs" | "last" | "remote" | "none";
  /** Subcommands that must come first for this to hold: `s3 cp`. */
  readonly subcommand?: string;
  /** As {@link WrittenEntry.token}; default: the names. */
  readonly token?: readonly string[];
  /** `delete`: options that make it recursive. */
  readonly recursive?: readonly string[];
  readonly note?: string;
}
