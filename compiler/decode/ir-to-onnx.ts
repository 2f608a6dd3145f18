import type { Attrs, Op } from "../../ir/module.ts";
import { boolOf, choiceOf, numberListOf, numberOf } from "../../ir/ops/helpers/attrs.ts";
import { opDef } from "../../ir/registry.ts";
import type { Shape } from "../../ir/type.ts";
import type { GraphWriter } from "../onnx/format/index.ts";
import { integerLimit } from "../tensors/index.ts";

/** An op to export as ONNX nodes. */
export interface OpExport {
  readonly op: Op;
  readonly operands: readonly string[];
  readonly shapes: readonly Shape[];
  /** The position axis of the result: as many positions as the graph is given. */
  readonly positionAxis: number | undefined;
  readonly writer: GraphWriter;
  /**
   * Which scores of causal attention exist, by position and key: [positions, keys]; `window`: the most keys of a
   * position, or 0 for no limit.
   */
  readonly causalMask: (window: number) => string;
}

/** Writes the nodes of an op; returns the name of their output. */
export type OnnxForm = (written: OpExport) => string;

/** One node of that name, with the same operands. */
const singleNode =
  (name: string, attrs: (attrs: Attrs) => Parameters<GraphWriter["node"]>[2] = () => ({})): OnnxForm =>
  ({ op, operands, writer }) =>
    writer.node(name, operands, attrs(op.attrs));

/** x / √(mean(x²) + epsilon) along the last axis. */
function rmsDivided(x: string, { op, writer }: OpExport): string {
  const squares = writer.node("ReduceMean", [writer.node("Mul", [x, x]), writer.integers([-1])], { keepdims: 1 });
  return writer.node("Div", [
    x,
    writer.node("Sqrt", [writer.node("Add", [squares, writer.float(numberOf(op.attrs, "epsilon"))])]),
  ]);
}

const layerNorm: OnnxForm = (written) => {
  const { operands, writer } = written;
  const mean = writer.node("ReduceMean", [operands[0]!, writer.integers([-1])], { keepdims: 1 });
  return rmsDivided(writer.node("Sub", [operands[0]!, mean]), written);
};

const reduction =
  (name: string): OnnxForm =>
  ({ op, operands, writer }) =>
    writer.node(name, [...operands, writer.integers(numberListOf(op.attrs, "axes"))], {
      keepdims: Number(boolOf(op.attrs, "keepdims")),
    });

const reshape: OnnxForm = ({ op, operands, positionAxis, writer }) => {
  const shape = numberListOf(op.attrs, "shape");
  return writer.node("Reshape", [
    ...operands,
    writer.integers(positionAxis === undefined ? shape : shape.with(positionAxis, -1)),
  ]);
};

/** All positions are taken; for an end before the first element, ONNX needs a bound that no index reaches. */
const slice: OnnxForm = ({ op, operands, positionAxis, writer }) => {
  const [starts, ends, steps] = ["starts", "ends", "steps"].map((name) => numberListOf(op.attrs, name));
  const last = ends!.map((end, axis) =>
    axis === positionAxis ? integerLimit : steps![axis]! < 0 && end < 0 ? -integerLimit : end,
  );
  const axes = starts!.map((_, axis) => axis);
  return writer.node("Slice", [...operands, ...[starts!, last, axes, steps!].map(writer.integers)]);
};

const clip: OnnxForm = ({ op, operands, writer }) => {
  const bound = (name: string): string =>
    Number.isFinite(numberOf(op.attrs, name)) ? writer.float(numberOf(op.attrs, name)) : "";
  return writer.node("Clip", [...operands, bound("lo"), bound("hi")]);
};

/** x ∘ cos + [−second half | first half] ∘ sin. */
const rope: OnnxForm = ({ operands: [x, cos, sin], shapes, writer }) => {
  const width = shapes[0]!.at(-1)!;
  const part = (from: number, to: number): string =>
    writer.node("Slice", [x!, ...[[from], [to], [-1]].map(writer.integers)]);
  const turned = writer.node("Concat", [writer.node("Neg", [part(width / 2, width)]), part(0, width / 2)], {
    axis: -1,
  });
  return writer.node("Add", [writer.node("Mul", [x!, cos!]), writer.node("Mul", [turned, sin!])]);
};

