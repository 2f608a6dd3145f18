import { expect, test } from "vitest";
import { tensor } from "../../ir/tensor.ts";
import { approximate, presets } from "../../passes/3-approximate/index.ts";
import { evaluateModule, singleOpModule } from "../../scripts/tables/single-op-module.ts";

const rows = [
  [1, 3, -2, 0],
  [-1, -5, -0.5, -3],
  [40, 0, 10, -7],
  [-9, -9, 0.25, -9],
];

test("2ReLU is relu(x) + 2⁻⁸ over its sum, and uniform if no score is positive", () => {
  const x = tensor([rows.length, 4], Float64Array.from(rows.flat()));
  const state = approximate(singleOpModule("softmax", x.shape), presets.get("mpcformer-2relu")!);
  const found = evaluateModule(state, x).data;
  const wanted = rows.flatMap((row) => {
    const raised = row.map((score) => Math.max(score, 0) + 2 ** -8);
    const sum = raised.reduce((a, b) => a + b, 0);
    return raised.map((value) => value / sum);
  });
  wanted.forEach((value, k) => {
    expect(found[k]).toBeCloseTo(value, 5);
  });
  expect([...found.subarray(4, 8)].every((value) => Math.abs(value - 0.25) < 1e-5)).toBe(true);
});
