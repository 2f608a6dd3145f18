/** 1/x and 1/√x for x > 0 of any size: scale x by a secret power of two, apply a short formula, scale the result. */
import type { ValueId } from "../../ir/module.ts";
import { tensor } from "../../ir/tensor.ts";
import type { Formula } from "./building-blocks.ts";
import type { FormulaBuilder } from "./formula-builder.ts";

/** A secret factor `base`^k, where x lies k binades below or above [1/base, 1). */
interface BinadeRange {
  readonly base: number;
  /** Number of binades that comparisons distinguish below 1/base, and from 1 on. */
  readonly below: number;
  readonly above: number;
}

/**
 * Sums of secret bits times public numbers: bits [x < base^−i], i = 1…below, each adds root^i − root^(i−1) to 1, bits
 * [x ≥ base^i], i = 0…above − 1, each root^−(i+1) − root^−i. With root = base that is the factor that brings x into
 * [1/base, 1), with root = √base its root. All comparisons are one operator, so they share their rounds.
 */
export function scaleFactors(
  maths: FormulaBuilder,
  x: ValueId,
  { base, below, above }: BinadeRange,
  roots: readonly number[],
): ValueId[] {
  const shape = maths.shape(x);
  const column = maths.emit("reshape", [x], { shape: [...shape, 1] });
  const bits = (kind: string, thresholds: readonly number[]): ValueId => {
    const row = maths.param(
      `${kind} ${thresholds.join(" ")}`,
      tensor([thresholds.length], Float64Array.from(thresholds)),
    );
    return maths.emit("cast", [maths.emit("compare", [column, row], { kind })], { to: "f32" });
  };
  const range = (count: number): readonly number[] => [...Array(count).keys()];
  const small = bits(
    "less",
    range(below).map((i) => base ** -(i + 1)),
  );
  const large = bits(
    "greater-or-equal",
    range(above).map((i) => base ** i),
  );
  const sum = (values: ValueId, weights: readonly number[]): ValueId => {
    const column = maths.param(`octaves ${weights.join(" ")}`, tensor([weights.length, 1], Float64Array.from(weights)));
    return maths.emit("reshape", [maths.emit("matmul", [values, column])], { shape });
  };
  return roots.map((root) => {
    const up = sum(
      small,
      range(below).map((i) => root ** (i + 1) - root ** i),
    );
    const down = sum(
      large,
      range(above).map((i) => root ** -(i + 1) - root ** -i),
    );
    return maths.addConstant(maths.add(up, down), 1);
  });
}

/**
 * Goldschmidt's r ← r·(1 + e), e ← e² from r = 2.9142 − 2u for u in [1/2, 1) (Catrina, Saxena, FC 2010, section 3.4).
 */
function inverseOfHalf(maths: FormulaBuilder, u: ValueId): ValueId {
  let r = maths.subtractFrom(2.9142, maths.scale(u, 2));
  let e = maths.subtractFrom(1, maths.mul(u, r));
  for (let step = 0; step < 2; step++) {
    r = maths.mul(r, maths.addConstant(e, 1));
    if (step === 0) e = maths.square(e);
  }
  return r;
}

/** 1/x for x in [2^−9, 2^12); SPU finds the highest bit in the bits of x, this by comparisons. */
export const reciprocal: Formula = (maths, x) => {
  const [factor] = scaleFactors(maths, x, { base: 2, below: 8, above: 12 }, [2]) as [ValueId];
  return maths.mul(inverseOfHalf(maths, maths.mul(x, factor)), factor);
};

/** 1/x for x in [1, 2]. */
export const reciprocalOnBinade: Formula = (maths, x) => maths.scale(inverseOfHalf(maths, maths.scale(x, 0.5)), 0.5);

/** Coefficients of 1/√u on [1/4, 1/2), from SPU. */
const inverseRoot = [4.14285016, -15.47994394, 38.4714796, -49.86605845, 26.02942339];

/** 1/√x for x in [2^−14, 2^12): x·4^k in [1/4, 1), halved if it is 1/2 or more, and SPU's polynomial. */
export const rsqrt: Formula = (maths, x) => {
  const [factor, root] = scaleFactors(maths, x, { base: 4, below: 6, above: 6 }, [4, 2]) as [ValueId, ValueId];
  const scaled = maths.mul(x, factor);
  const upper = maths.emit("compare", [scaled, maths.constant(0.5)], { kind: "greater-or-equal" });
  const u = maths.emit("where", [upper, maths.scale(scaled, 0.5), scaled]);
  const parity = maths.addConstant(maths.scale(maths.emit("cast", [upper], { to: "f32" }), Math.SQRT1_2 - 1), 1);
  return maths.mul(maths.polynomial(u, inverseRoot), maths.mul(root, parity));
};
