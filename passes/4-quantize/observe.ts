import { interpret } from "../../ir/interpret.ts";
import { type Op, opsOf, type ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Interval } from "../../ir/type.ts";
import type { PassState } from "../pass.ts";
import type { Observation } from "./calibration-types.ts";
import { comparedValues } from "./compared-values.ts";
import { createFeatureSizes } from "./feature-sizes.ts";
import { hasInnerRange, type InnerRange, measures } from "./inner-ranges.ts";

/** What was measured on a set of inputs. */
export interface RunObservation extends Observation {
  /** Largest magnitude of each value in each run. */
  readonly peaks: ReadonlyMap<ValueId, readonly number[]>;
  readonly sizes: ReadonlyMap<ValueId, number>;
  /** The first value that is not a number. */
  readonly undefinedAt: ValueId | undefined;
}

/** Runs a module on each input with float64, and measures every value and inner value. */
export function observe(
  { module, weights }: Pick<PassState, "module" | "weights">,
  runs: readonly ReadonlyMap<ValueId, Tensor>[],
): RunObservation {
  const values = new Map<ValueId, Interval>();
  const peaks = new Map<ValueId, number[]>();
  const inner = new Map<ValueId, InnerRange>();
  let undefinedAt: ValueId | undefined;
  const features = createFeatureSizes();
  const { decides } = comparedValues(module);
  const inputs = new Set(module.inputs.filter(decides));
  const interesting = opsOf(module).filter(hasInnerRange);
  const readBy = new Map<ValueId, Op>(interesting.map((op) => [op.result, op]));
  const wanted = new Set(interesting.flatMap((op) => op.operands));
  for (const run of runs) {
    const seen = new Map<ValueId, Tensor>();
    interpret(module, weights, run, {
      observe: (id, value) => {
        const { found, hasNaN } = elementRange(value);
        const range = extendRange(values.get(id), found);
        if (range) values.set(id, range);
        const peak = Math.max(Math.abs(found.lo), Math.abs(found.hi));
        const known = peaks.get(id) ?? [];
        known.push(peak);
        peaks.set(id, known);
        if (hasNaN) undefinedAt ??= id;
        if (inputs.has(id)) features.add(id, value);
        if (wanted.has(id)) seen.set(id, value);
        const op = readBy.get(id);
        if (!op) return;
        const operands = op.operands.map((operand) => seen.get(operand)!);
        const innerRange = extendRange(inner.get(id), measures[op.name]!(operands, op.attrs));
        if (innerRange) inner.set(id, innerRange);
      },
    });
  }
  return { values, inner, peaks, sizes: features.sizes(), undefinedAt };
}

/** In one loop over plain indices: calibration looks at every element of every value of every run. */
function elementRange({ data }: Tensor): { readonly found: Interval; readonly hasNaN: boolean } {
  let lo = Infinity;
  let hi = -Infinity;
  let hasNaN = false;
  for (let k = 0; k < data.length; k++) {
    const x = data[k]!;
    // −∞ in a mask is no magnitude.
    if (x < lo && x !== -Infinity) lo = x;
    if (x > hi && x !== Infinity) hi = x;
    if (Number.isNaN(x)) hasNaN = true;
  }
  return { found: lo > hi ? { lo: 0, hi: 0 } : { lo, hi }, hasNaN };
}

/**
 * The hull of both. NaN counts as no range: surrogates of private weights, often zeros, may cause it, not the weights.
 */
function extendRange(known: Interval | undefined, { lo, hi }: Interval): Interval | undefined {
  if (Number.isNaN(lo) || Number.isNaN(hi)) return known;
  return known ? { lo: Math.min(known.lo, lo), hi: Math.max(known.hi, hi) } : { lo, hi };
}
