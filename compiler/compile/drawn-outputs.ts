import { DiagnosticError } from "../../ir/diagnostic.ts";
import { type JudgedOutput, judgedOutputs, type TriedProgram } from "../accuracy/index.ts";
import type { Manifest } from "../build/index.ts";

/** An output of a program on inputs that are drawn, beside float64. */
export interface DrawnOutput extends JudgedOutput {
  readonly output: string;
}

/**
 * The outputs on inputs that are drawn within their bounds. None where the program leaves its ranges on them: rows of a
 * file bound inner values for queries that are no such draws.
 */
export function drawnOutputs(tried: TriedProgram, { reveals }: Manifest): readonly DrawnOutput[] {
  try {
    return [...judgedOutputs(tried)].flatMap(([id, judged]) => {
      const output = reveals.find(({ value }) => value === id)?.tensor;
      return output === undefined ? [] : [{ output, ...judged }];
    });
  } catch (error) {
    if (error instanceof DiagnosticError) return [];
    throw error;
  }
}
