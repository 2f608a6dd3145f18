import { type Diagnostic, DiagnosticError } from "../../ir/diagnostic.ts";
import type { RunResult } from "../run/index.ts";
import { fileProblem, UnsavedError } from "./errors.ts";

type Report = (problem: Diagnostic) => void;

/**
 * Writes the answer of a query: each of `writes` may add to the result. A query cannot be repeated for free, so what
 * cannot be written goes to the caller with the error, and one failure does not keep the other files from being written.
 * @throws UnsavedError
 */
export function keepAnswer(
  result: RunResult,
  ...writes: readonly ((report: Report) => Partial<RunResult>)[]
): RunResult {
  const problems: Diagnostic[] = [];
  let whole = result;
  for (const write of writes) {
    try {
      whole = { ...whole, ...write((problem) => problems.push(problem)) };
    } catch (error) {
      problems.push(...writingProblems(error));
    }
  }
  if (problems.length > 0) throw new UnsavedError(problems, whole);
  return whole;
}

/** Why something could not be written. @throws the error itself where that has nothing to do with files */
export function writingProblems(error: unknown): readonly Diagnostic[] {
  if (error instanceof DiagnosticError) return error.diagnostics;
  const problem = fileProblem(error);
  if (problem) return [problem];
  throw error;
}
