/**
 * SecFormer (Luo et al., Findings of ACL 2024, section 3; code: operation/*.py, commits 2b5f1f7 and 0fb4013), on
 * CrypTen.
 */
import type { ValueId } from "../../ir/module.ts";
import {
  attentionBy,
  elementwise,
  geluBy,
  layerNormBy,
  quadSoftmaxBy,
  rmsNormBy,
  softmaxOp,
} from "./building-blocks.ts";
import { crypten } from "./crypten.ts";
import type { FormulaBuilder } from "./formula-builder.ts";
import type { Preset } from "./preset.ts";

/** erf on [−1.7, 1.7] as Σ β_k sin(kπu/10); the code takes 2.5 instead of 1.7, where the series is further off. */
const beta = [1.25772, -0.0299154, 0.382155, -0.0519123, 0.196033, -0.0624557, 0.118029];
const bend = 1.7;
const period = 20;
/** A power of two: only modulo such a period can the argument be opened under a uniform mask. */
const openable = 32;

function erf(maths: FormulaBuilder, u: ValueId): ValueId {
  const series = maths.emit("sine-series", [maths.scale(u, openable / period)], { period: openable, sines: beta });
  const [below, within] = [maths.less(u, -bend), maths.less(u, bend)];
  const above = maths.subtractFrom(1, within);
  const inside = maths.sub(maths.subtractFrom(1, below), above);
  return maths.sub(maths.add(maths.mul(series, inside), above), below);
}

/** Public divisors that bring sums of squares below 2 and variances below 3, as the protocols' deflation does. */
const deflation = { sum: 5000, variance: 2000 };

/** Goldschmidt's division of 1 by a sum, 13 steps: m = 2 − y, x ← x·m, y ← y·m from x = 1/η, y = sum/η. */
const quadSoftmax = quadSoftmaxBy((maths, sum) => {
  let y = maths.scale(sum, 1 / deflation.sum);
  let x: ValueId | undefined;
  for (let step = 0; step < 13; step++) {
    const m = maths.subtractFrom(2, y);
    x = x === undefined ? maths.scale(m, 1 / deflation.sum) : maths.mul(x, m);
    y = maths.mul(y, m);
  }
  return x!;
});

/** Goldschmidt's inverse root, 11 steps: m = (3 − q)/2, q ← q·m², p ← p·m from q = x/η, p = 1/√η. */
function rsqrt(maths: FormulaBuilder, x: ValueId): ValueId {
  let q = maths.scale(x, 1 / deflation.variance);
  let p: ValueId | undefined;
  for (let step = 0; step < 11; step++) {
    const m = maths.scale(maths.subtractFrom(3, q), 0.5);
    p = p === undefined ? m : maths.mul(p, m);
    q = maths.mul(q, maths.square(m));
  }
  return maths.scale(p!, deflation.variance ** -0.5);
}

export const secformer: Preset = {
  ...crypten,
  name: "secformer",
  source: "SecFormer (Luo et al., Findings of ACL 2024), section 3; code at commits 2b5f1f7 and 0fb4013",
  rewrites: {
    ...crypten.rewrites,
    attention: attentionBy(quadSoftmax, false),
    softmax: softmaxOp(quadSoftmax),
    "rms-norm": rmsNormBy(rsqrt),
    "layer-norm": layerNormBy(rsqrt),
    erf: elementwise(erf),
    gelu: elementwise(geluBy(erf)),
  },
};
