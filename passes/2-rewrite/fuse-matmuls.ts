import type { Op, ValueId } from "../../ir/module.ts";
import type { SplitState } from "../pass.ts";
import { columnsOf, concatColumns, type JoinedColumns, joinColumns } from "./columns.ts";
import { type Draft, rewriteOps } from "./draft.ts";

/**
 * [x·U | x·V] = x·[U | V] for private weights: a product with a private weight sends x once, whatever the number of
 * columns. So queries, keys and values, or gate and up, cost one upload.
 */
export const fuseMatmuls = (state: SplitState): SplitState => {
  const made = new Map<ValueId, JoinedColumns>();
  return rewriteOps(state, (op, draft) => {
    if (!isHidden(op, draft)) return undefined;
    const [x] = op.operands as [ValueId, ValueId];
    const fused = made.get(x) ?? fuse(x, draft);
    if (!fused) return undefined;
    made.set(x, fused);
    return columnsOf(draft, fused, op.result);
  });
};

/** Whether the op is a product of a shared value and a private matrix. */
export function isHidden(op: Op, draft: Draft): boolean {
  const [x, w] = op.operands;
  return (
    op.name === "matmul" &&
    draft.type(x!).label === "shared" &&
    draft.isParam(w!) &&
    draft.type(w!).label === "server" &&
    draft.type(w!).shape.length === 2
  );
}

function fuse(x: ValueId, draft: Draft): JoinedColumns | undefined {
  const together = draft.users(x).filter((user) => user.operands[0] === x && isHidden(user, draft));
  if (together.length < 2) return undefined;
  const weights = together.map((user) => user.operands[1]!);
  const product = draft.emit("matmul", [x, concatColumns(draft, weights)], {}, `${x}.products`);
  return joinColumns(
    product,
    together.map((user, k) => [user.result, draft.type(weights[k]!).shape[1]!]),
  );
}
