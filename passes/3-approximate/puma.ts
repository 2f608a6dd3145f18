/**
 * PUMA (Dong et al., 2023, arXiv 2307.12533, section 4), three parties on replicated shares, as its authors run it on
 * SPU.
 */
import type { ValueId } from "../../ir/module.ts";
import {
  attentionBy,
  elementwise,
  type Formula,
  layerNormBy,
  negExp,
  rmsNormBy,
  type Softmax,
  siluBy,
  softmaxBy,
  softmaxOp,
  tanhBy,
} from "./building-blocks.ts";
import type { FormulaBuilder } from "./formula-builder.ts";
import { type Preset, uniformPrecision } from "./preset.ts";
import { reciprocal, reciprocalOnBinade, rsqrt } from "./reciprocal-functions.ts";

const cubic = [-0.5054031199708174, -0.42226581151983866, -0.11807612951181953, -0.011034134030615728];
const sextic = {
  0: 0.008526321541038084,
  1: 0.5,
  2: 0.3603292692789629,
  4: -0.037688200365904236,
  6: 0.0018067462606141187,
};

/**
 * 0 below −4, a cubic to −1.95, a polynomial of degree 6 to 3, x beyond (section 4.1). Powers by two squares and two
 * products; each term is truncated alone, as in the authors' program.
 */
const gelu: Formula = (maths, x) => {
  const square = maths.square(x);
  const cube = maths.mul(x, square);
  const [fourth, sixth] = [maths.square(square), maths.square(cube)];
  const sum = (constant: number, ...terms: readonly (readonly [ValueId, number])[]): ValueId =>
    maths.addConstant(terms.map(([power, c]) => maths.scale(power, c)).reduce(maths.add), constant);
  const low = sum(cubic[0]!, [x, cubic[1]!], [square, cubic[2]!], [cube, cubic[3]!]);
  const middle = sum(sextic[0], [x, sextic[1]], [square, sextic[2]], [fourth, sextic[4]], [sixth, sextic[6]]);
  const inner = where(maths, less(maths, x, -1.95), low, middle);
  const left = where(maths, less(maths, x, -4), maths.constant(0), inner);
  return where(maths, maths.emit("compare", [x, maths.constant(3)], { kind: "greater" }), x, left);
};

const less = (maths: FormulaBuilder, x: ValueId, c: number): ValueId =>
  maths.emit("compare", [x, maths.constant(c)], { kind: "less" });
const where = (maths: FormulaBuilder, bit: ValueId, x: ValueId, y: ValueId): ValueId =>
  maths.emit("where", [bit, x, y]);

/** (1 + x/2^5)^(2^5) for x ≤ 0, and 0 below −14 (section 4.2). */
const exp = negExp({ least: -14, squarings: 5 });

/**
 * exp(x − max − ε) / Σ, one reciprocal for each row (section 4.2, algorithm 2); ε is 10⁻⁶, a quarter of a unit at 18
 * bits: 0.
 */
const softmax: Softmax = softmaxBy(exp, reciprocal);

/** Not in the paper, which uses SPU's sigmoid: s = 1/(1 + exp(−|x|)), and 1 − s for x < 0. */
const sigmoid: Formula = (maths, x) => {
  const negative = less(maths, x, 0);
  const magnitude = where(maths, negative, maths.scale(x, -1), x);
  const positive = reciprocalOnBinade(maths, maths.addConstant(exp(maths, maths.scale(magnitude, -1)), 1));
  return where(maths, negative, maths.subtractFrom(1, positive), positive);
};

/** SPU's truncation has an error of at most one unit, whatever the bounds; a cheaper one would do for small values. */
const truncation = "replicated.truncate";

export const puma: Preset = {
  name: "puma",
  source: "PUMA (Dong et al., 2023, arXiv 2307.12533), section 4; SPU (Ma et al., USENIX ATC 2023)",
  settings: ["3pc"],
  families: ["replicated"],
  ring: 64,
  precision: uniformPrecision(18),
  truncations: { matmul: truncation, mul: truncation, square: truncation, where: truncation, relu: truncation },
  rewrites: {
    attention: attentionBy(softmax, true),
    softmax: softmaxOp(softmax),
    "rms-norm": rmsNormBy(rsqrt),
    "layer-norm": layerNormBy(rsqrt),
    exp: elementwise(exp),
    reciprocal: elementwise(reciprocal),
    rsqrt: elementwise(rsqrt),
    sigmoid: elementwise(sigmoid),
    tanh: elementwise(tanhBy(sigmoid)),
    silu: elementwise(siluBy(sigmoid)),
    gelu: elementwise(gelu),
  },
};
