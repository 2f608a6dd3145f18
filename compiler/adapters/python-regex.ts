import { createContext, Script } from "node:vm";
import { fail } from "../../ir/diagnostic.ts";
import { fileDiagnostic } from "../tensors/files/index.ts";

/** Whether a pattern matches a whole text. */
export type PatternMatcher = (pattern: string, text: string) => boolean;

const maxPatternLength = 1000;
/**
 * The time limit of all patterns of one adapter together. The author of a pattern controls how long backtracking takes.
 */
const maxMilliseconds = 1000;

/** Pattern and text are data of the context, and are never run as code. */
const test = new Script("new RegExp(pattern, 'u').test(text)");

/** Python's re.fullmatch. A pattern that JavaScript reads differently fails to compile in all but exotic cases. */
export function createPatternMatcher(): PatternMatcher {
  const context = createContext({ pattern: "", text: "" });
  const ends = performance.now() + maxMilliseconds;
  return (pattern, text) => {
    if (pattern.length > maxPatternLength) {
      return fail(fileDiagnostic("MRL0140", pattern.slice(0, 40), "the pattern is too long"));
    }
    Object.assign(context, { pattern: `^(?:${pattern})$`, text });
    try {
      // Code in the context can be interrupted, a regular expression outside cannot.
      return test.runInContext(context, { timeout: Math.max(1, Math.ceil(ends - performance.now())) }) as boolean;
    } catch (error) {
      const late = (error as NodeJS.ErrnoException).code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
      const fault = late
        ? `matching this pattern takes more than ${maxMilliseconds / 1000} s`
        : "expected a pattern that the compiler can read";
      return fail(fileDiagnostic("MRL0140", pattern, fault, "list the module names instead"));
    }
  };
}
