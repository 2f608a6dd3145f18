import { expect, test } from "vitest";
import { unevenFeatures } from "../../../compiler/api/uneven-features.ts";
import type { TypedTensor } from "../../../compiler/tensors/index.ts";
import { tensor } from "../../../ir/tensor.ts";

const run = (...data: readonly number[]) => {
  const x: TypedTensor = { dtype: "float32", tensor: tensor([2, 3], data) };
  return { inputs: new Map([["x", x]]), outputs: new Map() };
};

test("features that dwarf others are told", () => {
  expect(unevenFeatures([run(2e6, 1, 0, -1e6, 2, 0), run(1, -3, 0, 5, 1, 0)])).toEqual([
    { input: "x", feature: 0, largest: 2e6, least: 3 },
  ]);
  expect(unevenFeatures([run(100, 1, 0, -50, 2, 0)])).toEqual([]);
  expect(unevenFeatures([])).toEqual([]);
});
