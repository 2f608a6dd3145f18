import { interpret, interpretTogether, toReal } from "../../ir/interpret.ts";
import { type Module, typeOf, type ValueId } from "../../ir/module.ts";
import type { Tensor, WeightStore } from "../../ir/tensor.ts";
import { fallOtherwise } from "./decisions.ts";
import { createNoise, measureErrors } from "./error-bound.ts";
import { withRoom } from "./low-ends.ts";

/** How far an output of one run may be from the model in real numbers. */
export interface OutputBounds {
  /** The declared error, where every decision falls as it does without errors. */
  readonly declared: number;
  /** How much farther each element may be, because a decision within its distance may fall otherwise; mostly 0. */
  readonly undecided: Float64Array;
}

/** Decisions are tried all together and in a few random ways: a combination of them may lead farther. */
const roomForCombinations = 2;

/** The bounds of each output of a run with the private weights. */
export function outputBounds(
  module: Module,
  weights: WeightStore,
  inputs: ReadonlyMap<ValueId, Tensor>,
): ReadonlyMap<ValueId, OutputBounds> {
  const { bounds, distances } = measureErrors(module, weights, inputs, { weightsAre: "own" });
  const undecided = undecidedElements(module, weights, inputs, distances);
  return new Map([...bounds].map(([id, declared]) => [id, { declared, undecided: undecided.get(id)! }]));
}

/** How far decisions within these distances may move each element of an output. */
export function undecidedElements(
  module: Module,
  weights: WeightStore,
  inputs: ReadonlyMap<ValueId, Tensor>,
  distances: ReadonlyMap<ValueId, number>,
): ReadonlyMap<ValueId, Float64Array> {
  const exact = interpret(module, weights, inputs);
  const found = new Map([...exact].map(([id, { data }]) => [id, new Float64Array(data.length)] as const));
  if (![...distances.values()].some((distance) => distance > 0)) return found;
  const adjusts = fallOtherwise(module, distances, createNoise());
  for (const outputs of interpretTogether(withRoom(module), weights, inputs, adjusts)) {
    for (const [id, raw] of outputs) {
      const moved = found.get(id)!;
      const [one, other] = [exact.get(id)!.data, toReal(raw, typeOf(module, id).element).data];
      for (const [k, x] of one.entries()) moved[k] = Math.max(moved[k]!, roomForCombinations * Math.abs(x - other[k]!));
    }
  }
  return found;
}
