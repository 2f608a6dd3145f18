import { DiagnosticError } from "../../ir/diagnostic.ts";

/** An option, or options together, that cannot be meant: the command line ends with 2 for it. Code MRL0002. */
export class UsageError extends DiagnosticError {
  /** What is wrong, in one line. */
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

/** Values of options; what cannot be read is wrong usage. */
export function readUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return usage(error.message);
    throw error;
  }
}
