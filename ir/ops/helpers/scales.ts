import type { Interval } from "../../type.ts";
import type { KnownValues, OpDef, Precision } from "../define.ts";

type Scales = readonly (number | undefined)[];
export type ScaleTable = NonNullable<OpDef["scales"]>;

/** Lowers a scale to the wanted one. It never raises a scale: the new bits would carry no information. */
export const capScale = (scale: number | undefined, wanted: number): number => Math.min(scale ?? wanted, wanted);

/** The result has the scale of the first operand. The others are indices and conditions, at scale 0. */
export const keepScale: ScaleTable = (operands, _attrs, precision) => {
  const scale = operands[0] ?? precision.activation;
  return { operands: operands.map((_, index) => (index === 0 ? scale : 0)), result: scale };
};

function smallest(operands: Scales, precision: Precision): number {
  const known = operands.filter((scale) => scale !== undefined);
  if (known.length === 0) return precision.activation;
  return known.length > 1 ? Math.min(...known, precision.sum ?? Infinity) : known[0]!;
}

/** All operands at the smallest current scale: only additions at equal scales are free. */
export const alignScales: ScaleTable = (operands, _attrs, precision) => {
  const scale = smallest(operands, precision);
  return { operands: operands.map(() => scale), result: scale };
};

/** Integers in, an integer out: booleans, indices, ranks. */
export const integerScales: ScaleTable = (operands) => ({ operands: operands.map(() => 0), result: 0 });

/** Like alignScales for the operands from `first` on; those before have scale 0. */
export const alignFrom =
  (first: number): ScaleTable =>
  (operands, _attrs, precision) => {
    const scale = smallest(operands.slice(first), precision);
    return { operands: operands.map((_, index) => (index < first ? 0 : scale)), result: scale };
  };

/** Values down to 1/4 have enough bits at the precision of activations. */
const nearUnit = 2;
/** More bits would leave a ring no room for squares. */
const mostExtraBits = 16;

/**
 * Fractional bits beyond those of activations that a value needs whose least magnitude matters, as a divisor's does:
 * the part that rounding takes of it is then the same. 0 if nothing is known of it.
 */
export const bitsBelowUnit = (least: number, near = nearUnit): number =>
  least > 0 ? Math.min(mostExtraBits, Math.max(0, Math.ceil(-Math.log2(least)) - near)) : 0;

/** Like activationScale for a function with a pole at 0, whose operand has a positive lower bound. */
export const positiveScale: ScaleTable = ([x], _attrs, { activation }, known) => ({
  operands: [capScale(x, activation + bitsBelowUnit(known?.ranges[0]?.lo ?? 1))],
  result: activation,
});

/** Fractional bits of activations, and more for a value that is small on public inputs. */
export const scaleOfMagnitude = (activation: number, magnitude: number | undefined): number =>
  activation + bitsBelowUnit(magnitude ?? 0);

/** Nonlinear functions read and write activations. */
export const activationScale: ScaleTable = (operands, _attrs, { activation }, known) => ({
  operands: operands.map((scale, at) => capScale(scale, scaleOfMagnitude(activation, known?.magnitudes?.operands[at]))),
  result: Math.max(known?.wanted ?? activation, scaleOfMagnitude(activation, known?.magnitudes?.result)),
});

/**
 * Fractional bits of the factors of a product of secrets. A factor's rounding is multiplied by the other factor, and must
 * stay near the unit of the result, or of 1 if that is more. A reader who wants more bits of a small product wants half
 * of them of each factor.
 */
export function factorScales(operands: Scales, { activation }: Precision, known?: KnownValues): readonly number[] {
  if (!known) return operands.map((scale) => capScale(scale, activation));
  const shared = Math.ceil((productScale({ activation }, known) - activation) / 2);
  return operands.map((scale, index) => {
    const other = magnitudeOf(known.ranges[1 - index] ?? known.ranges[0]!);
    const beside = bitsBelowUnit(Math.max(1, magnitudeOf(known.result)) / other, 0);
    return capScale(scale, activation + Math.max(shared, beside));
  });
}

/** Fractional bits of a product of secrets, if its factors have as many. */
export const productScale = ({ activation }: Pick<Precision, "activation">, known?: KnownValues): number =>
  Math.max(known?.wanted ?? activation, scaleOfMagnitude(activation, known?.magnitudes?.result));

const magnitudeOf = ({ lo, hi }: Interval): number => Math.max(Math.abs(lo), Math.abs(hi));

/**
 * Product of an activation and a public constant: the constant at weight precision, the result at the exact sum. The
 * activation keeps more bits where a reader of the result wants more.
 */
export function scaleByPublic(
  operands: Scales,
  precision: Precision,
  known?: KnownValues,
): ReturnType<ScaleTable> | undefined {
  if (operands.every((scale) => scale !== undefined)) return undefined;
  const plain = operands.lastIndexOf(undefined);
  const kept = keptScale(precision.activation, known?.wanted ?? 0, known?.ranges[plain]);
  const wanted = operands.map((scale, index) => (index === plain ? precision.weight : capScale(scale, kept)));
  return { operands: wanted, result: wanted.reduce((sum, scale) => sum + scale, 0) };
}

/** A sum of many products adds up their roundings. */
const guardBits = 3;

/** Fractional bits whose rounding, times the constant, stays below the unit that is wanted. */
function keptScale(activation: number, wanted: number, constant: Interval | undefined): number {
  if (wanted <= activation || !constant) return activation;
  const above = Math.ceil(Math.log2(magnitudeOf(constant)));
  return Math.max(activation, wanted + Math.min(0, above) + guardBits);
}
