import { describe, expect, it } from "vitest";
import { type Corrupted, compareViews } from "./compare-views.ts";
import { type BreakName, breaks } from "./leak-breaks.ts";
import { leakSubjects } from "./leak-cases.ts";
import { limitOf } from "./leak-statistics.ts";
import type { TestedCase } from "./leak-table.ts";

/** The dealer receives messages only where it computes. */
const rolesOf = ({ protocol }: TestedCase): readonly Corrupted[] =>
  protocol.family === "replicated" || protocol.name === "private.lookup"
    ? ["client", "server", "dealer"]
    : ["client", "server"];
const SAMPLES = 20_000;
/** A break that shows in few samples needs no more. */
const BROKEN_SAMPLES = [300, 1_500];

/** Whether the view of one of the parties distinguishes the secrets. */
const caught = (test: TestedCase, name?: BreakName): boolean =>
  BROKEN_SAMPLES.some((samples) =>
    rolesOf(test).some((corrupted) => {
      const verdict = compareViews(test, corrupted, samples, name && breaks[name]);
      return verdict.z > limitOf(verdict.tests);
    }),
  );

/** The leak tests of the rows of one subject, which have a test file of their own. */
export function testLeaks(subject: keyof typeof leakSubjects): void {
  for (const test of leakSubjects[subject] as readonly TestedCase[]) {
    describe(test.name, () => {
      const samples = test.samples ?? SAMPLES;
      it(`gives a corrupted party the same view of two secrets (${samples} samples, alpha 1e-6)`, () => {
        for (const corrupted of rolesOf(test)) {
          const verdict = compareViews(test, corrupted, samples);
          expect(verdict.z, `${corrupted}: ${verdict.where}`).toBeLessThan(limitOf(verdict.tests));
        }
      });

      // Checked by the same test as the broken variants.
      it("passes the leak test without a break", () => expect(caught(test)).toBe(false));
      it.each(test.breaks)("fails the leak test when %s", (name) => expect(caught(test, name)).toBe(true));
    });
  }
}
