import { expect, test } from "vitest";
import { absenceSeconds, jitteredMs } from "../../../compiler/services/reach-parties.ts";

test("a busy service is asked again around the time that it said, and never at once", () => {
  const [first, last] = ["0".repeat(32), "f".repeat(32)];
  expect([jitteredMs(10, first), Math.round(jitteredMs(10, last))]).toEqual([5_000, 15_000]);
  expect(jitteredMs(0, first)).toBe(500);
});

test("a party that is away is asked again soon, and then seldom", () => {
  expect([0, 1, 2, 3, 4, 5].map(absenceSeconds)).toEqual([1, 2, 4, 8, 10, 10]);
});
