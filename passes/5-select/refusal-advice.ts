import type { Op } from "../../ir/module.ts";
import type { Spec } from "../../runtime/protocols/kit/index.ts";

/**
 * What to do about an operand outside the domain of a protocol: an edit of the model that makes its range one that the
 * protocol takes. Range analysis reads the bound from the Clip.
 */
export function refusalAdvice({ name }: Op, spec: Spec): string {
  const advice = Object.hasOwn(edits, name) ? edits[name]!(spec) : undefined;
  return (
    advice ??
    "bound the operand in the model, as Clip does, or calibrate on inputs of the magnitudes that queries have: --calibrate <folder>"
  );
}

type Edit = (spec: Spec) => string | undefined;

/** A number that a person would write, no less than this one: one digit, as 0.001 or 0.02. */
function roundedUp(least: number): string {
  const unit = 10 ** Math.floor(Math.log10(least));
  return String(Number((Math.ceil(least / unit - 1e-9) * unit).toPrecision(1)));
}

/** Range reduction takes values of at least four units. */
const leastOperand = ({ operands: [x] }: Spec): number => 4 * 2 ** -x!.scale;

const pole: Edit = (spec) => {
  const { lo } = spec.operands[0]!;
  const least = leastOperand(spec);
  if (lo >= least) return undefined;
  const bound = roundedUp(least);
  return `bound the operand away from 0 in the model: Clip(x, min=${bound}) before this node, or Add an epsilon of ${bound} to a sum of squares or other values that are never negative`;
};

/** e^x may reach 2^12 and no more. */
const largestExponent = 8;

const edits: Readonly<Record<string, Edit>> = {
  reciprocal: pole,
  rsqrt: pole,
  log: pole,
  sqrt: ({ operands: [x] }) =>
    x!.lo < 0 ? "say in the model that the operand is not negative: Clip(x, min=0) before this node" : undefined,
  exp: ({ operands: [x] }) =>
    x!.hi > largestExponent
      ? `bound the exponent in the model: Clip(x, max=${largestExponent}) before this node, or subtract its largest value (ReduceMax) where the result is divided by a sum of such exponentials`
      : undefined,
};
