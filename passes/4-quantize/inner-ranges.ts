import { evaluateOp } from "../../ir/interpret.ts";
import type { Attrs, Op } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";

/** Extremes of an inner value of an operator, which its result does not show. */
export interface InnerRange {
  readonly lo: number;
  readonly hi: number;
}

type InnerMeasure = (operands: readonly Tensor[], attrs: Attrs) => InnerRange;

/** Operators with such inner values: their extremes on given operands. */
export const measures: Readonly<Record<string, InnerMeasure>> = {
  attention: (operands, attrs) => {
    const hi = largestScore(operands, attrs);
    return { lo: -hi, hi };
  },
  "cached-attention": ([q, k, , pastK], attrs) => {
    const hi = largestScore([q!, evaluateOp("concat", [pastK!, k!], { axis: 2 })], attrs);
    return { lo: -hi, hi };
  },
  "rms-norm": ([x]) => extremes(x!, (row) => sum(row, (v) => v * v)),
  "layer-norm": ([x]) =>
    extremes(x!, (row) => {
      const mean = sum(row, (v) => v) / row.length;
      return sum(row, (v) => (v - mean) ** 2);
    }),
  softmax: ([x], attrs) => {
    const last = attrs.axis === -1 || attrs.axis === x!.shape.length - 1;
    const all = { lo: 1, hi: x!.shape.at(attrs.axis as number) ?? 1 };
    return last ? extremes(x!, exponentials) : all;
  },
};

export const hasInnerRange = (op: Op): boolean => Object.hasOwn(measures, op.name);

const sum = (row: Float64Array, f: (x: number) => number): number => row.reduce((total, x) => total + f(x), 0);

function exponentials(row: Float64Array): number {
  const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
  return sum(row, (x) => Math.exp(x - most));
}

function extremes(x: Tensor, f: (row: Float64Array) => number): InnerRange {
  const length = x.shape.at(-1)!;
  let [lo, hi] = [Infinity, 0];
  for (let at = 0; at < x.data.length; at += length) {
    const value = f(x.data.subarray(at, at + length));
    lo = Math.min(lo, value);
    hi = Math.max(hi, value);
  }
  return { lo, hi };
}

/** Maximum |scale · log2 e · q·k| over unmasked scores; the protocol adds masks to what is bounded here. */
function largestScore([q, k]: readonly Tensor[], { scale, causal, window }: Attrs): number {
  const [batch, heads, rows, depth] = q!.shape as [number, number, number, number];
  const [, groups, columns] = k!.shape as [number, number, number, number];
  let most = 0;
  for (let line = 0; line < batch * heads * rows; line++) {
    const i = line % rows;
    const head = Math.floor(line / rows) % heads;
    const group = Math.floor(line / rows / heads) * groups + Math.floor((head * groups) / heads);
    const end = causal ? Math.min(columns, i + columns - rows + 1) : columns;
    const first = Number(window ?? 0) > 0 ? Math.max(0, i + columns - rows + 1 - Number(window)) : 0;
    for (let j = first; j < end; j++) {
      let score = 0;
      for (let d = 0; d < depth; d++) score += q!.data[line * depth + d]! * k!.data[(group * columns + j) * depth + d]!;
      most = Math.max(most, Math.abs(score));
    }
  }
  return most * Math.abs(scale as number) * Math.LOG2E;
}
