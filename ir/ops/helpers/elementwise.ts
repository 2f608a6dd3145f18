import type { Element, Interval } from "../../type.ts";
import { defineOp, type OpDef } from "../define.ts";
import { onnxNumber } from "./attrs.ts";
import { broadcastAll, sameAsFirst } from "./shapes.ts";
import { map, zip } from "./tensors.ts";

interface ElementwiseDef {
  readonly name: string;
  readonly summary: string;
  /** ONNX operator of the same meaning and operands. */
  readonly onnx?: string;
  readonly linear?: OpDef["linear"];
  readonly scales?: OpDef["scales"];
  readonly fixed?: OpDef["fixed"];
  readonly element?: Element;
}

const shared = ({ name, summary, onnx, linear = "none", scales, fixed = "rounded", element }: ElementwiseDef) => ({
  name,
  summary,
  attrs: {},
  linear,
  fixed,
  ...(onnx && { onnx: [{ op: onnx }] }),
  ...(scales && { scales }),
  ...(element && { element: () => element }),
});

/** A function of each element alone. */
export function unary(
  def: ElementwiseDef & { readonly f: (x: number) => number; readonly range: (a: Interval) => Interval },
): OpDef {
  return defineOp({
    ...shared(def),
    operands: ["x"],
    shape: sameAsFirst,
    range: ([a]) => def.range(a!),
    evaluate: ([x]) => map(x!, def.f),
  });
}

/** A function of two elements, with numpy broadcasting. */
export function binary(
  def: ElementwiseDef & {
    readonly f: (x: number, y: number) => number;
    readonly range: (a: Interval, b: Interval) => Interval;
  },
): OpDef {
  return defineOp({
    ...shared(def),
    operands: ["x", "y"],
    shape: broadcastAll,
    range: ([a, b]) => def.range(a!, b!),
    evaluate: ([x, y]) => zip(x!, y!, def.f),
  });
}

/** The `axis` attribute of an ONNX node. */
export const onnxAxis = (absent: number) => (onnx: Parameters<typeof onnxNumber>[0]) => ({
  axis: onnxNumber(onnx, "axis", absent),
});
