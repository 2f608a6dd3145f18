import type { Op, ValueId } from "../../ir/module.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, rewriteOps } from "./draft.ts";

/**
 * x·(A·B) = (x·A)·B, and x·(W + D) = x·W + x·D where D is such a product: the low-rank change D is never formed. Both
 * terms stay at double scale, so that one truncation serves their sum.
 */
export const splitLora = (state: SplitState): SplitState => rewriteOps(state, (op, draft) => apply(op, draft));

function apply(op: Op, draft: Draft): ValueId | undefined {
  if (op.name !== "matmul") return undefined;
  const [x, weight] = op.operands as [ValueId, ValueId];
  const parts = addends(weight, draft);
  if (draft.isParam(x) || !parts.some((part) => factors(part, draft))) return undefined;
  const products = parts.map((part, index) => {
    const [a, b] = factors(part, draft) ?? [];
    if (a === undefined || b === undefined) return draft.emit("matmul", [x, part], {}, `${op.result}.${index}`);
    const narrow = draft.emit("matmul", [x, a], {}, `${op.result}.${index}.a`);
    return draft.emit("matmul", [narrow, b], {}, `${op.result}.${index}.b`);
  });
  return products.reduce((sum, product) => draft.emit("add", [sum, product], {}, `${op.result}.sum`));
}

/** The two params whose product the value is. */
function factors(id: ValueId, draft: Draft): readonly ValueId[] | undefined {
  const op = draft.producer(id);
  return op?.name === "matmul" && op.operands.every(draft.isParam) ? op.operands : undefined;
}

function addends(id: ValueId, draft: Draft): readonly ValueId[] {
  const op = draft.producer(id);
  // Only sums of equal shapes: a broadcast addend is no separate weight.
  const plain =
    op?.name === "add" && op.operands.every((part) => draft.type(part).shape.length === draft.type(id).shape.length);
  return plain ? op.operands.flatMap((part) => addends(part, draft)) : [id];
}
