import type { Tensor } from "../../tensor.ts";
import { type Interval, sizeOf } from "../../type.ts";
import { defineOp, type OpDef } from "../define.ts";
import { boolOf, numberListOf } from "./attrs.ts";
import { axesOf, reducedShape } from "./shapes.ts";
import { rowsOf } from "./tensors.ts";

interface Reduction {
  readonly name: string;
  readonly summary: string;
  readonly f: (row: Float64Array) => number;
  /** Interval of the result, from that of the elements and their number. */
  readonly range: (a: Interval, count: number) => Interval;
  readonly linear?: OpDef["linear"];
  readonly fixed?: OpDef["fixed"];
  readonly scales?: OpDef["scales"];
}

export const reduceAttrs: OpDef["attrs"] = {
  axes: { kind: "ints", summary: "axes that are reduced" },
  keepdims: { kind: "bool", default: true, summary: "keep the reduced axes with size 1" },
};

export function reduction({ name, summary, f, range, linear = "none", fixed = "rounded", scales }: Reduction): OpDef {
  return defineOp({
    name,
    summary,
    operands: ["x"],
    attrs: reduceAttrs,
    linear,
    fixed,
    ...(scales && { scales }),
    shape: ([x], attrs) => reducedShape(x!, numberListOf(attrs, "axes"), boolOf(attrs, "keepdims")),
    range: ([a], attrs, [x]) =>
      range(a!, sizeOf(axesOf(numberListOf(attrs, "axes"), x!.length).map((axis) => x![axis]!))),
    evaluate: ([x], attrs) => {
      const axes = numberListOf(attrs, "axes");
      return eachRow(x!, axes, reducedShape(x!.shape, axes, boolOf(attrs, "keepdims")), f);
    },
  });
}

function eachRow(
  x: Tensor,
  axes: readonly number[],
  shape: readonly number[],
  f: (row: Float64Array) => number,
): Tensor {
  const { data, length } = rowsOf(x, axes);
  const out = new Float64Array(sizeOf(shape));
  for (let i = 0; i < out.length; i++) out[i] = f(data.subarray(i * length, (i + 1) * length));
  return { shape, data: out };
}
