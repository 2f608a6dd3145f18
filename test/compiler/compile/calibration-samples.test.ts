import { expect, test } from "vitest";
import { calibrationOneHot } from "../../../compiler/compile/calibration-samples.ts";
import { tensor } from "../../../ir/tensor.ts";

test("a one-hot row is 1 at its index, and a negative index counts from the end", () => {
  const rows = calibrationOneHot(tensor([2], [1, -1]), 3, [2, 3]);
  expect([...rows.data]).toEqual([0, 1, 0, 0, 0, 1]);
});

test.each([3, -4, 0.5])("an index out of range is refused: %f", (index) => {
  expect(() => calibrationOneHot(tensor([1], [index]), 3, [1, 3])).toThrow(/MRL0665/);
});
