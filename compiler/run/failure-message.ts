import { type Diagnostic, DiagnosticError } from "../../ir/diagnostic.ts";
import { type SessionCause, SessionError, type SessionErrorDetails } from "../../runtime/core/index.ts";
import { InternalError } from "./internal-error.ts";

/** An error on its way between threads: a structured clone keeps the fields of an error, but not its class. */
export type FailureMessage =
  | {
      readonly kind: "session";
      readonly reason: SessionCause;
      readonly message: string;
      readonly details: SessionErrorDetails;
    }
  | { readonly kind: "input"; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: "fault"; readonly code: string; readonly message: string; readonly stack: string };

/** Encodes an error of a party's thread. */
export function encodeFailure(error: unknown): FailureMessage {
  if (error instanceof DiagnosticError) return { kind: "input", diagnostics: error.diagnostics };
  if (error instanceof SessionError) {
    const { reason, message, at, help, code, peerCode, retryAfterSeconds } = error;
    const given = Object.entries({ at, help, code, peerCode, retryAfterSeconds }).filter(
      ([, value]) => value !== undefined,
    );
    return { kind: "session", reason, message, details: Object.fromEntries(given) };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { kind: "fault", code: error instanceof InternalError ? error.code : "MRL0700", message, stack: stack ?? "" };
}

/** Restores the error, with its class. */
export function decodeFailure(message: FailureMessage): Error {
  if (message.kind === "input") return new DiagnosticError(message.diagnostics);
  if (message.kind === "session") return new SessionError(message.reason, message.message, message.details);
  const error = new InternalError(message.code, message.message);
  error.stack = message.stack;
  return error;
}
