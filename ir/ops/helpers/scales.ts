import type { OpDef, Precision } from "../define.ts";

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

/** Nonlinear functions read and write activations. */
export const activationScale: ScaleTable = (operands, _attrs, precision) => ({
  operands: operands.map((scale) => capScale(scale, precision.activation)),
  result: precision.activation,
});

/** Product of an activation and a public constant: the constant at weight precision, the result at the exact sum. */
export function scaleByPublic(operands: Scales, precision: Precision): ReturnType<ScaleTable> | undefined {
  if (operands.every((scale) => scale !== undefined)) return undefined;
  const plain = operands.lastIndexOf(undefined);
  const wanted = operands.map((scale, index) =>
    index === plain ? precision.weight : capScale(scale, precision.activation),
  );
  return { operands: wanted, result: wanted.reduce((sum, scale) => sum + scale, 0) };
}
