import { join } from "../../ir/label.ts";
import type { Op, ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { sameShape, sizeOf } from "../../ir/type.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, derivedParam, rewriteOps } from "./draft.ts";

/** n·g + b: the result of a norm with weight and bias. */
interface Affine {
  readonly n: ValueId;
  readonly normWeight: ValueId;
  readonly bias?: ValueId;
}

/**
 * (n ∘ g + b)·W = n·(diag(g)·W) + b·W for every product that reads the value, if all readers are products with weights:
 * the norm weight g costs nothing, and adding the bias is free. A public W must stay public, since a product with a
 * private one needs a protocol: there a private g stays. If other ops read the value too, as the residual sum after a
 * norm does, a private W absorbs g nevertheless: its product then starts from n, whose ring has no truncation in it.
 */
export const foldNormWeight = (state: SplitState): SplitState =>
  rewriteOps(state, (op, draft) => {
    if (op.name !== "matmul") return undefined;
    const affine = affineOf(op.operands[0]!, draft);
    return affine && foldable(op, affine, draft) ? fold(op, affine, draft) : undefined;
  });

function fold(op: Op, { n, normWeight, bias }: Affine, draft: Draft): ValueId {
  const weight = op.operands[1]!;
  const known = (id: ValueId, value: Tensor = draft.weight(id)) => ({ value, label: draft.type(id).label });
  const names = [weight, normWeight].map(draft.weightName).join("*");
  const scaled = derivedParam(draft, names, "mul", [
    known(weight),
    known(normWeight, scaleVector(draft.weight(normWeight), true)),
  ]);
  const product = draft.emit("matmul", [n, scaled], {}, `${op.result}.${bias === undefined ? "folded" : "product"}`);
  if (bias === undefined) return product;
  const moved = derivedParam(draft, [bias, weight].map(draft.weightName).join("*"), "matmul", [
    known(bias, scaleVector(draft.weight(bias), false)),
    known(weight),
  ]);
  return draft.emit("add", [product, moved], {}, `${op.result}.folded`);
}

/** A vector over the inner axis, as a column that scales rows of W or as a row that is multiplied by W. */
const scaleVector = (vector: Tensor, column: boolean): Tensor => {
  const size = sizeOf(vector.shape);
  return { shape: column ? [size, 1] : [1, size], data: vector.data };
};

function affineOf(id: ValueId, draft: Draft): Affine | undefined {
  const sum = draft.producer(id);
  if (sum?.name === "add") {
    const bias = sum.operands.find((operand) => isVector(operand, id, draft));
    const rest = sum.operands.find((operand) => operand !== bias);
    const inner = bias === undefined || rest === undefined ? undefined : affineOf(rest, draft);
    const alone = rest !== undefined && draft.users(rest).length === 1 && !draft.isOutput(rest);
    return inner && alone && inner.bias === undefined ? { ...inner, bias: bias! } : undefined;
  }
  if (sum?.name !== "mul") return undefined;
  const normWeight = sum.operands.find((operand) => isVector(operand, id, draft));
  const n = sum.operands.find((operand) => operand !== normWeight);
  if (normWeight === undefined || n === undefined || draft.isParam(n)) return undefined;
  return sameShape(draft.type(n).shape, draft.type(id).shape) ? { n, normWeight } : undefined;
}

/** A param with one entry per column of the value, and no other axis. */
function isVector(id: ValueId, value: ValueId, draft: Draft): boolean {
  const { shape } = draft.type(id);
  const inner = draft.type(value).shape.at(-1)!;
  return draft.isParam(id) && shape.at(-1) === inner && sizeOf(shape) === inner;
}

function foldable(op: Op, affine: Affine, draft: Draft): boolean {
  const id = op.operands[0]!;
  if (!takesNormWeight(op, id, affine, draft)) return false;
  if (draft.type(op.operands[1]!).label === "server") return true;
  return !draft.isOutput(id) && draft.users(id).every((user) => takesNormWeight(user, id, affine, draft));
}

/** Whether the op is a product with a matrix that may absorb the norm weight. */
function takesNormWeight(op: Op, id: ValueId, { normWeight, bias }: Affine, draft: Draft): boolean {
  const [left, weight] = op.operands as [ValueId, ValueId];
  if (op.name !== "matmul" || left !== id || !draft.isParam(weight)) return false;
  const { label, shape } = draft.type(weight);
  // With a batch of matrices, the bias would become a batch of rows: not worth a case.
  if (bias !== undefined && shape.length !== 2) return false;
  return join(label, draft.type(normWeight).label) === label;
}
