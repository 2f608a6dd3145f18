import { describe } from "vitest";
import { agreesWithRuntime, type Case, float, of, positive } from "./one-node.ts";

const activations: readonly Case[] = [
  { op: "Elu", inputs: [of(3, 4)] },
  { op: "Elu", inputs: [of(3, 4)], attrs: { alpha: { float: 2.5 } } },
  { op: "Celu", inputs: [of(3, 4)], attrs: { alpha: { float: 0.5 } } },
  { op: "Selu", inputs: [of(3, 4)] },
  { op: "Selu", inputs: [of(3, 4)], attrs: { alpha: { float: 2 }, gamma: { float: 3 } } },
  { op: "Softplus", inputs: [{ shape: [3, 4], most: 40 }] },
  { op: "Mish", inputs: [{ shape: [3, 4], most: 40 }] },
  { op: "Softsign", inputs: [of(3, 4)] },
  { op: "HardSigmoid", inputs: [{ shape: [3, 4], most: 5 }] },
  { op: "HardSigmoid", inputs: [of(3, 4)], attrs: { alpha: { float: 0.5 }, beta: { float: 0.25 } } },
  { op: "HardSwish", inputs: [{ shape: [3, 4], most: 5 }] },
  { op: "ThresholdedRelu", inputs: [of(3, 4)], attrs: { alpha: { float: 0.5 } } },
  { op: "Shrink", inputs: [of(3, 4)], attrs: { lambd: { float: 1 }, bias: { float: 0.25 } } },
  { op: "Clip", inputs: [of(3, 4), float(-0.5), float(0.75)] },
  { op: "Clip", inputs: [of(3, 4), undefined, float(0.75)] },
  { op: "Clip", inputs: [of(3, 4), { shape: [], values: [-0.5] }, { shape: [], values: [0.75] }] },
  { op: "Clip", inputs: [of(3, 4), { shape: [], values: [-0.5] }, float(0.75)] },
  { op: "Clip", inputs: [of(3, 4), float(-0.5), { shape: [], values: [0.75] }] },
  { op: "Mean", inputs: [of(2, 3), of(3), of(2, 1)] },
  { op: "Mean", inputs: [of(2, 3)] },
];

describe("activations", () => agreesWithRuntime(activations));

const reductions: readonly Case[] = [
  { op: "ReduceL1", inputs: [of(2, 3, 4)], attrs: { axes: [1], keepdims: 0 }, opset: 13 },
  { op: "ReduceL2", inputs: [of(2, 3, 4)], attrs: { axes: [-1, 0] }, opset: 13 },
  { op: "ReduceL2", inputs: [of(2, 3, 4)], attrs: { keepdims: 0 } },
  { op: "ReduceSumSquare", inputs: [of(2, 3)], attrs: { noop_with_empty_axes: 1 } },
  { op: "ReduceLogSum", inputs: [positive(2, 3)] },
  { op: "ReduceLogSumExp", inputs: [{ shape: [2, 3], most: 90 }], attrs: { keepdims: 0 } },
  { op: "LogSoftmax", inputs: [{ shape: [2, 3, 4], most: 90 }], attrs: { axis: 1 } },
  { op: "LogSoftmax", inputs: [of(2, 3, 4)], attrs: { axis: 1 }, opset: 11 },
  {
    op: "ArgMax",
    inputs: [{ shape: [2, 4], values: [1, 3, 3, 0, 2, 2, 1, 2] }],
    attrs: { axis: 1, select_last_index: 1 },
  },
  { op: "ArgMin", inputs: [{ shape: [2, 4], values: [1, 0, 3, 0, 2, 1, 1, 2] }], attrs: { axis: -1, keepdims: 0 } },
  {
    op: "ArgMin",
    inputs: [{ shape: [2, 4], values: [1, 0, 3, 0, 2, 1, 1, 2] }],
    attrs: { axis: 1, select_last_index: 1 },
  },
];

describe("along axes", () => agreesWithRuntime(reductions));
