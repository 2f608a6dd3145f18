import type { Op, ValueId } from "../../ir/module.ts";
import type { SplitState } from "../pass.ts";
import { columnsOf, sideBySide } from "./columns.ts";
import { type Draft, rewriteOps } from "./draft.ts";
import { isHidden } from "./fuse-matmuls.ts";

/** One product through all low-rank pairs of a value, and where in its last axis each pair's result lies. */
interface Chained {
  readonly product: ValueId;
  readonly places: ReadonlyMap<ValueId, readonly [number, number]>;
}

/**
 * [(x·A₁)·B₁ | (x·A₂)·B₂ | …] = low-rank(x, [A₁ | A₂ | …], B₁, B₂, …) for pairs of the server's matrices whose products
 * between nobody else reads: what the client sends for the second product is known before x is, so both cost one round.
 */
export const lowRank = (state: SplitState): SplitState => {
  const made = new Map<ValueId, Chained>();
  return rewriteOps(state, (op, draft) => {
    const first = firstOf(op, draft);
    if (!first) return undefined;
    const [x] = first.operands as [ValueId];
    const chained = made.get(x) ?? chain(x, draft);
    if (!chained) return undefined;
    made.set(x, chained);
    const [from, to] = chained.places.get(op.result)!;
    return columnsOf(draft, chained.product, from, to, `${op.result}.part`);
  });
};

/** The x·A of an (x·A)·B. */
function firstOf(op: Op, draft: Draft): Op | undefined {
  const first = draft.producer(op.operands[0]!);
  if (!first || !isHidden(op, draft) || !isHidden(first, draft)) return undefined;
  return draft.users(first.result).length === 1 && !draft.isOutput(first.result) ? first : undefined;
}

function chain(x: ValueId, draft: Draft): Chained | undefined {
  const pairs = draft.users(x).flatMap((low) => {
    const [high] = low.operands[0] === x ? draft.users(low.result) : [];
    return high && firstOf(high, draft)?.result === low.result ? [{ low, high }] : [];
  });
  // A value that this rewrite made: nobody read it before.
  if (pairs.length === 0) return undefined;
  const places = new Map<ValueId, readonly [number, number]>();
  let from = 0;
  for (const { high } of pairs) {
    const to = from + draft.type(high.operands[1]!).shape[1]!;
    places.set(high.result, [from, to]);
    from = to;
  }
  const narrow = sideBySide(
    draft,
    pairs.map(({ low }) => low.operands[1]!),
  );
  const product = draft.emit(
    "low-rank",
    [x, narrow, ...pairs.map(({ high }) => high.operands[1]!)],
    {},
    `${x}.low_rank`,
  );
  return { product, places };
}
