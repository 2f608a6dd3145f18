import { expect, test } from "vitest";
import { wholeRuns } from "../../scripts/whole/right-or-refused.ts";

/** A short form of `npm run right-or-refused`. */
const seeds = [3, 6, 10, 107, 115, 121];

test.each(seeds)("every answer of network %i is right, or refused, or marked", async (seed) => {
  const runs = await wholeRuns(seed, { inputs: 8 });
  expect(runs).toHaveLength(8);
  expect(runs.filter(({ outcome }) => outcome === "wrong")).toEqual([]);
});

test("inputs beyond their ranges are refused, and others are answered", async () => {
  const runs = await wholeRuns(4, { inputs: 24 });
  const outcomes = new Set(runs.map(({ outcome }) => outcome));
  expect(outcomes).toContain("right");
  expect(outcomes).toContain("refused by the client");
});
