import type { Attrs, Op } from "../../ir/module.ts";
import { boolOf, choiceOf, numberOf, numbersOf } from "../../ir/ops/helpers/attrs.ts";
import { opDef } from "../../ir/registry.ts";
import type { Shape } from "../../ir/type.ts";
import type { GraphWriter } from "../onnx/format/index.ts";
import { integerLimit } from "../tensors/index.ts";

/** An op that is written as nodes. */
export interface WrittenOp {
  readonly op: Op;
  readonly operands: readonly string[];
  readonly shapes: readonly Shape[];
  /** The axis of the result along which the places lie: there are as many as the graph is given. */
  readonly places: number | undefined;
  readonly into: GraphWriter;
  /** Which scores of causal attention there are, by place and by key: [places, keys]; `window`: 0, or most keys of a place. */
  readonly visible: (window: number) => string;
}

/** Nodes for an op; the name of what they give. */
export type Form = (written: WrittenOp) => string;

/** One node of that name, with the same operands. */
const plain =
  (name: string, attrs: (attrs: Attrs) => Parameters<GraphWriter["node"]>[2] = () => ({})): Form =>
  ({ op, operands, into }) =>
    into.node(name, operands, attrs(op.attrs));

/** x / √(mean(x²) + epsilon) along the last axis. */
function divided(x: string, { op, into }: WrittenOp): string {
  const squares = into.node("ReduceMean", [into.node("Mul", [x, x]), into.integers([-1])], { keepdims: 1 });
  return into.node("Div", [
    x,
    into.node("Sqrt", [into.node("Add", [squares, into.real(numberOf(op.attrs, "epsilon"))])]),
  ]);
}

const centred: Form = (written) => {
  const { operands, into } = written;
  const mean = into.node("ReduceMean", [operands[0]!, into.integers([-1])], { keepdims: 1 });
  return divided(into.node("Sub", [operands[0]!, mean]), written);
};

const reduced =
  (name: string): Form =>
  ({ op, operands, into }) =>
    into.node(name, [...operands, into.integers(numbersOf(op.attrs, "axes"))], {
      keepdims: Number(boolOf(op.attrs, "keepdims")),
    });

const reshaped: Form = ({ op, operands, places, into }) => {
  const shape = numbersOf(op.attrs, "shape");
  return into.node("Reshape", [...operands, into.integers(places === undefined ? shape : shape.with(places, -1))]);
};

/** Of the places all are taken; an end before the first element is one that no index reaches. */
const sliced: Form = ({ op, operands, places, into }) => {
  const [starts, ends, steps] = ["starts", "ends", "steps"].map((name) => numbersOf(op.attrs, name));
  const last = ends!.map((end, axis) =>
    axis === places ? integerLimit : steps![axis]! < 0 && end < 0 ? -integerLimit : end,
  );
  const axes = starts!.map((_, axis) => axis);
  return into.node("Slice", [...operands, ...[starts!, last, axes, steps!].map(into.integers)]);
};

const clipped: Form = ({ op, operands, into }) => {
  const bound = (name: string): string =>
    Number.isFinite(numberOf(op.attrs, name)) ? into.real(numberOf(op.attrs, name)) : "";
  return into.node("Clip", [...operands, bound("lo"), bound("hi")]);
};

/** x ∘ cos + [−second half | first half] ∘ sin. */
const rotated: Form = ({ operands: [x, cos, sin], shapes, into }) => {
  const width = shapes[0]!.at(-1)!;
  const part = (from: number, to: number): string =>
    into.node("Slice", [x!, ...[[from], [to], [-1]].map(into.integers)]);
  const turned = into.node("Concat", [into.node("Neg", [part(width / 2, width)]), part(0, width / 2)], { axis: -1 });
  return into.node("Add", [into.node("Mul", [x!, cos!]), into.node("Mul", [turned, sin!])]);
};

/** q [B, H, n, D], keys [B, G, m, D], values [B, G, m, E]: query head h reads key head floor(h · G / H). */
const attended: Form = ({ op, operands: [q, k, v], shapes, into, visible }) => {
  const [[batch, heads, , depth], [, groups], [, , , width]] = shapes as [Shape, Shape, Shape];
  const grouped = groups !== heads;
  const apart = [batch!, groups!, heads! / groups!, -1];
  const queries = grouped ? into.node("Reshape", [q!, into.integers([...apart, depth!])]) : q!;
  const side = (x: string): string => (grouped ? into.node("Unsqueeze", [x, into.integers([2])]) : x);
  const turned = into.node("Transpose", [side(k!)], { perm: grouped ? [0, 1, 2, 4, 3] : [0, 1, 3, 2] });
  const scores = into.node("Mul", [into.node("MatMul", [queries, turned]), into.real(numberOf(op.attrs, "scale"))]);
  const seen = into.node("Where", [visible(numberOf(op.attrs, "window")), scores, into.real(-Infinity)]);
  const mixed = into.node("MatMul", [into.node("Softmax", [seen], { axis: -1 }), side(v!)]);
  return grouped ? into.node("Reshape", [mixed, into.integers([batch!, heads!, -1, width!])]) : mixed;
};

/** TensorProto.DataType by our elements. */
const castTo = { f32: 1, i64: 7, bool: 9 } as const;
const axisOnly = (attrs: Attrs) => ({ axis: numberOf(attrs, "axis") });

const forms: Readonly<Record<string, Form>> = {
  attention: attended,
  argmax: plain("ArgMax", (attrs) => ({ ...axisOnly(attrs), keepdims: Number(boolOf(attrs, "keepdims")) })),
  cast: plain("Cast", (attrs) => ({ to: choiceOf(attrs, "to", castTo) })),
  clip: clipped,
  concat: plain("Concat", axisOnly),
  expand: ({ op, operands, into }) => into.node("Expand", [...operands, into.integers(numbersOf(op.attrs, "shape"))]),
  gather: plain("Gather", axisOnly),
  gelu: plain("Gelu", ({ approximate }) => ({ approximate: String(approximate) })),
  "layer-norm": centred,
  maximum: plain("Max"),
  minimum: plain("Min"),
  "reduce-max": reduced("ReduceMax"),
  "reduce-mean": reduced("ReduceMean"),
  "reduce-min": reduced("ReduceMin"),
  "reduce-prod": reduced("ReduceProd"),
  "reduce-sum": reduced("ReduceSum"),
  reshape: reshaped,
  "rms-norm": (written) => divided(written.operands[0]!, written),
  rope: rotated,
  rsqrt: ({ operands, into }) => into.node("Reciprocal", [into.node("Sqrt", operands)]),
  silu: ({ operands, into }) => into.node("Mul", [operands[0]!, into.node("Sigmoid", operands)]),
  slice: sliced,
  softmax: plain("Softmax", axisOnly),
  square: ({ operands: [x], into }) => into.node("Mul", [x!, x!]),
  transpose: plain("Transpose", (attrs) => ({ perm: numbersOf(attrs, "perm") })),
};

/** How an operator is written; one that ONNX has as it is needs no line above. */
export function formOf({ name, attrs }: Op): Form | undefined {
  if (Object.hasOwn(forms, name)) return forms[name];
  const same = opDef(name).onnx?.find(({ domain, attrs: ours }) => {
    const fixed = Object.entries(ours?.({}) ?? {});
    return domain === undefined && fixed.every(([key, value]) => attrs[key] === value);
  });
  return same && plain(same.op);
}
