/** SHAFT (Kei, Chow, NDSS 2025; code: crypten/common/functions/approximations.py, commit 858e13e), on CrypTen. */
import type { ValueId } from "../../ir/module.ts";
import { tensor } from "../../ir/tensor.ts";
import {
  attentionBy,
  elementwise,
  layerNormBy,
  maskTensor,
  rmsNormBy,
  type ScoreMask,
  type Softmax,
  softmaxOp,
} from "./building-blocks.ts";
import { crypten, rsqrtIn } from "./crypten.ts";
import { axisOf, type FormulaBuilder } from "./formula-builder.ts";
import type { Preset } from "./preset.ts";

/** Sines of f(x) − relu(x) on |x| < period/2, as an odd function of |x|. */
const gelu = { period: 8, sines: [-0.0818, -0.0809, -0.0424, -0.0176, -0.0079, -0.0043, -0.0026, -0.0017] };
const silu = {
  period: 16,
  sines: [-0.1299, -0.122, -0.0743, -0.0394, -0.0216, -0.0118, -0.0074, -0.0044, -0.0033, -0.0021, -0.0018, -0.0011],
};

/** relu(x) + 1{|x| < P/2} · Σ β_k sin(2πk|x|/P), |x| = 2·relu(x) − x */
const bent =
  (series: typeof gelu) =>
  (maths: FormulaBuilder, x: ValueId): ValueId => {
    const relu = maths.relu(x);
    const magnitude = maths.sub(maths.scale(relu, 2), x);
    const inside = maths.less(magnitude, series.period / 2);
    return maths.add(relu, maths.mul(maths.emit("sine-series", [magnitude], series), inside));
  };

const [least, most] = [-4, 12];
const steps = 16;

/**
 * Softmax as the flow of g' = (x − ⟨g, x⟩)·g from the uniform distribution, 16 steps of Euler's on scores clipped to
 * [−4, 12]. Masked scores start at 0 and stay there.
 */
const odeSoftmax: Softmax = (maths, scores, axis, keep) => {
  const raised = maths.add(scores, maths.relu(maths.subtractFrom(least, scores)));
  const clipped = maths.sub(raised, maths.relu(maths.addConstant(scores, -most)));
  const x = maths.scale(clipped, 1 / steps);
  let g = start(maths, scores, axis, keep);
  for (let step = 0; step < steps; step++) {
    const projection = maths.sum(maths.mul(x, g), axis);
    g = maths.add(g, maths.mul(maths.sub(x, projection), g));
  }
  return g;
};

/** 1/n for each of the n unmasked scores of a row. */
function start(maths: FormulaBuilder, scores: ValueId, axis: number, keep: ScoreMask | undefined): ValueId {
  const shape = maths.shape(scores);
  const n = shape[axisOf(axis, shape)]!;
  const size = shape.reduce((product, n) => product * n, 1);
  if (keep === undefined)
    return maths.param(`uniform ${shape.join(" ")}`, tensor(shape, new Float64Array(size).fill(1 / n)));
  const existing = (at: number): number => {
    const row = at - (at % n);
    return keep.data.subarray(row, row + n).reduce((sum, kept) => sum + kept, 0);
  };
  return maskTensor(maths, "uniform", keep, (kept, at) => kept / Math.max(1, existing(at)));
}

const rsqrt = rsqrtIn(5);

export const shaft: Preset = {
  ...crypten,
  name: "shaft",
  source: "SHAFT (Kei, Chow, NDSS 2025); code at commit 858e13e",
  rewrites: {
    ...crypten.rewrites,
    attention: attentionBy(odeSoftmax, false),
    softmax: softmaxOp(odeSoftmax),
    "rms-norm": rmsNormBy(rsqrt),
    "layer-norm": layerNormBy(rsqrt),
    rsqrt: elementwise(rsqrt),
    gelu: elementwise(bent(gelu)),
    silu: elementwise(bent(silu)),
  },
};
