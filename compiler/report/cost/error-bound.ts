import { interpret, interpretRaw } from "../../../ir/interpret.ts";
import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../../ir/module.ts";
import type { Tensor, WeightStore } from "../../../ir/tensor.ts";
import { isFixed, sizeOf, type TensorType } from "../../../ir/type.ts";
import { specOf } from "../../../passes/5-select/index.ts";
import { ulpsOf } from "../../../runtime/protocols/kit/index.ts";
import { protocols } from "../../../runtime/protocols/registry.ts";

/** Trials, and how many times the worst of them is taken: an output sums very many independent roundings. */
const trials = 6;
const standardDeviations = 3;

/**
 * How far the revealed outputs of a scheduled module can be from the model in real numbers, to first order: in the
 * exact interpreter every value is moved at random by the error that is declared for it (weights and inputs by half a
 * unit of their scale, an op's result by its protocol's ulps), and the outputs' largest change over several trials is
 * taken three times. So it follows from scales, declared errors and depth; no party's result enters it.
 */
export const errorBound = (...given: Parameters<typeof errorBounds>): number =>
  Math.max(0, ...errorBounds(...given).values());

/** off: for who knows what the rounding of weights and inputs makes, and adds it. */
type RoundingMode = "on" | "off";

/** The same of each output. */
export function errorBounds(
  module: Module,
  weights: WeightStore,
  inputs: ReadonlyMap<ValueId, Tensor>,
  rounding: RoundingMode = "on",
): ReadonlyMap<ValueId, number> {
  const exact = interpret(module, weights, inputs);
  const ulps = new Map(opsOf(module).map((op) => [op.result, opUlps(module, op)]));
  const next = createNoise();
  const bounds = new Map<ValueId, number>();
  for (let trial = 0; trial < trials; trial++) {
    const moved = interpretRaw(module, weights, inputs, {
      adjust: (id, raw, op) => {
        const isMade = op !== undefined && op.name !== "share";
        const rounded = rounding === "on" ? roundingNoise(typeOf(module, id)) : undefined;
        const move = isMade ? ulpNoise(ulps.get(op.result) ?? 0) : rounded;
        return move ? { shape: raw.shape, data: raw.data.map((x) => move(x, next())) } : raw;
      },
    });
    for (const [id, { data }] of exact) {
      const other = moved.get(id)!.data;
      const most = data.reduce((worst, x, at) => Math.max(worst, standardDeviations * Math.abs(x - other[at]!)), 0);
      bounds.set(id, Math.max(bounds.get(id) ?? 0, most));
    }
  }
  return bounds;
}

type Perturbation = (x: number, noise: number) => number;

const ulpNoise = (most: number): Perturbation | undefined =>
  most === 0 ? undefined : (x, noise) => Math.round(x + most * noise);

/**
 * A unit up or down for one number of twelve: that has the variance 1/12 of what rounding took away, which is no whole
 * number of units and would be rounded away again. Single numbers, and tables of few fractional bits, have the scale that
 * makes them exact or as good as exact.
 */
function roundingNoise({ element, shape }: TensorType): Perturbation | undefined {
  if (!isFixed(element) || element.scale < 8 || sizeOf(shape) === 1) return undefined;
  return (x, noise) => (Math.abs(noise) < 1 / 12 ? x + Math.sign(noise) : x);
}

function opUlps(module: Module, op: Op): number {
  const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
  return protocol && op.name !== "share" ? ulpsOf(protocol, specOf(module, op)) : 0;
}

/** Uniform in [−1, 1), the same in every run (linear congruential, Numerical Recipes): an estimate, not a secret. */
export function createNoise(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}
