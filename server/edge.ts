/** Where requests come in: cancellation becomes an AbortSignal, what the engine throws becomes an error response. */
import { t } from "@vscode/l10n";
import {
  type CancellationToken,
  ErrorCodes,
  LSPErrorCodes,
  type ProgressToken,
  ResponseError,
  type WorkDoneProgressReporter,
} from "vscode-languageserver/node";
import { DatabaseError } from "../core/catalog/open.ts";
import { ConfigError } from "../core/config/config.ts";
import { Refusal } from "../core/reclaim/home.ts";
import { type ConfigInvalidData, configInvalid, refused } from "./protocol.ts";
import type { Session } from "./session.ts";

/** What a handler needs beside its parameters. */
export interface Work {
  readonly signal: AbortSignal;
  readonly progress: WorkDoneProgressReporter;
}

type Handler<P, R> = (session: Session, params: P, work: Work) => R | Promise<R>;

/** Makes a handler of the engine one of the connection. The parameters may carry a `workDoneToken`. */
export function answer<P extends object, R>(session: Session, handle: Handler<P, R>) {
  return async (params: P & { readonly workDoneToken?: ProgressToken }, token: CancellationToken): Promise<R> => {
    const progress = session.connection.window.attachWorkDoneProgress(params.workDoneToken);
    return guard(session, (signal) => handle(session, params, { signal, progress }), token);
  };
}

/** The one catch of a request. */
export async function guard<R>(session: Session, act: (signal: AbortSignal) => R | Promise<R>, token: CancellationToken): Promise<R> {
  const controller = new AbortController();
  const subscription = token.onCancellationRequested(() => controller.abort());
  if (token.isCancellationRequested) controller.abort();
  try {
    return await act(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) throw new ResponseError(LSPErrorCodes.RequestCancelled, t("cancelled"));
    throw toResponse(session, error);
  } finally {
    subscription.dispose();
  }
}

function toResponse(session: Session, error: unknown): ResponseError<ConfigInvalidData | undefined> {
  if (error instanceof ResponseError) return error as ResponseError<undefined>;
  if (error instanceof ConfigError) return new ResponseError(configInvalid, error.message, { problems: error.problems });
  const message = explain(error);
  if (error instanceof Refusal || error instanceof DatabaseError) return new ResponseError(refused, message);
  session.connection.console.error(error instanceof Error ? (error.stack ?? message) : message);
  return new ResponseError(ErrorCodes.InternalError, message);
}

export function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Throws a {@link Refusal} in a workspace that the user does not trust (R82). */
export function requireTrust(session: Session): void {
  if (!session.trusted) throw new Refusal(t("The workspace is not trusted, so nothing in it is changed. Trust it first."));
}
