/** MPCFormer (Li et al., ICLR 2023, section 3; code: src/benchmark/utils.py, commit 256d189), on CrypTen. */
import { crypten, positiveReciprocal } from "./crypten.ts";
import { attentionBy, each, quadSoftmaxBy, softmaxOp } from "./parts.ts";
import type { Preset } from "./preset.ts";

/**
 * 2Quad divides by CrypTen's reciprocal, which diverges beyond 256: so the mean of the squares is inverted, not their
 * sum, and 1/n is public. It is the same quotient at the same cost.
 */
const quadSoftmax = quadSoftmaxBy((maths, sum, n) =>
  maths.times(positiveReciprocal(maths, maths.times(sum, 1 / n)), 1 / n),
);

export const mpcformer: Preset = {
  ...crypten,
  name: "mpcformer",
  source: "MPCFormer (Li et al., ICLR 2023), section 3; code at commit 256d189",
  rewrites: {
    ...crypten.rewrites,
    attention: attentionBy(quadSoftmax, false),
    softmax: softmaxOp(quadSoftmax),
    // Quad: x²/8 + x/2 + 1/4
    gelu: each((maths, x) => maths.plus(maths.add(maths.times(maths.square(x), 0.125), maths.times(x, 0.5)), 0.25)),
  },
};
