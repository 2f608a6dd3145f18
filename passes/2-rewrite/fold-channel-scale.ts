import { join } from "../../ir/label.ts";
import type { Op, ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { sizeOf } from "../../ir/type.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, derivedParam, rewriteOps } from "./draft.ts";

/** Axis of the output channels of each product with a weight: in the result, and in the weight. */
const products: Readonly<Record<string, (rank: number) => { readonly result: number; readonly weight: number }>> = {
  conv: () => ({ result: 1, weight: 0 }),
  matmul: (rank) => ({ result: rank - 1, weight: 1 }),
};

/**
 * (x∘W + c)·g + b = x∘(W·g) + (c·g + b) for a convolution or matrix product ∘ and one scale in g per output channel:
 * batch normalization after such a layer costs nothing. This folds g into W and into the addends on the way. A public W
 * must stay public, since a product with a private one needs a protocol: there a private g stays. The values in between
 * must have no other reader.
 */
export const foldChannelScale = (state: SplitState): SplitState =>
  rewriteOps(state, (op, draft) => {
    if (op.name !== "mul") return undefined;
    const scale = op.operands.find(draft.isParam);
    const value = op.operands.find((id) => id !== scale);
    if (scale === undefined || value === undefined || draft.isParam(value)) return undefined;
    return isFoldable(value, scale, draft) ? scaled(value, scale, op, draft) : undefined;
  });

function isFoldable(id: ValueId, scale: ValueId, draft: Draft): boolean {
  const op = draft.producer(id);
  if (!op || draft.isOutput(id) || draft.users(id).length !== 1) return false;
  if (op.name === "add") {
    const [addend, rest] = addendOf(op, draft);
    return addend !== undefined && rest !== undefined && isFoldable(rest, scale, draft);
  }
  const axes = products[op.name]?.(draft.type(id).shape.length);
  const weight = op.operands[1];
  if (!axes || weight === undefined || !draft.isParam(weight) || draft.isParam(op.operands[0]!)) return false;
  const { label, shape } = draft.type(weight);
  const isMatrix = op.name === "conv" || shape.length === 2;
  return isMatrix && isAlong(scale, id, axes.result, draft) && join(label, draft.type(scale).label) === label;
}

/** The param of a sum, and its other operand. */
function addendOf(op: Op, draft: Draft): readonly [ValueId | undefined, ValueId | undefined] {
  const addend = op.operands.find(draft.isParam);
  return [addend, op.operands.find((id) => id !== addend)];
}

/** Whether a param has one entry per index of an axis of the value. A single entry stays, with its own precision. */
function isAlong(scale: ValueId, value: ValueId, axis: number, draft: Draft): boolean {
  const whole = draft.type(value).shape;
  const { shape } = draft.type(scale);
  const own = axis - (whole.length - shape.length);
  return shape[own] === whole[axis] && sizeOf(shape) === whole[axis];
}

function scaled(id: ValueId, scale: ValueId, origin: Op, draft: Draft): ValueId {
  const op = draft.producer(id)!;
  const result = `${origin.result}.${op.name === "add" ? "sum" : "folded"}`;
  if (op.name === "add") {
    const [addend, rest] = addendOf(op, draft) as readonly [ValueId, ValueId];
    return draft.emit("add", [scaled(rest, scale, origin, draft), product(addend, scale, draft)], {}, result);
  }
  const [x, weight] = op.operands as [ValueId, ValueId];
  const axes = products[op.name]!(draft.type(id).shape.length);
  const along = alongAxis(draft.weight(scale), axes.weight, draft.type(weight).shape.length);
  return draft.emit(op.name, [x, product(weight, scale, draft, along)], op.attrs, result);
}

/** The product of two params, as a param. */
const product = (a: ValueId, scale: ValueId, draft: Draft, value: Tensor = draft.weight(scale)): ValueId =>
  derivedParam(draft, [a, scale].map(draft.weightName).join("*"), "mul", [
    { value: draft.weight(a), label: draft.type(a).label },
    { value, label: draft.type(scale).label },
  ]);

/** The scale, laid along one axis of a weight of this rank. */
const alongAxis = ({ data }: Tensor, axis: number, rank: number): Tensor => ({
  shape: Array.from({ length: rank }, (_, at) => (at === axis ? data.length : 1)),
  data,
});
