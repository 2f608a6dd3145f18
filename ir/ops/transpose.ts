import type { Shape } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberListOf } from "./helpers/attrs.ts";
import { keepScale } from "./helpers/scales.ts";
import { formatShape, stridesOf } from "./helpers/shapes.ts";
import { copyStrided } from "./helpers/tensors.ts";

function permutedShape(shape: Shape, perm: readonly number[]): Shape {
  if (perm.length !== shape.length || !shape.every((_, axis) => perm.includes(axis))) {
    throw new Error(`expected a permutation of the axes of ${formatShape(shape)}, found [${perm.join(", ")}]`);
  }
  return perm.map((axis) => shape[axis]!);
}

export const transpose = defineOp({
  name: "transpose",
  summary: "axis i of the result is axis perm[i] of x",
  operands: ["x"],
  attrs: { perm: { kind: "ints" } },
  onnx: [{ op: "Transpose", attrs: ({ perm }) => (perm === undefined ? {} : { perm }) }],
  shape: ([x], attrs) => permutedShape(x!, numberListOf(attrs, "perm")),
  range: ([a]) => a!,
  linear: "joint",
  evaluate: ([x], attrs) => {
    const perm = numberListOf(attrs, "perm");
    const strides = stridesOf(x!.shape);
    return copyStrided(
      x!,
      permutedShape(x!.shape, perm),
      perm.map((axis) => strides[axis]!),
    );
  },
  fixed: "integers",
  scales: keepScale,
});
