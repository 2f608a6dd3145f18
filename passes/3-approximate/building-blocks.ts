/** Expansions that several presets share; functions that differ are arguments. */
import { fail } from "../../ir/diagnostic.ts";
import type { Op, ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { axisOf, type FormulaBuilder } from "./formula-builder.ts";
import type { Expansion } from "./preset.ts";

export type Formula = (maths: FormulaBuilder, x: ValueId) => ValueId;
/** Which scores exist: [rows, columns], 1 where one does, else 0. */
export interface ScoreMask extends Tensor {
  /** Distinguishes masks of one shape. */
  readonly kind: string;
}

/** Probabilities along an axis from scores; `keep` says which scores exist. */
export type Softmax = (maths: FormulaBuilder, x: ValueId, axis: number, keep?: ScoreMask) => ValueId;

/** Expands a unary operator by a formula. */
export const elementwise =
  (f: Formula): Expansion =>
  (op, maths) =>
    f(maths, op.operands[0]!);

/** max along an axis by halves: log2 levels of b + relu(a − b). */
export function rowMax(maths: FormulaBuilder, x: ValueId, axis: number): ValueId {
  let row = x;
  for (
    let n = maths.shape(x)[axisOf(axis, maths.shape(x))]!;
    n > 1;
    n = maths.shape(row)[axisOf(axis, maths.shape(row))]!
  ) {
    const half = Math.floor(n / 2);
    const [a, b] = [maths.slice(row, axis, 0, half), maths.slice(row, axis, half, 2 * half)];
    const larger = maths.add(b, maths.relu(maths.sub(a, b)));
    const rest = n % 2 === 1 ? [maths.slice(row, axis, 2 * half, n)] : [];
    row = rest.length === 0 ? larger : maths.emit("concat", [larger, ...rest], { axis: axisOf(axis, maths.shape(x)) });
  }
  return row;
}

/**
 * (1 + x/2^t)^(2^t) for x ≤ 0 by t squarings, and 0 below `least`. There the base is set to 0, not the power, which
 * grows beyond any ring from x = −2^(t+1) on. Numbers and bytes are the same.
 */
export const negExp =
  ({ least, squarings }: { readonly least: number; readonly squarings: number }): Formula =>
  (maths, x) => {
    const far = maths.emit("compare", [x, maths.constant(least)], { kind: "less" });
    const near = maths.addConstant(maths.scale(x, 2 ** -squarings), 1);
    let power = maths.emit("where", [far, maths.constant(0), near]);
    for (let step = 0; step < squarings; step++) power = maths.square(power);
    return power;
  };

/** Offset of a masked score: (1 − 64/256)^256 < 2^−106. */
const maskedScore = -64;

/** exp(x − max) / Σ exp(x − max), with a function for the exponential of x ≤ 0 and one for the reciprocal of x ≥ 1. */
export const softmaxBy =
  (exp: Formula, reciprocal: Formula): Softmax =>
  (maths, x, axis, keep) => {
    const scores =
      keep === undefined
        ? x
        : maths.add(
            x,
            maskTensor(maths, "absent", keep, (exists) => maskedScore * (1 - exists)),
          );
    const powers = exp(maths, maths.sub(scores, rowMax(maths, scores, axis)));
    return maths.mul(powers, reciprocal(maths, maths.sum(powers, axis)));
  };

/** 1 over a sum of n numbers. */
type Inverse = (maths: FormulaBuilder, sum: ValueId, n: number) => ValueId;

/** f(x) / Σ f(x) for a positive f. */
const proportionsBy =
  (f: Formula, inverse: Inverse): Softmax =>
  (maths, x, axis, keep) => {
    const values = f(maths, x);
    const kept =
      keep === undefined
        ? values
        : maths.mul(
            values,
            maskTensor(maths, "kept", keep, (x) => x),
          );
    const n = maths.shape(x)[axisOf(axis, maths.shape(x))]!;
    return maths.mul(kept, inverse(maths, maths.sum(kept, axis), n));
  };

/** 2Quad: (x + 5)² / Σ (x + 5)² (MPCFormer, section 3). */
export const quadSoftmaxBy = (inverse: Inverse): Softmax =>
  proportionsBy((maths, x) => maths.square(maths.addConstant(x, 5)), inverse);

/** Added to each relu, so that a row without a positive score is uniform: MPCFormer's 1e−12 is below one unit. */
const reluFloor = 2 ** -8;

/** 2ReLU: relu(x) / Σ relu(x) (SecureML, Mohassel, Zhang, S&P 2017; MPCFormer, section 3). */
export const reluSoftmaxBy = (inverse: Inverse): Softmax =>
  proportionsBy((maths, x) => maths.addConstant(maths.relu(x), reluFloor), inverse);

export const softmaxOp =
  (softmax: Softmax): Expansion =>
  (op, maths) =>
    softmax(maths, op.operands[0]!, Number(op.attrs.axis ?? -1));

/** Repeats heads of keys or values, so that each query head has its own. */
function repeatHeads(maths: FormulaBuilder, x: ValueId, heads: number): ValueId {
  const [batch, groups, columns, depth] = maths.shape(x) as [number, number, number, number];
  if (groups === heads) return x;
  const apart = maths.emit("reshape", [x], { shape: [batch, groups, 1, columns, depth] });
  const wide = maths.emit("expand", [apart], { shape: [batch, groups, heads / groups, columns, depth] });
  return maths.emit("reshape", [wide], { shape: [batch, heads, columns, depth] });
}

/** Which scores exist under a causal mask, in a window, or both; undefined where all do. */
function scoreMask({ causal, window }: Op["attrs"], rows: number, columns: number): ScoreMask | undefined {
  const windowSize = Number(window ?? 0);
  if (causal !== true && windowSize === 0) return undefined;
  const exists = (at: number): boolean => {
    const back = Math.floor(at / columns) + (columns - rows) - (at % columns);
    return (causal !== true || back >= 0) && (windowSize === 0 || back < windowSize);
  };
  const data = Float64Array.from({ length: rows * columns }, (_, at) => Number(exists(at)));
  const kind = `${causal === true ? "causal" : "ahead"}${windowSize > 0 ? ` ${windowSize}` : ""}`;
  return { shape: [rows, columns], data, kind };
}

/** A function of such a mask as a public tensor. */
export const maskTensor = (
  maths: FormulaBuilder,
  name: string,
  keep: ScoreMask,
  f: (exists: number, at: number) => number,
) => {
  const { shape, data, kind } = keep;
  return maths.param(`${name} ${kind} ${shape.join(" ")}`, {
    shape,
    data: data.map((exists, at) => f(exists, at) + 0),
  });
};

/** softmax(scale · q·kᵀ + mask) · v by matrix products. `masks`: whether the softmax is defined for added masks. */
export const attentionBy =
  (softmax: Softmax, masks: boolean): Expansion =>
  (op, maths) => {
    const [q, k, v, mask] = op.operands as [ValueId, ValueId, ValueId, ValueId?];
    if (mask !== undefined && !masks) refuseMask(op);
    const [, heads, rows] = maths.shape(q) as [number, number, number];
    const columns = maths.shape(k)[2]!;
    const keys = maths.emit("transpose", [repeatHeads(maths, k, heads)], { perm: [0, 1, 3, 2] });
    const scaled = maths.scale(maths.emit("matmul", [q, keys]), Number(op.attrs.scale));
    const scores = mask === undefined ? scaled : maths.add(scaled, mask);
    const keep = scoreMask(op.attrs, rows, columns);
    return maths.emit("matmul", [softmax(maths, scores, -1, keep), repeatHeads(maths, v, heads)]);
  };

const refuseMask = (op: Op): never =>
  fail({
    code: "MRL0495",
    message: "expected attention without an added mask, found one: the softmax of this preset is not defined for it",
    at: op.origin || `%${op.result}`,
    help: "compile with --preset marill, or export the model with a causal mask or without padding",
  });

/** The mean along the last axis. */
const mean = (maths: FormulaBuilder, x: ValueId): ValueId => maths.scale(maths.sum(x), 1 / maths.shape(x).at(-1)!);

/** x · 1/√(mean(x²) + ε) */
export const rmsNormBy =
  (rsqrt: Formula): Expansion =>
  (op, maths) =>
    normalizeRows(op, maths, op.operands[0]!, rsqrt);

/** (x − mean) · 1/√(variance + ε) */
export const layerNormBy =
  (rsqrt: Formula): Expansion =>
  (op, maths) =>
    normalizeRows(op, maths, maths.sub(op.operands[0]!, mean(maths, op.operands[0]!)), rsqrt);

function normalizeRows(op: Op, maths: FormulaBuilder, centred: ValueId, rsqrt: Formula): ValueId {
  const variance = mean(maths, maths.square(centred));
  return maths.mul(centred, rsqrt(maths, maths.addConstant(variance, Number(op.attrs.epsilon))));
}

/** x/2 · (1 + erf(x/√2)) */
export const geluBy =
  (erf: Formula): Formula =>
  (maths, x) =>
    maths.mul(maths.scale(x, 0.5), maths.addConstant(erf(maths, maths.scale(x, Math.SQRT1_2)), 1));

/** tanh(x) = 2σ(2x) − 1 */
export const tanhBy =
  (sigmoid: Formula): Formula =>
  (maths, x) =>
    maths.addConstant(maths.scale(sigmoid(maths, maths.scale(x, 2)), 2), -1);

/** x·σ(x) */
export const siluBy =
  (sigmoid: Formula): Formula =>
  (maths, x) =>
    maths.mul(x, sigmoid(maths, x));
