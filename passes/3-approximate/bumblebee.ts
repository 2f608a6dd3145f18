/**
 * BumbleBee (Lu et al., NDSS 2025; code: SPU's examples, hack_gelu and hack_silu). Numerics only: its two parties use
 * oblivious transfer and homomorphic encryption, ours use a dealer. docs/presets.md has the traffic of theirs.
 */
import type { ValueId } from "../../ir/module.ts";
import {
  attentionBy,
  elementwise,
  type Formula,
  layerNormBy,
  negExp,
  rmsNormBy,
  softmaxBy,
  softmaxOp,
  tanhBy,
} from "./building-blocks.ts";
import type { FormulaBuilder } from "./formula-builder.ts";
import { type Preset, uniformPrecision } from "./preset.ts";
import { reciprocal, rsqrt } from "./reciprocal-functions.ts";

/** A polynomial in |x| below `end`; one function beyond it on the left, one on the right. */
interface Pieces {
  readonly end: number;
  readonly inner: (maths: FormulaBuilder, magnitude: ValueId, negative: ValueId) => ValueId;
  readonly left: (maths: FormulaBuilder, x: ValueId) => ValueId;
  readonly right: (maths: FormulaBuilder, x: ValueId) => ValueId;
}

const compare = (maths: FormulaBuilder, kind: string, x: ValueId, c: number): ValueId =>
  maths.emit("compare", [x, maths.constant(c)], { kind });

/** Four segments: comparisons with −end, 0 and end, which share their rounds. */
const piecewise =
  ({ end, inner, left, right }: Pieces): Formula =>
  (maths, x) => {
    const [low, negative, high] = [
      compare(maths, "less", x, -end),
      compare(maths, "less", x, 0),
      compare(maths, "greater-or-equal", x, end),
    ];
    const magnitude = maths.emit("where", [negative, maths.scale(x, -1), x]);
    const middle = inner(maths, magnitude, negative);
    const most = maths.emit("where", [low, left(maths, x), middle]);
    return maths.emit("where", [high, right(maths, x), most]);
  };

const zero = (maths: FormulaBuilder): ValueId => maths.constant(0);
const one = (maths: FormulaBuilder): ValueId => maths.constant(1);
const itself = (_maths: FormulaBuilder, x: ValueId): ValueId => x;

/** GELU(x) − x/2 on [−3, 3], in |x|. */
const half = [
  0.001620808531841547, -0.03798164612714154, 0.5410550166368381, -0.18352506127082727, 0.020848611754127593,
];
/** σ(|x|) on [0, 8]. */
const logistic = [
  0.49352908920523014, 0.3028510171823098, -0.06808619212463336, 0.006747908074344234, -0.0002472776978734074,
];

const gelu: Formula = (maths, x) =>
  piecewise({
    end: 3,
    inner: (inside, magnitude) => inside.add(inside.polynomial(magnitude, half), inside.scale(x, 0.5)),
    left: zero,
    right: itself,
  })(maths, x);

const sigmoid: Formula = piecewise({
  end: 8,
  inner: (maths, magnitude, negative) => {
    const positive = maths.polynomial(magnitude, logistic);
    return maths.emit("where", [negative, maths.subtractFrom(1, positive), positive]);
  },
  left: zero,
  right: one,
});

/** x·σ(x) within ±8, 0 and x beyond: the product of x with the sigmoid of four segments. */
const silu: Formula = (maths, x) => maths.mul(x, sigmoid(maths, x));

const exp = negExp({ least: -14, squarings: 6 });
const softmax = softmaxBy(exp, reciprocal);

export const bumblebee: Preset = {
  name: "bumblebee",
  source: "BumbleBee (Lu et al., NDSS 2025), section 5; numerics alone",
  settings: ["2pc-dealer", "3pc"],
  // The families with one ring for two parties; BumbleBee's own backend is not implemented.
  families: ["crypten", "marill"],
  ring: 64,
  precision: uniformPrecision(18),
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
    silu: elementwise(silu),
    gelu: elementwise(gelu),
  },
};
