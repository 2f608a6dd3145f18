import type { Diagnostic } from "../../ir/diagnostic.ts";
import { opsOf, type ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { SplitState } from "../pass.ts";

/**
 * A ring holds finite numbers only: what is shared or stored with NaN or ∞ in it has no fixed-point form, and the
 * answer would be noise. A mask's −∞ is gone by now where scores allow it (2-rewrite/clamp-mask).
 */
export function checkFinite(
  { module, weights, client }: SplitState,
  runs: readonly ReadonlyMap<ValueId, Tensor>[],
): readonly Diagnostic[] {
  const stored = Object.entries(module.params).flatMap(([id, name]) => {
    const found = notFinite(weights.get(name));
    if (found === undefined) return [];
    const reader = opsOf(module).find(({ operands }) => operands.includes(id));
    return [
      {
        code: "MRL0506",
        message: `weight "${name}": expected finite numbers, found ${found}`,
        at: reader?.origin || `%${id}`,
        help: "mend the weight; -inf is understood in a mask on the scores of a softmax that leaves some score in every row",
      },
    ];
  });
  const shared = client.cuts.flatMap(({ value, source }) => {
    const at = runs.findIndex((run) => notFinite(run.get(value)) !== undefined);
    if (at < 0) return [];
    return [
      {
        code: "MRL0506",
        message: `what the client shares: expected finite numbers, found ${notFinite(runs[at]!.get(value))} on calibration sample ${at + 1}`,
        at: source,
        help: "look for public weights before it that hold NaN or infinity, or for samples that the model has no answer to",
      },
    ];
  });
  return [...stored, ...shared];
}

const notFinite = (tensor: Tensor | undefined): number | undefined => tensor?.data.find((x) => !Number.isFinite(x));
