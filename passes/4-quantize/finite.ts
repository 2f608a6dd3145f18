import type { Diagnostic } from "../../ir/diagnostic.ts";
import { opsOf, type ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { cutsOf, type SplitState } from "../pass.ts";

/**
 * Reports NaN and ∞ in weights and shared values (MRL0506): a ring holds finite numbers only, and the answer would be
 * noise. 2-rewrite/clamp-mask has replaced −∞ in masks by now, where scores allow it.
 */
export function checkFinite(state: SplitState, runs: readonly ReadonlyMap<ValueId, Tensor>[]): readonly Diagnostic[] {
  const { module, weights } = state;
  const stored = Object.entries(module.params).flatMap(([id, name]) => {
    const found = notFinite(weights.get(name));
    if (found === undefined) return [];
    const reader = opsOf(module).find(({ operands }) => operands.includes(id));
    return [
      {
        code: "MRL0506",
        message: `weight "${name}": expected finite numbers, found ${found}`,
        at: reader?.origin || `%${id}`,
        help: "repair the weight; -inf may stand only in a mask on the scores of a softmax that leaves some score in every row",
      },
    ];
  });
  const shared = cutsOf(state).flatMap(({ value, source }) => {
    const at = runs.findIndex((run) => notFinite(run.get(value)) !== undefined);
    if (at < 0) return [];
    return [
      {
        code: "MRL0506",
        message: `shared value: expected finite numbers, found ${notFinite(runs[at]!.get(value))} on calibration sample ${at + 1}`,
        at: source,
        help: "check the public weights before it for NaN and infinity, and remove samples for which the model is undefined",
      },
    ];
  });
  return [...stored, ...shared];
}

const notFinite = (tensor: Tensor | undefined): number | undefined => tensor?.data.find((x) => !Number.isFinite(x));
