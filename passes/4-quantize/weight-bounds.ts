import type { ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import { largestOf } from "../../ir/ops/helpers/tensors.ts";
import { hasData } from "../../ir/tensor.ts";
import type { PassState } from "../pass.ts";
import { weightBits } from "./precision.ts";

/** Every private weight may be as large as this, whatever public numbers say of it. */
const leastBound = 8;
/** Factor on a public magnitude: tuning enlarges weights. */
const room = 4;
/** Public magnitudes below 2^−6 count as that: initial values of 4,096 inputs. Training may enlarge smaller ones. */
const mostBelow = 6;

const powerAbove = (x: number): number => 2 ** Math.ceil(Math.log2(x));

/**
 * What is public of the magnitude of each private weight, by its param: that of the tensor that stands for it in a
 * public module (the base's, or an initial one), or a power of two that the provider publishes. 0: nothing is.
 */
export function publicMagnitudes(
  { module, weights }: PassState,
  published: ReadonlyMap<ValueId, number> = new Map(),
): ReadonlyMap<ValueId, number> {
  return new Map(
    Object.entries(module.params).flatMap(([id, name]): [ValueId, number][] => {
      if (module.values[id]!.type.label !== "server") return [];
      const weight = weights.get(name);
      const known = weight && hasData(weight) ? largestOf(weight) : 0;
      return [[id, published.get(id) ?? known]];
    }),
  );
}

/**
 * Magnitudes that a private weight stays below: a power of two that follows from public numbers. One that followed its
 * values would reveal something about them to the client. 4-quantize, at the provider, refuses a weight beyond it.
 */
export const weightBound = (magnitude: number, { weight }: Precision): number =>
  Math.max(leastBound, 2 ** (weightBits - 1 - weight), magnitude > 0 ? powerAbove(room * magnitude) : 0);

interface WeightBits {
  readonly weight: number;
  readonly significant?: number | undefined;
}

/**
 * Fractional bits of a factor: `weight`, or as many as keep the significant bits below its public magnitude. Without a
 * public magnitude: `weight`.
 */
export function weightScale(magnitude: number, { weight, significant }: WeightBits): number {
  if (significant === undefined || !(magnitude > 0)) return weight;
  return Math.max(weight, significant + Math.min(mostBelow, -Math.ceil(Math.log2(magnitude))));
}
