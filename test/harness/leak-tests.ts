import { describe, expect, it } from "vitest";
import { type Corrupted, compareViews } from "./compare-views.ts";
import { type BreakName, breaks } from "./leak-breaks.ts";
import { leakSubjects } from "./leak-cases.ts";
import { limitOf } from "./leak-statistics.ts";
import type { TestedCase } from "./leak-table.ts";

/** The dealer receives something where it computes. */
const rolesOf = ({ protocol }: TestedCase): readonly Corrupted[] =>
  protocol.family === "replicated" || protocol.name === "private.lookup"
    ? ["client", "server", "dealer"]
    : ["client", "server"];
const SAMPLES = 20_000;
const BROKEN_SAMPLES = 1_500;

/** Whether the view of one of the parties tells the secrets apart. */
const caught = (test: TestedCase, name?: BreakName): boolean =>
  rolesOf(test).some((corrupted) => {
    const verdict = compareViews(test, corrupted, BROKEN_SAMPLES, name && breaks[name]);
    return verdict.z > limitOf(verdict.tests);
  });

/** The leak tests of a subject's rows, for a test file of their own. */
export function testLeaks(subject: keyof typeof leakSubjects): void {
  for (const test of leakSubjects[subject] as readonly TestedCase[]) {
    describe(test.name, () => {
      const samples = test.samples ?? SAMPLES;
      it(`shows a corrupted party the same for two secrets (${samples} samples, alpha 1e-6)`, () => {
        for (const corrupted of rolesOf(test)) {
          const verdict = compareViews(test, corrupted, samples);
          expect(verdict.z, `${corrupted}: ${verdict.where}`).toBeLessThan(limitOf(verdict.tests));
        }
      });

      // Beside its broken twins, by the very same test.
      it("passes unbroken", () => expect(caught(test)).toBe(false));
      it.each(test.breaks)("is caught when %s", (name) => expect(caught(test, name)).toBe(true));
    });
  }
}
