import { expect, test } from "vitest";
import { jitteredMs } from "../../../compiler/services/reach-parties.ts";

test("a busy service is asked again around the time that it said, and never at once", () => {
  const [first, last] = ["0".repeat(32), "f".repeat(32)];
  expect([jitteredMs(10, first), Math.round(jitteredMs(10, last))]).toEqual([5_000, 15_000]);
  expect(jitteredMs(0, first)).toBe(500);
});
