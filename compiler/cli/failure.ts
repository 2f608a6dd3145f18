import { type Diagnostic, DiagnosticError, formatDiagnostic } from "../../ir/diagnostic.ts";
import { SessionError } from "../../runtime/core/index.ts";
import { UsageError, withHelp } from "../api/index.ts";
import { InternalError } from "../run/index.ts";

export const exitCodes = { success: 0, input: 1, usage: 2, session: 3, internal: 70 } as const;

export interface Failure {
  readonly exitCode: number;
  /** For people, on stderr. */
  readonly text: string;
  /** For `--json`. */
  readonly errors: readonly Omit<Diagnostic, "because">[];
}

/** What a failure means to the one who typed the command. */
export function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) return usageFailure(error.reason);
  if (error instanceof DiagnosticError) {
    const diagnostics = error.diagnostics.map(withHelp);
    return { exitCode: exitCodes.input, text: diagnostics.map(formatDiagnostic).join("\n"), errors: diagnostics };
  }
  if (error instanceof SessionError) {
    const { code, message, at, help } = error;
    const diagnostic: Diagnostic = {
      code,
      message,
      ...(at === undefined ? {} : { at }),
      ...(help === undefined ? {} : { help }),
    };
    return { exitCode: exitCodes.session, text: formatDiagnostic(diagnostic), errors: [diagnostic] };
  }
  const found = fileDiagnostic(error);
  const file = found && withHelp(found);
  if (file) return { exitCode: exitCodes.input, text: formatDiagnostic(file), errors: [file] };
  const code = error instanceof InternalError ? error.code : "MRL0700";
  const message = `${error instanceof Error ? error.message : String(error)} — this is a fault of marillc`.replace(
    /\s+/g,
    " ",
  );
  const help = "please report it; MARILLC_DEBUG=1 shows where it happened";
  return { exitCode: exitCodes.internal, text: `error ${code}: ${message}`, errors: [{ code, message, help }] };
}

/** The file system refused a path of the user's that no reader of ours looked at before. */
function fileDiagnostic(error: unknown): Diagnostic | undefined {
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (typeof code !== "string" || typeof path !== "string" || syscall === undefined) return undefined;
  return { code: "MRL0804", message: `this file or folder cannot be used (${syscall}: ${code})`, at: path };
}

export const usageFailure = (message: string): Failure => ({
  exitCode: exitCodes.usage,
  text: `error: ${message}`,
  errors: new UsageError(message).diagnostics,
});
