import { join } from "../../ir/label.ts";
import type { Op, ValueId } from "../../ir/module.ts";
import { opDef, withDefaults } from "../../ir/registry.ts";
import { sizeOf } from "../../ir/type.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, type OpRule, rewriteOps } from "./draft.ts";

/**
 * An operator on weights alone becomes a weight, known to those who know all operands. A private product that is larger
 * than its two factors stays: it may be a low-rank pair.
 */
export const foldConstants = (state: SplitState): SplitState => rewriteOps(state, foldUnless(isLowRank));

/** Folds all products too: by now every low-rank pair is applied to an activation. */
export const foldWeights = (state: SplitState): SplitState =>
  rewriteOps(
    state,
    foldUnless(() => false),
  );

type OpTest = (op: Op, draft: Draft) => boolean;

const foldUnless = (isKept: OpTest): OpRule => {
  /** Names of the weights that a folded one follows from: its own name says them to readers and to the flow checker. */
  const sources = new Map<ValueId, readonly string[]>();
  return (op, draft) => {
    if (op.operands.length === 0 || !op.operands.every(draft.isParam) || op.name === "reveal") return undefined;
    const label = join(...op.operands.map((id) => draft.type(id).label));
    if (label !== "public" && isKept(op, draft)) return undefined;
    const def = opDef(op.name);
    const attrs = withDefaults(def, op.attrs);
    const value = def.evaluate(op.operands.map(draft.weight), attrs);
    const elements = op.operands.map((id) => draft.type(id).element);
    const from = [...new Set(op.operands.flatMap((id) => sources.get(id) ?? [draft.weightName(id)]))];
    const element = def.element ? def.element(elements, attrs) : elements[0]!;
    const folded = draft.param(`${op.result} of ${from.join(" & ")}`, value, label, element);
    sources.set(folded, from);
    return folded;
  };
};

function isLowRank(op: Op, draft: Draft): boolean {
  const sizes = [...op.operands, op.result].map((id) => sizeOf(draft.type(id).shape));
  return op.name === "matmul" && sizes[2]! > sizes[0]! + sizes[1]!;
}
