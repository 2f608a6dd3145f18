import { type Diagnostic, throwIfAny } from "../../../ir/diagnostic.ts";

/** Takes the problems of one file from nested decoders. */
export interface ProblemSink {
  /** Records a problem; `where` is a path within the file, or "". Returns undefined, the result of a failed decoder. */
  readonly report: (code: string, where: string, message: string, help?: string) => undefined;
}

/** The owner's end of the sink. */
export interface ProblemCollector extends ProblemSink {
  /** Throws all problems so far, in the order of their reports, as one DiagnosticError. */
  readonly throwIfAny: () => void;
}

export function createProblemCollector(file: string): ProblemCollector {
  const diagnostics: Diagnostic[] = [];
  return {
    report: (code, where, message, help) => {
      const at = where ? `${file}, ${where}` : file;
      diagnostics.push(help === undefined ? { code, message, at } : { code, message, at, help });
      return undefined;
    },
    throwIfAny: () => throwIfAny(diagnostics),
  };
}
