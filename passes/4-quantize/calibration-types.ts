import type { Attrs, ValueId } from "../../ir/module.ts";
import type { Interval } from "../../ir/type.ts";
import type { InnerRange } from "./inner-ranges.ts";

export interface Calibration {
  readonly ranges: ReadonlyMap<ValueId, Interval>;
  /** Attributes with bounds of an op's inner values, by its result: `score_bound`, `sum_lo`, `sum_hi`. */
  readonly facts: ReadonlyMap<ValueId, Attrs>;
  /** What interval analysis proves of each operator's result, if its operands are within `ranges`. */
  readonly proofs: ReadonlyMap<ValueId, Interval>;
  /**
   * What is public of the magnitude of a private weight, by its param, and of values on public inputs; absent or 0:
   * nothing.
   */
  readonly magnitudes?: ReadonlyMap<ValueId, number>;
  /** Of inputs of the module, where it is known: see `Observation`. */
  readonly sizes?: ReadonlyMap<ValueId, number>;
}

/** Least and greatest element of each value, and of inner values of ops, over all runs. */
export interface Observation {
  readonly values: ReadonlyMap<ValueId, Interval>;
  readonly inner: ReadonlyMap<ValueId, InnerRange>;
  /** Of inputs that only comparisons learn of: how far the elements of the smallest feature are apart. */
  readonly sizes?: ReadonlyMap<ValueId, number>;
}

/**
 * Bounds for a program that continues from the cache of another: a cached masked value is a value of that one (name →
 * value).
 */
export function withCachedRanges(calibration: Calibration, cached: ReadonlyMap<string, ValueId>): Calibration {
  const { ranges } = calibration;
  const known = [...cached].map(([name, id]) => [name, ranges.get(id)!] as const);
  return { ...calibration, ranges: new Map([...ranges, ...known]) };
}
