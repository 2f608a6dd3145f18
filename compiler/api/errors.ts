import { type Diagnostic, DiagnosticError } from "../../ir/diagnostic.ts";
import type { RunResult } from "../run/index.ts";

/** An invalid option, or an invalid combination of options. Code MRL0002; the command line exits with 2. */
export class UsageError extends DiagnosticError {
  /** One line. */
  readonly reason: string;
  constructor(reason: string) {
    super([{ code: "MRL0002", message: reason, help: "see marillc --help" }]);
    this.name = "UsageError";
    this.reason = reason;
  }
}

/** The parties have answered, and the answer could not be written. It is not lost: `result` has it. */
export class UnsavedError extends DiagnosticError {
  readonly result: RunResult;
  constructor(diagnostics: readonly Diagnostic[], result: RunResult) {
    super(diagnostics);
    this.name = "UnsavedError";
    this.result = result;
  }
}

export function usage(reason: string): never {
  throw new UsageError(reason);
}

/** Reads the value of an option: a RangeError of `read` becomes a UsageError. */
export function readUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return usage(error.message);
    throw error;
  }
}

/** An error of the file system on a path of the caller. */
export function fileProblem(error: unknown): Diagnostic | undefined {
  const { code, path, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  // A full disk fails a write, which names no file.
  const known = typeof path === "string" || ["ENOSPC", "EDQUOT", "EROFS", "EIO"].includes(code ?? "");
  if (typeof code !== "string" || syscall === undefined || !known) return undefined;
  const help = "check that the path exists, that you may use it, and that its disk has free space";
  const message = `the file or folder cannot be used (${syscall}: ${code})`;
  return { code: "MRL0804", message, ...(path !== undefined && { at: path }), help };
}

/** Rethrows an error of the file system as MRL0804. */
export function refuseFile(error: unknown): never {
  const problem = fileProblem(error);
  throw problem ? new DiagnosticError([problem]) : error;
}
