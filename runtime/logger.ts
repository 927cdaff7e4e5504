/** Where the runtime's lines go. */

/** What goes with a line, for programs that read logs. JSON-safe. */
export type LogFields = Readonly<Record<string, unknown>>;

/** `console` has this shape, and so have most loggers; one that takes the fields first needs three short functions around it. */
export interface Logger {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Lines with their fields as JSON, so that a console that is read by a program stays readable by it. */
const CONSOLE: Logger = {
  // oxlint-disable no-console -- the default logger is the console
  info: (message, fields) => console.info(lineOf(message, fields)),
  warn: (message, fields) => console.warn(lineOf(message, fields)),
  error: (message, fields) => console.error(lineOf(message, fields)),
  // oxlint-enable no-console
};

function lineOf(message: string, fields: LogFields | undefined): string {
  return fields === undefined ? message : `${message} ${JSON.stringify(fields)}`;
}

/** The caller's logger, or the console. A logger that throws loses its line and stops nothing (R88). */
export function loggerOr(logger: Logger | undefined): Logger {
  if (!logger) return CONSOLE;
  const quietly =
    (level: keyof Logger): Logger["info"] =>
    (message, fields) => {
      try {
        logger[level](message, ...(fields === undefined ? [] : [fields]));
      } catch {
        // There is nowhere left to say so.
      }
    };
  return { info: quietly("info"), warn: quietly("warn"), error: quietly("error") };
}

/** What an error says, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
