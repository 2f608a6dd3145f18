import type { Shape } from "../type.ts";
import type { Tensor } from "../weights.ts";
import { attention } from "./attention.ts";
import { concat } from "./concat.ts";
import { defineOp } from "./define.ts";
import { hull } from "./helpers/interval.ts";
import { cap } from "./helpers/scales.ts";

/** Places lie along this axis of keys and values. */
const places = 2;

/** q with all keys and values: those of the places before, then the new ones. */
const joined = ([q, k, v, pastK, pastV]: readonly Tensor[]): readonly Tensor[] => [
  q!,
  concat.evaluate([pastK!, k!], { axis: places }),
  concat.evaluate([pastV!, v!], { axis: places }),
];
const joinedShapes = ([q, k, v, pastK, pastV]: readonly Shape[]): readonly Shape[] => [
  q!,
  concat.shape([pastK!, k!], { axis: places }),
  concat.shape([pastV!, v!], { axis: places }),
];

export const cachedAttention = defineOp({
  name: "cached-attention",
  summary:
    "attention whose first keys and values are kept from earlier queries: attention(q, [past_k | k], [past_v | v])",
  operands: ["q", "k", "v", "past_k", "past_v"],
  attrs: attention.attrs,
  shape: (shapes, attrs) => attention.shape(joinedShapes(shapes), attrs),
  range: ([q, k, v, pastK, pastV], attrs, shapes) =>
    attention.range([q!, hull(pastK!, k!), hull(pastV!, v!)], attrs, joinedShapes(shapes)),
  linear: "none",
  evaluate: (operands, attrs) => attention.evaluate(joined(operands), attrs),
  fixed: "rounded",
  scales: ([q, k, v, pastK, pastV], _attrs, precision) => ({
    operands: [
      cap(q, precision.query),
      cap(k, precision.query),
      cap(v, precision.value),
      cap(pastK, precision.query),
      cap(pastV, precision.value),
    ],
    result: precision.activation,
  }),
});
