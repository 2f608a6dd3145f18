import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that take longest, longest first: one that starts last leaves every other core idle. vitest knows durations
 * from the second run on; a fresh clone has this list alone.
 */
const long: readonly string[] = [
  "targets/emit",
  "compiler/architectures",
  "compiler/sigma",
  "runtime/protocols/leaks-nonlinear",
  "runtime/protocols/leaks-crypten",
  "runtime/protocols/declared-error",
  "runtime/protocols/traffic",
  "mutants/mutants",
  "runtime/protocols/leaks-replicated",
  "runtime/protocols/leaks-ordering",
  "end-to-end/date",
  "end-to-end/generate",
  "end-to-end/non-interference",
  "end-to-end/date-exports",
  "cli/exact",
  "compiler/families/secure",
  "end-to-end/families",
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
