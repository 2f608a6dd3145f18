import { createContext, Script } from "node:vm";
import { fail } from "../../ir/diagnostic.ts";
import { fileDiagnostic } from "../tensors/files/index.ts";

/** Whether all of a text fits a pattern. */
export type PatternMatcher = (pattern: string, text: string) => boolean;

const maxPatternLength = 1000;
/** For all patterns of one adapter together. Backtracking takes as long as whoever wrote the pattern likes. */
const maxMilliseconds = 2000;

/** The pattern and the text are data of the context; no text of theirs is run. */
const test = new Script("new RegExp(pattern, 'u').test(text)");

/** Python's re.fullmatch; a pattern that JavaScript reads differently fails to compile in all cases but exotic ones. */
export function createPatternMatcher(): PatternMatcher {
  const context = createContext({ pattern: "", text: "" });
  const ends = performance.now() + maxMilliseconds;
  return (pattern, text) => {
    if (pattern.length > maxPatternLength) {
      return fail(fileDiagnostic("MRL0140", pattern.slice(0, 40), "the pattern is too long"));
    }
    Object.assign(context, { pattern: `^(?:${pattern})$`, text });
    try {
      // What runs in the context can be stopped, a regular expression of our own cannot.
      return test.runInContext(context, { timeout: Math.max(1, Math.ceil(ends - performance.now())) }) as boolean;
    } catch (error) {
      const late = (error as NodeJS.ErrnoException).code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
      const fault = late
        ? `matching this pattern takes more than ${maxMilliseconds / 1000} s`
        : "this is not a pattern that the compiler can read";
      return fail(fileDiagnostic("MRL0140", pattern, fault, "list the names instead"));
    }
  };
}
