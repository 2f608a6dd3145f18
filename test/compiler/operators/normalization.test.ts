import { describe } from "vitest";
import { agreesWithRuntime, type Case, of, positive } from "./one-node.ts";

const norms: readonly Case[] = [
  { op: "InstanceNormalization", inputs: [of(2, 3, 4, 5), of(3), of(3)], attrs: { epsilon: { float: 0.01 } } },
  { op: "GroupNormalization", inputs: [of(2, 6, 4), of(6), of(6)], attrs: { num_groups: 3 }, opset: 21 },
  { op: "GroupNormalization", inputs: [of(2, 6, 2, 2), of(6), of(6)], attrs: { num_groups: 1 }, opset: 21 },
  { op: "MeanVarianceNormalization", inputs: [of(2, 3, 4, 5)] },
  { op: "MeanVarianceNormalization", inputs: [of(2, 3, 4)], attrs: { axes: [1, -1] } },
  { op: "LpNormalization", inputs: [of(2, 3, 4)], attrs: { axis: 1 } },
  { op: "LpNormalization", inputs: [of(2, 3, 4)], attrs: { p: 1 } },
  {
    op: "LayerNormalization",
    inputs: [of(2, 3, 4), of(3, 4), of(3, 4)],
    attrs: { axis: 1 },
    outputs: [true, true, true],
  },
  { op: "LayerNormalization", inputs: [of(2, 3, 4), of(4)], outputs: [true, false, true] },
  { op: "BatchNormalization", inputs: [of(2, 3, 4), of(3), of(3), of(3), positive(3)], opset: 15 },
  {
    op: "BatchNormalization",
    inputs: [of(4, 3, 5), of(3), of(3), of(3), positive(3)],
    attrs: { training_mode: 1, momentum: { float: 0.75 } },
    outputs: [true, true, true],
    opset: 15,
  },
];

describe("normalisation", () => agreesWithRuntime(norms));
