/** MPCFormer (Li et al., ICLR 2023, section 3; code: src/benchmark/utils.py, commit 256d189), on CrypTen. */
import type { ValueId } from "../../ir/module.ts";
import { attentionBy, elementwise, quadSoftmaxBy, reluSoftmaxBy, softmaxOp } from "./building-blocks.ts";
import { crypten, positiveReciprocal } from "./crypten.ts";
import type { FormulaBuilder } from "./formula-builder.ts";
import type { Preset } from "./preset.ts";

/**
 * 2Quad and 2ReLU divide by CrypTen's reciprocal, which diverges beyond 256. So this inverts the mean, not the sum; 1/n
 * is public. The quotient and its cost are the same.
 */
const inverse = (maths: FormulaBuilder, sum: ValueId, n: number): ValueId =>
  maths.scale(positiveReciprocal(maths, maths.scale(sum, 1 / n)), 1 / n);
const quadSoftmax = quadSoftmaxBy(inverse);
const reluSoftmax = reluSoftmaxBy(inverse);

export const mpcformer: Preset = {
  ...crypten,
  name: "mpcformer",
  source: "MPCFormer (Li et al., ICLR 2023), section 3; code at commit 256d189",
  rewrites: {
    ...crypten.rewrites,
    attention: attentionBy(quadSoftmax, false),
    softmax: softmaxOp(quadSoftmax),
    // Quad: x²/8 + x/2 + 1/4
    gelu: elementwise((maths, x) =>
      maths.addConstant(maths.add(maths.scale(maths.square(x), 0.125), maths.scale(x, 0.5)), 0.25),
    ),
  },
};

/** The other softmax that MPCFormer evaluates, of scores rather than of their squares: for models tuned for it. */
export const mpcformerRelu: Preset = {
  ...mpcformer,
  name: "mpcformer-2relu",
  rewrites: {
    ...mpcformer.rewrites,
    attention: attentionBy(reluSoftmax, false),
    softmax: softmaxOp(reluSoftmax),
  },
};
