/**
 * CrypTen (Knott et al., NeurIPS 2021, appendix C; code: crypten/common/functions/approximations.py, commit 0f89d31,
 * with the defaults of its configuration).
 */
import type { ValueId } from "../../ir/module.ts";
import {
  attentionBy,
  elementwise,
  geluBy,
  layerNormBy,
  rmsNormBy,
  rowMax,
  siluBy,
  softmaxBy,
  softmaxOp,
  tanhBy,
} from "./building-blocks.ts";
import type { FormulaBuilder } from "./formula-builder.ts";
import { maximumByRelu, orderByRelu } from "./order-by-relu.ts";
import { type Preset, uniformPrecision } from "./preset.ts";

/** (1 + x / 2^8)^(2^8) */
export function exp(maths: FormulaBuilder, x: ValueId): ValueId {
  let power = maths.addConstant(maths.scale(x, 2 ** -8), 1);
  for (let squaring = 0; squaring < 8; squaring++) power = maths.square(power);
  return power;
}

/** Newton's y ← 2y − y²·x */
const inverseStep = (maths: FormulaBuilder, x: ValueId, y: ValueId): ValueId =>
  maths.sub(maths.scale(y, 2), maths.mul(maths.square(y), x));

/** 1/x for x > 0: 3·exp(1 − 2x) + 0.003 and 10 steps of Newton's. Its exponential diverges beyond x = 256.5. */
export function positiveReciprocal(maths: FormulaBuilder, x: ValueId): ValueId {
  let y = maths.addConstant(maths.scale(exp(maths, maths.subtractFrom(1, maths.scale(x, 2))), 3), 0.003);
  for (let step = 0; step < 10; step++) y = inverseStep(maths, x, y);
  return y;
}

/** 1 − 2·1{x < 0}; CrypTen's sign is 1 at 0. */
const signFrom = (maths: FormulaBuilder, negative: ValueId): ValueId => maths.subtractFrom(1, maths.scale(negative, 2));

function reciprocal(maths: FormulaBuilder, x: ValueId): ValueId {
  const sign = signFrom(maths, maths.less(x, 0));
  return maths.mul(positiveReciprocal(maths, maths.mul(x, sign)), sign);
}

/** 1/√x: 2.2·exp(−x/2 − 0.2) + 0.2 − x/1024 and steps of Newton's y ← y·(3 − x·y²)/2. */
export const rsqrtIn =
  (steps: number) =>
  (maths: FormulaBuilder, x: ValueId): ValueId => {
    const start = maths.scale(exp(maths, maths.subtractFrom(-0.2, maths.scale(x, 0.5))), 2.2);
    let y = maths.sub(maths.addConstant(start, 0.2), maths.scale(x, 2 ** -10));
    for (let step = 0; step < steps; step++) {
      y = maths.scale(maths.mul(y, maths.subtractFrom(3, maths.mul(x, maths.square(y)))), 0.5);
    }
    return y;
  };

/**
 * σ(x) from 1/(1 + exp(−|x|)), by 3 steps from 0.75, the first of which is linear, and σ(−x) = 1 − σ(x). The code sets
 * 9 squarings only after it computes the exponential: there are 8.
 */
export function sigmoid(maths: FormulaBuilder, x: ValueId): ValueId {
  const negative = maths.less(x, 0);
  const magnitude = maths.mul(x, signFrom(maths, negative));
  const denominator = maths.addConstant(exp(maths, maths.scale(magnitude, -1)), 1);
  const linear = maths.subtractFrom(2 * 0.75, maths.scale(denominator, 0.75 ** 2));
  const inverse = inverseStep(maths, denominator, inverseStep(maths, denominator, linear));
  return maths.add(inverse, maths.mul(maths.subtractFrom(1, maths.scale(inverse, 2)), negative));
}

/** 2/√π · Σ_{n=0…8} (−1)^n x^(2n+1) / (n!·(2n+1)); the code computes every power separately, here one chain does. */
function erf(maths: FormulaBuilder, x: ValueId): ValueId {
  let factorial = 1;
  const terms = [...Array(9).keys()].map((n) => {
    factorial *= Math.max(1, n);
    return ((2 / Math.sqrt(Math.PI)) * (-1) ** n) / (factorial * (2 * n + 1));
  });
  return maths.mul(maths.polynomial(maths.square(x), terms), x);
}

/** x/120 − 20·exp(−2x − 1) + 3 and two of Householder's steps of order 8: y ← y − Σ h^k/k, h = 1 − x·exp(−y). */
function log(maths: FormulaBuilder, x: ValueId): ValueId {
  const bend = maths.scale(exp(maths, maths.subtractFrom(-1, maths.scale(x, 2))), 20);
  let y = maths.addConstant(maths.sub(maths.scale(x, 1 / 120), bend), 3);
  for (let step = 0; step < 2; step++) {
    const h = maths.subtractFrom(1, maths.mul(x, exp(maths, maths.scale(y, -1))));
    const inner = maths.polynomial(h, [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6, 1 / 7, 1 / 8]);
    y = maths.sub(y, maths.mul(inner, h));
  }
  return y;
}

const softmax = softmaxBy(exp, positiveReciprocal);
const rsqrt = rsqrtIn(3);

export const crypten: Preset = {
  name: "crypten",
  source: "CrypTen (Knott et al., NeurIPS 2021), appendix C; code at commit 0f89d31",
  settings: ["2pc-dealer", "3pc"],
  // Family marill serves inputs and outputs only.
  families: ["crypten", "marill"],
  ring: 64,
  precision: uniformPrecision(16),
  rewrites: {
    ...orderByRelu,
    maximum: maximumByRelu,
    attention: attentionBy(softmax, true),
    softmax: softmaxOp(softmax),
    "rms-norm": rmsNormBy(rsqrt),
    "layer-norm": layerNormBy(rsqrt),
    "reduce-max": (op, maths) => {
      const axes = op.attrs.axes as readonly number[];
      return axes.length === 1 && op.attrs.keepdims === true ? rowMax(maths, op.operands[0]!, axes[0]!) : undefined;
    },
    exp: elementwise(exp),
    log: elementwise(log),
    reciprocal: elementwise(reciprocal),
    rsqrt: elementwise(rsqrt),
    sigmoid: elementwise(sigmoid),
    tanh: elementwise(tanhBy(sigmoid)),
    silu: elementwise(siluBy(sigmoid)),
    erf: elementwise(erf),
    gelu: elementwise(geluBy(erf)),
  },
};
