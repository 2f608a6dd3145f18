import type { Op, ValueId } from "../../ir/module.ts";
import type { SplitState } from "../pass.ts";
import { columnsOf, concatColumns, type JoinedColumns, joinColumns } from "./columns.ts";
import { type Draft, rewriteOps } from "./draft.ts";
import { isHidden } from "./fuse-matmuls.ts";

/**
 * [(x·A₁)·B₁ | (x·A₂)·B₂ | …] = low-rank(x, [A₁ | A₂ | …], B₁, B₂, …) for pairs of private matrices whose inner
 * products have no other reader: the client's message for the second product does not depend on x, so both cost one
 * round.
 */
export const fuseLowRank = (state: SplitState): SplitState => {
  const made = new Map<ValueId, JoinedColumns>();
  return rewriteOps(state, (op, draft) => {
    const first = innerProduct(op, draft);
    if (!first) return undefined;
    const [x] = first.operands as [ValueId];
    const chained = made.get(x) ?? chain(x, draft);
    if (!chained) return undefined;
    made.set(x, chained);
    return columnsOf(draft, chained, op.result);
  });
};

/** The x·A of an (x·A)·B. */
function innerProduct(op: Op, draft: Draft): Op | undefined {
  const first = draft.producer(op.operands[0]!);
  if (!first || !isHidden(op, draft) || !isHidden(first, draft)) return undefined;
  return draft.users(first.result).length === 1 && !draft.isOutput(first.result) ? first : undefined;
}

function chain(x: ValueId, draft: Draft): JoinedColumns | undefined {
  const pairs = draft.users(x).flatMap((low) => {
    const [high] = low.operands[0] === x ? draft.users(low.result) : [];
    return high && innerProduct(high, draft)?.result === low.result ? [{ low, high, b: high.operands[1]! }] : [];
  });
  // This rewrite made the value: it had no readers before.
  if (pairs.length === 0) return undefined;
  const narrow = concatColumns(
    draft,
    pairs.map(({ low }) => low.operands[1]!),
  );
  const product = draft.emit("low-rank", [x, narrow, ...pairs.map(({ b }) => b)], {}, `${x}.low_rank`);
  return joinColumns(
    product,
    pairs.map(({ high, b }) => [high.result, draft.type(b).shape[1]!]),
  );
}
