import type { Op, ValueId } from "../../ir/module.ts";
import type { SplitState } from "../pass.ts";
import { columnsOf, sideBySide } from "./columns.ts";
import { type Draft, rewriteOps } from "./draft.ts";

/** One product in the place of several, and where in its last axis each of them lies. */
interface Fused {
  readonly product: ValueId;
  readonly places: ReadonlyMap<ValueId, readonly [number, number]>;
}

/**
 * [x·U | x·V] = x·[U | V] for weights of the server's: a product with a weight that only the server knows sends x
 * once, whatever the number of columns, so that queries, keys and values, or gate and up, cost one upload.
 */
export const fuseMatmuls = (state: SplitState): SplitState => {
  const made = new Map<string, Fused>();
  return rewriteOps(state, (op, draft) => {
    if (!isHidden(op, draft)) return undefined;
    const [x] = op.operands as [ValueId, ValueId];
    const fused = made.get(x) ?? fuse(x, draft);
    if (!fused) return undefined;
    made.set(x, fused);
    const [from, to] = fused.places.get(op.result)!;
    return columnsOf(draft, fused.product, from, to, `${op.result}.part`);
  });
};

/** A product of a shared value with a matrix of the server's. */
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

function fuse(x: ValueId, draft: Draft): Fused | undefined {
  const together = draft.users(x).filter((user) => user.operands[0] === x && isHidden(user, draft));
  if (together.length < 2) return undefined;
  const weights = together.map((user) => user.operands[1]!);
  const places = new Map<ValueId, readonly [number, number]>();
  let from = 0;
  together.forEach((user, k) => {
    const to = from + draft.type(weights[k]!).shape[1]!;
    places.set(user.result, [from, to]);
    from = to;
  });
  return { product: draft.emit("matmul", [x, sideBySide(draft, weights)], {}, `${x}.products`), places };
}
