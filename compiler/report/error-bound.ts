import { interpret, interpretRaw } from "../../ir/interpret.ts";
import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { isFixed } from "../../ir/type.ts";
import type { Tensor, WeightStore } from "../../ir/weights.ts";
import { specOf } from "../../passes/5-select/spec.ts";
import { ulpsOf } from "../../runtime/protocols/define.ts";
import { protocols } from "../../runtime/protocols/registry.ts";

/** Trials, and how many times the worst of them is taken: an output sums very many independent roundings. */
const trials = 6;
const deviations = 3;

/**
 * How far the revealed outputs of a scheduled module can be from the model in real numbers, to first order: in the
 * exact interpreter every value is moved at random by the error that is declared for it (weights and inputs by half a
 * unit of their scale, an op's result by its protocol's ulps), and the outputs' largest change over several trials is
 * taken three times. So it follows from scales, declared errors and depth; no party's result enters it.
 */
export const errorBound = (module: Module, weights: WeightStore, inputs: ReadonlyMap<ValueId, Tensor>): number =>
  Math.max(0, ...errorBounds(module, weights, inputs).values());

/** The same of each output. */
export function errorBounds(
  module: Module,
  weights: WeightStore,
  inputs: ReadonlyMap<ValueId, Tensor>,
): ReadonlyMap<ValueId, number> {
  const exact = interpret(module, weights, inputs);
  const ulps = new Map(opsOf(module).map((op) => [op.result, ulpsOfOp(module, op)]));
  const next = createNoise();
  const bounds = new Map<ValueId, number>();
  for (let trial = 0; trial < trials; trial++) {
    const moved = interpretRaw(module, weights, inputs, {
      adjust: (id, raw, op) => {
        const { element } = typeOf(module, id);
        const most = op ? (ulps.get(op.result) ?? 0) : isFixed(element) ? 0.5 : 0;
        return most === 0 ? raw : { shape: raw.shape, data: raw.data.map((x) => Math.round(x + most * next())) };
      },
    });
    for (const [id, { data }] of exact) {
      const other = moved.get(id)!.data;
      const most = data.reduce((worst, x, at) => Math.max(worst, deviations * Math.abs(x - other[at]!)), 0);
      bounds.set(id, Math.max(bounds.get(id) ?? 0, most));
    }
  }
  return bounds;
}

function ulpsOfOp(module: Module, op: Op): number {
  const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
  // The client's input is rounded where it is shared.
  if (!protocol || op.name === "share") return op.name === "share" ? 0.5 : 0;
  return ulpsOf(protocol, specOf(module, op));
}

/** Uniform in [−1, 1), the same in every run (linear congruential, Numerical Recipes): an estimate, not a secret. */
export function createNoise(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}
