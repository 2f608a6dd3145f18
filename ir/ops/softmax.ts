import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { onnxAxis } from "./helpers/elementwise.ts";
import { unit } from "./helpers/interval.ts";
import { capScale } from "./helpers/scales.ts";
import { axisOf, sameAsFirst } from "./helpers/shapes.ts";
import { splitAtAxis } from "./helpers/tensors.ts";

export const softmax = defineOp({
  name: "softmax",
  summary: "exp(x) / Σ exp(x) along an axis",
  operands: ["x"],
  attrs: {
    axis: { kind: "int", default: -1 },
    sum_lo: { kind: "float", default: 0, summary: "least Σ exp(x − max x) along the axis, set by 4-quantize" },
    sum_hi: { kind: "float", default: 0, summary: "greatest such sum; 0: unknown" },
  },
  onnx: [{ op: "Softmax", attrs: onnxAxis(-1) }],
  shape: ([x], attrs) => {
    axisOf(numberOf(attrs, "axis"), x!.length);
    return sameAsFirst([x!]);
  },
  range: () => unit,
  linear: "none",
  evaluate: ([x], attrs) => {
    const { outer, size, inner } = splitAtAxis(x!.shape, axisOf(numberOf(attrs, "axis"), x!.shape.length));
    const data = x!.data.slice();
    for (let row = 0; row < outer * inner; row++) {
      const start = Math.floor(row / inner) * size * inner + (row % inner);
      const end = start + size * inner;
      let most = -Infinity;
      for (let at = start; at < end; at += inner) most = Math.max(most, data[at]!);
      let sum = 0;
      for (let at = start; at < end; at += inner) {
        data[at] = Math.exp(data[at]! - most);
        sum += data[at]!;
      }
      for (let at = start; at < end; at += inner) data[at] = data[at]! / sum;
    }
    return { shape: x!.shape, data };
  },
  fixed: "rounded",
  scales: ([x], _attrs, precision) => ({
    operands: [capScale(x, precision.activation)],
    result: precision.probability,
  }),
});
