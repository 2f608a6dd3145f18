import type { Tensor } from "../tensor.ts";
import { broadcast, sameShape } from "../type.ts";
import { defineOp } from "./define.ts";
import { interval, magnitude } from "./helpers/interval.ts";
import { capScale } from "./helpers/scales.ts";
import { formatShape } from "./helpers/shapes.ts";
import { zip } from "./helpers/tensors.ts";

/** [a | b] becomes [−b | a], halves of the last axis. */
function rotateHalf(x: Tensor): Tensor {
  const width = x.shape.at(-1)!;
  const half = width / 2;
  const turned = (_: number, i: number): number => (i % width < half ? 0 - x.data[i + half]! : x.data[i - half]!);
  return { shape: x.shape, data: x.data.map(turned) };
}

export const rope = defineOp({
  name: "rope",
  summary: "rotary position embedding: x ∘ cos + rotate_half(x) ∘ sin",
  operands: ["x", "cos", "sin"],
  attrs: {},
  shape: ([x, ...tables]) => {
    const fits = tables.every((table) => sameShape(broadcast(x!, table) ?? [], x!));
    if (!fits || x!.length === 0 || x!.at(-1)! % 2 !== 0) {
      throw new Error(
        `expected an even last axis and tables that broadcast to x, found ${[x!, ...tables].map(formatShape).join(", ")}`,
      );
    }
    return x!;
  },
  range: ([x, cos, sin]) => {
    const most = magnitude(x!) * (magnitude(cos!) + magnitude(sin!));
    return interval(-most, most);
  },
  linear: "each",
  exactScale: ([x, cos]) => x! + cos!,
  evaluate: ([x, cos, sin]) =>
    zip(
      zip(x!, cos!, (a, b) => a * b),
      zip(rotateHalf(x!), sin!, (a, b) => a * b),
      (a, b) => a + b,
    ),
  fixed: "integers",
  // The result is read at query precision: two more bits are enough for the tables.
  scales: ([x], _attrs, { activation, query }) => ({
    operands: [capScale(x, activation), query + 2, query + 2],
    result: capScale(x, activation) + query + 2,
  }),
});
