import sortBy from "lodash-es/sortBy.js";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import { largestOf } from "../../ir/ops/helpers/tensors.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { bitsFor, type FixedPoint, fx, type Interval } from "../../ir/type.ts";
import { leastElement } from "./positive-weights.ts";
import { weightBits, widestWeight } from "./precision.ts";
import { weightScale } from "./weight-bounds.ts";

/**
 * How an operator uses a param: as a factor, whose scale is free, or as an addend at the scale of the other operands.
 */
export type ParamUse = "factor" | "addend";

/**
 * Form of a public param. A factor has at most `wanted` fractional bits, or as many as keep the significant bits below
 * its largest element, and fits the kernels: 16 bits where significance does not matter. A single number has only as
 * many as it needs: the least scale with relative error up to 2^-(wanted + 1), none for −1, five for 1/32. A table has
 * fewer where they hold it exactly, none for zeros and ones.
 */
export function publicForm(value: Tensor, wanted: number, use: ParamUse, significant?: number): FixedPoint {
  const range = extremes(value);
  if (use === "addend") return fx(bitsFor(range, wanted), wanted);
  const scale =
    value.data.length === 1
      ? scalarScale(value.data[0]!, Math.max(wanted, significant ?? 0))
      : fitting(
          value,
          weightScale(largestOf(value), { weight: wanted, significant }),
          significant === undefined ? weightBits : widestWeight,
        );
  return fx(bitsFor(range, scale), scale);
}

/**
 * Form of a private param with magnitudes below `bound`, a power of two. Its scale and its bound are public numbers. A
 * factor has fewer fractional bits where they would not fit the widest kernel.
 */
export function serverForm(wanted: number, bound: number, use: ParamUse): FixedPoint {
  const above = 1 + Math.log2(bound);
  const scale = use === "factor" ? Math.min(wanted, widestWeight - above) : wanted;
  return fx(scale + above, scale);
}

function extremes({ data }: Tensor): Interval {
  return { lo: data.reduce((a, b) => Math.min(a, b), 0), hi: data.reduce((a, b) => Math.max(a, b), 0) };
}

function fitting(value: Tensor, wanted: number, bits: number): number {
  const most = largestOf(value);
  let scale = wanted;
  while (scale > 0 && most * 2 ** scale >= 2 ** (bits - 1) - 0.5) scale--;
  while (scale > 0 && value.data.every((x) => Number.isInteger(x * 2 ** (scale - 1)))) scale--;
  return scale;
}

/** At most 40 bits: a number that needs more is negligible beside any activation. */
function scalarScale(x: number, wanted: number): number {
  const error = (scale: number): number => Math.abs(Math.round(x * 2 ** scale) / 2 ** scale - x);
  let scale = 0;
  while (scale < 40 && error(scale) > Math.abs(x) * 2 ** -(wanted + 1)) scale++;
  return scale;
}

/** A weight that leaves its public bound. */
export interface UnfitWeight {
  readonly name: string;
  readonly most: number;
  readonly limit: number;
}

export function checkFits(name: string, value: Tensor, form: FixedPoint): UnfitWeight | undefined {
  const limit = 2 ** (form.width - 1);
  const most = largestOf(value);
  if (Math.round(most * 2 ** form.scale) < limit) return undefined;
  return { name, most, limit: limit / 2 ** form.scale };
}

/** A weight that must stay positive is no smaller than public numbers say (MRL0504, to the provider alone). */
export function checkPositive(name: string, value: Tensor, { lo }: Interval): Diagnostic | undefined {
  const least = leastElement(value);
  if (lo <= 0 || least >= lo) return undefined;
  return {
    code: "MRL0504",
    message: `weight "${name}": expected values of at least ${lo}, found ${least.toPrecision(4)}`,
    because: ["it is added to what must stay away from 0, and the bound follows from the public base"],
    help: "give a --base whose weight is as small",
  };
}

/** How many weights one message names. */
const mostNamed = 8;

/** Reports all weights that leave their public bounds, to the provider alone, who runs the compiler (MRL0504). */
export function unfitWeights(weights: readonly UnfitWeight[]): readonly Diagnostic[] {
  const [worst, ...others] = sortBy(weights, ({ most, limit }) => limit / most);
  if (!worst) return [];
  const shown = ({ name, most, limit }: UnfitWeight): string =>
    `weight "${name}": expected magnitudes below ${limit}, found ${most.toPrecision(4)}`;
  const left = others.length - mostNamed;
  const message = `${weights.length} weights leave their public bounds; most of all ${shown(worst)}`;
  return [
    {
      code: "MRL0504",
      message: others.length === 0 ? shown(worst) : message,
      because: [
        ...others.slice(0, mostNamed).map(shown),
        ...(left > 0 ? [`and ${left} more`] : []),
        "the bound follows from public numbers: one that follows the weight would reveal something about it",
      ],
      help: "store the weight divided by a power of two, and multiply by that number in the model; or give a public --base with weights as large",
    },
  ];
}
