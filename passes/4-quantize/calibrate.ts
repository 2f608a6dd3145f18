import type { ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { PassState } from "../pass.ts";
import { widenForAdapters } from "./adapter-ranges.ts";
import type { Calibration, Observation } from "./calibration-types.ts";
import { analyzeRanges } from "./interval-analysis.ts";
import { observe } from "./observe.ts";
import { defaultPrecision } from "./precision.ts";
import { type WidenOptions, widenRanges } from "./widen-ranges.ts";

export interface CalibrateOptions extends WidenOptions {
  readonly precision?: Precision;
  /** Powers of two that the provider publishes as bounds of private weights, by their params. */
  readonly published?: ReadonlyMap<ValueId, number>;
  /** The same of those that must stay positive: what they do not fall below. */
  readonly least?: ReadonlyMap<ValueId, number>;
  /** Public bounds that come before measured ones (--ranges). */
  readonly given?: Observation;
}

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
  { precision = defaultPrecision, published, least, given, ...how }: CalibrateOptions = {},
): Calibration {
  const { module } = secure;
  const wide = measured && widenRanges(module, widenForAdapters(module, measured), how);
  const analyzed = analyzeRanges(secure, precision, given ? overlay(wide, given) : wide, published, least);
  const known = given ? overlay(measured, given) : measured;
  return {
    ...analyzed,
    magnitudes: new Map([...measuredMagnitudes(known), ...(analyzed.magnitudes ?? [])]),
    ...(known?.sizes && { sizes: known.sizes }),
  };
}

/** What is public of the magnitudes of values. Weights have a magnitude of their own. */
const measuredMagnitudes = (known: Observation | undefined): readonly (readonly [ValueId, number])[] =>
  [...(known?.values ?? [])].map(([id, { lo, hi }]) => [id, Math.max(Math.abs(lo), Math.abs(hi))]);

/** The ranges of both; of a value that both name, the second's. */
export const overlay = (below: Observation | undefined, above: Observation): Observation => ({
  values: new Map([...(below?.values ?? []), ...above.values]),
  inner: new Map([...(below?.inner ?? []), ...above.inner]),
  sizes: new Map([...(below?.sizes ?? []), ...(above.sizes ?? [])]),
});
