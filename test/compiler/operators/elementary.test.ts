import { describe, expect, it } from "vitest";
import { codesOf } from "../onnx/format/build-model.ts";
import { agreesWithRuntime, type Case, type In, imported, ints, of, positive } from "./one-node.ts";

const unit = (shape: number[]): In => ({ shape, most: 0.9 });
const given = (...values: number[]): In => ({ shape: [values.length], values });
const whole = (...values: number[]): In => ({ ...given(...values), dtype: "int64" });

const functions: readonly Case[] = [
  { op: "Tan", inputs: [unit([3, 4])] },
  { op: "Sinh", inputs: [of(3, 4)] },
  { op: "Cosh", inputs: [of(3, 4)] },
  { op: "Asinh", inputs: [of(3, 4)] },
  { op: "Acosh", inputs: [{ shape: [3], values: [1.5, 2, 7] }] },
  { op: "Atanh", inputs: [unit([3, 4])] },
  { op: "Round", inputs: [given(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.4, -0.6, 3)] },
  { op: "Hardmax", inputs: [of(2, 3, 4)], attrs: { axis: 1 } },
  { op: "Hardmax", inputs: [of(2, 3, 4)], opset: 11 },
  { op: "LRN", inputs: [of(2, 5, 3, 3)], attrs: { size: 3, alpha: { float: 0.01 }, bias: { float: 2 } } },
  { op: "LRN", inputs: [of(1, 4, 6, 2)], attrs: { size: 5, beta: { float: 0.5 } } },
  { op: "LpPool", inputs: [of(1, 2, 5, 6)], attrs: { kernel_shape: [2, 3], strides: [2, 1], pads: [1, 0, 0, 1] } },
  { op: "LpPool", inputs: [of(1, 2, 6)], attrs: { kernel_shape: [2], p: 1 } },
  { op: "GlobalLpPool", inputs: [of(2, 3, 4, 5)] },
  { op: "Mod", inputs: [whole(-7, 7, -6, 0, 5), whole(3, -3, 3, 2, 4)] },
  { op: "Mod", inputs: [given(-7.5, 7.5, 2), given(2, -2, 3)], attrs: { fmod: 1 } },
  { op: "Div", inputs: [whole(-7, 7, -6, 0, 5), whole(3, -3, 3, 2, 4)] },
];
describe("functions of elements", () => agreesWithRuntime(functions));

const marks = (...values: number[]): In => ({ ...ints(...values), dtype: "bool" });
const places: readonly Case[] = [
  { op: "NonZero", inputs: [{ ...ints(0, 1, 2, 0, 0, 3), shape: [2, 3] }] },
  { op: "Compress", inputs: [of(3, 4), marks(1, 0, 1)], attrs: { axis: 0 } },
  { op: "Compress", inputs: [of(2, 2), marks(0, 1, 1, 0)] },
  { op: "GatherND", inputs: [of(3, 4), { ...ints(0, 1, 2, -1), shape: [2, 2] }] },
  { op: "GatherND", inputs: [of(2, 3, 4), { ...ints(1, 2), shape: [2, 1] }], attrs: { batch_dims: 1 } },
  { op: "ScatterND", inputs: [of(4, 3), { ...ints(3, 0, 3), shape: [3, 1] }, of(3, 3)] },
  { op: "ScatterND", inputs: [of(2, 3), { ...ints(1, -1), shape: [1, 2] }, positive(1)] },
];
describe("places", () => agreesWithRuntime(places));

it("refuses shapes that depend on secrets", () => {
  expect(codesOf(() => imported({ op: "NonZero", inputs: [of(3)] }))).toEqual(["MRL0404"]);
  expect(codesOf(() => imported({ op: "LpPool", inputs: [of(1, 1, 4)], attrs: { kernel_shape: [2], p: 3 } }))).toEqual([
    "MRL0404",
  ]);
});