/** q [B, H, n, D], keys [B, G, m, D], values [B, G, m, E]: query head h reads key head floor(h · G / H). */
const attention: OnnxForm = ({ op, operands: [q, k, v], shapes, writer, causalMask }) => {
  const [[batch, heads, , depth], [, groups], [, , , width]] = shapes as [Shape, Shape, Shape];
  const grouped = groups !== heads;
  const apart = [batch!, groups!, heads! / groups!, -1];
  const queries = grouped ? writer.node("Reshape", [q!, writer.integers([...apart, depth!])]) : q!;
  const side = (x: string): string => (grouped ? writer.node("Unsqueeze", [x, writer.integers([2])]) : x);
  const turned = writer.node("Transpose", [side(k!)], { perm: grouped ? [0, 1, 2, 4, 3] : [0, 1, 3, 2] });
  const scores = writer.node("Mul", [
    writer.node("MatMul", [queries, turned]),
    writer.float(numberOf(op.attrs, "scale")),
  ]);
  const seen = writer.node("Where", [causalMask(numberOf(op.attrs, "window")), scores, writer.float(-Infinity)]);
  const mixed = writer.node("MatMul", [writer.node("Softmax", [seen], { axis: -1 }), side(v!)]);
  return grouped ? writer.node("Reshape", [mixed, writer.integers([batch!, heads!, -1, width!])]) : mixed;
};

/** TensorProto.DataType by element of the IR. */
const castTo = { f32: 1, i64: 7, bool: 9 } as const;
const axisOnly = (attrs: Attrs) => ({ axis: numberOf(attrs, "axis") });

const onnxForms: Readonly<Record<string, OnnxForm>> = {
  attention: attention,
  argmax: singleNode("ArgMax", (attrs) => ({ ...axisOnly(attrs), keepdims: Number(boolOf(attrs, "keepdims")) })),
  cast: singleNode("Cast", (attrs) => ({ to: choiceOf(attrs, "to", castTo) })),
  clip: clip,
  concat: singleNode("Concat", axisOnly),
  expand: ({ op, operands, writer }) =>
    writer.node("Expand", [...operands, writer.integers(numberListOf(op.attrs, "shape"))]),
  gather: singleNode("Gather", axisOnly),
  gelu: singleNode("Gelu", ({ approximate }) => ({ approximate: String(approximate) })),
  "layer-norm": layerNorm,
  maximum: singleNode("Max"),
  minimum: singleNode("Min"),
  "reduce-max": reduction("ReduceMax"),
  "reduce-mean": reduction("ReduceMean"),
  "reduce-min": reduction("ReduceMin"),
  "reduce-prod": reduction("ReduceProd"),
  "reduce-sum": reduction("ReduceSum"),
  reshape: reshape,
  "rms-norm": (written) => rmsDivided(written.operands[0]!, written),
  rope: rope,
  rsqrt: ({ operands, writer }) => writer.node("Reciprocal", [writer.node("Sqrt", operands)]),
  silu: ({ operands, writer }) => writer.node("Mul", [operands[0]!, writer.node("Sigmoid", operands)]),
  slice: slice,
  softmax: singleNode("Softmax", axisOnly),
  square: ({ operands: [x], writer }) => writer.node("Mul", [x!, x!]),
  transpose: singleNode("Transpose", (attrs) => ({ perm: numberListOf(attrs, "perm") })),
};

/** The ONNX form of an op; one that ONNX has under the same name needs no entry above. */
export function onnxFormOf({ name, attrs }: Op): OnnxForm | undefined {
  if (Object.hasOwn(onnxForms, name)) return onnxForms[name];
  const same = opDef(name).onnx?.find(({ domain, attrs: ours }) => {
    const fixed = Object.entries(ours?.({}) ?? {});
    return domain === undefined && fixed.every(([key, value]) => attrs[key] === value);
  });
  return same && singleNode(same.op);
}
