/** Sorts the errors of the vendors' libraries. Nothing of their texts is passed on: they repeat addresses, and with them signatures. */
import type { HeadAnswer, Trouble } from "./storage.ts";

const NAMES: readonly (readonly [pattern: RegExp, trouble: Trouble])[] = [
  [/^(?:ENOTFOUND|EAI_\w+)$/, "name"],
  [/^(?:ETIMEDOUT|ESOCKETTIMEDOUT|TimeoutError|AbortError|UND_ERR_\w*TIMEOUT)$/, "timeout"],
  [/^(?:ECONN\w+|EPIPE|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EADDRNOTAVAIL|UND_ERR_SOCKET)$/, "connection"],
  [/^(?:CERT_\w+|DEPTH_ZERO_\w+|SELF_SIGNED_\w+|UNABLE_TO_\w+|ERR_TLS_\w+|ERR_SSL_\w+|EPROTO)$/, "certificate"],
  [
    /^(?:CredentialsProviderError|CredentialUnavailableError|\w*AuthenticationError|AuthenticationRequiredError|MISSING_CREDENTIALS)$/,
    "credentials",
  ],
];

/** What an error of a request came to. `status` is that of the HTTP answer, when there was one. */
export function answerOf(error: unknown, status: number | undefined): HeadAnswer {
  if (status === 404) return { status: "missing" };
  if (status === 401 || status === 403) return { status: "unreachable", trouble: "access", code: String(status) };
  const names = namesOf(error);
  for (const code of names) {
    const trouble = NAMES.find(([pattern]) => pattern.test(code))?.[1];
    if (trouble !== undefined) return { status: "unreachable", trouble, code };
  }
  if (status !== undefined) return { status: "unreachable", trouble: "answer", code: String(status) };
  if (error instanceof Error && error.message === "Region is missing") return { status: "unreachable", trouble: "region" };
  const code = names.find((name) => /^\w{1,60}$/.test(name));
  return { status: "unreachable", trouble: "answer", ...(code !== undefined && { code }) };
}

/** Codes and names of the error and of what caused it, the inmost last; a code first, because libraries call a reset a timeout, too. */
function namesOf(error: unknown): string[] {
  const names: string[] = [];
  let one = error;
  for (let depth = 0; depth < 5 && one instanceof Error; depth++) {
    const { code, name, cause } = one as Error & { readonly code?: unknown };
    if (typeof code === "string") names.push(code);
    names.push(name);
    one = cause ?? (one instanceof AggregateError ? one.errors[0] : undefined);
  }
  return names;
}
