import type { Interval } from "../../type.ts";
import { defineOp, type OpDef } from "../define.ts";
import { numberOf } from "./attrs.ts";
import { activationScale } from "./scales.ts";
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
    scales: activationScale,
  });
}
