import type { Shape } from "../type.ts";
import { defineOp } from "./define.ts";
import { numbersOf } from "./helpers/attrs.ts";
import { keepScale } from "./helpers/scales.ts";
import { show, stridesOf } from "./helpers/shapes.ts";
import { view } from "./helpers/tensors.ts";

function permuted(shape: Shape, perm: readonly number[]): Shape {
  if (perm.length !== shape.length || !shape.every((_, axis) => perm.includes(axis))) {
    throw new Error(`expected a permutation of the axes of ${show(shape)}, found [${perm.join(", ")}]`);
  }
  return perm.map((axis) => shape[axis]!);
}

export const transpose = defineOp({
  name: "transpose",
  summary: "axis i of the result is axis perm[i] of x",
  operands: ["x"],
  attrs: { perm: { kind: "ints" } },
  onnx: [{ op: "Transpose", attrs: ({ perm }) => (perm === undefined ? {} : { perm }) }],
  shape: ([x], attrs) => permuted(x!, numbersOf(attrs, "perm")),
  range: ([a]) => a!,
  linear: "joint",
  evaluate: ([x], attrs) => {
    const perm = numbersOf(attrs, "perm");
    const strides = stridesOf(x!.shape);
    return view(
      x!,
      permuted(x!.shape, perm),
      perm.map((axis) => strides[axis]!),
    );
  },
  fixed: "integers",
  scales: keepScale,
});
