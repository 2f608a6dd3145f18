import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that take longest, longest first: one that starts last leaves every other core idle. vitest knows durations
 * from the second run on; a fresh clone has this list alone.
 */
const long: readonly string[] = [
  "end-to-end/date",
  "runtime/protocols/leaks-nonlinear",
  "runtime/protocols/declared-error",
  "examples/examples",
  "end-to-end/generate",
  "runtime/protocols/leaks-sigma",
  "end-to-end/date-exports",
  "mutants/mutants",
  "package/package",
  "runtime/protocols/leaks-crypten",
  "compiler/families/secure",
  "end-to-end/non-interference",
  "end-to-end/two-adapters",
  "end-to-end/families",
  "runtime/protocols/leaks-exhaustive-replicated",
  "runtime/protocols/leaks-exhaustive",
  "cli/exact-truncation",
  "passes/relations",
  "runtime/protocols/leaks-replicated",
  "runtime/protocols/leaks-ordering",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = long.indexOf(relative(import.meta.dirname, moduleId).replace(/\.test\.ts$/, ""));
      return at < 0 ? long.length : at;
    };
    // One tier after the other, as they were.
    const tiers = [...new Set(sorted.map(({ project }) => project.name))];
    return tiers.flatMap((tier) => {
      const own = sorted.filter(({ project }) => project.name === tier);
      return own.sort((a, b) => rank(a) - rank(b));
    });
  }
}
