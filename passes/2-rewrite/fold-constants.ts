import { join } from "../../ir/label.ts";
import type { Op, ValueId } from "../../ir/module.ts";
import { opDef, withDefaults } from "../../ir/registry.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, rewriteOps } from "./draft.ts";

/**
 * f(a, b) of weights is a weight: known to those who know all of them.
 * A product of two factors is left alone unless it is public: A·B of a low-rank pair is larger than the pair.
 */
export const foldConstants = (state: SplitState): SplitState => rewriteOps(state, fold);

function fold(op: Op, draft: Draft): ValueId | undefined {
  if (op.operands.length === 0 || !op.operands.every(draft.isParam) || op.name === "reveal") return undefined;
  const label = join(...op.operands.map((id) => draft.type(id).label));
  if (op.name === "matmul" && label !== "public") return undefined;
  const def = opDef(op.name);
  const attrs = withDefaults(def, op.attrs);
  const value = def.evaluate(op.operands.map(draft.weight), attrs);
  const elements = op.operands.map((id) => draft.type(id).element);
  return draft.param(op.result, value, label, def.element ? def.element(elements, attrs) : elements[0]!);
}
