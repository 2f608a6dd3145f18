import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { Precision } from "../../ir/ops/define.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { bitsFor, type FixedPoint, fx, type Interval } from "../../ir/type.ts";
import { serverLimits, weightBits } from "./precision.ts";

/**
 * How an operator uses a param: as a factor, whose scale is free, or as an addend at the scale of the other operands.
 */
export type ParamUse = "factor" | "addend";

/**
 * Form of a public param. A factor has at most `wanted` fractional bits and fits 16 bits. A single number has only as
 * many as it needs: the least scale with relative error up to 2^-(wanted + 1), none for −1, five for 1/32. A table has
 * fewer where they hold it exactly, none for zeros and ones.
 */
export function publicForm(value: Tensor, wanted: number, use: ParamUse): FixedPoint {
  const range = extremes(value);
  const scale =
    use === "addend"
      ? wanted
      : value.data.length === 1
        ? scalarScale(value.data[0]!, wanted)
        : fitting(value, range, wanted);
  return fx(bitsFor(range, scale), scale);
}

/** Form of a private param: the same for all weights, so that it reveals nothing about this one. */
export function serverForm(wanted: number, precision: Precision, use: ParamUse): FixedPoint {
  return fx(wanted + 1 + Math.log2(serverLimits(precision)[use]), wanted);
}

function extremes({ data }: Tensor): Interval {
  return { lo: data.reduce((a, b) => Math.min(a, b), 0), hi: data.reduce((a, b) => Math.max(a, b), 0) };
}

function fitting({ data }: Tensor, { lo, hi }: Interval, wanted: number): number {
  const most = Math.max(-lo, hi);
  let scale = wanted;
  while (scale > 0 && most * 2 ** scale >= 2 ** (weightBits - 1) - 0.5) scale--;
  while (scale > 0 && data.every((x) => Number.isInteger(x * 2 ** (scale - 1)))) scale--;
  return scale;
}

/** At most 40 bits: a number that needs more is negligible beside any activation. */
function scalarScale(x: number, wanted: number): number {
  const error = (scale: number): number => Math.abs(Math.round(x * 2 ** scale) / 2 ** scale - x);
  let scale = 0;
  while (scale < 40 && error(scale) > Math.abs(x) * 2 ** -(wanted + 1)) scale++;
  return scale;
}

/** Reports a weight that the public form cannot hold, to the provider alone, who runs the compiler (MRL0504). */
export function checkFits(name: string, value: Tensor, form: FixedPoint): Diagnostic | undefined {
  const limit = 2 ** (form.width - 1);
  const most = value.data.reduce((a, x) => Math.max(a, Math.abs(x)), 0);
  if (Math.round(most * 2 ** form.scale) < limit) return undefined;
  const lower = weightBits - 1 - Math.ceil(Math.log2(most + 2 ** -form.scale));
  return {
    code: "MRL0504",
    message: `weight "${name}": expected magnitudes below ${limit / 2 ** form.scale}, found ${most.toPrecision(4)}`,
    because: [
      "the form of private weights is fixed in advance: a form that follows them would reveal something about them",
    ],
    help: `lower the fractional bits of weights: --precision weight=${Math.max(0, lower)}`,
  };
}
