import type { Tensor } from "../tensor.ts";
import type { Shape } from "../type.ts";
import { attention } from "./attention.ts";
import { concat } from "./concat.ts";
import { defineOp } from "./define.ts";
import { hull } from "./helpers/interval.ts";
import { capScale } from "./helpers/scales.ts";

/** Axis of the positions in keys and values. */
const sequenceAxis = 2;

/** q with all keys and values: the cached ones, then the new ones. */
const withPast = ([q, k, v, pastK, pastV]: readonly Tensor[]): readonly Tensor[] => [
  q!,
  concat.evaluate([pastK!, k!], { axis: sequenceAxis }),
  concat.evaluate([pastV!, v!], { axis: sequenceAxis }),
];
const shapesWithPast = ([q, k, v, pastK, pastV]: readonly Shape[]): readonly Shape[] => [
  q!,
  concat.shape([pastK!, k!], { axis: sequenceAxis }),
  concat.shape([pastV!, v!], { axis: sequenceAxis }),
];

export const cachedAttention = defineOp({
  name: "cached-attention",
  summary:
    "attention whose first keys and values are cached from earlier queries: attention(q, [past_k | k], [past_v | v])",
  operands: ["q", "k", "v", "past_k", "past_v"],
  attrs: attention.attrs,
  shape: (shapes, attrs) => attention.shape(shapesWithPast(shapes), attrs),
  range: ([q, k, v, pastK, pastV], attrs, shapes) =>
    attention.range([q!, hull(pastK!, k!), hull(pastV!, v!)], attrs, shapesWithPast(shapes)),
  linear: "none",
  evaluate: (operands, attrs) => attention.evaluate(withPast(operands), attrs),
  fixed: "rounded",
  scales: ([q, k, v, pastK, pastV], _attrs, precision) => ({
    operands: [
      capScale(q, precision.query),
      capScale(k, precision.query),
      capScale(v, precision.value),
      capScale(pastK, precision.query),
      capScale(pastV, precision.value),
    ],
    result: precision.activation,
  }),
});
