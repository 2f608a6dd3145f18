import type { ValueId } from "../../ir/module.ts";
import type { Calibration } from "./calibration-types.ts";

/** How likely a query leaves a bound, estimated from the largest magnitude of each value in each calibration run. */
export interface WrapEstimate {
  /** Probability that any value of a query leaves its bounds: the sum over all values, at most 1. */
  readonly probability: number;
  /** The value that contributes most, if any does. */
  readonly value?: ValueId;
  /** Number of calibration runs. */
  readonly runs: number;
}

/** With fewer runs, two parameters of a distribution are no better than a guess. */
export const fewestRuns = 8;

const eulerGamma = 0.5772156649015329;

/**
 * Fits a Gumbel distribution to each value's maxima by the method of moments, and adds the probabilities that a new
 * maximum exceeds its bound (union bound). Maxima of many nearly independent magnitudes follow it (extreme-value theory:
 * Coles, An Introduction to Statistical Modeling of Extreme Values, 2001, section 3.1). Ends that interval analysis
 * proves cannot be left. It says nothing of inputs unlike the calibration inputs.
 */
export function estimateWrap(
  peaks: ReadonlyMap<ValueId, readonly number[]>,
  { ranges, proofs }: Pick<Calibration, "ranges" | "proofs">,
): WrapEstimate {
  let total = 0;
  let worst: { readonly value: ValueId; readonly probability: number } | undefined;
  let runs = 0;
  for (const [value, maxima] of peaks) {
    const [bounds, proof] = [ranges.get(value), proofs.get(value)];
    if (!bounds || (proof && proof.lo >= bounds.lo && proof.hi <= bounds.hi)) continue;
    runs = Math.max(runs, maxima.length);
    const bound = Math.max(Math.abs(bounds.lo), Math.abs(bounds.hi));
    const probability = exceedance(maxima, bound);
    total += probability;
    if (!worst || probability > worst.probability) worst = { value, probability };
  }
  const named = worst && worst.probability > 0 ? { value: worst.value } : {};
  return { probability: Math.min(1, total), ...named, runs };
}

/** Probability that the next maximum exceeds the bound. 1 − exp(−e^(−z)), without cancellation for large z. */
function exceedance(maxima: readonly number[], bound: number): number {
  const count = maxima.length;
  const mean = maxima.reduce((sum, x) => sum + x, 0) / count;
  const variance = maxima.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(1, count - 1);
  if (variance === 0) return mean > bound ? 1 : 0;
  const beta = Math.sqrt(6 * variance) / Math.PI;
  const mu = mean - eulerGamma * beta;
  return -Math.expm1(-Math.exp(-(bound - mu) / beta));
}
