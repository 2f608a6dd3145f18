export { a2bCast } from "./a2b-cast.ts";
export { a2bCompare, a2bComparePublic } from "./a2b-compare.ts";
export { a2bRelu } from "./a2b-relu.ts";
export { coarseMaxAttention } from "./attention.ts";
export { beaverMatmul, beaverWeightMatmul } from "./beaver-matmul.ts";
export { beaverMul, beaverWeightMul } from "./beaver-mul.ts";
export { beaverSquare } from "./beaver-square.ts";
export { beaverWhere } from "./beaver-where.ts";
export { coarseMaxCachedAttention } from "./cached-attention.ts";
export { faithfulTruncate } from "./faithful-truncate.ts";
export { fixedWeightMatmul } from "./fixed-weight.ts";
export { fourierErf } from "./fourier-erf.ts";
export { fourierGelu } from "./fourier-gelu.ts";
export { fourierSigmoid } from "./fourier-sigmoid.ts";
export { fourierSilu } from "./fourier-silu.ts";
export { fourierTanh } from "./fourier-tanh.ts";
export { knownWeightMatmul, knownWeightMul } from "./known-weight.ts";
export { knownWeightConv } from "./known-weight-conv.ts";
export { localTruncate } from "./local-truncate.ts";
export { maskedConv } from "./masked-conv.ts";
export { maskedExtend } from "./masked-extend.ts";
export { maskedMatmul } from "./masked-matmul.ts";
export { maskedMul } from "./masked-mul.ts";
export { maskedRelu } from "./masked-relu.ts";
export { oneOpeningLayerNorm, oneOpeningRmsNorm } from "./norm.ts";
export { octavesReciprocal, octavesRsqrt } from "./octave-inverse.ts";
export { oneWayReveal } from "./one-way-reveal.ts";
export { maskedOpen } from "./open.ts";
export { openedSine } from "./opened-sine.ts";
export { replicatedCompare, replicatedRelu, replicatedWhere } from "./replicated-compare.ts";
export { replicatedReveal, replicatedShare } from "./replicated-io.ts";
export { replicatedMaximum, replicatedReduceMax } from "./replicated-max.ts";
export {
  replicatedMatmul,
  replicatedMul,
  replicatedSquare,
  replicatedWeightMatmul,
  replicatedWeightMul,
} from "./replicated-product.ts";
export { replicatedTruncate, replicatedTruncateUnchecked } from "./replicated-truncate.ts";
export { sameRingTruncate } from "./same-ring-truncate.ts";
export { seededShare } from "./seeded-share.ts";
export { separableExp } from "./separable-exp.ts";
export { coarseMaxSoftmax } from "./softmax.ts";
export { tournamentMaxPool } from "./tournament-max-pool.ts";
