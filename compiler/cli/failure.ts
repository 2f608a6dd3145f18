import { type Diagnostic, DiagnosticError, formatDiagnostic } from "../../ir/diagnostic.ts";
import { type SessionCause, SessionError } from "../../runtime/core/index.ts";
import { fileProblem, UsageError, withHelp } from "../api/index.ts";

import { OptionError } from "../load/index.ts";
import { InternalError } from "../run/index.ts";
import { diagnosticLines } from "./blockers.ts";

export const exitCodes = { success: 0, input: 1, usage: 2, session: 3, internal: 70 } as const;

/** Failures before any other party had a part in it: the port is taken, the own certificate has expired. */
const ownFaults: readonly SessionCause[] = ["cannotListen", "ownCertificateInvalid"];

export interface Failure {
  readonly exitCode: number;
  /** For people, on stderr. */
  readonly text: string;
  /** For `--json`. */
  readonly errors: readonly Omit<Diagnostic, "because">[];
}

/** The exit code and the messages of an error. */
export function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) return usageFailure(error.reason);
  if (error instanceof DiagnosticError) {
    const diagnostics = error.diagnostics.map(withHelp);
    const exitCode = error instanceof OptionError ? exitCodes.usage : exitCodes.input;
    return { exitCode, text: diagnosticLines(diagnostics).join("\n"), errors: diagnostics };
  }
  if (error instanceof SessionError) {
    const { code, message, at, help, reason } = error;
    const diagnostic: Diagnostic = {
      code,
      message,
      ...(at === undefined ? {} : { at }),
      ...(help === undefined ? {} : { help }),
    };
    const exitCode = ownFaults.includes(reason) ? exitCodes.input : exitCodes.session;
    return { exitCode, text: formatDiagnostic(diagnostic), errors: [diagnostic] };
  }
  const file = fileProblem(error);
  if (file) return { exitCode: exitCodes.input, text: formatDiagnostic(file), errors: [file] };
  const code = error instanceof InternalError ? error.code : "MRL0700";
  const message = `${error instanceof Error ? error.message : String(error)} — internal error, please report`.replace(
    /\s+/g,
    " ",
  );
  const help = "report it with the stack trace that MARILLC_DEBUG=1 prints";
  return { exitCode: exitCodes.internal, text: `error ${code}: ${message}`, errors: [{ code, message, help }] };
}

export const usageFailure = (message: string): Failure => ({
  exitCode: exitCodes.usage,
  text: `error: ${message}`,
  errors: new UsageError(message).diagnostics,
});
