import { DiagnosticError } from "../../ir/diagnostic.ts";

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
