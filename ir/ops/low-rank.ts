import type { Tensor } from "../tensor.ts";
import type { Shape } from "../type.ts";
import { concat } from "./concat.ts";
import { defineOp } from "./define.ts";
import { shiftDown } from "./helpers/fixed-point.ts";
import { hull, repeated, times } from "./helpers/interval.ts";
import { exactMatmul, matmulOf, matmulShape } from "./helpers/matmul.ts";
import { capScale } from "./helpers/scales.ts";
import { formatShape } from "./helpers/shapes.ts";
import { slice } from "./slice.ts";

type MatrixMultiply = (a: Tensor, b: Tensor) => Tensor;

const last = { axis: -1 };

function shapeOf([x, a, ...bs]: readonly Shape[]): Shape {
  const low = matmulShape(x!, a!);
  const ranks = bs.reduce((sum, b) => sum + (b[0] ?? 0), 0);
  if (bs.some((b) => b.length !== 2) || ranks !== low.at(-1)) {
    throw new Error(`expected matrices with ${low.at(-1)} rows in all, found ${bs.map(formatShape).join(" and ")}`);
  }
  return concat.shape(
    bs.map((b) => low.with(-1, b[1]!)),
    last,
  );
}

/** Columns `from` to `to` of the last axis. */
function columns(x: Tensor, from: number, to: number): Tensor {
  const starts = x.shape.map(() => 0).with(-1, from);
  return slice.evaluate([x], { starts, ends: [...x.shape].with(-1, to), steps: x.shape.map(() => 1) });
}

function chain([x, a, ...bs]: readonly Tensor[], product: MatrixMultiply): Tensor {
  const low = product(x!, a!);
  let from = 0;
  const parts = bs.map((b) => {
    const to = from + b.shape[0]!;
    const part = product(columns(low, from, to), b);
    from = to;
    return part;
  });
  return concat.evaluate(parts, last);
}

export const lowRank = defineOp({
  name: "low-rank",
  summary: "[x·A₁·B₁ | x·A₂·B₂ | …] for A = [A₁ | A₂ | …], where each B has as many rows as its A has columns",
  operands: ["x", "a", "b…"],
  attrs: {},
  shape: shapeOf,
  range: ([x, a, ...bs], _attrs, [, first, ...rest]) =>
    repeated(times(repeated(times(x!, a!), first![0]!), hull(...bs)), Math.max(...rest.map((b) => b[0]!))),
  linear: "each",
  exactScale: ([x, a, b]) => x! + a! + b!,
  evaluate: (operands) => chain(operands, matmulOf),
  fixed: (raw, _attrs, [x, a, b], result) => shiftDown(chain(raw, exactMatmul), x! + a! + b! - result),
  scales: ([x, ...factors], _attrs, { activation, weight }) => {
    const scale = capScale(x, activation);
    return { operands: [scale, ...factors.map(() => weight)], result: scale + 2 * weight };
  },
});
