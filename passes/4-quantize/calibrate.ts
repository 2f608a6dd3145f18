import type { ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Interval } from "../../ir/type.ts";
import type { PassState } from "../pass.ts";
import { widenForAdapters } from "./adapter-ranges.ts";
import type { Calibration, Observation } from "./calibration-types.ts";
import type { InnerRange } from "./inner-ranges.ts";
import { analyzeRanges } from "./interval-analysis.ts";
import { observe } from "./observe.ts";
import { defaultPrecision } from "./precision.ts";

export interface CalibrateOptions {
  /** Factor on measured magnitudes. */
  readonly margin?: number;
  /**
   * Lower bound of measured magnitudes: where a surrogate of a private weight is zero, everything behind it measures as
   * zero, and the real weight would leave the ring.
   */
  readonly floor?: number;
  readonly precision?: Precision;
  /**
   * The module holds expanded formulas of a system with one ring: bounds only ensure that values fit. Small values
   * inside a formula (2^−40 after squarings) vary by orders of magnitude with the weights, so no lower end is kept, the
   * margin counts twice, and the floor is `formulaFloor`.
   */
  readonly expanded?: boolean;
}

const formulaFloor = 64;

/**
 * Bounds of every value: the range measured on the given inputs, widened, or the one that interval analysis proves,
 * whichever is tighter. Without inputs: interval analysis alone.
 *
 * Bounds decide ring widths, which everybody sees. So the inputs must be public calibration data, and `weights` must
 * hold public surrogates of private tensors (base weights; zero for B of a LoRA pair). This function cannot check that;
 * the caller declares in the manifest which it used.
 */
export const calibrate = (
  secure: PassState,
  inputs: readonly ReadonlyMap<ValueId, Tensor>[],
  options: CalibrateOptions = {},
): Calibration => boundsFrom(secure, inputs.length > 0 ? observe(secure, inputs) : undefined, options);

/** The same from what was measured already. */
export function boundsFrom(
  secure: PassState,
  measured: Observation | undefined,
  { margin = 2, floor = 1, precision = defaultPrecision, expanded = false }: CalibrateOptions = {},
): Calibration {
  const observed = measured && widenForAdapters(secure.module, measured);
  if (!observed) return analyzeRanges(secure, precision);
  if (!expanded) return analyzeRanges(secure, precision, widen(observed, margin, floor));
  const values = new Map([...observed.values].map(([id, range]) => [id, formulaRange(range, margin ** 2)]));
  return analyzeRanges(secure, precision, { values, inner: observed.inner });
}

function formulaRange({ lo, hi }: Interval, margin: number): Interval {
  const most = Math.max(formulaFloor, margin * Math.max(Math.abs(lo), Math.abs(hi)));
  return { lo: -most, hi: most };
}

/**
 * Samples do not prove signs, so intervals become symmetric. An all-positive one keeps a lower end, in case interval
 * analysis proves the sign.
 */
function widen({ values, inner }: Observation, margin: number, floor: number): Observation {
  const wide = ([id, { lo, hi }]: [ValueId, Interval]): [ValueId, Interval] => {
    const most = Math.max(floor, margin * Math.max(Math.abs(lo), Math.abs(hi)));
    return [id, { lo: lo > 0 ? lo / margin ** 2 : -most, hi: most }];
  };
  // Scores have both signs and take the margin like a value; sums of squares take its square.
  const wideInner = ([id, { lo, hi }]: [ValueId, InnerRange]): [ValueId, InnerRange] => [
    id,
    { lo: lo < 0 ? lo * margin : lo / margin ** 2, hi: hi * (lo < 0 ? margin : margin ** 2) },
  ];
  return { values: new Map([...values].map(wide)), inner: new Map([...inner].map(wideInner)) };
}
