import type { Diagnostic } from "../../../ir/diagnostic.ts";

/** The result of a reader, and the problems on the way to it. */
export interface Checked<T> {
  readonly value: T | undefined;
  readonly problems: readonly Diagnostic[];
}

export const valid = <T>(value: T): Checked<T> => ({ value, problems: [] });

export const invalid = (...problems: readonly Diagnostic[]): Checked<never> => ({ value: undefined, problems });
