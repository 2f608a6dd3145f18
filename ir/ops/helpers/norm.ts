import type { Attrs } from "../../module.ts";
import type { Interval } from "../../type.ts";
import { defineOp, type OpDef } from "../define.ts";
import { numberOf } from "./attrs.ts";
import { bitsBelowUnit, capScale } from "./scales.ts";
import { formatShape, sameAsFirst } from "./shapes.ts";

interface Norm {
  readonly name: string;
  readonly summary: string;
  /** Value subtracted from a row before the row is divided by its root mean square. */
  readonly centre: (row: Float64Array) => number;
}

/** A row of n numbers whose squares sum to n has no entry above √n. */
const range: OpDef["range"] = (_ranges, _attrs, [x]): Interval => {
  const most = Math.sqrt(x!.at(-1)!);
  return { lo: -most, hi: most };
};

/** Bits of a sum of squares, with its slack, that a ring holds. */
const sumBits = 58;

/** Rows with a small deviation need more bits of x, as far as the sums of squares of others fit a ring. */
function operandScale(attrs: Attrs, activation: number, n: number | undefined): number {
  if (n === undefined) return activation;
  const least = Math.sqrt(numberOf(attrs, "sum_lo") / n + numberOf(attrs, "epsilon"));
  const room = Math.floor((sumBits - Math.log2(Math.max(1, numberOf(attrs, "sum_hi")))) / 2);
  return Math.max(activation, Math.min(activation + bitsBelowUnit(least), room));
}

/** (x − centre) / √(mean((x − centre)²) + epsilon) over the last axis, without norm weight and bias. */
export function norm({ name, summary, centre }: Norm): OpDef {
  return defineOp({
    name,
    summary,
    operands: ["x"],
    attrs: {
      epsilon: { kind: "float" },
      sum_lo: { kind: "float", default: 0, summary: "least sum over a row of (x − centre)², set by 4-quantize" },
      sum_hi: { kind: "float", default: 0, summary: "greatest such sum; 0: unknown" },
    },
    shape: ([x]) => {
      if (x!.length === 0) throw new Error(`expected at least one axis, found ${formatShape(x!)}`);
      return sameAsFirst([x!]);
    },
    range,
    linear: "none",
    evaluate: ([x], attrs) => {
      const length = x!.shape.at(-1)!;
      const data = x!.data.slice();
      for (let at = 0; at < data.length; at += length) {
        const row = data.subarray(at, at + length);
        const middle = centre(row);
        const square = row.reduce((sum, value) => sum + (value - middle) ** 2, 0) / length;
        const root = Math.sqrt(square + numberOf(attrs, "epsilon"));
        for (let i = 0; i < length; i++) row[i] = (row[i]! - middle) / root;
      }
      return { shape: x!.shape, data };
    },
    fixed: "rounded",
    scales: ([x], attrs, { activation }, known) => ({
      operands: [capScale(x, operandScale(attrs, activation, known?.shapes[0]?.at(-1)))],
      result: activation,
    }),
  });
}
