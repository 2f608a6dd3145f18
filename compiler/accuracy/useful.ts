import { interpret } from "../../ir/interpret.ts";
import { type Module, typeOf, type ValueId } from "../../ir/module.ts";
import type { Tensor, WeightStore } from "../../ir/tensor.ts";

/** Part of the largest value that an answer of use may be off. */
export const usefulPart = 2 ** -5;

/** An output below has few bits in absolute terms, whatever its model: it may be one that only its neighbours dwarf. */
export const tinyOutput = 2 ** -9;

/** Whether the fixed-point program is near enough to the model on these inputs. `exact`: the model's outputs in float64. */
export function isUseful(
  module: Module,
  weights: WeightStore,
  inputs: readonly ReadonlyMap<ValueId, Tensor>[],
  exact: readonly ReadonlyMap<ValueId, Tensor>[],
): boolean {
  return inputs.every((run, at) =>
    [...interpret(module, weights, run)].every(([id, { data }]) => {
      const wanted = exact[at]?.get(id)?.data;
      if (!wanted || typeOf(module, id).element.kind !== "f32") return true;
      const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      const error = data.reduce((most, x, k) => Math.max(most, Math.abs(x - wanted[k]!)), 0);
      return error <= usefulPart * Math.max(largest, tinyOutput);
    }),
  );
}
